"""What the sandbox of both providers saw."""

from typing import TypeVar

import msgspec
import requests

from infra.storm.errors import NoEvidence

_TIMEOUT_S = 30.0

T = TypeVar("T")


class ProviderCall(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One call that a provider received; *status* is None if it was never answered."""

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
    """One webhook; *status* is None if nobody answered."""

    at: float
    answered_at: float
    status: int | None
    error: str | None


class Render(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One render that a provider accepted, and would have charged for."""

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
        """The picture that was to be rendered."""
        return str(self.input.get("url") or self.input.get("imageUrl") or "")

    @property
    def has_output(self) -> bool:
        """Whether it has led to a picture."""
        return self.state == "succeeded" and "no-output" not in self.behaviour

    @property
    def webhooks_wanted(self) -> int:
        """How many webhooks are to be sent for it in all."""
        if self.provider != "gepetto" or "webhook-lost" in self.behaviour:
            return 0
        if "failed" in self.behaviour:
            return 0
        return 2 if "webhook-twice" in self.behaviour else 1

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it by itself."""
        return self.state != "running" and len(self.webhooks) >= self.webhooks_wanted

    def first_output(self, sandbox_url: str) -> str:
        """Return where its first picture is."""
        return f"{sandbox_url}/renders/{self.provider_job_id}-1.png"


class Counts(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One provider's own figures."""

    most_calls_in_window: int
    calls_over_limit: int
    unauthenticated: int
    blocked: bool


class _Calls(msgspec.Struct):
    calls: tuple[ProviderCall, ...]


class _Renders(msgspec.Struct):
    jobs: tuple[Render, ...]


class Sandbox:
    """Reads what the sandbox tells of itself; every method may raise NoEvidence."""

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

    def _read(self, what: str, kind: type[T]) -> T:
        with requests.Session() as session:
            session.trust_env = False
            try:
                answer = session.get(f"{self._url}/sandbox/{what}", timeout=_TIMEOUT_S)
                answer.raise_for_status()
                return msgspec.json.decode(answer.content, type=kind)
            except (requests.RequestException, msgspec.DecodeError) as error:
                raise NoEvidence(f"sandbox: {what}: {error}") from error
