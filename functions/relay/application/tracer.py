"""Traces of jobs: the port that records their steps, and what records none."""

from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Protocol, Self

from relay.domain.job import Job
from relay.domain.trace import TraceContext


class Step(StrEnum):
    """A step of a job that traces show."""

    SUBMIT = "submit"
    POLL = "poll"
    CALLBACK = "callback"
    PUBLISH = "publish event"
    DELIVER = "deliver"
    KEEP = "keep outputs"


class Span(AbstractContextManager["Span"], Protocol):
    """One step while it lasts; it has failed if it ends with an error."""

    @property
    def context(self) -> TraceContext | None:
        """What continues the trace elsewhere; None if there is none."""

    def describe(self, job: Job) -> None:
        """Note which job it is about, and its status."""

    def note(self, **facts: str | int) -> None:
        """Note more; never a body, a URL, a key or what callers and providers wrote."""


class Tracer(Protocol):
    """Records what is done with jobs, each job in the trace of its create."""

    def create(self) -> Span:
        """Begin a job's creation, which belongs to the request's trace."""

    def step(self, step: Step, job: Job, *, event_id: str | None = None) -> Span:
        """Begin a step; nothing is recorded of a job that has no trace.

        It belongs to the step around it, or else to the job's creation.

        Args:
            event_id: The event that is published; any other step with one belongs to publishing it.
        """


class _NoSpan:
    context = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def describe(self, job: Job) -> None:
        pass

    def note(self, **facts: str | int) -> None:
        pass


NO_SPAN: Span = _NoSpan()


class Untraced:
    """Records nothing."""

    def create(self) -> Span:
        """See `Tracer`."""
        return NO_SPAN

    def step(self, step: Step, job: Job, *, event_id: str | None = None) -> Span:  # noqa: ARG002
        """See `Tracer`."""
        return NO_SPAN


UNTRACED: Tracer = Untraced()
