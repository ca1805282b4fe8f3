"""Sends the jobs and follows each to its end, however often the API does not answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from infra.demo.jobs import DemoJob
from infra.demo.receiver import Callback
from infra.demo.relay_api import JobReport, Kept, Unanswered
from infra.local.inbox import Delivery

SENT_PER_STEP = 4
"""So that there is something to see, and to kill, between two jobs."""
NOT_SENT = "not sent"
_SHORT_ID = slice(len("job_"), len("job_") + 6)


class Api(Protocol):
    """The relay as a caller knows it; see `RelayApi`."""

    def create(self, body: Mapping[str, object], *, idempotency_key: str) -> JobReport:
        """Create a job, or get the one that this key created; raises Unanswered."""
        ...

    def read(self, job_id: str) -> JobReport:
        """Read a job; raises Unanswered."""
        ...


class Deliveries(Protocol):
    """The events received so far; see `Inbox`."""

    @property
    def deliveries(self) -> tuple[Delivery, ...]: ...


class Callbacks(Protocol):
    """The callbacks received so far; see `Receiver`."""

    @property
    def url(self) -> str:
        """Where callbacks are received."""

    @property
    def callbacks(self) -> tuple[Callback, ...]:
        """Raises Unanswered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """One job as it was last seen.

    Attributes:
        report: None until the API has accepted the job.
        is_announced: Its completion event was received.
        is_called_back: Each of its events was posted to the receiver and signed.
    """

    job: DemoJob
    report: JobReport | None = None
    is_announced: bool = False
    is_called_back: bool = False

    @property
    def status(self) -> str:
        """The relay's word for its state, or `NOT_SENT`."""
        return self.report.status if self.report is not None else NOT_SENT

    @property
    def is_final(self) -> bool:
        """Whether its status can no longer change."""
        return self.report is not None and self.report.is_final

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to wait for."""
        has_called_back = self.is_called_back or not self.job.has_callback
        return self.is_final and self.is_announced and self.is_kept and has_called_back

    @property
    def is_kept(self) -> bool:
        """Whether there is a copy of each of its pictures."""
        return self.report is not None and len(self._kept) == len(self.report.outputs)

    @property
    def event_ids(self) -> tuple[str, ...]:
        """The ids of its events once it is final."""
        if self.report is None:
            return ()
        kept = (f"{self.report.id}.outputs_kept",) if self.report.outputs else ()
        return (self.report.completion_event_id, *kept)

    @property
    def _kept(self) -> tuple[Kept, ...]:
        found = self.report.kept_outputs if self.report is not None else ()
        return tuple(one for one in found if one.error is None)

    @property
    def short_id(self) -> str:
        """Enough of the id to tell twelve jobs apart, or a dash before there is one."""
        return self.report.id[_SHORT_ID] if self.report is not None else "-"

    @property
    def announcement(self) -> str:
        """Where its end was announced: as an event, and to the receiver as well."""
        if not self.is_announced:
            return ""
        return "event, callback" if self.is_called_back else "event"

    @property
    def ending(self) -> str:
        """The source of the result and the result; empty while the job is open."""
        if self.report is None or not self.report.is_final:
            return ""
        count = len(self.report.outputs)
        pictures = f"{count} picture" if count == 1 else f"{count} pictures"
        if self.is_kept:
            pictures = f"{count} kept"
        result = self.report.error.code if self.report.error is not None else pictures
        return f"{self.report.finished_by}: {result}"


class Following:
    """All jobs of one run.

    Args:
        run: Makes this run's idempotency keys different from any other's.
    """

    def __init__(
        self,
        jobs: Sequence[DemoJob],
        *,
        api: Api,
        sandbox_url: str,
        inbox: Deliveries,
        receiver: Callbacks,
        run: str,
    ) -> None:
        self._followed = [Followed(job=job) for job in jobs]
        self._api = api
        self._sandbox_url = sandbox_url
        self._inbox = inbox
        self._receiver = receiver
        self._called: frozenset[str] = frozenset()
        self._run = run

    def step(self) -> tuple[Followed, ...]:
        """Send the next few jobs and read the open ones; a call without a response ends the step.

        Raises:
            Refused: A job is invalid.
        """
        sent = [at for at, one in enumerate(self._followed) if one.report is not None]
        unsent = [at for at, one in enumerate(self._followed) if one.report is None]
        open_ones = [
            at for at in sent if not (self._followed[at].is_final and self._followed[at].is_kept)
        ]
        try:
            for at in open_ones + unsent[:SENT_PER_STEP]:
                one = self._followed[at]
                self._followed[at] = replace(one, report=self._call(one))
            self._called = frozenset(one.id for one in self._receiver.callbacks if one.is_good)
        except Unanswered:
            pass
        received = {delivery.event_id for delivery in self._inbox.deliveries}
        self._followed = [
            replace(
                one,
                is_announced=one.report is not None and one.report.completion_event_id in received,
                is_called_back=one.is_final and self._called.issuperset(one.event_ids),
            )
            for one in self._followed
        ]
        return tuple(self._followed)

    def _call(self, one: Followed) -> JobReport:
        if one.report is not None:
            return self._api.read(one.report.id)
        key = f"demo-{self._run}-{one.job.number}"
        body = one.job.body(self._sandbox_url, receiver_url=self._receiver.url)
        return self._api.create(body, idempotency_key=key)
