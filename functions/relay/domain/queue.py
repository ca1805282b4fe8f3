"""An account's queue: one sortable key per ready job, in the order of sending within its tenant.

A key is ``tenant/priority and origin/created at/job id``. All keys of one tenant are adjacent,
normal priority before low. Within a priority, returning jobs (after a 429, a 503 or an unconfirmed
submission) come before fresh ones: they were first once, so they are older. Only a create makes a
fresh key, so fresh keys that were read need not be read again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import quote, unquote

from relay.domain.job import Job, Priority

LEVELS = {Priority.NORMAL: "0", Priority.LOW: "1"}
RETURNED, FRESH = "0", "1"
# Keys are ASCII and have no character above "~".
FIRST, LAST = "", "\x7f"

_EPOCH = datetime.fromtimestamp(0, tz=UTC)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The keys strictly between two keys."""

    after: str
    before: str


def queue_key(job: Job) -> str | None:
    """Return the job's key in its account's queue; None if it is not in the queue."""
    if not job.is_ready:
        return None
    origin = RETURNED if job.tries else FRESH
    level = f"{tenant_start(job.tenant)}{LEVELS[job.priority]}{origin}"
    return f"{level}/{micros_text(job.created_at)}/{job.id}"


def tenant_of_key(key: str) -> str:
    """Return the tenant of the job with this key."""
    return unquote(key.partition("/")[0])


def is_low(key: str) -> bool:
    """Return whether the job with this key has low priority."""
    return key.partition("/")[2].startswith(LEVELS[Priority.LOW])


def is_fresh(key: str) -> bool:
    """Return whether the job with this key has never left the queue."""
    return key.split("/", 2)[1][1] == FRESH


def created_at(key: str) -> datetime:
    """Return when the job with this key was created."""
    return moment_of(key)


def keys_of(tenant: str) -> Span:
    """Return the span of all keys of a tenant."""
    return keys_below(tenant_start(tenant))


def keys_below(start: str) -> Span:
    """Return the span of all keys that begin with this, which ends with a slash."""
    # "0" is the character after "/".
    return Span(start, f"{start[:-1]}0")


def low_keys_start(tenant: str) -> str:
    """Return the boundary between the tenant's normal and low priority keys."""
    return f"{tenant_start(tenant)}{LEVELS[Priority.LOW]}"


def fresh_keys_until(tenant: str, priority: Priority, moment: datetime) -> Span:
    """Return the span of the fresh keys of jobs created before a moment."""
    start = f"{tenant_start(tenant)}{LEVELS[priority]}{FRESH}/"
    return Span(start, f"{start}{micros_text(moment)}")


def uncovered_spans(covered: Iterable[Span]) -> list[Span]:
    """Return the spans between those covered, in order."""
    uncovered, reached = [], FIRST
    for span in sorted(covered):
        if span.before <= reached:
            continue
        if span.after > reached:
            uncovered.append(Span(reached, span.after))
        reached = span.before
    uncovered.append(Span(reached, LAST))
    return uncovered


@lru_cache(maxsize=1024)
def tenant_start(tenant: str) -> str:
    """Return what all keys of a tenant start with."""
    return f"{quote(tenant, safe='')}/"


def moment_of(key: str) -> datetime:
    """Return the moment in a key's third part."""
    return _EPOCH + timedelta(microseconds=int(key.split("/", 3)[2]))


def micros_text(moment: datetime) -> str:
    """Return a moment so that later ones sort after it."""
    since = moment - _EPOCH
    return f"{(since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds:017d}"
