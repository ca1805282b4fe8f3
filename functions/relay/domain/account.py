"""A provider account: who pumps for it, which calls count against its limit, and its hold."""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from relay.domain.job import ErrorCode
from relay.domain.limits import Limit

LEASE_S = 6.0
RENEW_EVERY_S = 2.0
# Clocks of two instances may differ by this much.
CLOCK_SKEW = timedelta(seconds=2)
# A call that began under a lease is counted by its provider so long after, or never: the
# transport gives it up if it could not be sent within 2 s, and a second is for the way.
CALL_ARRIVES_WITHIN = timedelta(seconds=3)

FIRST_PROBE_S = 30.0
LONGEST_PROBE_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Why the account is not called but for one probe at a time.

    Attributes:
        status: HTTP status that put the account on hold.
        gap_s: How long after a refused probe the next one comes.
    """

    code: ErrorCode
    status: int
    since: datetime
    probe_at: datetime
    gap_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What the pumps of one account tell each other.

    Attributes:
        name: The account's name, as in ``ACCOUNTS``.
        holder: The pump that has the lease, None if it was given back.
        expires_at: Until when; meaningless without a holder.
        calls: When recent calls ended, as far as the last write knew.
        granted: How many calls beside those the holder may make before it writes again,
            with those that had not ended when it wrote.
    """

    name: str
    holder: str | None = None
    expires_at: datetime | None = None
    calls: tuple[datetime, ...] = ()
    granted: int = 0
    hold: Hold | None = None


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


def can_be_taken(account: Account, *, at: datetime) -> bool:
    """Return whether no pump can hold the lease any more, whatever its clock says."""
    if account.holder is None or account.expires_at is None:
        return True
    return at >= account.expires_at + CLOCK_SKEW


def calls_to_assume(account: Account, *, limit: Limit, at: datetime) -> list[datetime]:
    """Return the calls that a pump taking over must count as made.

    After a clean hand-over these are the ones on record. After a crash or a pause, the calls
    that the other pump was granted beside them count as made as late as they can be: one that
    began at the end of its lease may reach the provider after that. So they may lie ahead.
    """
    # What the holder before had to assume may still lie ahead, and must not be drawn nearer.
    recorded = [max(min(ended + CLOCK_SKEW, at), ended) for ended in account.calls]
    if account.holder is None or account.expires_at is None:
        return recorded
    unknown = min(account.granted, limit.calls)
    latest = account.expires_at + CALL_ARRIVES_WITHIN + CLOCK_SKEW
    return recorded + [max(latest, at)] * unknown


def taken(
    account: Account, *, holder: str, calls: tuple[datetime, ...], granted: int, at: datetime
) -> Account:
    """Give the lease to a pump, or renew it, with the calls it has made and may make."""
    return replace(
        account,
        holder=holder,
        expires_at=at + timedelta(seconds=LEASE_S),
        calls=calls,
        granted=granted,
    )


def given_back(account: Account, *, calls: tuple[datetime, ...]) -> Account:
    """End the lease cleanly: the calls on record are all there were."""
    return replace(account, holder=None, expires_at=None, calls=calls, granted=0)


def held(
    hold: Hold | None, *, code: ErrorCode, status: int, retry_after_s: float | None, at: datetime
) -> Hold:
    """Put the account on hold, or keep it there after a refused probe.

    The first probe comes after 30 s, the next ones after gaps that double up to 10 minutes;
    the provider's own ``Retry-After`` wins where it is longer, up to 10 minutes too.
    """
    gap_s = FIRST_PROBE_S if hold is None else min(hold.gap_s * 2, LONGEST_PROBE_S)
    wait_s = min(max(gap_s, retry_after_s or 0.0), LONGEST_PROBE_S)
    return Hold(
        code=code,
        status=status,
        since=at if hold is None else hold.since,
        probe_at=at + timedelta(seconds=wait_s),
        gap_s=gap_s,
    )
