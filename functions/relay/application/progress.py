"""Tells what an open job waits for, and when it will probably be done."""

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Generic, TypeVar

import msgspec

from relay.application.ports import Accounts, Clock, DurationsDocuments
from relay.domain.account import Account
from relay.domain.catalogue import find_operation
from relay.domain.durations import Durations, belief, quantile_s
from relay.domain.job import Job, Status
from relay.errors import StoreUnavailable

T = TypeVar("T")

ACCOUNT_EVERY_S = 1.0
DURATIONS_EVERY_S = 60.0
# First the median of such renders and, once that has passed, the 90th percentile.
EXPECTED_SHARES = (0.5, 0.9)


class WaitingFor(StrEnum):
    """What a queued job waits for."""

    TURN = "turn"
    ACCOUNT_HOLD = "account_hold"
    PROVIDER_PAUSE = "provider_pause"
    RETRY = "retry"


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """A job's progress, beyond what its document says.

    Attributes:
        expected_at: When it will probably be done; None if it is not processing, or already later
            than nearly all such renders.
        waiting_for: None unless it is queued.
    """

    expected_at: datetime | None = None
    waiting_for: WaitingFor | None = None


class ProgressReader:
    """Tells jobs' progress from cached account states and durations."""

    def __init__(self, *, accounts: Accounts, durations: DurationsDocuments, clock: Clock) -> None:
        self._clock = clock
        self._accounts = _Cache(
            lambda name: accounts.read(name).account,
            unknown=lambda name: Account(name=name),
            every_s=ACCOUNT_EVERY_S,
            clock=clock,
        )
        self._durations: _Cache[Mapping[str, Durations]] = _Cache(
            lambda name: durations.read(name)[0],
            unknown=lambda _: {},
            every_s=DURATIONS_EVERY_S,
            clock=clock,
        )

    def of(self, job: Job) -> Progress:
        """Return the job's progress, from older data if the store does not answer."""
        now = self._clock.now()
        if job.status is Status.QUEUED:
            return Progress(waiting_for=self._waiting_for(job, now))
        if job.status is Status.PROCESSING and job.submitted_at is not None:
            return Progress(expected_at=self._expected_at(job, job.submitted_at, now))
        return Progress()

    def median_s(self, account: str, operation: str) -> float | None:
        """Return the median time of such a render; None before any was seen."""
        known = self._durations.of(account).get(operation, Durations.unknown())
        if not known.observations:
            return None
        return next(_usual_s(account, operation, known), None)

    def _waiting_for(self, job: Job, now: datetime) -> WaitingFor:
        if job.call_at is not None and job.call_at > now:
            return WaitingFor.RETRY
        account = self._accounts.of(job.account)
        if account.hold is not None:
            return WaitingFor.ACCOUNT_HOLD
        return WaitingFor.PROVIDER_PAUSE if _is_paused(account, job.tenant) else WaitingFor.TURN

    def _expected_at(self, job: Job, submitted_at: datetime, now: datetime) -> datetime | None:
        known = self._durations.of(job.account).get(job.operation, Durations.unknown())
        moments = (
            submitted_at + timedelta(seconds=usual_s)
            for usual_s in _usual_s(job.provider, job.operation, known)
        )
        return next((moment for moment in moments if moment > now), None)


def _usual_s(provider: str, operation: str, known: Durations) -> Iterator[float]:
    """Yield the median and the 90th percentile; nothing if the catalogue lacks the operation."""
    try:
        expected_s = find_operation(provider, operation).expected.seconds
    except KeyError:
        return
    probabilities = belief(known, expected_s=expected_s)
    for share in EXPECTED_SHARES:
        yield quantile_s(probabilities, share)


def _is_paused(account: Account, tenant: str) -> bool:
    """Return whether the provider has paused calls or is down, at least for this tenant."""
    if account.pause is not None or account.outage is not None:
        return True
    return any(one.tenant == tenant and one.stop is not None for one in account.tenants)


class _Cache(Generic[T]):
    """The last value read for each account, refreshed by the first reader that finds it stale.

    Args:
        unknown: Makes the value used until the first read succeeds.
        every_s: How old a value may be.
    """

    def __init__(
        self,
        read: Callable[[str], T],
        *,
        unknown: Callable[[str], T],
        every_s: float,
        clock: Clock,
    ) -> None:
        self._read = read
        self._unknown = unknown
        self._every_s = every_s
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, T] = {}
        self._read_again_at_s: dict[str, float] = {}

    def of(self, account: str) -> T:
        """Return the value; readers do not wait while another thread refreshes it."""
        now_s = self._clock.monotonic()
        with self._lock:
            known = self._known.get(account, self._unknown(account))
            if now_s < self._read_again_at_s.get(account, now_s):
                return known
            self._read_again_at_s[account] = now_s + self._every_s
        try:
            known = self._read(account)
        except StoreUnavailable:
            return known
        with self._lock:
            self._known[account] = known
        return known
