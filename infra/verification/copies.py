"""Checks kept outputs (contract, section 5b): every result is copied once, or shown as not kept.

The rules are repeated here: the checker does not trust the code. They are part of P2: what the
document and the event say about copies is what the bucket has.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from infra.verification.history import Copy, Fetch, History, Version, Violation, seconds
from relay.domain.job import EventType, Job
from relay.domain.kept_output import KeptOutput

TRIES = 3
GIVEN_UP_AFTER_S = 12 * 3_600.0
SKEW_S = 2.0
RESULTS = (EventType.SUCCEEDED, EventType.LATE_RESULT)


def copy_faults(history: History) -> Iterator[Violation]:
    """Return what is wrong with the copies of a history."""
    if not history.keeps_outputs:
        return
    created = Counter(one.uri for one in history.copies if one.is_new)
    for uri, times in created.items():
        if times > 1:
            yield Violation("P2", "-", f"{uri} was written {times} times")
    published = {message.id for message in history.messages}
    for job_id, versions in history.versions.items():
        for check in (
            _changes(versions),
            _contents(history, versions),
            _ends(versions[-1].job, published),
        ):
            yield from (Violation("P2", job_id, what) for what in check)


def _changes(versions: Sequence[Version]) -> Iterator[str]:
    for before, after in pairwise(versions):
        old, new = before.job.kept_outputs, after.job.kept_outputs
        if new[: len(old)] != old:
            yield f"version {after.number} changes what was kept"
        if len({one.index for one in new}) < len(new):
            yield f"version {after.number} has two copies of one output"
    for version in versions:
        job = version.job
        is_announced = any(one.type is EventType.OUTPUTS_KEPT for one in job.announcements)
        if is_announced != (bool(_urls(job)) and len(job.kept_outputs) == len(_urls(job))):
            yield f"version {version.number} announces copies at the wrong time"


def _contents(history: History, versions: Sequence[Version]) -> Iterator[str]:
    seen: set[int] = set()
    for version in versions:
        for kept in version.job.kept_outputs:
            if kept.index in seen:
                continue
            seen.add(kept.index)
            url = _urls(version.job)[kept.index]
            copies = [one for one in history.copies if one.uri == kept.uri]
            if kept.error is None:
                if not _is_there(kept, copies, version.at_s):
                    yield f"version {version.number} says that {kept.uri} is there, and it is not"
                continue
            fetches = [
                one for one in history.fetches if one.url == url and one.at_s <= version.at_s
            ]
            if not _may_be_given_up(fetches, version):
                yield f"version {version.number} gives up {url} after {len(fetches)} tries"


def _is_there(kept: KeptOutput, copies: Sequence[Copy], at_s: float) -> bool:
    return any(one.is_new and one.sha256 == kept.sha256 and one.at_s <= at_s for one in copies)


def _may_be_given_up(fetches: Sequence[Fetch], version: Version) -> bool:
    # Another keeper may have tried in between, and its answer says nothing of this one's.
    if any(one.is_refused for one in fetches[TRIES - 1 :]):
        return True
    results = [one for one in version.job.announcements if one.type in RESULTS]
    return any(version.at_s - seconds(one.at) >= GIVEN_UP_AFTER_S - SKEW_S for one in results)


def _ends(job: Job, published: set[str]) -> Iterator[str]:
    if not any(one.type in RESULTS and one.id in published for one in job.announcements):
        return
    kept = {one.index for one in job.kept_outputs}
    for index, url in enumerate(_urls(job)):
        if index not in kept:
            yield f"{url} is neither kept nor given up at the end of the history"


def _urls(job: Job) -> Sequence[str]:
    return job.outputs or job.late_outputs
