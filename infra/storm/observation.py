"""What is observed during a storm: document versions, provider calls and log lines."""

import json
import logging
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

import grpc
import msgspec
import requests
from google.api_core import exceptions as google
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport
from google.cloud.firestore_v1.types import ListenRequest, Target

from infra.demo.receiver import Callback
from relay.adapters.document import decode_fields

JOBS = "jobs"
ACCOUNTS = "accounts"
# Errors that the storm provokes.
EXPECTED_ERRORS = frozenset(
    {
        "tick for no account",
        *("account on hold", "account off hold"),
        *("provider throttled", "provider throttles no more"),
        *("provider down", "provider back"),
        "callback failed",
    }
)

_CALL_TIMEOUT_S = 10.0
_READ_TIMEOUT_S = 30.0
# A stream that a paused emulator has forgotten only goes silent.
_STREAM_S = 15.0
_PAUSE_S = 0.2
_NEW_TARGETS_EVERY_S = 0.05
_PAGE = 300
_LONGEST_LINE = 2000

T = TypeVar("T")


class NoEvidence(Exception):
    """Firestore or the sandbox does not tell what it saw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A version of a document.

    Attributes:
        at: When it was written; its `update_time`.
        fields: None if the document was deleted.
    """

    collection: str
    id: str
    at: datetime
    fields: dict[str, Any] | None


class Listener:
    """Listens for document versions from a thread of its own, and reconnects when cut off.

    Each document is a target of its own: of a collection the emulator shows all documents
    again whenever one changes. It uses the generated client, because the library's finds an
    emulator only through our own environment, which every child process would inherit. The
    emulator now and then sends bytes that are no message; the client then ends the stream.

    Attributes:
        breaks: How often the stream broke.
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
        # It logs every such message at length; `breaks` counts them.
        logging.getLogger("grpc._common").setLevel(logging.CRITICAL)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._channel.close()
        self._thread.join()

    def watch(self, collection: str, name: str) -> None:
        """Listen for a document from now on."""
        if (collection, name) not in self._seen:
            self._seen[collection, name] = []
            self._watched.append((collection, name))

    def versions(self, collection: str) -> dict[str, tuple[Document, ...]]:
        """Return the versions seen so far, oldest first, by the document's id."""
        return {
            name: tuple(sorted(documents, key=lambda document: document.at))
            for (found, name), documents in list(self._seen.items())
            if found == collection
        }

    def last(self, collection: str) -> dict[str, Document]:
        """Return the last version seen of each document."""
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
        """Ask for every watched document, and keep the stream open."""
        asked = 0
        while not self._closing.wait(_NEW_TARGETS_EVERY_S):
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


def _named(name: str, *, at: Any, fields: dict[str, Any] | None) -> Document:
    collection, own_name = name.split("/")[-2:]
    plain = datetime.combine(at.date(), at.time(), tzinfo=UTC)
    return Document(collection=collection, id=own_name, at=plain, fields=fields)


class ProviderCall(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A call that a provider received; *status* is None if it was never answered."""

    number: int
    at: float
    monotonic: float
    provider: str
    kind: str
    authenticated: bool
    over_limit: bool
    status: int | None
    provider_job_id: str | None
    input: str | None


class WebhookSent(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A webhook that a provider sent; *status* is None if it was not answered."""

    at: float
    answered_at: float
    status: int | None
    error: str | None


class Render(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A render that a provider accepted, and would have charged for."""

    provider: str
    provider_job_id: str
    input: dict[str, object]
    behaviour: dict[str, object]
    state: str
    accepted_at: float
    finished_at: float | None
    polls: int
    webhooks: tuple[WebhookSent, ...]

    @property
    def image_url(self) -> str:
        """The image to be rendered."""
        return str(self.input.get("url") or self.input.get("imageUrl") or "")

    @property
    def has_output(self) -> bool:
        """Whether it resulted in an image."""
        return self.state == "succeeded" and "no-output" not in self.behaviour

    @property
    def is_over(self) -> bool:
        """Whether it has ended and all its webhooks were sent."""
        has_webhooks = self.provider == "gepetto" and not {"webhook-lost", "failed"} & set(
            self.behaviour
        )
        wanted = (2 if "webhook-twice" in self.behaviour else 1) if has_webhooks else 0
        return self.state != "running" and len(self.webhooks) >= wanted

    def first_output(self, sandbox_url: str) -> str:
        """Return the URL of its first image."""
        return f"{sandbox_url}/renders/{self.provider_job_id}-1.png"


class Counts(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A provider's own figures."""

    most_calls_in_window: int
    calls_over_limit: int
    unauthenticated: int
    blocked: bool


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """An object in the bucket.

    Attributes:
        md5: Of its content, in base64.
    """

    name: str
    content_type: str = msgspec.field(name="contentType")
    md5: str = msgspec.field(name="md5Hash")


class _Copies(msgspec.Struct):
    items: tuple[Copy, ...] = ()
    next_page: str = msgspec.field(name="nextPageToken", default="")


class Bucket:
    """Reads which copies were made.

    Args:
        host: Where the storage emulator is.
    """

    def __init__(self, *, host: str, name: str) -> None:
        self._url = f"http://{host}/storage/v1/b/{name}/o"

    def copies(self) -> dict[str, Copy]:
        """Return every object by its name.

        Raises:
            NoEvidence: The emulator does not tell.
        """
        found: dict[str, Copy] = {}
        page, is_last = "", False
        while not is_last:
            read = _read(self._url, _Copies, params={"maxResults": "1000", "pageToken": page})
            found |= {one.name: one for one in read.items}
            page, is_last = read.next_page, not read.next_page
        return found


class _Calls(msgspec.Struct):
    calls: tuple[ProviderCall, ...]


class _Callbacks(msgspec.Struct):
    callbacks: tuple[Callback, ...]


class _Renders(msgspec.Struct):
    jobs: tuple[Render, ...]


class Sandbox:
    """Reads what the sandbox recorded; every method may raise `NoEvidence`."""

    def __init__(self, url: str) -> None:
        self._url = url

    def calls(self) -> tuple[ProviderCall, ...]:
        """Return every call, in the order of arrival."""
        return self._read("calls", _Calls).calls

    def renders(self) -> tuple[Render, ...]:
        """Return every accepted render, oldest first."""
        return self._read("jobs", _Renders).jobs

    def counts(self) -> dict[str, Counts]:
        """Return each provider's figures."""
        return self._read("summary", dict[str, Counts])

    def callbacks(self) -> tuple[Callback, ...]:
        """Return every callback, in the order of arrival."""
        return self._read("callbacks", _Callbacks).callbacks

    def _read(self, what: str, kind: type[T]) -> T:
        return _read(f"{self._url}/sandbox/{what}", kind)


def _read(url: str, kind: type[T], *, params: Mapping[str, str] | None = None) -> T:
    with requests.Session() as session:
        session.trust_env = False
        try:
            answer = session.get(url, params=params, timeout=_READ_TIMEOUT_S)
            answer.raise_for_status()
            return msgspec.json.decode(answer.content, type=kind)
        except (requests.RequestException, msgspec.DecodeError) as error:
            raise NoEvidence(f"{url}: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line of a process's log."""

    process: str
    text: str


def unexpected_errors(logs: Mapping[str, Path]) -> tuple[LogLine, ...]:
    """Return every unexpected error, and the last line of every bare traceback."""
    found: list[LogLine] = []
    for process, path in logs.items():
        in_traceback = False
        for text in _lines(path):
            if in_traceback and text and not text.startswith((" ", "Traceback", "During", "The ")):
                found.append(LogLine(process=process, text=text))
                in_traceback = False
            elif text.startswith("Traceback"):
                in_traceback = True
            elif _is_unexpected(text):
                found.append(LogLine(process=process, text=text))
    return tuple(found)


def lines_about(job_id: str, logs: Mapping[str, Path]) -> tuple[LogLine, ...]:
    """Return every line that names a job."""
    return tuple(
        LogLine(process=process, text=text)
        for process, path in logs.items()
        for text in _lines(path)
        if job_id in text
    )


def _is_unexpected(text: str) -> bool:
    if not text.startswith("{"):
        return False
    try:
        entry = json.loads(text)
    except ValueError:
        # The process was killed in the middle of the line.
        return False
    return (
        isinstance(entry, dict)
        and entry.get("severity") in ("ERROR", "CRITICAL")
        and entry.get("message") not in EXPECTED_ERRORS
    )


def _lines(path: Path) -> Iterator[str]:
    if not path.exists():
        return
    with path.open(errors="replace") as file:
        for line in file:
            yield line.rstrip("\n")[:_LONGEST_LINE]
