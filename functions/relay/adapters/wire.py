"""Documents as Firestore's own messages, one call each.

The client's encoder wraps every value of a document in a class of its own, and its read of one
document is a stream with a thread: together most of what a callback costs. Here are the same
calls without either, on the same connection.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from google.cloud import firestore
from google.cloud.firestore_v1.types import CommitRequest, Document, GetDocumentRequest

_NULL = 0


class Wire:
    """Reads and writes single documents of one collection.

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
        self._folder = f"{self._database}/documents/{collection}"
        self._call = call

    def get(self, name: str) -> tuple[dict[str, Any], datetime]:
        """Return a document's fields and its update time; raise the vendor's `NotFound`."""
        request = GetDocumentRequest(name=f"{self._folder}/{name}")
        document = self._api.get_document(request=request, metadata=self._metadata, **self._call)
        return _decoded_fields(Document.pb(document).fields), document.update_time

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


def _decoded_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _decoded(value) for name, value in fields.items()}


def _decoded(value: Any) -> Any:
    match value.WhichOneof("value_type"):
        case "null_value":
            return None
        case "timestamp_value":
            return value.timestamp_value.ToDatetime(tzinfo=UTC)
        case "array_value":
            return [_decoded(one) for one in value.array_value.values]
        case "map_value":
            return _decoded_fields(value.map_value.fields)
        case kind:
            return getattr(value, kind)
