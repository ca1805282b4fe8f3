"""When to poll a job, and when to retry a call that a busy provider turned away."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple

import msgspec

from relay.domain.durations import EDGES_S, Durations, belief, quantile_s

LONGEST_RETRY_AFTER_S = 600.0
FIRST_RETRY_S = 5.0
LONGEST_RETRY_S = 120.0

# Polls are spread by this share of the gap either way, so that jobs sent together drift apart.
JITTER = 0.1
# The minimum gap grows by this factor with each poll, however wrong the plan is.
STRETCH = 1.1
MAX_STRETCHED = 60
# Until this many renders were seen, gaps are also cut to a share of the age, so that a provider
# much faster than expected is noticed soon.
SURE_FROM = 8.0
UNSURE_GAP_S = 5.0
UNSURE_SHARE_OF_AGE = 0.25
# Candidate ages per bucket of durations.
STEPS = 3


class PollPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How often one provider is polled about a job; all times in seconds.

    Attributes:
        first_s: Age of a submission at its first poll, which gives a webhook time to come first.
        shortest_s: Shortest gap between two polls.
        longest_s: Longest gap between two polls.
        poll_worth: Delay in noticing a result that is acceptable to save one poll, as a share of
            the median render time. Where a webhook brings all but one result in N, N times as much.
    """

    first_s: float
    shortest_s: float
    longest_s: float
    poll_worth: float = 0.04


class Point(NamedTuple):
    """The expected state of a render at one age.

    Attributes:
        ready: Probability that it is ready by then.
        waited_s: The integral of `ready` up to then.
    """

    age_s: float
    ready: float
    waited_s: float


class PollPlan(msgspec.Struct, frozen=True, kw_only=True):
    """When to poll renders of one operation, given what is known of its durations.

    Attributes:
        is_sure: Whether enough renders were seen to rely on the plan.
        points: The candidate ages, the first of them 0.
        ahead_s: For each point, the expected cost of all later polls and delay, with a poll counted
            as the delay that it is worth, times the probability that the render is not ready by
            then.
    """

    poll_policy: PollPolicy
    is_sure: bool
    points: tuple[Point, ...]
    ahead_s: tuple[float, ...]


@lru_cache(maxsize=64)
def plan_polls(poll_policy: PollPolicy, durations: Durations, *, expected_s: float) -> PollPlan:
    """Find the polls of least expected cost, given the known durations.

    The future of an unready render depends only on its age, so the polls that minimise E[delay] +
    worth * E[polls] are found exactly by dynamic programming, from the last age back to the first:
    the next poll goes where the delay until then plus the cost ahead of it is least. For many polls
    this is the rule for checking schedules (J. B. Keller, Management Science 21, 1974): at a gap g
    and a hazard h, a second costs worth/g in polls and h*g/2 in delay, least at g = sqrt(2 * worth
    / h), so polls are as dense as the root of h.

    Takes a millisecond or two: run it when enough was learnt, not for each poll.

    Args:
        expected_s: What the catalogue expects, used while there is no history.
    """
    probabilities = belief(durations, expected_s=expected_s)
    worth_s = poll_policy.poll_worth * quantile_s(probabilities, 0.5)
    points = _points(probabilities)
    unready = 1 - points[-1].ready
    ahead_s = [0.0] * (len(points) - 1) + [unready * (worth_s + poll_policy.longest_s / 2)]
    for index in range(len(points) - 2, -1, -1):
        here = points[index]
        _, least_s = _cheapest(points, ahead_s, here=here, start=index + 1)
        ahead_s[index] = (1 - here.ready) * worth_s + least_s
    return PollPlan(
        poll_policy=poll_policy,
        is_sure=durations.observations >= SURE_FROM,
        points=tuple(points),
        ahead_s=tuple(ahead_s),
    )


def planned_poll_at(
    plan: PollPlan, *, submitted_at: datetime, now: datetime, polls: int, draw: float
) -> datetime:
    """Return when to poll a render next that is not known to be ready now.

    Never before `first_s`; otherwise the gap lies between the shortest and the longest one. The
    minimum grows with every poll, in case the render fits nothing seen before.

    Args:
        polls: How often the job was polled so far.
        draw: A random number from 0 up to 1; spreads the gap by a tenth either way.
    """
    poll_policy = plan.poll_policy
    age_s = max(0.0, (now - submitted_at).total_seconds())
    least_s = poll_policy.shortest_s / (1 - JITTER) * STRETCH ** min(polls, MAX_STRETCHED)
    gap_s = _planned_gap_s(plan, age_s)
    if not plan.is_sure:
        gap_s = min(gap_s, max(UNSURE_GAP_S, age_s * UNSURE_SHARE_OF_AGE))
    gap_s = max(gap_s, least_s)
    gap_s = min(gap_s, poll_policy.longest_s / (1 + JITTER)) * (1 - JITTER + 2 * JITTER * draw)
    gap_s = max(gap_s, poll_policy.shortest_s, (poll_policy.first_s - age_s) * (1 + JITTER * draw))
    return now + timedelta(seconds=gap_s)


def _points(probabilities: Sequence[float]) -> list[Point]:
    points = [Point(0.0, 0.0, 0.0)]
    edges_s = pairwise((0.0, *EDGES_S))
    for (start_s, end_s), probability in zip(edges_s, probabilities[:-1], strict=True):
        step_s = (end_s - start_s) / STEPS
        for _ in range(STEPS):
            last = points[-1]
            ready = last.ready + probability / STEPS
            waited_s = last.waited_s + step_s * (last.ready + ready) / 2
            points.append(Point(last.age_s + step_s, ready, waited_s))
    return points


def _planned_gap_s(plan: PollPlan, age_s: float) -> float:
    start = bisect_right(plan.points, age_s, key=itemgetter(0))
    if start == len(plan.points):
        return plan.poll_policy.longest_s
    before, after = plan.points[start - 1], plan.points[start]
    since_s = age_s - before.age_s
    ready = before.ready + (after.ready - before.ready) * since_s / (after.age_s - before.age_s)
    here = Point(age_s, ready, before.waited_s + since_s * (before.ready + ready) / 2)
    best, _ = _cheapest(plan.points, plan.ahead_s, here=here, start=start)
    return plan.points[best].age_s - age_s


def _cheapest(
    points: Sequence[Point], ahead_s: Sequence[float], *, here: Point, start: int
) -> tuple[int, float]:
    """Return the best point for the next poll, from *start* on, and its cost."""
    from_s, ready_now, waited_now_s = here
    best, least_s = start, math.inf
    for index in range(start, len(points)):
        age_s, _, waited_s = points[index]
        delay_s = waited_s - waited_now_s - ready_now * (age_s - from_s)
        if delay_s >= least_s:
            break
        if delay_s + ahead_s[index] < least_s:
            best, least_s = index, delay_s + ahead_s[index]
    return best, least_s


def next_try_at(*, tries: int, retry_after_s: float | None, now: datetime, draw: float) -> datetime:
    """Return when to call a busy provider again: after its ``Retry-After``, else with backoff.

    Args:
        tries: Calls turned away so far, at least 1.
        retry_after_s: The provider's ``Retry-After``, honoured up to 10 minutes; None without one.
        draw: A random number from 0 up to 1.
    """
    if retry_after_s is not None:
        return now + timedelta(seconds=min(max(retry_after_s, 1.0), LONGEST_RETRY_AFTER_S))
    gap_s = min(FIRST_RETRY_S * 2 ** min(tries - 1, 10), LONGEST_RETRY_S)
    return now + timedelta(seconds=gap_s * (0.75 + 0.5 * draw))
