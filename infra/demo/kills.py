"""Crashes of the three functions, each at a moment when it is needed."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from infra.demo.following import Followed
from infra.demo.jobs import GEPETTO

log = logging.getLogger(__name__)

Moment = Callable[[Sequence[Followed]], bool]


class Killable(Protocol):
    """A stack whose functions can be crashed."""

    def kill(self, name: str) -> int:
        """Crash a function and return the pid that it had."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One crash.

    Attributes:
        danger: What can go wrong at that moment, in words.
    """

    function: str
    is_due: Moment
    danger: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """A crash that took place."""

    function: str
    old_pid: int


def _some_are_sent(followed: Sequence[Followed]) -> bool:
    return any(one.report is not None for one in followed)


def _a_webhook_is_awaited(followed: Sequence[Followed]) -> bool:
    return any(one.job.provider == GEPETTO and _status(one) == "processing" for one in followed)


def _renders_run(followed: Sequence[Followed]) -> bool:
    """Tell whether most of what is open is being rendered, and nothing is just being sent."""
    statuses = [_status(one) for one in followed]
    is_sending = "" in statuses or "submitting" in statuses
    return not is_sending and statuses.count("processing") > statuses.count("queued")


def _status(one: Followed) -> str:
    return one.report.status if one.report is not None else ""


KILLS = (
    Kill(
        function="jobs_api",
        is_due=_some_are_sent,
        danger="jobs are still being sent",
    ),
    Kill(
        function="provider_webhook",
        is_due=_a_webhook_is_awaited,
        danger="webhooks are on their way",
    ),
    Kill(
        function="poll_tick",
        is_due=_renders_run,
        danger="it holds the leases of both accounts",
    ),
)


class Killer:
    """Carries out the crashes, each once."""

    def __init__(self, kills: Sequence[Kill], *, stack: Killable) -> None:
        self._left = list(kills)
        self._stack = stack
        self._done: list[Killed] = []

    @property
    def done(self) -> tuple[Killed, ...]:
        """The crashes so far."""
        return tuple(self._done)

    @property
    def left(self) -> tuple[Kill, ...]:
        """The crashes that are still to come."""
        return tuple(self._left)

    def step(self, followed: Sequence[Followed]) -> None:
        """Crash the first function whose moment has come; at most one at a time."""
        due = next((kill for kill in self._left if kill.is_due(followed)), None)
        if due is None:
            return
        self._left.remove(due)
        log.info("SIGKILL to %s while %s", due.function, due.danger)
        self._done.append(Killed(function=due.function, old_pid=self._stack.kill(due.function)))
