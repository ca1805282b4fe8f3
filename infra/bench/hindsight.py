"""What could have been had, seeing all durations of a run at once; numpy, nothing of ours."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Seconds = NDArray[np.float64]

INTERVALS_S = np.arange(0.5, 60.01, 0.5)
FIRST_WAITS_S = np.arange(0.0, 61.0, 2.0)
WORTHS_S = np.geomspace(0.15, 12, 14)
LATEST_S = 1200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What one way of asking costs per job, on average."""

    polls: float
    delay_s: float


def fixed(durations_s: Seconds, interval_s: float, *, first_wait_s: float = 0.0) -> Point:
    """Return what a fixed interval costs, from the submission or from a first wait on."""
    polls = np.maximum(1.0, np.ceil((durations_s - first_wait_s) / interval_s))
    delays_s = first_wait_s + polls * interval_s - durations_s
    return Point(polls=float(polls.mean()), delay_s=float(delays_s.mean()))


def fixed_curve(durations_s: Seconds) -> tuple[Point, ...]:
    """Return what every fixed interval from 0.5 to 60 s costs."""
    return tuple(fixed(durations_s, interval_s) for interval_s in INTERVALS_S)


def best_waiting_delay_s(durations_s: Seconds, *, polls: float) -> float:
    """Return the least mean delay of a fixed interval after a first wait, at most so many polls."""
    points = [
        fixed(durations_s, interval_s, first_wait_s=wait_s)
        for interval_s in INTERVALS_S
        for wait_s in FIRST_WAITS_S
    ]
    return min((one.delay_s for one in points if one.polls <= polls), default=np.nan)


def bound_curve(durations_s: Seconds) -> tuple[Point, ...]:
    """Return the best there is for whoever knows the distribution, but no single duration."""
    return tuple(_best_plan(durations_s, worth_s=worth_s) for worth_s in WORTHS_S)


def least_delay_s(curve: Sequence[Point], *, polls: float) -> float:
    """Return the least mean delay on a curve at so many polls, or at any fewer."""
    in_order = sorted(curve, key=lambda one: one.polls)
    between = np.interp(
        polls,
        [one.polls for one in in_order],
        [one.delay_s for one in in_order],
        left=np.inf,
    )
    with_fewer = [one.delay_s for one in in_order if one.polls <= polls]
    return float(min([between, *with_fewer]))


def _best_plan(durations_s: Seconds, *, worth_s: float) -> Point:
    """Return what the ages cost that minimise mean delay and so much per poll."""
    in_order = np.sort(durations_s)
    grid_s = np.concatenate(
        [np.arange(0, 100, 0.5), np.arange(100, 300, 2), np.arange(300, LATEST_S + 1, 12)]
    )
    ready = np.searchsorted(in_order, grid_s, side="right") / len(in_order)
    waited_s = np.concatenate([[0.0], np.cumsum((ready[1:] + ready[:-1]) / 2 * np.diff(grid_s))])
    ahead_s = np.zeros(len(grid_s))
    following = np.zeros(len(grid_s), dtype=int)
    for index in range(len(grid_s) - 2, -1, -1):
        later = slice(index + 1, None)
        delays_s = waited_s[later] - waited_s[index]
        delays_s = delays_s - ready[index] * (grid_s[later] - grid_s[index])
        costs_s = delays_s + ahead_s[later]
        best = int(costs_s.argmin())
        following[index] = index + 1 + best
        ahead_s[index] = worth_s * (1 - ready[index]) + costs_s[best]
    ages_s, index = [], 0
    while index < len(grid_s) - 1:
        index = int(following[index])
        ages_s.append(grid_s[index])
    found = np.searchsorted(np.array(ages_s), durations_s)
    delays_s = np.array(ages_s)[found] - durations_s
    return Point(polls=float((found + 1).mean()), delay_s=float(delays_s.mean()))
