"""Whether a history keeps P8 and P9 of design 6: what tenants feel of each other, what is bought.

The rules are written down once more here; the checker does not trust the code. P8 speaks of
submissions "while a tenant had a job ready". A pump cannot know that at once: it looks at the queue
once a second and reads about two seconds ahead, so a job counts as ready some seconds after it
stands ready in the store, and until a minute before its deadline, when it may be too late to send
it. A tenant whose own calls met trouble is stopped by rules of its own, so P8 is held against the
others alone; and calls of one moment may reach the provider in any order, so each window may lack
as many submissions more as can be on their way at once. P8 is held only against histories in which
nothing takes a pump away or makes its store slow (`History.is_steady`).
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from infra.simulator.history import History, Verdict, Version, seconds
from relay.domain.catalogue import find_operation
from relay.domain.job import Job, Priority, Status

MOST_SUBMISSIONS = 3
RESUBMITTED_AFTER_S = (60.0, 120.0)
# A look a second, what was read ahead, and the calls and writes of a moment.
KNOWN_WITHIN_S = 6.0
TOO_LATE_BEFORE_S = 60.0
LESS = 2.0
# So long a job may stand behind younger ones of its tenant: until the next pump looks again.
OVERTAKEN_FOR_S = 180.0
# A tenant that meets no trouble is not left alone for so long, while its provider serves it.
LEFT_ALONE_S = 25.0
OUTAGE_S = 20.0
# From the answer that says slow down to the last call that was on its way by then.
UNDER_WAY_S = 6.0
# Calls that hang hold at most about so much of all that can be in flight, whatever the weight.
MOST_IN_FLIGHT = 0.5
CLOCKS_APART_S = 2.5


@dataclass(frozen=True, slots=True)
class _Sent:
    """A submission, when its provider counted it."""

    at_s: float
    tenant: str
    job: Job


def sharing(history: History) -> Iterator[tuple[str, str, str]]:
    """Return what breaks P8 or P9: the promise, the job or tenant, and what happened."""
    for job_id, versions in history.versions.items():
        for what in _bought_in_time(history, job_id, versions):
            yield "P9", job_id, what
    for account in history.limits:
        jobs = {
            job_id: versions
            for job_id, versions in history.versions.items()
            if versions[0].job.account == account
        }
        sent = _submissions(history, account, jobs)
        ready, queued = _spans_by_tenant(jobs, _ready), _spans_by_tenant(jobs, _queued)
        troubled = _troubled(history, jobs)
        if history.is_steady:
            yield from _shares(history, sent, ready, queued, troubled)
            if history.is_prompt:
                yield from _poll_shares(history, account, jobs, sent)
            yield from _overtaken(jobs, sent, troubled)
            yield from _left_alone(history, account, sent, ready, troubled)
            yield from _pauses(history, account, jobs)
            yield from _probes(history, account, jobs, ready, troubled)


def _bought_in_time(history: History, job_id: str, versions: Sequence[Version]) -> Iterator[str]:
    calls = [
        one
        for one in history.calls_of(job_id)
        if one.verdict in (Verdict.ACCEPTED, Verdict.UNCLEAR)
    ]
    if len(calls) > MOST_SUBMISSIONS:
        yield f"it was submitted {len(calls)} times"
    job = versions[0].job
    doubts = _moves(versions, Status.SUBMITTING, Status.UNCONFIRMED)
    again = _moves(versions, Status.UNCONFIRMED, Status.QUEUED)
    for doubt_s, again_s, after_s in zip(doubts, again, RESUBMITTED_AFTER_S, strict=False):
        if again_s - doubt_s < after_s - CLOCKS_APART_S:
            yield f"it was queued again {again_s - doubt_s:.1f} s after it became unconfirmed"
    learnt_s = history.first_success_s
    expected_s = find_operation(job.provider, job.operation).expected.seconds
    for call in calls:
        left_s = seconds(job.deadline_at) - call.at_s
        # The claim, the way and the clocks lie between the decision and the provider's count.
        if call.at_s < learnt_s and left_s < expected_s / 10 - CLOCKS_APART_S - UNDER_WAY_S / 2:
            yield f"it was submitted {left_s:.1f} s before its deadline"
        if left_s < -CLOCKS_APART_S - UNDER_WAY_S - history.longest_freeze_s:
            yield f"it was submitted {-left_s:.1f} s after its deadline"


def _moves(versions: Sequence[Version], start: Status, end: Status) -> list[float]:
    """Return when the job was moved so, as its own history says."""
    return [
        seconds(after.job.history[-1].at) if after.job.history else after.at_s
        for before, after in pairwise(versions)
        if (before.job.status, after.job.status) == (start, end)
    ]


def _submissions(
    history: History, account: str, jobs: Mapping[str, Sequence[Version]]
) -> list[_Sent]:
    return [
        _Sent(call.at_s, jobs[call.job_id][0].job.tenant, jobs[call.job_id][0].job)
        for call in sorted(history.calls, key=lambda one: one.at_s)
        if call.provider == account and call.verdict is not None
    ]


def _ready(versions: Sequence[Version]) -> Iterator[tuple[float, float]]:
    """Return the spans in which a job counts as ready to be sent."""
    ends = [*(one.at_s for one in versions[1:]), float("inf")]
    latest_s = seconds(versions[0].job.deadline_at) - TOO_LATE_BEFORE_S
    for version, end_s in zip(versions, ends, strict=True):
        if version.job.status is Status.QUEUED and version.job.call_at is None:
            yield version.at_s, min(end_s, latest_s)


def _queued(versions: Sequence[Version]) -> Iterator[tuple[float, float]]:
    """Return the spans in which a job may have been ready to be sent."""
    ends = [*(one.at_s for one in versions[1:]), float("inf")]
    for version, end_s in zip(versions, ends, strict=True):
        if version.job.status in (Status.QUEUED, Status.SUBMITTING):
            yield version.at_s, end_s


def _first_poll_due(versions: Sequence[Version]) -> Iterator[tuple[float, float]]:
    """Return the span in which a job waits to be asked about for the first time."""
    for version in versions:
        job = version.job
        if job.status is Status.PROCESSING and job.polls == 0 and job.call_at is not None:
            yield max(version.at_s, seconds(job.call_at)), seconds(job.deadline_at)
            return


def _spans_by_tenant(
    jobs: Mapping[str, Sequence[Version]],
    spans: Callable[[Sequence[Version]], Iterator[tuple[float, float]]],
) -> dict[str, list[tuple[float, float]]]:
    """Return when each tenant has something that waits: spans that do not touch, in order."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for versions in jobs.values():
        found[versions[0].job.tenant] += spans(versions)
    return {tenant: _united(one) for tenant, one in found.items()}


def _united(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    united: list[tuple[float, float]] = []
    for start_s, end_s in sorted(spans):
        if end_s <= start_s:
            continue
        if united and start_s <= united[-1][1] + 0.5:
            united[-1] = (united[-1][0], max(united[-1][1], end_s))
        else:
            united.append((start_s, end_s))
    return united


def _troubled(history: History, jobs: Mapping[str, Sequence[Version]]) -> set[str]:
    """Return the tenants whose own calls were not answered as in good times."""
    bad = {Verdict.UNCLEAR, Verdict.BUSY, Verdict.ACCOUNT_REFUSED}
    tenants = {
        jobs[call.job_id][0].job.tenant
        for call in history.calls
        if call.verdict in bad and call.job_id in jobs
    }
    return tenants | {
        versions[0].job.tenant
        for versions in jobs.values()
        if any(
            one.job.status is Status.UNCONFIRMED or one.job.refusal or one.job.throttled_at
            for one in versions
        )
    }


def _shares(
    history: History,
    sent: Sequence[_Sent],
    ready: Mapping[str, list[tuple[float, float]]],
    queued: Mapping[str, list[tuple[float, float]]],
    troubled: set[str],
) -> Iterator[tuple[str, str, str]]:
    """Hold every window of submissions against every tenant that waited all the while."""
    times = [one.at_s for one in sent]
    for tenant, spans in ready.items():
        if tenant in troubled:
            continue
        for start_s, end_s in spans:
            first = bisect_left(times, start_s + KNOWN_WITHIN_S)
            window = sent[first : bisect_right(times, end_s)]
            lacks = _most_lacking(history, tenant, window, queued, troubled)
            if lacks > LESS + history.at_once:
                yield (
                    "P8",
                    tenant,
                    (
                        f"it lacked {lacks:.1f} of its share of the submissions "
                        f"from {start_s:.3f} to {end_s:.3f}"
                    ),
                )


def _most_lacking(
    history: History,
    tenant: str,
    window: Sequence[_Sent],
    queued: Mapping[str, list[tuple[float, float]]],
    troubled: set[str],
) -> float:
    """Return the most that a tenant fell behind its share in any run of submissions.

    Whoever may have had a job ready counts among those that share.
    """
    worst = lacks = 0.0
    weights = history.weights
    for one in window:
        waiting = sum(
            weights.get(other, 1)
            for other, spans in queued.items()
            if other == tenant or other in troubled or _covers(spans, one.at_s)
        )
        gain = weights.get(tenant, 1) / waiting - (one.tenant == tenant)
        lacks = max(0.0, lacks + gain)
        worst = max(worst, lacks)
    return worst


def _covers(spans: Sequence[tuple[float, float]], at_s: float) -> bool:
    index = bisect_right(spans, (at_s, float("inf"))) - 1
    return index >= 0 and at_s <= spans[index][1] + KNOWN_WITHIN_S


def _poll_shares(
    history: History, account: str, jobs: Mapping[str, Sequence[Version]], sent: Sequence[_Sent]
) -> Iterator[tuple[str, str, str]]:
    """Hold the first poll of every job against the other polls and submissions meanwhile."""
    polls = [one for one in history.calls if one.provider == account and one.verdict is None]
    poll_times, sent_times = [one.at_s for one in polls], [one.at_s for one in sent]
    tenants = {versions[0].job.tenant for versions in jobs.values()}
    weights = history.weights
    in_all = sum(weights.get(one, 1) for one in tenants)
    slack = LESS + history.at_once
    for job_id, versions in jobs.items():
        tenant = versions[0].job.tenant
        for due_s, latest_s in _first_poll_due(versions):
            ended_s = next((one.at_s for one in versions if one.job.is_final), float("inf"))
            end_s = min(history.asked.get(job_id, float("inf")), ended_s, latest_s)
            start_s = due_s + KNOWN_WITHIN_S
            if end_s <= start_s or history.is_stopped(account, due_s, end_s):
                continue
            meanwhile = polls[bisect_left(poll_times, start_s) : bisect_left(poll_times, end_s)]
            own = sum(jobs[one.job_id][0].job.tenant == tenant for one in meanwhile)
            share = len(meanwhile) * min(weights.get(tenant, 1) / in_all, MOST_IN_FLIGHT)
            if own < share - slack:
                yield "P8", job_id, f"its poll was due at {due_s:.3f} and came after {end_s:.3f}"
            submissions = bisect_left(sent_times, end_s) - bisect_left(sent_times, start_s)
            if submissions > len(meanwhile) + slack:
                yield (
                    "P8",
                    job_id,
                    (
                        f"{submissions} submissions and {len(meanwhile)} polls were made while its "
                        f"poll was due, from {due_s:.3f} to {end_s:.3f}"
                    ),
                )


def _overtaken(
    jobs: Mapping[str, Sequence[Version]], sent: Sequence[_Sent], troubled: set[str]
) -> Iterator[tuple[str, str, str]]:
    """Find jobs that stood ready while younger ones of their tenant were sent."""
    by_line: dict[tuple[str, Priority], list[_Sent]] = defaultdict(list)
    for one in sent:
        by_line[one.tenant, one.job.priority].append(one)
    for job_id, versions in jobs.items():
        job = versions[0].job
        if job.tenant in troubled:
            continue
        line = by_line[job.tenant, job.priority]
        for start_s, end_s in _ready(versions):
            from_s = start_s + OVERTAKEN_FOR_S
            first = bisect_left(line, from_s, key=lambda one: one.at_s)
            last = bisect_right(line, end_s - TOO_LATE_BEFORE_S * 4, key=lambda one: one.at_s)
            younger = [one for one in line[first:last] if one.job.created_at > job.created_at]
            if younger:
                yield (
                    "P8",
                    job_id,
                    f"it stood ready from {start_s:.3f} and was overtaken at {younger[0].at_s:.3f}",
                )
                break


def _left_alone(
    history: History,
    account: str,
    sent: Sequence[_Sent],
    ready: Mapping[str, list[tuple[float, float]]],
    troubled: set[str],
) -> Iterator[tuple[str, str, str]]:
    """Find tenants without trouble of their own of which nothing was sent for long."""
    limit = history.limits[account]
    if len(ready) * limit.window_s / limit.calls > LEFT_ALONE_S / 8:
        return
    # Two tenants whose submissions break are an outage, which the third one's probe ends.
    broken = {
        history.versions[call.job_id][0].job.tenant
        for call in history.calls
        if call.provider == account and call.verdict is Verdict.UNCLEAR
    }
    most_s = LEFT_ALONE_S + KNOWN_WITHIN_S + (OUTAGE_S if len(broken) > 1 else 0.0)
    for tenant, spans in ready.items():
        if tenant in troubled:
            continue
        own = [one.at_s for one in sent if one.tenant == tenant]
        for start_s, end_s in spans:
            moments = [start_s + KNOWN_WITHIN_S, *(s for s in own if start_s < s < end_s), end_s]
            for before_s, after_s in pairwise(sorted(moments)):
                # Between two runs of pumps lie a tick and a look.
                if after_s - before_s > most_s and not history.is_stopped(
                    account, before_s, after_s
                ):
                    yield (
                        "P8",
                        tenant,
                        f"nothing of it was sent from {before_s:.3f} to {after_s:.3f}",
                    )
                    break


def _pauses(
    history: History, account: str, jobs: Mapping[str, Sequence[Version]]
) -> Iterator[tuple[str, str, str]]:
    """Hold the first 429 that a tenant got against the calls after it."""
    times = sorted(one.at_s for one in history.calls if one.provider == account)
    seen: set[str] = set()
    paused_until_s = 0.0
    for one in history.throttled:
        if one.provider != account:
            continue
        tenant = jobs[one.job_id][0].job.tenant
        is_first = tenant not in seen and one.at_s > paused_until_s
        seen.add(tenant)
        if not is_first or not one.retry_after_s:
            continue
        paused_until_s = one.at_s + one.retry_after_s
        first = bisect_left(times, one.at_s + UNDER_WAY_S)
        if first < len(times) and times[first] < paused_until_s - CLOCKS_APART_S:
            yield (
                "P8",
                one.job_id,
                (
                    f"its provider said at {one.at_s:.3f} to wait for {one.retry_after_s:g} s, and "
                    f"was called at {times[first]:.3f}"
                ),
            )


def _probes(
    history: History,
    account: str,
    jobs: Mapping[str, Sequence[Version]],
    ready: Mapping[str, list[tuple[float, float]]],
    troubled: set[str],
) -> Iterator[tuple[str, str, str]]:
    """Find jobs that were refused and tried again next, though another tenant's was ready."""
    tries: list[tuple[float, Job | None]] = [
        (version.at_s, version.job)
        for versions in jobs.values()
        for version in versions
        if version.job.status is Status.SUBMITTING
    ]
    tries += [
        (one.at_s, None) for one in history.calls if one.provider == account and one.verdict is None
    ]
    for (before_s, before), (after_s, after) in pairwise(sorted(tries, key=lambda one: one[0])):
        if before is None or after is None or before.id != after.id or after.refusal is None:
            continue
        if after_s - before_s < UNDER_WAY_S:
            continue
        for other, spans in ready.items():
            if other not in troubled and any(
                start_s + KNOWN_WITHIN_S < before_s and after_s < end_s for start_s, end_s in spans
            ):
                yield (
                    "P8",
                    after.id,
                    (
                        f"it was the probe at {before_s:.3f} and again at {after_s:.3f} "
                        f"while {other} had a job ready"
                    ),
                )
                break
