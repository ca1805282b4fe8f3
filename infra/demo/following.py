"""Sends the jobs and follows each to its end, over whatever gaps the API may have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from infra.demo.errors import Unanswered
from infra.demo.jobs import DemoJob
from infra.demo.reports import JobReport
from infra.local.inbox import Delivery

SENT_AT_ONCE = 4
"""Jobs sent in one step, so that there is something to see, and to kill, between them."""


class Api(Protocol):
    """The relay as a caller knows it; see `RelayApi`."""

    def create(self, body: Mapping[str, object], *, idempotency_key: str) -> JobReport:
        """Create a job, or get the one that this key has created; raises Unanswered."""
        ...

    def read(self, job_id: str) -> JobReport:
        """Read a job; raises Unanswered."""
        ...


class Received(Protocol):
    """Whatever knows the events that have come so far."""

    @property
    def deliveries(self) -> tuple[Delivery, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What is known of one job.

    Attributes:
        report: None until the API has said that it took the job.
        is_announced: Its completion event was received.
    """

    job: DemoJob
    report: JobReport | None = None
    is_announced: bool = False

    @property
    def is_final(self) -> bool:
        """Whether its status can no longer change."""
        return self.report is not None and self.report.is_final

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to wait for."""
        return self.is_final and self.is_announced


class Following:
    """The twelve jobs in flight.

    Args:
        run: Makes this run's idempotency keys different from any other's.
    """

    def __init__(
        self,
        jobs: Sequence[DemoJob],
        *,
        api: Api,
        sandbox_url: str,
        inbox: Received,
        run: str,
    ) -> None:
        self._followed = [Followed(job=job) for job in jobs]
        self._api = api
        self._sandbox_url = sandbox_url
        self._inbox = inbox
        self._run = run

    @property
    def all(self) -> tuple[Followed, ...]:
        """Every job as it was last seen."""
        return tuple(self._followed)

    def step(self) -> tuple[Followed, ...]:
        """Send the next few, read what is not final; what gets no answer waits for the next step.

        Raises:
            Refused: A job is wrong.
        """
        try:
            for place in self._places_to_ask():
                one = self._followed[place]
                self._followed[place] = replace(one, report=self._asked(one))
        except Unanswered:
            pass
        heard = {delivery.event_id for delivery in self._inbox.deliveries}
        self._followed = [
            replace(one, is_announced=one.report.completion_event_id in heard)
            if one.report is not None
            else one
            for one in self._followed
        ]
        return self.all

    def _places_to_ask(self) -> list[int]:
        sent = [at for at, one in enumerate(self._followed) if one.report is not None]
        unsent = [at for at, one in enumerate(self._followed) if one.report is None]
        return [at for at in sent if not self._followed[at].is_final] + unsent[:SENT_AT_ONCE]

    def _asked(self, one: Followed) -> JobReport:
        if one.report is not None:
            return self._api.read(one.report.id)
        key = f"demo-{self._run}-{one.job.number}"
        return self._api.create(one.job.body(self._sandbox_url), idempotency_key=key)
