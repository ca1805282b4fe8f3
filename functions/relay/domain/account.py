"""A provider account: who pumps for it, which calls count against its limit, and its hold."""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from relay.domain.admission import Hold, Stop, TenantState
from relay.domain.limits import Limit

LEASE_S = 4.0
RENEW_EVERY_S = 1.2
# So long before others may take over, a pump begins its last call.
LAST_CALL_BEFORE_S = 0.5
# A call that began under a lease is counted by its provider so long after, or never: the
# transport gives it up if it could not be sent within 2 s, and a second is for the way.
CALL_ARRIVES_WITHIN_S = 3.0

# A pump that finds the account looks all the way back so often; else from the floors.
LOOK_ALL_THE_WAY_EVERY = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What the pumps of one account tell each other, in times before and after its last write.

    How long ago that was is told by the store alone: pumps need not agree on the time of day.

    Attributes:
        name: The account's name, as in ``ACCOUNTS``.
        holder: The pump that has the lease, None if it was given back.
        lease_s: How long it has it, from the write on; meaningless without a holder.
        calls_ago_s: How long before the write recent calls ended; below 0 if they count as
            made after it.
        granted: How many calls beside those the holder may make before it writes again,
            with those that had not ended when it wrote.
        at_once: How many of them can be in the air at the same time.
        written_at: By the writer's clock, for people to read, and so that no two writes are
            alike: one that changes nothing is no write to Firestore, and the account would
            seem older than it is (its reference, ``WriteResult.updateTime``).
        hold, pause, outage, accepted_at, tenants: See `relay.domain.admission`.
        polled_last: Whether the last call was a poll: the next one is a submission, if any waits.
        due_floor: Nothing is due that was to be woken before.
        looked_back_at: When a pump last looked all the way back, past all floors.
    """

    name: str
    holder: str | None = None
    lease_s: float = LEASE_S
    calls_ago_s: tuple[float, ...] = ()
    granted: int = 0
    at_once: int = 0
    written_at: datetime | None = None
    hold: Hold | None = None
    pause: Stop | None = None
    outage: Stop | None = None
    accepted_at: datetime | None = None
    tenants: tuple[TenantState, ...] = ()
    polled_last: bool = True
    due_floor: datetime | None = None
    looked_back_at: datetime | None = None


def calls_to_grant(limit: Limit, *, free: int) -> int:
    """Return how many calls a pump may make between two writes of its lease.

    Few enough that a crash does not cost the next pump a whole window, and enough that the
    lease need not be written more often than it is renewed anyway.

    Args:
        free: Places that the calls made so far leave until the lease is renewed.
    """
    until_renewal = math.ceil(limit.calls * RENEW_EVERY_S / limit.window_s)
    granted = max(limit.calls // 8, until_renewal)
    # In a window shorter than that, places become free more than once.
    return granted if limit.window_s <= RENEW_EVERY_S else min(granted, free)


def free_in(account: Account, *, age_s: float) -> float:
    """Return after how many seconds another pump may take the lease; 0 if it may now.

    Args:
        age_s: How long ago the account was written, by the store's clock.
    """
    return 0.0 if account.holder is None else max(0.0, account.lease_s - age_s)


def is_renewal_overdue(account: Account, *, age_s: float) -> bool:
    """Return whether the holder should have written again by now: perhaps it is dead."""
    return account.holder is not None and age_s >= 2 * RENEW_EVERY_S


def calls_to_assume(account: Account, *, limit: Limit, age_s: float) -> list[float]:
    """Return how many seconds ago the calls were made that a pump taking over must count.

    After a clean hand-over these are the ones on record. After a crash or a pause, the calls
    that the other pump was granted beside them count as made as late as they can be: at the
    end of its lease, but those that were in the air then may reach the provider even later.
    So they may lie ahead, below 0.
    """
    recorded = [ago_s + age_s for ago_s in account.calls_ago_s]
    if account.holder is None:
        return recorded
    unknown = min(account.granted, limit.calls)
    in_flight = min(unknown, account.at_once)
    last_call_ago_s = age_s - (account.lease_s - LAST_CALL_BEFORE_S)
    return [
        *recorded,
        *[last_call_ago_s] * (unknown - in_flight),
        *[last_call_ago_s - CALL_ARRIVES_WITHIN_S] * in_flight,
    ]


def taken(
    account: Account,
    *,
    holder: str,
    calls_ago_s: tuple[float, ...],
    granted: int,
    at_once: int,
    at: datetime,
) -> Account:
    """Give the lease to a pump, or renew it, with the calls it has made and may make."""
    return replace(
        account,
        holder=holder,
        lease_s=LEASE_S,
        calls_ago_s=calls_ago_s,
        granted=granted,
        at_once=at_once,
        written_at=at,
    )


def given_back(account: Account, *, calls_ago_s: tuple[float, ...], at: datetime) -> Account:
    """End the lease cleanly: the calls on record are all there were."""
    return replace(
        account, holder=None, calls_ago_s=calls_ago_s, granted=0, at_once=0, written_at=at
    )
