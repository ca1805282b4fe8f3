"""Sends the jobs and follows each to its end, however often the API does not answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from infra.demo.jobs import DemoJob
from infra.demo.relay_api import JobReport, Unanswered
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """One job as it was last seen.

    Attributes:
        report: None until the API has accepted the job.
        is_announced: Its completion event was received.
    """

    job: DemoJob
    report: JobReport | None = None
    is_announced: bool = False

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
        return self.is_final and self.is_announced

    @property
    def short_id(self) -> str:
        """Enough of the id to tell twelve jobs apart, or a dash before there is one."""
        return self.report.id[_SHORT_ID] if self.report is not None else "-"

    @property
    def ending(self) -> str:
        """The source of the result and the result; empty while the job is open."""
        if self.report is None or not self.report.is_final:
            return ""
        count = len(self.report.outputs)
        pictures = f"{count} picture" if count == 1 else f"{count} pictures"
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
        run: str,
    ) -> None:
        self._followed = [Followed(job=job) for job in jobs]
        self._api = api
        self._sandbox_url = sandbox_url
        self._inbox = inbox
        self._run = run

    def step(self) -> tuple[Followed, ...]:
        """Send the next few jobs and read the open ones; a call without a response ends the step.

        Raises:
            Refused: A job is invalid.
        """
        sent = [at for at, one in enumerate(self._followed) if one.report is not None]
        unsent = [at for at, one in enumerate(self._followed) if one.report is None]
        open_ones = [at for at in sent if not self._followed[at].is_final]
        try:
            for at in open_ones + unsent[:SENT_PER_STEP]:
                one = self._followed[at]
                self._followed[at] = replace(one, report=self._call(one))
        except Unanswered:
            pass
        received = {delivery.event_id for delivery in self._inbox.deliveries}
        self._followed = [
            replace(
                one,
                is_announced=one.report is not None and one.report.completion_event_id in received,
            )
            for one in self._followed
        ]
        return tuple(self._followed)

    def _call(self, one: Followed) -> JobReport:
        if one.report is not None:
            return self._api.read(one.report.id)
        key = f"demo-{self._run}-{one.job.number}"
        return self._api.create(one.job.body(self._sandbox_url), idempotency_key=key)
