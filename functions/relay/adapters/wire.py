"""Documents as Firestore's own messages, one call each.

The client's encoder wraps every value of a document in a class of its own, its read of one
document is a stream with a thread, and what its queries find is copied value by value: together
most of what a callback costs, and of a pump's look. Here are the same calls without all that, on
the same connection.
"""

from collections.abc import Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.api_core.datetime_helpers import DatetimeWithNanoseconds
from google.cloud import firestore
from google.cloud.firestore_v1.types import (
    CommitRequest,
    Document,
    GetDocumentRequest,
    RunQueryRequest,
    RunQueryResponse,
)

_NULL = 0


@dataclass(frozen=True, slots=True)
class Found:
    """A document as it stood in the store; its name is the last part of its path."""

    name: str
    fields: Mapping[str, Any]
    update_time: DatetimeWithNanoseconds


class Wire:
    """Reads and writes documents of one collection.

    Args:
        call: Timeout and retry of every call, as the client takes them.
    """

    def __init__(
        self, client: firestore.Client, collection: str, *, call: Mapping[str, Any]
    ) -> None:
        # What the public client itself calls, with its credentials or emulator.
        self._api = client._firestore_api  # noqa: SLF001
        self._metadata = client._rpc_metadata  # noqa: SLF001
        self._database = client._database_string  # noqa: SLF001
        self._root = f"{self._database}/documents"
        self._folder = f"{self._root}/{collection}"
        self._call = call

    def get(self, name: str) -> Found:
        """Return a document; raise the vendor's `NotFound`."""
        request = GetDocumentRequest(name=f"{self._folder}/{name}")
        document = self._api.get_document(request=request, metadata=self._metadata, **self._call)
        return _found(Document.pb(document))

    def run(self, query: Any) -> list[Found]:
        """Return what a query of the client's finds in the collection."""
        return [_found(document) for document in self._documents(query)]

    def stream(self, query: Any) -> Generator[tuple[Found, int], None, None]:
        """Give what a query finds one by one, each with its size in bytes.

        Whoever has enough closes the iterator: what the store has not sent by then is not sent.
        """
        with closing(self._documents(query)) as documents:
            for document in documents:
                yield _found(document), document.ByteSize()

    def _documents(self, query: Any) -> Generator[Any, None, None]:
        structured = query._to_protobuf()  # noqa: SLF001
        request = RunQueryRequest(parent=self._root, structured_query=structured)
        answers = self._api.run_query(request=request, metadata=self._metadata, **self._call)
        try:
            for answer in answers:
                message = RunQueryResponse.pb(answer)
                # One without a document only says how far the query has got.
                if message.HasField("document"):
                    yield message.document
        finally:
            answers.cancel()

    def create(self, name: str, fields: Mapping[str, Any]) -> datetime:
        """Write a new document and return its update time; raise `AlreadyExists`."""
        request, write = self._writing(name)
        write.current_document.exists = False
        return self._commit(request, write, fields)

    def update(
        self,
        name: str,
        fields: Mapping[str, Any],
        *,
        removed: Iterable[str],
        update_time: Any,
    ) -> datetime:
        """Write and remove fields of a document as it was then; raise `FailedPrecondition`."""
        request, write = self._writing(name)
        write.current_document.update_time.CopyFrom(update_time.timestamp_pb())
        write.update_mask.field_paths.extend((*fields, *removed))
        return self._commit(request, write, fields)

    def _writing(self, name: str) -> tuple[Any, Any]:
        request = CommitRequest.pb(CommitRequest(database=self._database))
        write = request.writes.add()
        write.update.name = f"{self._folder}/{name}"
        return request, write

    def _commit(self, request: Any, write: Any, fields: Mapping[str, Any]) -> datetime:
        for name, value in fields.items():
            _encode(value, write.update.fields[name])
        committed = self._api.commit(
            request=CommitRequest.wrap(request), metadata=self._metadata, **self._call
        )
        update_time: datetime = committed.write_results[0].update_time
        return update_time


def _found(document: Any) -> Found:
    return Found(
        document.name.rpartition("/")[2],
        {name: _decoded(value) for name, value in document.fields.items()},
        DatetimeWithNanoseconds.from_timestamp_pb(document.update_time),  # type: ignore[no-untyped-call]
    )


def _encode(value: Any, to: Any) -> None:
    match value:
        case None:
            to.null_value = _NULL
        case bool():
            to.boolean_value = value
        case str():
            to.string_value = value
        case int():
            to.integer_value = value
        case float():
            to.double_value = value
        case datetime():
            to.timestamp_value.FromDatetime(value)
        case list() | tuple():
            to.array_value.SetInParent()
            for one in value:
                _encode(one, to.array_value.values.add())
        case dict():
            to.map_value.SetInParent()
            for name, one in value.items():
                _encode(one, to.map_value.fields[name])
        case _:
            raise TypeError(f"no {type(value).__name__} in a document")


def _decoded(value: Any) -> Any:
    match value.WhichOneof("value_type"):
        case "null_value":
            return None
        case "timestamp_value":
            return value.timestamp_value.ToDatetime(tzinfo=UTC)
        case "array_value":
            return [_decoded(one) for one in value.array_value.values]
        case "map_value":
            return {name: _decoded(one) for name, one in value.map_value.fields.items()}
        case kind:
            return getattr(value, kind)
