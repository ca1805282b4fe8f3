"""Gathers the evidence for the checks: from the API, Firestore, Pub/Sub and the sandbox."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from infra.demo.following import Followed
from infra.demo.receiver import Callback
from infra.demo.relay_api import JobReport, Refused, RelayApi, Unanswered, call, local_session
from infra.local.inbox import Delivery
from infra.local.plan import StackDescription

OUTPUTS_KEPT = "outputs_kept"

_RETRY_FOR_S = 20.0
_RETRY_PAUSE_S = 0.3

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """A function that was killed, and the process that replaced it."""

    function: str
    old_pid: int
    new_pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFacts:
    """The part of a job's document that its event must agree with."""

    status: str
    event_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that the checks look at.

    Attributes:
        documents: By job id; jobs with an unreadable document are missing.
        renders: The provider's ids of the renders that it accepted.
        callbacks: What the receiver received.
        pictures: How many kept pictures were served and saved.
        restarts: Empty if nothing was to be killed.
    """

    followed: tuple[Followed, ...]
    documents: Mapping[str, DocumentFacts]
    deliveries: tuple[Delivery, ...]
    renders: tuple[str, ...]
    pictures: int
    callbacks: tuple[Callback, ...] = ()
    restarts: tuple[Restart, ...] = ()

    @property
    def reports(self) -> tuple[JobReport, ...]:
        """The jobs that the API accepted."""
        return tuple(one.report for one in self.followed if one.report is not None)

    @property
    def events(self) -> dict[str, Delivery]:
        """One delivery of each event, by event id."""
        return {delivery.event_id: delivery for delivery in self.deliveries}

    @property
    def called_back(self) -> dict[str, Callback]:
        """One callback of each event that came with a good signature, by event id."""
        return {one.id: one for one in self.callbacks if one.is_good}

    @property
    def completions(self) -> dict[str, Delivery]:
        """One delivery of each event that tells of an end, by event id."""
        return {
            event_id: one for event_id, one in self.events.items() if one.last_word != OUTPUTS_KEPT
        }


def read_again(followed: Sequence[Followed], *, api: RelayApi) -> tuple[Followed, ...]:
    """Read every job once more after all events: a final job must not have changed.

    Raises:
        Unanswered: The API is gone for good.
        Refused: It no longer knows a job.
    """
    return tuple(
        one
        if one.report is None
        else replace(one, report=_retried(partial(api.read, one.report.id)))
        for one in followed
    )


def read_documents(
    followed: Sequence[Followed], *, at: StackDescription
) -> dict[str, DocumentFacts]:
    """Read every job's document from the emulator, not through the relay; skip unreadable ones."""
    documents = (
        f"http://{at.firestore_emulator_host}/v1/projects/{at.project}"
        "/databases/(default)/documents/jobs"
    )
    facts = {}
    for job_id in (one.report.id for one in followed if one.report is not None):
        try:
            facts[job_id] = read_facts(_get(f"{documents}/{job_id}"))
        except Refused:
            continue
    return facts


def read_facts(body: bytes) -> DocumentFacts:
    """Read a document in the JSON of Firestore's REST interface.

    Raises:
        Refused: It is not the document of a job.
    """
    try:
        fields = json.loads(body)["fields"]
        events = fields["announcements"]["arrayValue"].get("values", ())
        return DocumentFacts(
            status=fields["status"]["stringValue"],
            event_ids=tuple(event["mapValue"]["fields"]["id"]["stringValue"] for event in events),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(f"Firestore: not a job's document: {error}") from error


def accepted_renders(sandbox_url: str) -> tuple[str, ...]:
    """Return the provider's ids of all accepted renders: real providers would charge for each.

    Raises:
        Unanswered: The sandbox is gone for good.
        Refused: The response makes no sense.
    """
    try:
        jobs = json.loads(_get(f"{sandbox_url}/sandbox/jobs"))["jobs"]
        return tuple(job["providerJobId"] for job in jobs)
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f"sandbox: {error}") from error


def _get(url: str) -> bytes:
    with local_session() as session:
        return _retried(partial(call, session, "GET", url))


def _retried(ask: Callable[[], T]) -> T:
    """Repeat until there is a response; a killed function is back within seconds.

    Raises:
        Unanswered: There was none for 20 s.
    """
    give_up_at = time.monotonic() + _RETRY_FOR_S
    while True:
        try:
            return ask()
        except Unanswered:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(_RETRY_PAUSE_S)
