"""The render jobs that the providers accepted."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Event, Lock

import msgspec

from infra.sandbox.behaviours import JobBehaviour

KEPT_JOBS = 100_000


class State(StrEnum):
    """The progress of a render."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Delivery(msgspec.Struct, frozen=True, rename="camel"):
    """One webhook that was sent; *status* is None if there was no response."""

    at: float
    answered_at: float
    status: int | None
    error: str | None


@dataclass(slots=True)
class RenderJob:
    """A render and its state; times are wall clock seconds unless said otherwise.

    Attributes:
        tries: How often the same input was submitted before.
        base_url: The address that the caller used, without a trailing slash.
        due: Monotonic: when the render is done.
        ended: Set when the state is final.
    """

    number: int
    tries: int
    provider: str
    operation: str
    ref: str
    inputs: Mapping[str, object]
    image_url: str
    webhook_url: str | None
    base_url: str
    pictures: int
    behaviour: JobBehaviour
    accepted_at: float
    due: float
    state: State = State.RUNNING
    finished_at: float | None = None
    fetched_input: bool = False
    polls: int = 0
    webhooks: list[Delivery] = field(default_factory=list)
    ended: Event = field(default_factory=Event)

    def urls(self) -> list[str]:
        """Return the URLs of the pictures; none before success, or if it has `no-output`."""
        if self.state is not State.SUCCEEDED or self.behaviour.has("no-output"):
            return []
        return [f"{self.base_url}/renders/{self.ref}-{n}.png" for n in range(1, self.pictures + 1)]

    def status(self, running: str) -> str:
        """Return the provider's word for the state; *running* is its word for a running job."""
        if self.state is State.RUNNING:
            return self.behaviour.word("odd-status", running)
        if self.state is State.FAILED:
            return self.behaviour.word("failed", "failed")
        return "success"

    def as_json(self) -> dict[str, object]:
        """Return the job as `/sandbox/jobs` shows it."""
        return {
            "number": self.number,
            "provider": self.provider,
            "operation": self.operation,
            "providerJobId": self.ref,
            "input": {key: value for key, value in self.inputs.items() if key != "webhook"},
            "webhookUrl": self.webhook_url,
            "behaviour": {
                key: True if value is None else value
                for key, value in self.behaviour.values.items()
            },
            "state": self.state,
            "acceptedAt": self.accepted_at,
            "finishedAt": self.finished_at,
            "fetchedInput": self.fetched_input,
            "polls": self.polls,
            "webhooks": list(self.webhooks),
        }


@dataclass(slots=True)
class JobStore:
    """The newest jobs, by provider and the provider's id."""

    _jobs: OrderedDict[tuple[str, str], RenderJob] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def add(self, job: RenderJob) -> None:
        """Store a job, dropping the oldest if there are too many."""
        with self._lock:
            self._jobs[job.provider, job.ref] = job
            while len(self._jobs) > KEPT_JOBS:
                self._jobs.popitem(last=False)

    def find(self, provider: str, ref: str) -> RenderJob | None:
        """Return a job, or None."""
        return self._jobs.get((provider, ref))

    def count_poll(self, job: RenderJob) -> int:
        """Count a poll and return how many there were before it."""
        with self._lock:
            job.polls += 1
            return job.polls - 1

    def all(self) -> list[RenderJob]:
        """Return the jobs, oldest first."""
        with self._lock:
            return list(self._jobs.values())

    def another_ref(self, job: RenderJob) -> str:
        """Return the id of the provider's newest other job, or an unknown id if there is none."""
        with self._lock:
            others = (
                ref
                for provider, ref in reversed(self._jobs)
                if provider == job.provider and ref != job.ref
            )
            return next(others, job.ref[::-1])

    def clear(self) -> None:
        """Forget every job."""
        with self._lock:
            self._jobs.clear()
