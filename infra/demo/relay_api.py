"""The relay's HTTP API as a caller uses it: create a job, read a job.

DemoError
├── Unanswered   no response, or a 5xx: the same call may succeed later
└── Refused      a response that no repetition will change: a bug here or in the relay
"""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Self

import msgspec
import requests

_TIMEOUT_S = 5.0
_GOOD = (HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT)
_FINAL = frozenset({"succeeded", "failed", "cancelled"})


class DemoError(Exception):
    """The demo cannot continue."""


class Unanswered(DemoError):
    """There was no usable response; a killed function may just be restarting."""


class Refused(DemoError):
    """The same call would get the same response."""


class Output(msgspec.Struct, frozen=True):
    """One picture."""

    url: str


class Failure(msgspec.Struct, frozen=True):
    """Why a job failed."""

    code: str
    message: str


class Step(msgspec.Struct, frozen=True):
    """One entry of a job's history."""

    status: str


class Kept(msgspec.Struct, frozen=True, rename="camel"):
    """The copy of one picture, or why there is none."""

    index: int
    content_type: str = ""
    sha256: str = ""
    error: str | None = None


class CallbackReport(msgspec.Struct, frozen=True, rename="camel"):
    """How far the callback of a job has come."""

    status: str
    attempts: int
    last_status: int | None

    @property
    def is_delivered(self) -> bool:
        """Whether every event was."""
        return self.status == "delivered"


class _Secrets(msgspec.Struct, frozen=True):
    secrets: tuple[str, ...]


class JobReport(msgspec.Struct, frozen=True, rename="camel"):
    """A job as the API and its events show it; the demo reads only these fields."""

    id: str
    status: str
    created_at: datetime
    finished_at: datetime | None
    finished_by: str | None
    outputs: tuple[Output, ...]
    error: Failure | None
    provider_job_id: str | None
    provider_status: str | None
    history: tuple[Step, ...]
    kept_outputs: tuple[Kept, ...] = ()
    callback: CallbackReport | None = None

    @property
    def is_final(self) -> bool:
        """Whether its status can no longer change."""
        return self.status in _FINAL

    @property
    def completion_event_id(self) -> str:
        """The id that its completion event must have, once it is final."""
        return f"{self.id}.{self.status}"

    @property
    def was_unconfirmed(self) -> bool:
        """Whether it was ever unknown if the provider had accepted it."""
        return any(step.status == "unconfirmed" for step in self.history)

    def announced(self, *, with_copies: bool) -> Self:
        """Return the part of it that its events carry.

        Args:
            with_copies: Only one kind of event does so.
        """
        kept = self.kept_outputs if with_copies else ()
        return msgspec.structs.replace(self, kept_outputs=kept, callback=None)

    def age_s(self, *, now: datetime) -> float:
        """Return how long it has been open, or was until its end."""
        return ((self.finished_at or now) - self.created_at).total_seconds()


class RelayApi:
    """One caller's connection to the API.

    Args:
        url: The base URL of the API.
        key: The caller's API key.
    """

    def __init__(self, *, url: str, key: str) -> None:
        self._url = url
        self._session = local_session()
        self._session.headers["Authorization"] = f"Bearer {key}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def create(self, body: Mapping[str, object], *, idempotency_key: str) -> JobReport:
        """Create a job, or get the one that an earlier try with this key created.

        Raises:
            Unanswered: Try again with the same key; that cannot make a second job.
            Refused: The job is invalid; the message says why.
        """
        headers = {"Idempotency-Key": idempotency_key, "Content-Type": "application/json"}
        data = msgspec.json.encode(body)
        url = f"{self._url}/v1/jobs"
        return _report(call(self._session, "POST", url, headers=headers, data=data))

    def read(self, job_id: str) -> JobReport:
        """Read a job.

        Raises:
            Unanswered: Try again.
            Refused: This caller has no such job.
        """
        return _report(call(self._session, "GET", f"{self._url}/v1/jobs/{job_id}"))

    def output(self, job_id: str, index: int) -> bytes:
        """Read the kept copy of a picture.

        Raises:
            Unanswered: Try again.
            Refused: There is none.
        """
        return call(self._session, "GET", f"{self._url}/v1/jobs/{job_id}/outputs/{index}")

    def callback_secrets(self) -> tuple[str, ...]:
        """Read the secrets that sign this caller's callbacks.

        Raises:
            Unanswered: Try again.
            Refused: There are none.
        """
        body = call(self._session, "GET", f"{self._url}/v1/callback-secrets")
        try:
            return msgspec.json.decode(body, type=_Secrets).secrets
        except msgspec.DecodeError as error:
            raise Refused(f"not secrets: {error}") from error


def local_session() -> requests.Session:
    """Return a session for addresses on this machine: it ignores proxies in the environment."""
    session = requests.Session()
    session.trust_env = False
    return session


def call(
    session: requests.Session,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    data: bytes | None = None,
) -> bytes:
    """Return the body of a successful response.

    Raises:
        Unanswered: Try again.
        Refused: The status is none of 200, 201, 204, nor a 5xx.
    """
    try:
        response = session.request(method, url, headers=headers, data=data, timeout=_TIMEOUT_S)
    except requests.RequestException as error:
        raise Unanswered(f"{method} {url}: {type(error).__name__}") from error
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise Unanswered(f"{method} {url}: {response.status_code}")
    if response.status_code not in _GOOD:
        raise Refused(f"{method} {url}: {response.status_code} {response.text[:300]}")
    return response.content


def _report(body: bytes) -> JobReport:
    try:
        return msgspec.json.decode(body, type=JobReport)
    except msgspec.DecodeError as error:
        raise Refused(f"not a job: {error}") from error
