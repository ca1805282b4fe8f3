"""Checks P9: no job is submitted too often, too soon again, or too late to be of use.

The rules (contract, section 1a) are repeated here: the checker does not trust the code. The
time that a render takes at least is a tenth of the catalogue's expectation, until enough was
learned for the 5th percentile to count. An outage of a provider makes a handful of each
tenant's jobs unconfirmed.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from infra.verification.history import Call, History, Verdict, Version, Violation, seconds
from relay.domain.catalogue import find_operation
from relay.domain.job import Job, Status

MAX_SUBMISSIONS = 3
RESUBMITTED_AFTER_S = (60.0, 120.0)
CLOCK_SKEW_S = 2.5
# The write of a claim, and a call's way to its provider.
ON_THE_WAY_S = 6.0
# Fewer finished renders do not say how long they take at least.
LEARNED_FROM = 8
# A tenant's submissions stop after so many unclear ones in a row, and are then tried one at a
# time after gaps that double.
FAILURES = 5
FIRST_GAP_S = 30.0
# Submissions outside these gaps: by the next pump, or as the probe of another tenant.
MORE_PROBES = 3


def needless_submissions(history: History) -> Iterator[Violation]:
    """Return what breaks P9."""
    calls: dict[str, list[Call]] = defaultdict(list)
    for call in history.calls:
        if call.may_have_been_taken:
            calls[call.job_id].append(call)
    learned_s = _learned(history)
    for job_id, versions in history.versions.items():
        for check in (
            _too_often(calls[job_id]),
            _too_soon(versions),
            _too_late(history, versions[0].job, calls[job_id]),
            _claimed_too_late(versions, learned_s),
        ):
            yield from (Violation("P9", job_id, what) for what in check)
    if history.is_steady:
        yield from _outages(history)


def _too_often(calls: Sequence[Call]) -> Iterator[str]:
    if len(calls) > MAX_SUBMISSIONS:
        yield f"it was submitted {len(calls)} times"


def _too_soon(versions: Sequence[Version]) -> Iterator[str]:
    unconfirmed = _moves(versions, Status.SUBMITTING, Status.UNCONFIRMED)
    queued = _moves(versions, Status.UNCONFIRMED, Status.QUEUED)
    for from_s, to_s, least_s in zip(unconfirmed, queued, RESUBMITTED_AFTER_S, strict=False):
        if to_s - from_s < least_s - CLOCK_SKEW_S:
            yield f"it was queued again {to_s - from_s:.1f} s after it became unconfirmed"


def _moves(versions: Sequence[Version], start: Status, end: Status) -> list[float]:
    """Return when the job moved between two states, by its own history."""
    return [
        seconds(after.job.history[-1].at) if after.job.history else after.at_s
        for before, after in pairwise(versions)
        if (before.job.status, after.job.status) == (start, end)
    ]


def _too_late(history: History, job: Job, calls: Sequence[Call]) -> Iterator[str]:
    learned_s = min((one.at_s for one in history.results), default=math.inf)
    for call in calls:
        left_s = seconds(job.deadline_at) - call.at_s
        if (
            call.at_s < learned_s
            and left_s < _least_render_s(job) - CLOCK_SKEW_S - ON_THE_WAY_S / 2
        ):
            yield f"it was submitted {left_s:.1f} s before its deadline"
        if left_s < -CLOCK_SKEW_S - ON_THE_WAY_S - history.longest_freeze_s:
            yield f"it was submitted {-left_s:.1f} s after its deadline"


def _claimed_too_late(
    versions: Sequence[Version], learned_s: Mapping[tuple[str, str], float]
) -> Iterator[str]:
    for before, after in pairwise(versions):
        job = after.job
        if job.status is not Status.SUBMITTING or before.job.status is Status.SUBMITTING:
            continue
        # By the pump's own clock.
        left_s = (job.deadline_at - job.history[-1].at).total_seconds()
        is_learned = after.at_s >= learned_s.get((job.provider, job.operation), math.inf)
        if left_s < (0.0 if is_learned else _least_render_s(job)):
            yield f"it was claimed {left_s:.1f} s before its deadline"


def _learned(history: History) -> dict[tuple[str, str], float]:
    """Return from when on enough renders of each operation had finished."""
    ends: dict[tuple[str, str], list[float]] = defaultdict(list)
    for versions in history.versions.values():
        for before, after in pairwise(versions):
            if after.job.status is Status.SUCCEEDED and before.job.status is not Status.SUCCEEDED:
                ends[after.job.provider, after.job.operation].append(after.at_s)
    return {
        operation: sorted(times)[LEARNED_FROM - 1]
        for operation, times in ends.items()
        if len(times) >= LEARNED_FROM
    }


def _least_render_s(job: Job) -> float:
    return find_operation(job.provider, job.operation).expected.seconds / 10


def _outages(history: History) -> Iterator[Violation]:
    """Count each tenant's submissions with an unclear outcome while a provider is down."""
    for outage in history.provider_outages:
        unclear = Counter(
            history.versions[one.job_id][0].job.tenant
            for one in history.calls
            if one.provider == outage.provider
            and one.verdict is Verdict.UNCLEAR
            and outage.at_s <= one.at_s < outage.until_s
        )
        gaps = math.floor(math.log2((outage.until_s - outage.at_s) / FIRST_GAP_S + 1))
        for tenant, count in unclear.items():
            if count > FAILURES + gaps + MORE_PROBES:
                yield Violation(
                    "P9",
                    tenant,
                    f"{count} of its jobs became unconfirmed in one outage "
                    f"from {outage.at_s:.3f} to {outage.until_s:.3f}",
                )
