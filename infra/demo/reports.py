"""The relay's job as a caller reads it, from an answer of the API or from an event's data."""

from datetime import datetime

import msgspec

_FINAL = frozenset({"succeeded", "failed", "cancelled"})


class Output(msgspec.Struct, frozen=True):
    """One picture."""

    url: str


class Failure(msgspec.Struct, frozen=True):
    """Why a job failed."""

    code: str
    message: str


class Step(msgspec.Struct, frozen=True):
    """One line of a job's history."""

    status: str


class JobReport(msgspec.Struct, frozen=True, rename="camel"):
    """A job at one moment; what the demo has no use for is left out."""

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

    @property
    def is_final(self) -> bool:
        """Whether its status can no longer change."""
        return self.status in _FINAL

    @property
    def completion_event_id(self) -> str:
        """What the id of its one completion event must be, once it is final."""
        return f"{self.id}.{self.status}"

    @property
    def was_unconfirmed(self) -> bool:
        """Whether there was a time when nobody knew if the provider had taken it."""
        return any(step.status == "unconfirmed" for step in self.history)

    def age_s(self, *, now: datetime) -> float:
        """Return how long it has been open, or was until its end."""
        return ((self.finished_at or now) - self.created_at).total_seconds()
