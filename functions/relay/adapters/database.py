"""Calls of Firestore's generated client: documents by name, queries, and single writes.

The high-level client wraps every value of a document in an object of its own, which takes longer
than all else (docs/decisions/0011), so messages are filled and read here. The client's own retries
are off: a write that is repeated behind our back reports a lost race that it won itself.
"""

import os
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any

import grpc
import msgspec
from google.api_core.exceptions import NotFound
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport
from google.cloud.firestore_v1.types import (
    BatchGetDocumentsRequest,
    BatchGetDocumentsResponse,
    CommitRequest,
    CommitResponse,
    Document,
    GetDocumentRequest,
    RunAggregationQueryRequest,
    RunQueryRequest,
    RunQueryResponse,
    StructuredQuery,
)

from relay.adapters.document import decode_fields, encode, encode_fields

EMULATOR_HOST = "FIRESTORE_EMULATOR_HOST"
_MESSAGE_SIZES = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
# The same as in the high-level client's channel.
_KEEPALIVE = ("grpc.keepalive_time_ms", 30_000)

_OPERATORS = {
    "==": StructuredQuery.FieldFilter.Operator.EQUAL,
    "<": StructuredQuery.FieldFilter.Operator.LESS_THAN,
    "<=": StructuredQuery.FieldFilter.Operator.LESS_THAN_OR_EQUAL,
    ">": StructuredQuery.FieldFilter.Operator.GREATER_THAN,
    "in": StructuredQuery.FieldFilter.Operator.IN,
    "contains": StructuredQuery.FieldFilter.Operator.ARRAY_CONTAINS,
}


class Database:
    """A Firestore database, behind the API's generated client.

    Args:
        headers: Sent with every call, beside the name of the database.
    """

    def __init__(
        self,
        channel: grpc.Channel,
        *,
        project: str,
        database: str = "(default)",
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.api = FirestoreClient(transport=FirestoreGrpcTransport(channel=channel))
        self.name = f"projects/{project}/databases/{database}"
        self.headers = (("google-cloud-resource-prefix", self.name), *headers)


def connect(project: str, database: str, *, env: Mapping[str, str] = os.environ) -> Database:
    """Connect to a database of the service, or of the emulator if the environment names one."""
    emulator = env.get(EMULATOR_HOST)
    if not emulator:
        channel = FirestoreGrpcTransport.create_channel(options=[_KEEPALIVE, *_MESSAGE_SIZES])
        return Database(channel, project=project, database=database)
    channel = grpc.insecure_channel(emulator, options=_MESSAGE_SIZES)
    # The emulator's owner may do everything, whatever rules it was started with.
    owner = ("authorization", "Bearer owner")
    return Database(channel, project=project, database=database, headers=[owner])


class Found(msgspec.Struct, frozen=True):
    """A document as it stood in the store.

    Attributes:
        name: The last part of its path.
        version: When it was last written, in nanoseconds since 1970.
    """

    name: str
    fields: dict[str, Any]
    version: int


class Collection:
    """The calls for one collection; every method raises the vendor's errors.

    Args:
        timeout_s: Of one call.
    """

    def __init__(self, database: Database, name: str, *, timeout_s: float) -> None:
        self.name = name
        self._api = database.api
        self._database = database.name
        self._root = f"{database.name}/documents"
        self._call: dict[str, Any] = {
            "retry": None,
            "timeout": timeout_s,
            "metadata": database.headers,
        }

    def get(self, name: str) -> Found | None:
        """Return a document, None if there is none."""
        request = GetDocumentRequest(name=self._path(name))
        try:
            document = self._api.get_document(request=request, **self._call)
        except NotFound:
            return None
        return _found(Document.pb(document))

    def get_with_age(self, name: str) -> tuple[Found, float] | None:
        """Return a document and its age in seconds by the store's clock, None if there is none."""
        request = BatchGetDocumentsRequest(database=self._database, documents=[self._path(name)])
        answers = self._api.batch_get_documents(request=request, **self._call)
        for answer in map(BatchGetDocumentsResponse.pb, list(answers)):
            if answer.HasField("found"):
                age = answer.read_time.ToDatetime() - answer.found.update_time.ToDatetime()
                return _found(answer.found), age.total_seconds()
        return None

    def query(
        self,
        *filters: Any,
        order_by: Iterable[str] = (),
        descending: bool = False,
        after: tuple[object, str] | None = None,
        limit: int | None = None,
        select: Iterable[str] = (),
    ) -> Any:
        """Return a query for the documents that pass all of these filters.

        Args:
            descending: For all fields of *order_by*.
            after: Start after the document with this value in the first field of *order_by*, and
                this name.
            limit: None for no limit.
            select: The fields to return; none named means all.
        """
        query = StructuredQuery.pb()()
        query.from_.add(collection_id=self.name)
        query.where.CopyFrom(all_of(filters))
        directions = StructuredQuery.Direction
        direction = directions.DESCENDING if descending else directions.ASCENDING
        for path in order_by:
            query.order_by.add(direction=direction).field.field_path = path
        if after is not None:
            value, name = after
            encode(value, query.start_at.values.add())
            query.start_at.values.add(reference_value=self._path(name))
        if limit is not None:
            query.limit.value = limit
        for path in select:
            query.select.fields.add(field_path=path)
        return query

    def run(self, query: Any) -> list[Found]:
        """Return what a query finds."""
        return [_found(document) for document in self._documents(query)]

    def stream(self, query: Any) -> Generator[tuple[Found, int], None, None]:
        """Yield what a query finds, each document with its size in bytes.

        Close the iterator to stop early: the store sends nothing more.
        """
        with closing(self._documents(query)) as documents:
            for document in documents:
                yield _found(document), document.ByteSize()

    def count(self, query: Any) -> int:
        """Return how many documents a query finds."""
        request = RunAggregationQueryRequest.pb()(parent=self._root)
        request.structured_aggregation_query.structured_query.CopyFrom(query)
        request.structured_aggregation_query.aggregations.add(alias="found").count.SetInParent()
        answers = self._api.run_aggregation_query(
            request=RunAggregationQueryRequest.wrap(request), **self._call
        )
        (answer,) = answers
        return int(answer.result.aggregate_fields["found"].integer_value)

    def create(self, name: str, fields: Mapping[str, Any]) -> int:
        """Write a new document and return its version; raise `AlreadyExists`."""
        request, write = self._write(name, fields)
        write.current_document.exists = False
        return self._commit(request)

    def put(self, name: str, fields: Mapping[str, Any]) -> None:
        """Write a document, over any that is there."""
        request, _ = self._write(name, fields)
        self._commit(request)

    def update(
        self,
        name: str,
        fields: Mapping[str, Any],
        *,
        removed: Iterable[str] = (),
        version: int | None,
    ) -> int:
        """Write and remove fields of a document and return the new version.

        Args:
            version: The version to write over; None for any.

        Raises:
            FailedPrecondition: The document has another version.
            NotFound: There is no such document.
        """
        request, write = self._write(name, fields)
        write.update_mask.field_paths.extend((*fields, *removed))
        if version is None:
            write.current_document.exists = True
        else:
            write.current_document.update_time.FromNanoseconds(version)
        return self._commit(request)

    def _path(self, name: str) -> str:
        return f"{self._root}/{self.name}/{name}"

    def _documents(self, query: Any) -> Generator[Any, None, None]:
        request = RunQueryRequest.pb()(parent=self._root, structured_query=query)
        answers: Any = self._api.run_query(request=RunQueryRequest.wrap(request), **self._call)
        try:
            for answer in answers:
                message = RunQueryResponse.pb(answer)
                # An answer without a document only reports progress.
                if message.HasField("document"):
                    yield message.document
        finally:
            answers.cancel()

    def _write(self, name: str, fields: Mapping[str, Any]) -> tuple[Any, Any]:
        request = CommitRequest.pb()(database=self._database)
        write = request.writes.add()
        write.update.name = self._path(name)
        encode_fields(fields, write.update.fields)
        return request, write

    def _commit(self, request: Any) -> int:
        answer = self._api.commit(request=CommitRequest.wrap(request), **self._call)
        version: int = CommitResponse.pb(answer).write_results[0].update_time.ToNanoseconds()
        return version


def _found(document: Any) -> Found:
    return Found(
        name=document.name.rpartition("/")[2],
        fields=decode_fields(document.fields),
        version=document.update_time.ToNanoseconds(),
    )


def where(path: str, operator: str, value: object) -> Any:
    """Return the filter that compares a field with a value.

    Args:
        operator: One of ``== < <= > in contains``; the last one for a member of an array.
    """
    condition = StructuredQuery.Filter.pb()()
    condition.field_filter.field.field_path = path
    condition.field_filter.op = _OPERATORS[operator]
    encode(value, condition.field_filter.value)
    return condition


def is_null(path: str) -> Any:
    """Return the filter that passes documents with a null in this field."""
    condition = StructuredQuery.Filter.pb()()
    condition.unary_filter.field.field_path = path
    condition.unary_filter.op = StructuredQuery.UnaryFilter.Operator.IS_NULL
    return condition


def all_of(filters: Sequence[Any]) -> Any:
    """Return the filter that passes what all of these pass."""
    return _joined(StructuredQuery.CompositeFilter.Operator.AND, filters)


def any_of(filters: Sequence[Any]) -> Any:
    """Return the filter that passes what any of these passes."""
    return _joined(StructuredQuery.CompositeFilter.Operator.OR, filters)


def _joined(operator: int, filters: Sequence[Any]) -> Any:
    if len(filters) == 1:
        return filters[0]
    condition = StructuredQuery.Filter.pb()()
    condition.composite_filter.op = operator
    condition.composite_filter.filters.extend(filters)
    return condition
