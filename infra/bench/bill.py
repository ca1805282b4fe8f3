"""What each lever of the bill costs and saves, and how late renders are noticed for it."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from unittest.mock import patch

import numpy as np

from infra.bench import operations
from infra.bench.operations import (
    INSTANCE,
    PUMP_INSTANCE,
    WEBHOOK,
    WINDOW_S,
    Deployment,
    InstanceSize,
    Kind,
    Usage,
    relay_usd,
)
from infra.bench.report import Check
from relay.domain import due

MOST_AMONG_OTHERS_USD, MOST_ALONE_USD = 40.0, 2000.0
MOST_LATER = 1.2
PATIENT_MINUTES = due.PATIENT_AFTER.total_seconds() / 60
LONG_WINDOW_S = 300.0
SHORT = Kind(name="polled, 30 s", provider="spacely", take_s=30.0)
LONG = replace(SHORT, name="polled, 10 min", take_s=600.0)
# Renders of up to two minutes, each alone in its account.
RENDERS_S = tuple(range(12, 121, 9))
LONG_RENDERS_S = (245, 405, 590)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lever:
    """A way to run pumps.

    Attributes:
        leaves: Whether pumps leave the polls of long renders to the next tick, as they do.
    """

    name: str
    size: InstanceSize
    leaves: bool
    window_s: float = WINDOW_S

    @property
    def is_default(self) -> bool:
        """Whether the product works and `terraform/` deploys like that."""
        return self.leaves and self.size == PUMP_INSTANCE and self.window_s == WINDOW_S


HALF = replace(INSTANCE, vcpus=0.5)
LEVERS = (
    Lever(name="1 vCPU, 1 GiB; pumps stay", size=replace(INSTANCE, gib=1.0), leaves=False),
    Lever(name="512 MiB", size=INSTANCE, leaves=False),
    Lever(name="512 MiB; pumps leave", size=INSTANCE, leaves=True),
    Lever(name="512 MiB, 0.3 vCPU", size=PUMP_INSTANCE, leaves=False),
    Lever(name="the same; pumps leave (default)", size=PUMP_INSTANCE, leaves=True),
    Lever(name="512 MiB, half a vCPU; pumps leave", size=HALF, leaves=True),
    Lever(
        name=f"default, with a window of {LONG_WINDOW_S:.0f} s",
        size=PUMP_INSTANCE,
        leaves=True,
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

    leaves: bool
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


def measure(host: str) -> Bill:
    """Count what jobs use with each lever, and how late their ends are noticed.

    Args:
        host: The Firestore emulator's.
    """
    counted: dict[tuple[bool, float], list[Usage]] = {}
    for lever in LEVERS:
        way = (lever.leaves, lever.window_s)
        if way not in counted:
            with pumps(leave=lever.leaves):
                counted[way] = [_count(host, *case, window_s=lever.window_s) for case in CASES]
    rows = [
        Row(
            lever=lever,
            usd=[
                sum(relay_usd(usage, pump=lever.size).values())
                for usage in counted[lever.leaves, lever.window_s]
            ],
        )
        for lever in LEVERS
    ]
    return Bill(rows=rows, noticed=[_notice(host, leaves=leaves) for leaves in (False, True)])


def checks(bill: Bill) -> Iterator[Check]:
    """Hold the default against the targets."""
    (default,) = (row for row in bill.rows if row.lever.is_default)
    for (kind, where), usd in zip(CASES, default.usd, strict=True):
        if where == "among others" and kind is not LONG:
            most = MOST_AMONG_OTHERS_USD
        elif where == "alone" and kind is LONG:
            most = MOST_ALONE_USD
        else:
            continue
        yield Check(
            f"a million jobs, {kind.name}, {where}", f"at most ${most:,.0f}", f"${usd:,.2f}",
            usd <= most,
        )  # fmt: skip
    before, after = bill.noticed
    ratio = after.p95_s / before.p95_s
    yield Check(
        "renders of up to two minutes noticed, p95",
        f"at most {MOST_LATER:.2f} of a pump that stays",
        f"{after.p95_s:.1f} s, {ratio:.2f}",
        ratio <= MOST_LATER,
    )


def pumps(*, leave: bool) -> AbstractContextManager[object]:
    """Have pumps leave as they do, or stay for every poll as they once did."""
    if leave:
        return nullcontext()
    return patch.object(due, "PATIENT_AFTER", timedelta.max)


def _count(host: str, kind: Kind, where: str, *, window_s: float) -> Usage:
    count = operations.count_alone if where == "alone" else operations.count_among_others
    return count(host, kind, window_s=window_s)


def _notice(host: str, *, leaves: bool) -> Noticing:
    def noticed_s(takes_s: Sequence[int]) -> list[float]:
        found = []
        for take_s in takes_s:
            relay = Deployment(host, replace(SHORT, take_s=float(take_s)))
            operations.follow_alone(relay)
            found += relay.noticed_s
        return found

    with pumps(leave=leaves):
        return Noticing(
            leaves=leaves, short_s=noticed_s(RENDERS_S), long_s=noticed_s(LONG_RENDERS_S)
        )
