"""What Firestore saw: each version of each document that a listener shows, and the last ones.

Every document is a target of its own: of a collection the emulator shows all documents again
whenever one of them changes. And it is the generated client, because the library's finds an
emulator only through our own environment, which would tell every process that we start.
"""

import logging
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Self

import grpc
from google.api_core import exceptions as google
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport
from google.cloud.firestore_v1.types import ListenRequest, Target

from infra.storm.documents import Document
from infra.storm.errors import NoEvidence
from relay.adapters.document import decode_fields

JOBS = "jobs"
ACCOUNTS = "accounts"

_CALL_TIMEOUT_S = 10.0
# A stream that the emulator has forgotten, as it may when it was paused, only goes silent.
_STREAM_S = 15.0
_PAUSE_S = 0.2
_LOOK_EVERY_S = 0.05
_PAGE = 300


class Listener:
    """Listens from a thread of its own; after a break it is shown the present state again.

    The emulator now and then sends bytes that are no message, mostly while many documents are
    new; the client gives the stream up then.

    Args:
        host: Where the Firestore emulator is.
    """

    def __init__(self, *, host: str, project: str) -> None:
        self._channel = grpc.insecure_channel(
            host, options=[("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", -1)]
        )
        self._client = FirestoreClient(transport=FirestoreGrpcTransport(channel=self._channel))
        self._database = f"projects/{project}/databases/(default)"
        self._watched: list[tuple[str, str]] = []
        self._seen: dict[tuple[str, str], list[Document]] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)
        self.breaks = 0

    def __enter__(self) -> Self:
        # It tells of every such message at length; `breaks` counts them.
        logging.getLogger("grpc._common").setLevel(logging.CRITICAL)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._channel.close()
        self._thread.join()

    def watch(self, collection: str, name: str) -> None:
        """Listen for a document, from now on."""
        if (collection, name) not in self._seen:
            self._seen[collection, name] = []
            self._watched.append((collection, name))

    def versions(self, collection: str) -> dict[str, tuple[Document, ...]]:
        """Return what was seen of a collection so far, oldest first, by the document's id."""
        return {
            name: tuple(sorted(documents, key=lambda document: document.at))
            for (found, name), documents in list(self._seen.items())
            if found == collection
        }

    def last(self, collection: str) -> dict[str, Document]:
        """Return the newest version seen of each document of a collection."""
        return {
            name: documents[-1]
            for (found, name), documents in list(self._seen.items())
            if found == collection and documents
        }

    def read_all(self, collection: str) -> tuple[Document, ...]:
        """Read every document as it is now.

        Raises:
            NoEvidence: Firestore does not answer.
        """
        try:
            documents = self._client.list_documents(
                request={
                    "parent": f"{self._database}/documents",
                    "collection_id": collection,
                    "page_size": _PAGE,
                },
                retry=None,
                timeout=_CALL_TIMEOUT_S,
                metadata=self._metadata(),
            )
            return tuple(_document(document) for document in documents)
        except (google.GoogleAPICallError, google.RetryError) as error:
            raise NoEvidence(f"Firestore: {collection}: {error}") from error

    def _listen(self) -> None:
        while not self._closing.is_set():
            try:
                for response in self._client.listen(
                    requests=self._requests(),
                    retry=None,
                    timeout=_STREAM_S,
                    metadata=self._metadata(),
                ):
                    self._take(response)
            except google.DeadlineExceeded:
                continue
            except google.GoogleAPICallError:
                self.breaks += not self._closing.is_set()
            self._closing.wait(_PAUSE_S)

    def _requests(self) -> Iterator[ListenRequest]:
        """Ask for every document that is watched, and leave the stream open."""
        asked = 0
        while not self._closing.wait(_LOOK_EVERY_S):
            while asked < len(self._watched):
                name = "/".join((self._database, "documents", *self._watched[asked]))
                asked += 1
                wanted = Target.DocumentsTarget(documents=[name])
                yield ListenRequest(
                    database=self._database, add_target=Target(documents=wanted, target_id=asked)
                )

    def _take(self, response: Any) -> None:
        if "document_change" in response:
            self._add(_document(response.document_change.document))
        if "document_delete" in response:
            deleted = response.document_delete
            self._add(_named(deleted.document, at=deleted.read_time, fields=None))

    def _add(self, document: Document) -> None:
        seen = self._seen.setdefault((document.collection, document.id), [])
        if all(document.at != before.at for before in seen):
            seen.append(document)

    def _metadata(self) -> list[tuple[str, str]]:
        return [
            ("authorization", "Bearer owner"),
            ("google-cloud-resource-prefix", self._database),
        ]


def _document(document: Any) -> Document:
    fields = decode_fields(type(document).pb(document).fields)
    return _named(document.name, at=document.update_time, fields=fields)


def _named(name: str, *, at: Any, fields: Mapping[str, Any] | None) -> Document:
    collection, own_name = name.split("/")[-2:]
    plain = datetime.combine(at.date(), at.time(), tzinfo=UTC)
    return Document(collection=collection, id=own_name, at=plain, fields=fields)
