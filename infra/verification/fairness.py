"""Checks P8: no tenant waits for another's work beyond its share.

The rules (contract, section 1a) are repeated here: the checker does not trust the code. P8
speaks of submissions "while a tenant had a job ready". A pump cannot know that at once: it
scans the queue once a second and reads about two seconds ahead, so a job counts as ready from a
few seconds after it is ready in the store until a minute before its deadline, when it may be
too late to submit. A tenant whose own calls failed is stopped by rules of its own, so P8 is
checked for the other tenants only. Calls made at the same moment may reach the provider in any
order, so each window may lack as many submissions more as can be in flight at a time. P8 is
checked only in histories in which nothing takes a pump away or slows its store down
(`History.is_steady`).

A poll that comes due is made in time, whatever is queued. That is checked only where every call
is answered at once and all clocks agree (`History.is_prompt`), at the documented limits, while
a pump runs, and as long as few other polls are due, because polls share their half of the
slots.
"""

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from infra.verification.history import Call, History, Verdict, Version, Violation, seconds
from relay.domain.catalogue import CATALOGUE
from relay.domain.job import ErrorCode, Job, Priority, Status

Span = tuple[float, float]
"""From when to when, in seconds."""

# A scan a second, what was read ahead, and the calls and writes of a moment.
KNOWN_WITHIN_S = 6.0
TOO_LATE_BEFORE_S = 60.0
ALLOWED_LACK = 2.0
# How long a job may wait behind younger ones of its tenant: until the next pump scans again.
OVERTAKEN_FOR_S = 180.0
# The longest gap between the submissions of a tenant without trouble.
LONGEST_GAP_S = 25.0
OUTAGE_S = 20.0
# From the answer that says slow down to the last call that was in flight by then.
IN_FLIGHT_S = 6.0
# Calls that hang take at most about this share of all that can be in flight, whatever the weight.
LARGEST_SHARE_IN_FLIGHT = 0.5
CLOCK_SKEW_S = 2.5
POLLED_WITHIN_S = {"gepetto": 5.0, "spacely": 1.0}
# A scan a second, its page, and the way to the provider.
FOUND_WITHIN_S = 1.6
FEW_POLLS = 3
# An instance that was frozen writes its job this much later than the moment in it.
WRITTEN_LATE_S = 3.0
LEAST_CONCURRENCY = 4


@dataclass(frozen=True, slots=True)
class _Submission:
    at_s: float
    tenant: str
    job: Job


@dataclass(frozen=True)
class _Account:
    """What concerns one account in a history."""

    history: History
    name: str

    @cached_property
    def jobs(self) -> dict[str, list[Version]]:
        return {
            job_id: versions
            for job_id, versions in self.history.versions.items()
            if versions[0].job.account == self.name
        }

    @cached_property
    def calls(self) -> list[Call]:
        """The calls about known jobs, in the order of time."""
        calls = (one for one in self.history.calls if one.provider == self.name)
        return sorted((one for one in calls if one.job_id in self.jobs), key=lambda one: one.at_s)

    @cached_property
    def submissions(self) -> list[_Submission]:
        return [
            _Submission(call.at_s, self.tenant(call.job_id), self.jobs[call.job_id][0].job)
            for call in self.calls
            if call.verdict is not None
        ]

    @cached_property
    def claims(self) -> list[tuple[float, Job]]:
        """When jobs were claimed: their turns, even if no connection was made."""
        return [
            (version.at_s, version.job)
            for versions in self.jobs.values()
            for version in versions
            if version.job.status is Status.SUBMITTING
        ]

    @cached_property
    def stops(self) -> list[float]:
        """When the provider's answers gave a reason to stop calls."""
        return sorted(self.history.stops(self.name))

    @cached_property
    def answered(self) -> list[Span]:
        """From the claim to the answer of submissions that did not fail for the account's sake."""
        found = []
        for versions in self.jobs.values():
            for before, after in pairwise(versions):
                error = after.job.error
                is_own = error is not None and error.code is ErrorCode.PROVIDER_REJECTED
                if before.job.status is Status.SUBMITTING and (
                    after.job.status is Status.PROCESSING or (is_own and after.job.refusal is None)
                ):
                    found.append((before.at_s, after.at_s))
        return found

    @cached_property
    def polls(self) -> list[Call]:
        return [call for call in self.calls if call.verdict is None]

    @cached_property
    def ready(self) -> dict[str, list[Span]]:
        """When each tenant has a job that counts as ready."""
        return self._by_tenant(_ready)

    @cached_property
    def queued(self) -> dict[str, list[Span]]:
        """When each tenant has a job that may be ready."""
        return self._by_tenant(_queued)

    @cached_property
    def troubled(self) -> set[str]:
        """The tenants whose own calls did not go well."""
        bad = {Verdict.UNCLEAR, Verdict.BUSY, Verdict.ACCOUNT_REFUSED}
        tenants = {self.tenant(call.job_id) for call in self.calls if call.verdict in bad}
        return tenants | {
            versions[0].job.tenant
            for versions in self.jobs.values()
            if any(
                one.job.status is Status.UNCONFIRMED or one.job.refusal or one.job.throttled_at
                for one in versions
            )
        }

    def tenant(self, job_id: str) -> str:
        return self.jobs[job_id][0].job.tenant

    def is_stopped(self, from_s: float, to_s: float) -> bool:
        return self.history.is_stopped(self.name, from_s, to_s)

    def weight(self, tenant: str) -> int:
        return self.history.weights.get(tenant, 1)

    def _by_tenant(
        self, spans_of: Callable[[Sequence[Version]], Iterator[Span]]
    ) -> dict[str, list[Span]]:
        found: dict[str, list[Span]] = defaultdict(list)
        for versions in self.jobs.values():
            found[versions[0].job.tenant] += spans_of(versions)
        return {tenant: _united(spans) for tenant, spans in found.items()}


def unfairness(history: History) -> Iterator[Violation]:
    """Return what breaks P8."""
    if not history.is_steady:
        return
    for name in history.limits:
        account = _Account(history, name)
        checks = [_shares, _overtaken, _gaps, _pauses, _probes]
        if history.is_prompt:
            checks.append(_poll_shares)
            if history.concurrency >= LEAST_CONCURRENCY:
                checks.append(_late_polls)
        for check in checks:
            yield from check(account)


def _with_ends(versions: Sequence[Version]) -> Iterator[tuple[Version, float]]:
    """Return each version with the time at which the next one replaced it."""
    return zip(versions, [*(one.at_s for one in versions[1:]), math.inf], strict=True)


def _ready(versions: Sequence[Version]) -> Iterator[Span]:
    latest_s = seconds(versions[0].job.deadline_at) - TOO_LATE_BEFORE_S
    for version, end_s in _with_ends(versions):
        if version.job.status is Status.QUEUED and version.job.call_at is None:
            yield version.at_s, min(end_s, latest_s)


def _queued(versions: Sequence[Version]) -> Iterator[Span]:
    for version, end_s in _with_ends(versions):
        if version.job.status in (Status.QUEUED, Status.SUBMITTING):
            yield version.at_s, end_s


def _first_poll(versions: Sequence[Version]) -> Version | None:
    """Return the version in which the job waits for its first poll."""
    return next(
        (
            one
            for one in versions
            if one.job.status is Status.PROCESSING
            and one.job.polls == 0
            and one.job.call_at is not None
        ),
        None,
    )


def _poll_due_s(version: Version) -> float:
    return seconds(version.job.call_at) if version.job.call_at is not None else math.inf


def _ended_s(versions: Sequence[Version]) -> float:
    return next((one.at_s for one in versions if one.job.is_final), math.inf)


def _united(spans: list[Span]) -> list[Span]:
    """Join the spans that touch, in order."""
    united: list[Span] = []
    for start_s, end_s in sorted(spans):
        if end_s <= start_s:
            continue
        if united and start_s <= united[-1][1] + 0.5:
            united[-1] = (united[-1][0], max(united[-1][1], end_s))
        else:
            united.append((start_s, end_s))
    return united


def _shares(account: _Account) -> Iterator[Violation]:
    """Compare every run of submissions with the share of a tenant that waited meanwhile."""
    times = [one.at_s for one in account.submissions]
    for tenant, spans in account.ready.items():
        if tenant in account.troubled:
            continue
        for start_s, end_s in spans:
            first = bisect_left(times, start_s + KNOWN_WITHIN_S)
            lack = _largest_lack(
                account, tenant, account.submissions[first : bisect_right(times, end_s)]
            )
            if lack > ALLOWED_LACK + account.history.concurrency:
                yield Violation(
                    "P8",
                    tenant,
                    f"it lacked {lack:.1f} of its share of the submissions "
                    f"from {start_s:.3f} to {end_s:.3f}",
                )


def _largest_lack(account: _Account, tenant: str, window: Sequence[_Submission]) -> float:
    """Return by how many submissions a tenant fell behind its share at most.

    Every tenant that may have had a job ready counts among those that share.
    """
    largest = lack = 0.0
    for one in window:
        waiting = sum(
            account.weight(other)
            for other, spans in account.queued.items()
            if other == tenant or other in account.troubled or _covers(spans, one.at_s)
        )
        lack = max(0.0, lack + account.weight(tenant) / waiting - (one.tenant == tenant))
        largest = max(largest, lack)
    return largest


def _covers(spans: Sequence[Span], at_s: float) -> bool:
    index = bisect_right(spans, (at_s, math.inf)) - 1
    return index >= 0 and at_s <= spans[index][1] + KNOWN_WITHIN_S


def _poll_shares(account: _Account) -> Iterator[Violation]:
    """Compare the wait for each job's first poll with the calls made meanwhile."""
    history, polls = account.history, account.polls
    poll_times = [one.at_s for one in polls]
    submission_times = [one.at_s for one in account.submissions]
    total_weight = sum(map(account.weight, {account.tenant(job_id) for job_id in account.jobs}))
    slack = ALLOWED_LACK + history.concurrency
    for job_id, versions in account.jobs.items():
        waiting = _first_poll(versions)
        if waiting is None:
            continue
        tenant = waiting.job.tenant
        due_s = max(waiting.at_s, _poll_due_s(waiting))
        start_s = due_s + KNOWN_WITHIN_S
        end_s = min(
            history.first_polls.get(job_id, math.inf),
            _ended_s(versions),
            seconds(waiting.job.deadline_at),
        )
        if end_s <= start_s or account.is_stopped(due_s, end_s):
            continue
        meanwhile = polls[bisect_left(poll_times, start_s) : bisect_left(poll_times, end_s)]
        own = sum(account.tenant(one.job_id) == tenant for one in meanwhile)
        share = min(account.weight(tenant) / total_weight, LARGEST_SHARE_IN_FLIGHT)
        if own < len(meanwhile) * share - slack:
            yield Violation(
                "P8", job_id, f"its poll was due at {due_s:.3f} and came after {end_s:.3f}"
            )
        submissions = bisect_left(submission_times, end_s) - bisect_left(submission_times, start_s)
        if submissions > len(meanwhile) + slack:
            yield Violation(
                "P8",
                job_id,
                f"{submissions} submissions and {len(meanwhile)} polls were made while its "
                f"poll was due, from {due_s:.3f} to {end_s:.3f}",
            )


def _late_polls(account: _Account) -> Iterator[Violation]:
    """Compare the first poll of each job with the moment at which it came due."""
    history, name = account.history, account.name
    if history.limits[name] != CATALOGUE[name].limit:
        return
    runs = [one for one in history.runs if one.provider == name]
    waits = [span for versions in account.jobs.values() for span in _waits_for_poll(versions)]
    starts, ends = sorted(start for start, _ in waits), sorted(end for _, end in waits)
    polls = [one.at_s for one in account.polls]
    for job_id, versions in account.jobs.items():
        waiting = _first_poll(versions)
        if waiting is None:
            continue
        if waiting.at_s > _poll_due_s(waiting) + WRITTEN_LATE_S:
            # Scans had passed its moment when it was written: the next run finds it.
            continue
        due_s = max(waiting.at_s + FOUND_WITHIN_S, _poll_due_s(waiting))
        by_s = due_s + POLLED_WITHIN_S[name]
        polled_s = history.first_polls.get(job_id, math.inf)
        if min(polled_s, _ended_s(versions)) <= by_s or account.is_stopped(due_s, by_s):
            continue
        if bisect_right(starts, by_s) - bisect_left(ends, due_s) > FEW_POLLS:
            continue
        if bisect_right(polls, by_s) - bisect_left(polls, due_s) >= FEW_POLLS:
            # It waited for its turn among polls, some second ones or of jobs that had ended.
            continue
        if any(one.at_s + FOUND_WITHIN_S <= due_s and by_s < one.until_s for one in runs):
            yield Violation(
                "P8", job_id, f"its poll was due at {due_s:.3f} and not made by {by_s:.3f}"
            )


def _waits_for_poll(versions: Sequence[Version]) -> Iterator[Span]:
    for version, end_s in _with_ends(versions):
        if version.job.status is Status.PROCESSING and version.job.call_at is not None:
            yield max(version.at_s, seconds(version.job.call_at)), end_s


def _overtaken(account: _Account) -> Iterator[Violation]:
    """Find jobs that were ready while younger ones of their tenant were submitted."""
    by_line: dict[tuple[str, Priority], list[_Submission]] = defaultdict(list)
    for one in account.submissions:
        by_line[one.tenant, one.job.priority].append(one)
    for job_id, versions in account.jobs.items():
        job = versions[0].job
        if job.tenant in account.troubled:
            continue
        line = by_line[job.tenant, job.priority]
        for start_s, end_s in _ready(versions):
            from_s = start_s + OVERTAKEN_FOR_S
            first = bisect_left(line, from_s, key=lambda one: one.at_s)
            last = bisect_right(line, end_s - TOO_LATE_BEFORE_S * 4, key=lambda one: one.at_s)
            younger = [one for one in line[first:last] if one.job.created_at > job.created_at]
            if younger:
                yield Violation(
                    "P8",
                    job_id,
                    f"it was ready from {start_s:.3f} and was overtaken at {younger[0].at_s:.3f}",
                )
                break


def _gaps(account: _Account) -> Iterator[Violation]:
    """Find tenants without trouble of their own that had nothing submitted for long."""
    limit, history = account.history.limits[account.name], account.history
    if history.concurrency < LEAST_CONCURRENCY and not history.is_prompt:
        # Calls that hang can take all of a pump's few.
        return
    if len(account.ready) * limit.window_s / limit.calls > LONGEST_GAP_S / 8:
        return
    # Two tenants with unclear submissions are an outage, which a third one's probe ends.
    unclear = {
        account.tenant(call.job_id) for call in account.calls if call.verdict is Verdict.UNCLEAR
    }
    longest_s = LONGEST_GAP_S + KNOWN_WITHIN_S + (OUTAGE_S if len(unclear) > 1 else 0.0)
    runs = [one for one in history.runs if one.provider == account.name]
    for tenant, spans in account.ready.items():
        if tenant in account.troubled:
            continue
        own = [at_s for at_s, job in account.claims if job.tenant == tenant]
        for start_s, end_s in spans:
            times = [start_s + KNOWN_WITHIN_S, *(s for s in own if start_s < s < end_s), end_s]
            for before_s, after_s in pairwise(sorted(times)):
                if after_s - before_s <= longest_s or account.is_stopped(before_s, after_s):
                    continue
                # If no pump was there, it did not wait for anybody's work but for the next tick.
                known_s = after_s - KNOWN_WITHIN_S
                if any(
                    before_s < one.at_s < known_s or one.at_s <= before_s <= known_s < one.until_s
                    for one in runs
                ):
                    yield Violation(
                        "P8", tenant, f"nothing of it was sent from {before_s:.3f} to {after_s:.3f}"
                    )
                    break


def _pauses(account: _Account) -> Iterator[Violation]:
    """Compare each tenant's first 429 with the calls after it."""
    times = [one.at_s for one in account.calls]
    seen: set[str] = set()
    paused_until_s = 0.0
    for one in account.history.throttled:
        if one.provider != account.name:
            continue
        tenant = account.tenant(one.job_id)
        is_first = tenant not in seen and one.at_s > paused_until_s
        seen.add(tenant)
        if not is_first or not one.retry_after_s:
            continue
        paused_until_s = one.at_s + one.retry_after_s
        first = bisect_left(times, one.at_s + IN_FLIGHT_S)
        if first < len(times) and times[first] < paused_until_s - CLOCK_SKEW_S:
            yield Violation(
                "P8",
                one.job_id,
                f"its provider said at {one.at_s:.3f} to wait for {one.retry_after_s:g} s, and "
                f"was called at {times[first]:.3f}",
            )


def _probes(account: _Account) -> Iterator[Violation]:
    """Find refused jobs that were tried again next, though another tenant's was ready."""
    tries: list[tuple[float, Job | None]] = [
        *account.claims,
        *((one.at_s, None) for one in account.polls),
    ]
    for (before_s, before), (after_s, after) in pairwise(sorted(tries, key=lambda one: one[0])):
        if before is None or after is None or before.id != after.id or after.refusal is None:
            continue
        if after_s - before_s < IN_FLIGHT_S or _is_no_probe(account, before_s, before):
            continue
        for other, spans in account.ready.items():
            if other not in account.troubled and any(
                start_s + KNOWN_WITHIN_S < before_s and after_s < end_s for start_s, end_s in spans
            ):
                yield Violation(
                    "P8",
                    after.id,
                    f"it was the probe at {before_s:.3f} and again at {after_s:.3f} "
                    f"while {other} had a job ready",
                )
                break


def _is_no_probe(account: _Account, at_s: float, job: Job) -> bool:
    """Return whether nothing was stopped when this job was tried, nor by its next 429.

    A submission that began after the last trouble was answered normally. It ended all stops, and
    makes another 429 of a job that had one before that job's own.
    """
    stops = account.stops[: bisect_left(account.stops, at_s)]
    if job.throttled_at is None or not stops:
        return False
    read_s = stops[-1] + IN_FLIGHT_S
    return any(read_s < start_s and end_s < at_s for start_s, end_s in account.answered)
