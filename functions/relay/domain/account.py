"""A provider account: its lease, the calls that count against its limit, and what stops calls."""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from relay.domain.admission import Hold, Stop, TenantState
from relay.domain.limits import Limit

LEASE_S = 4.0
RENEW_EVERY_S = 1.2
# A pump starts its last call this long before others may take over.
LAST_CALL_BEFORE_S = 0.5
# A provider counts a call at most this long after it started: the transport gives up after 2 s if
# it could not send the call, and a second is allowed for the network.
CALL_ARRIVES_WITHIN_S = 3.0

# How often a pump ignores the floors and scans everything.
FULL_SCAN_EVERY = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What the pumps of one account pass to each other; times are relative to its last write.

    Only the store's clock tells how long ago that write was, so pumps' clocks may disagree.

    Attributes:
        name: The account's name, as in ``ACCOUNTS``.
        holder: The pump that holds the lease; None after a clean hand-over.
        lease_s: How long the lease lasts from the write on; meaningless without a holder.
        calls_ago_s: How many seconds before the write recent calls ended; negative if they count as
            made after it.
        granted: How many further calls the holder may make before its next write, including those
            in flight when it wrote.
        at_once: How many of them can be in flight at the same time.
        written_at: By the writer's clock. For people to read, and so that every write differs:
            Firestore ignores a write that changes nothing and keeps the old
            ``WriteResult.updateTime``, so the account would look older than it is.
        hold, pause, outage, accepted_at, tenants: See `relay.domain.admission`.
        polled_last: Whether the last call was a poll; then a waiting submission goes next.
        due_floor: No job with an earlier ``wakeAt`` is due.
        looked_back_at: When a pump last ran a full scan, ignoring all floors.
        reached: Of callbacks: see `relay.application.delivery_queue`.
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
    reached: tuple[str, ...] = ()


def calls_to_grant(limit: Limit, *, free: int) -> int:
    """Return how many calls a pump may make between two writes of its lease.

    Small enough that a crash does not cost the next pump a whole window; large enough that the
    lease is not written more often than it is renewed anyway.

    Args:
        free: Calls that the limit leaves until the lease is renewed.
    """
    until_renewal = math.ceil(limit.calls * RENEW_EVERY_S / limit.window_s)
    granted = max(limit.calls // 8, until_renewal)
    # Within a shorter window, calls leave it before the next renewal.
    return granted if limit.window_s <= RENEW_EVERY_S else min(granted, free)


def free_in(account: Account, *, age_s: float) -> float:
    """Return in how many seconds another pump may take the lease; 0 if it may now.

    Args:
        age_s: Seconds since the account was written, by the store's clock.
    """
    return 0.0 if account.holder is None else max(0.0, account.lease_s - age_s)


def is_renewal_overdue(account: Account, *, age_s: float) -> bool:
    """Return whether the holder has missed a renewal, and so may be dead."""
    return account.holder is not None and age_s >= 2 * RENEW_EVERY_S


def calls_to_assume(account: Account, *, limit: Limit, age_s: float) -> list[float]:
    """Return how many seconds ago each call was made that a new holder must count.

    After a clean hand-over these are the recorded calls. After a crash or a freeze, the calls that
    the old holder was also granted count as late as possible: at the end of its lease, or later
    still for those in flight at that moment. Such calls may lie in the future (negative).
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
    """Take or renew the lease, recording the calls made and the calls granted."""
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
    """End the lease cleanly: the recorded calls are all there were."""
    return replace(
        account, holder=None, calls_ago_s=calls_ago_s, granted=0, at_once=0, written_at=at
    )
