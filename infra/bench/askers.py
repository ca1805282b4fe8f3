"""Ways to decide when to ask about a job next."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Protocol

from relay.domain.durations import Durations
from relay.domain.poll_policy import PollPlan, PollPolicy, plan_polls, planned_poll_at

SUBMITTED_AT = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A job that was just asked about in vain, or submitted.

    Attributes:
        age_s: Since its submission.
        polls: How often it was asked about so far.
        now_s: The time, on the clock of the whole run.
    """

    age_s: float
    polls: int
    now_s: float


class Asker(Protocol):
    """Decides for all jobs of a run, and may learn from those that ended."""

    def next_age_s(self, asked: Asked) -> float:
        """Return the age of a job at its next poll."""

    def found(self, *, after_s: float, by_s: float) -> None:
        """Take notice of a result; it was not there at the one age, and was at the other."""


class Unlearning:
    """What askers have in common that do not learn."""

    def found(self, *, after_s: float, by_s: float) -> None:
        """See `Asker`."""


class Backoff(Unlearning):
    """Asks after 1 s and then after gaps that double, up to a longest one."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s

    def next_age_s(self, asked: Asked) -> float:
        """See `Asker`."""
        return asked.age_s + min(2.0 ** min(asked.polls, 30), self._longest_s)


class Every(Unlearning):
    """Asks at a fixed interval."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s

    def next_age_s(self, asked: Asked) -> float:
        """See `Asker`."""
        return asked.age_s + self._interval_s


class ByAge(Unlearning):
    """Asks after a share of the age, the plain rule where nothing is learnt."""

    def __init__(self, poll_policy: PollPolicy, *, share_of_age: float, seed: str) -> None:
        self._rhythm = poll_policy
        self._share_of_age = share_of_age
        self._chance = Random(seed)

    def next_age_s(self, asked: Asked) -> float:
        """See `Asker`."""
        poll_policy, age_s = self._rhythm, asked.age_s
        gap_s = min(max(age_s * self._share_of_age, poll_policy.shortest_s), poll_policy.longest_s)
        gap_s = max(gap_s, poll_policy.first_s - age_s)
        return age_s + gap_s * (0.9 + 0.2 * self._chance.random())


class DurationLearner:
    """Asks as the relay does, knowing what a relay would know: when polls found what.

    Args:
        plan_every_s: How much time passes before what was learnt is used.
    """

    def __init__(
        self, poll_policy: PollPolicy, *, expected_s: float, plan_every_s: float, seed: str
    ) -> None:
        self._rhythm = poll_policy
        self._expected_s = expected_s
        self._plan_every_s = plan_every_s
        self._chance = Random(seed)
        self._durations = Durations.unknown()
        self._plan_again_s = 0.0
        self._plan = self._new_plan()

    def next_age_s(self, asked: Asked) -> float:
        """See `Asker`."""
        if asked.now_s >= self._plan_again_s:
            self._plan = self._new_plan()
            self._plan_again_s = asked.now_s + self._plan_every_s
        now = SUBMITTED_AT + timedelta(seconds=asked.age_s)
        draw = self._chance.random()
        at = planned_poll_at(
            self._plan, submitted_at=SUBMITTED_AT, now=now, polls=asked.polls, draw=draw
        )
        return (at - SUBMITTED_AT).total_seconds()

    def found(self, *, after_s: float, by_s: float) -> None:
        """See `Asker`."""
        self._durations = self._durations.with_render(
            after_s=after_s, by_s=by_s, expected_s=self._expected_s
        )

    def _new_plan(self) -> PollPlan:
        return plan_polls(self._rhythm, self._durations, expected_s=self._expected_s)
