"""Counts what leaves the real Firestore client, at its gRPC channel."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc

READ, WRITE, QUERY, FOUND = "read", "write", "query", "found"
"""Documents by name, documents written, queries, and documents that queries returned."""


@dataclass(slots=True)
class Counted:
    """How often which documents were read and written, by their paths, and queries.

    Attributes:
        of_documents: By what was done, and the document's path.
        billed_queries: Documents that queries returned, but for each at least one: that is how
            the service bills them.
    """

    of_documents: Counter[tuple[str, str]] = field(default_factory=Counter)
    billed_queries: int = 0

    def in_collection(self, what: str, collection: str) -> int:
        """Return how often this was done to documents of one collection."""
        return sum(
            count
            for (done, path), count in self.of_documents.items()
            if done == what and path.partition("/")[0] == collection
        )

    def since(self, before: "Counted") -> "Counted":
        """Return what has come to it since an earlier copy."""
        return Counted(
            self.of_documents - before.of_documents, self.billed_queries - before.billed_queries
        )

    def copy(self) -> "Counted":
        """Return what there is now."""
        return Counted(Counter(self.of_documents), self.billed_queries)


class Counting(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):  # type: ignore[misc]
    """Stands between the client and its channel."""

    def __init__(self) -> None:
        self.counted = Counted()

    def intercept_unary_unary(self, send: Any, details: Any, request: Any) -> Any:
        """See grpc."""
        for write in getattr(request, "writes", ()):
            self.counted.of_documents[WRITE, _path(write.update.name)] += 1
        if name := getattr(request, "name", ""):
            self.counted.of_documents[READ, _path(name)] += 1
        return send(details, request)

    def intercept_unary_stream(self, send: Any, details: Any, request: Any) -> Any:
        """See grpc."""
        for name in getattr(request, "documents", ()):
            self.counted.of_documents[READ, _path(name)] += 1
        answers = send(details, request)
        if not hasattr(request, "structured_query"):
            return answers
        collection = request.structured_query.from_[0].collection_id
        self.counted.of_documents[QUERY, collection] += 1
        self.counted.billed_queries += 1
        return _Counted(answers, counted=self.counted, collection=collection)


class _Counted:
    """A query's answers, counted as they are taken."""

    def __init__(self, answers: Any, *, counted: Counted, collection: str) -> None:
        self._answers = answers
        self._counted = counted
        self._collection = collection
        self._documents = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        answer = next(self._answers)
        if answer.document.name:
            self._documents += 1
            self._counted.of_documents[FOUND, self._collection] += 1
            if self._documents > 1:
                self._counted.billed_queries += 1
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._answers, name)


def _path(name: str) -> str:
    path: str = name.rpartition("/documents/")[2]
    return path
