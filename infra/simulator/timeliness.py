"""Whether a history keeps what design 1a says of time: what is sent, asked and tried again when.

Written down once more here; the checker does not trust the code. A job that is claimed has the time
that its render takes at least, by the pump's own clock (P9): a tenth of the catalogue's expectation
until so much was learnt that the 5th percentile counts. An outage of a provider makes a handful of
each tenant's jobs unconfirmed (P9). A poll that comes due is made in time whatever is queued (P8);
that is held against worlds in which nothing is slow and no clock is wrong, at the documented
limits, while a pump is at work, and as long as few other polls are due, for they share their half
of the places.
"""

import math
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from infra.simulator.history import History, Verdict, Version, seconds
from relay.domain.catalogue import CATALOGUE, find_operation
from relay.domain.job import Job, Status

# Fewer renders that were seen to end say nothing of how long they take at least.
LEARNT_FROM = 8
# A tenant's submissions stop after so many in a row of which nobody knows whether they were taken,
# and are tried one at a time after a gap that doubles.
FAILURES = 5
FIRST_GAP_S = 30.0
# Jobs that are tried for another reason than the gap: between two pumps, or as another's probe.
MORE = 3
POLLED_WITHIN_S = {"gepetto": 5.0, "spacely": 1.0}
# A look a second, its page, and the way to the provider.
FOUND_WITHIN_S = 1.6
FEW_POLLS = 3
LEAST_AT_ONCE = 4


def timeliness(history: History) -> Iterator[tuple[str, str, str]]:
    """Return what comes too late or too soon: the promise, the job or tenant, and what happened."""
    learnt_s = _learnt(history)
    for job_id, versions in history.versions.items():
        for what in _claimed_in_time(versions, learnt_s):
            yield "P9", job_id, what
    if history.is_steady:
        yield from _outages(history)
        if history.is_prompt and history.at_once >= LEAST_AT_ONCE:
            yield from _polls(history)


def _learnt(history: History) -> dict[tuple[str, str], float]:
    """Return from when on enough renders of each operation were seen to end."""
    ends: dict[tuple[str, str], list[float]] = defaultdict(list)
    for versions in history.versions.values():
        for before, after in pairwise(versions):
            if after.job.status is Status.SUCCEEDED and before.job.status is not Status.SUCCEEDED:
                ends[_operation(after.job)].append(after.at_s)
    return {
        operation: sorted(moments)[LEARNT_FROM - 1]
        for operation, moments in ends.items()
        if len(moments) >= LEARNT_FROM
    }


def _operation(job: Job) -> tuple[str, str]:
    return job.provider, job.operation


def _claimed_in_time(
    versions: Sequence[Version], learnt_s: dict[tuple[str, str], float]
) -> Iterator[str]:
    for before, after in pairwise(versions):
        job = after.job
        if job.status is not Status.SUBMITTING or before.job.status is Status.SUBMITTING:
            continue
        left_s = (job.deadline_at - job.history[-1].at).total_seconds()
        least_s = find_operation(job.provider, job.operation).expected.seconds / 10
        if after.at_s >= learnt_s.get(_operation(job), math.inf):
            least_s = 0.0
        if left_s < least_s:
            yield f"it was claimed {left_s:.1f} s before its deadline"


def _outages(history: History) -> Iterator[tuple[str, str, str]]:
    """Count the submissions of each tenant whose fate nobody knows, while a provider is down."""
    for down in history.downs:
        unclear: Counter[str] = Counter(
            history.versions[one.job_id][0].job.tenant
            for one in history.calls
            if one.provider == down.provider
            and one.verdict is Verdict.UNCLEAR
            and down.at_s <= one.at_s < down.until_s
        )
        gaps = math.floor(math.log2((down.until_s - down.at_s) / FIRST_GAP_S + 1))
        for tenant, count in unclear.items():
            if count > FAILURES + gaps + MORE:
                yield (
                    "P9",
                    tenant,
                    (
                        f"{count} of its jobs became unconfirmed in one outage "
                        f"from {down.at_s:.3f} to {down.until_s:.3f}"
                    ),
                )


def _polls(history: History) -> Iterator[tuple[str, str, str]]:
    """Hold the first poll of each job against the moment at which it comes due."""
    for provider, limit in history.limits.items():
        if limit != CATALOGUE[provider].limit:
            continue
        runs = [one for one in history.runs if one.provider == provider]
        jobs = {
            job_id: versions
            for job_id, versions in history.versions.items()
            if versions[0].job.account == provider
        }
        waits = [span for versions in jobs.values() for span in _waits(versions)]
        polls = sorted(
            one.at_s for one in history.calls if one.provider == provider and one.verdict is None
        )
        starts, ends = sorted(one for one, _ in waits), sorted(one for _, one in waits)
        for job_id, versions in jobs.items():
            due_s = _first_due_s(versions)
            if due_s is None:
                continue
            by_s = due_s + POLLED_WITHIN_S[provider]
            ended_s = next((one.at_s for one in versions if one.job.is_final), math.inf)
            asked_s = history.asked.get(job_id, math.inf)
            if min(asked_s, ended_s) <= by_s or history.is_stopped(provider, due_s, by_s):
                continue
            if bisect_right(starts, by_s) - bisect_left(ends, due_s) > FEW_POLLS:
                continue
            if bisect_right(polls, by_s) - bisect_left(polls, due_s) > FEW_POLLS:
                # It waited for its turn among polls, some of them second ones.
                continue
            if any(one.at_s + FOUND_WITHIN_S <= due_s and by_s < one.until_s for one in runs):
                yield "P8", job_id, f"its poll was due at {due_s:.3f} and not made by {by_s:.3f}"


def _waits(versions: Sequence[Version]) -> Iterator[tuple[float, float]]:
    """Return the spans in which, as far as the store says, the job waits to be asked about."""
    ends = [*(one.at_s for one in versions[1:]), math.inf]
    for version, end_s in zip(versions, ends, strict=True):
        if version.job.status is Status.PROCESSING and version.job.call_at is not None:
            yield max(version.at_s, seconds(version.job.call_at)), end_s


def _first_due_s(versions: Sequence[Version]) -> float | None:
    """Return when the job can first be asked about, and is known to a pump that looks."""
    for version in versions:
        job = version.job
        if job.status is Status.PROCESSING and job.polls == 0 and job.call_at is not None:
            return max(version.at_s + FOUND_WITHIN_S, seconds(job.call_at))
    return None
