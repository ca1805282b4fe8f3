"""What each lever of the bill costs and saves, and how late renders are noticed for it."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from unittest.mock import patch

import numpy as np

from infra.bench.operations import (
    INSTANCE,
    MILLION,
    PUMP_INSTANCE,
    PUSH_S,
    SCHEDULER_EVERY_S,
    WEBHOOK,
    WINDOW_S,
    Deployment,
    InstanceSize,
    Kind,
    Usage,
    count_alone,
    count_among_others,
    relay_usd,
)
from infra.bench.report import Check
from relay.application import pump_run
from relay.domain import due
from relay.domain.job import Job

MAX_AMONG_OTHERS_USD, MAX_ALONE_USD = 40.0, 2000.0
MAX_LATER = 1.2
PATIENT_MINUTES = due.PATIENT_AFTER.total_seconds() / 60
LONG_WINDOW_S = 300.0
SHORT = Kind(name="polled, 30 s", provider="spacely", take_s=30.0)
LONG = replace(SHORT, name="polled, 10 min", take_s=600.0)
# Renders of up to two minutes, each alone in its account.
RENDERS_S = tuple(range(12, 121, 9))
LONG_RENDERS_S = (245, 405, 590)
# Cloud Tasks: creating a task and its push, each an operation beyond the first million of a month
# (cloud.google.com/tasks/docs/pricing, read on 2026-11-28).
ALARM_USD = 2 * 0.40 / MILLION
# A guess: a run that an alarm starts takes no virtual time, but some of an instance's.
ALARM_RUN_S = 0.3
ALARM = "alarm"


class Way(StrEnum):
    """When pumps leave.

    `ALARM` is a model of what was not built (docs/decisions/0020): a pump leaves whenever nothing
    is due for a second, and a task of Cloud Tasks, one for each second at most, wakes the next one
    on time.
    """

    STAY = "stay for every poll in their window"
    LEAVE = "leave the polls of long renders to the next tick"
    ALARM = "leave whenever nothing is due, with an alarm clock (not built)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lever:
    """A way to run pumps, and the size of their instances."""

    name: str
    size: InstanceSize
    way: Way
    window_s: float = WINDOW_S

    @property
    def is_default(self) -> bool:
        """Whether the product works and `terraform/` deploys like that."""
        return (self.way, self.size, self.window_s) == (Way.LEAVE, PUMP_INSTANCE, WINDOW_S)


_HALF = replace(INSTANCE, vcpus=0.5)
LEVERS = (
    Lever(name="1 vCPU, 1 GiB; pumps stay", size=replace(INSTANCE, gib=1.0), way=Way.STAY),
    Lever(name="1 vCPU, 512 MiB; pumps stay", size=INSTANCE, way=Way.STAY),
    Lever(name="1 vCPU, 512 MiB; pumps leave", size=INSTANCE, way=Way.LEAVE),
    Lever(name="1 vCPU, 512 MiB; alarm clock (not built)", size=INSTANCE, way=Way.ALARM),
    Lever(name="0.5 vCPU, 512 MiB; pumps leave", size=_HALF, way=Way.LEAVE),
    Lever(name="0.3 vCPU, 512 MiB; pumps stay", size=PUMP_INSTANCE, way=Way.STAY),
    Lever(name="0.3 vCPU, 512 MiB; pumps leave (default)", size=PUMP_INSTANCE, way=Way.LEAVE),
    Lever(name="0.3 vCPU, 512 MiB; alarm clock (not built)", size=PUMP_INSTANCE, way=Way.ALARM),
    Lever(
        name=f"the default, with a window of {LONG_WINDOW_S:.0f} s",
        size=PUMP_INSTANCE,
        way=Way.LEAVE,
        window_s=LONG_WINDOW_S,
    ),
)
CASES = (
    (WEBHOOK, "among others"),
    (SHORT, "among others"),
    (LONG, "among others"),
    (WEBHOOK, "alone"),
    (SHORT, "alone"),
    (LONG, "alone"),
)
"""The columns of the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a million jobs cost with one lever, in US dollars, by case."""

    lever: Lever
    usd: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticing:
    """How long after their end renders were noticed, in seconds, each alone in its account."""

    way: Way
    short_s: Sequence[float]
    long_s: Sequence[float]

    @property
    def p95_s(self) -> float:
        """95th percentile for renders of up to two minutes."""
        return float(np.percentile(self.short_s, 95))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What was measured."""

    rows: Sequence[Row]
    noticed: Sequence[Noticing]


class WithAlarm(Deployment):
    """A deployment whose pumps set an alarm for the next due job as they leave."""

    def __init__(self, host: str, kind: Kind, *, window_s: float = WINDOW_S) -> None:
        super().__init__(host, kind, window_s=window_s)
        self._set: set[datetime] = set()

    def tick(self, account: str) -> None:
        """Take a tick, and set the alarm after the run."""
        super().tick(account)
        if self.pumps[account][2].is_going_on:
            return
        now = self.clock.now()
        # A pump that comes with the scheduler's tick sets later ones.
        until = now + timedelta(seconds=SCHEDULER_EVERY_S)
        page = self.documents.due(account, after=now, until=until, limit=1)
        at = next(map(due.wake_at, page.jobs), None)
        if at is None:
            return
        second = at.replace(microsecond=0)
        if second in self._set:
            return
        self._set.add(second)
        self.calls[ALARM] += 1
        self.clock.after((at - now).total_seconds() + PUSH_S, partial(self.tick, account))


def measure(host: str) -> Bill:
    """Count what jobs use with each lever, and how late their ends are noticed.

    Args:
        host: The Firestore emulator's.
    """
    counted: dict[tuple[Way, float], list[Usage]] = {}
    for lever in LEVERS:
        if (lever.way, lever.window_s) not in counted:
            counted[lever.way, lever.window_s] = [
                _count(host, *case, way=lever.way, window_s=lever.window_s) for case in CASES
            ]
    rows = [
        Row(
            lever=lever,
            usd=[million_usd(usage, lever.size) for usage in counted[lever.way, lever.window_s]],
        )
        for lever in LEVERS
    ]
    return Bill(rows=rows, noticed=[_notice(host, way) for way in Way])


def million_usd(usage: Usage, size: InstanceSize) -> float:
    """Return what a million jobs cost that each used this."""
    alarms = usage.calls_per_job(ALARM)
    each = ALARM_USD + ALARM_RUN_S * size.usd_per_s
    return sum(relay_usd(usage, pump=size).values()) + alarms * each * MILLION


def checks(bill: Bill) -> Iterator[Check]:
    """Hold the default against the targets."""
    (default,) = (row for row in bill.rows if row.lever.is_default)
    for (kind, where), usd in zip(CASES, default.usd, strict=True):
        if where == "among others" and kind is not LONG:
            most = MAX_AMONG_OTHERS_USD
        elif where == "alone" and kind is LONG:
            most = MAX_ALONE_USD
        else:
            continue
        yield Check(
            f"a million jobs, {kind.name}, {where}", f"at most ${most:,.0f}", f"${usd:,.2f}",
            usd <= most,
        )  # fmt: skip
    noticed = {one.way: one.p95_s for one in bill.noticed}
    ratio = noticed[Way.LEAVE] / noticed[Way.STAY]
    yield Check(
        "renders of up to two minutes noticed, p95",
        f"at most {MAX_LATER:.2f} of a pump that stays",
        f"{noticed[Way.LEAVE]:.1f} s, {ratio:.2f}",
        ratio <= MAX_LATER,
    )


@contextmanager
def pumps(way: Way) -> Iterator[None]:
    """Have pumps leave as they do, or as they once did, or as they would with an alarm clock."""
    with ExitStack() as changes:
        if way is Way.STAY:
            changes.enter_context(patch.object(due, "PATIENT_AFTER", timedelta.max))
        if way is Way.ALARM:
            for owner, name, value in (
                (pump_run, "can_wait_for_tick", _is_due_later),
                (pump_run, "NEAR", timedelta(seconds=1)),
                # Otherwise a pump would come back at once for a job that has its alarm.
                (pump_run, "SCAN_MARGIN", timedelta(0)),
                # `WithAlarm` makes this query.
                (pump_run.PumpRun, "_has_no_wake_in_window", _leaves_at_once),
            ):
                changes.enter_context(patch.object(owner, name, value))
        yield


def _is_due_later(job: Job, *, at: datetime) -> bool:
    return due.next_action(job, at=at) is None


def _leaves_at_once(run: object, now: datetime) -> bool:
    del run, now
    return True


def deployment(host: str, kind: Kind, way: Way, *, window_s: float = WINDOW_S) -> Deployment:
    """Return a deployment that runs its pumps that way, within `pumps`."""
    return (WithAlarm if way is Way.ALARM else Deployment)(host, kind, window_s=window_s)


def _count(host: str, kind: Kind, where: str, *, way: Way, window_s: float) -> Usage:
    count = count_alone if where == "alone" else count_among_others
    with pumps(way):
        return count(deployment(host, kind, way, window_s=window_s))


def _notice(host: str, way: Way) -> Noticing:
    def noticed_s(takes_s: Sequence[int]) -> list[float]:
        found = []
        for take_s in takes_s:
            relay = deployment(host, replace(SHORT, take_s=float(take_s)), way)
            count_alone(relay)
            found += relay.noticed_s
        return found

    with pumps(way):
        return Noticing(way=way, short_s=noticed_s(RENDERS_S), long_s=noticed_s(LONG_RENDERS_S))
