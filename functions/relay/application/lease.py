"""A pump's lease on a provider account, and its count of the calls made."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from relay.application.ports import Accounts, Clock, StoredAccount
from relay.domain.account import (
    LAST_CALL_BEFORE_S,
    LEASE_S,
    RENEW_EVERY_S,
    Account,
    calls_to_assume,
    calls_to_grant,
    free_in,
    given_back,
    is_renewal_overdue,
    taken,
)
from relay.domain.limits import CallWindow, Limit
from relay.errors import LostRace, StoreUnavailable

log = logging.getLogger(__name__)

TAKE_TRIES = 6
GIVE_BACK_TRIES = 3
# The first may only find that the reply to our own write was lost.
KEEP_TRIES = 2
# Backoff after the store answered with an error.
RENEW_PAUSE_S = 0.5
CALLS_FOR_S = LEASE_S - LAST_CALL_BEFORE_S


class Lease:
    """A pump's lease; only `may_call` is thread-safe.

    The holder counts the lease from before the request that writes it, others from when the store
    has it, so no two pumps hold it at once, whatever their clocks say.

    Args:
        at_once: The maximum number of calls in flight.

    Attributes:
        window: The calls that count against the provider's limit now.
    """

    def __init__(
        self,
        accounts: Accounts,
        *,
        stored: StoredAccount,
        limit: Limit,
        holder: str,
        at_once: int,
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._account = stored.account
        self._version = stored.version
        self._limit = limit
        self._holder = holder
        self._at_once = at_once
        self._clock = clock
        self._good_until = clock.now()
        self._good_until_s = 0.0
        self._renewed_at_s = 0.0
        self._renew_again_at_s = 0.0
        self._granted_left = 0
        self._is_lost = False
        self._with_handover: Callable[[Account], Account] = lambda account: account
        now_s = clock.monotonic()
        assumed = calls_to_assume(stored.account, limit=limit, age_s=stored.age_s)
        self.window = CallWindow(limit, ended=[now_s - ago_s for ago_s in assumed])

    @classmethod
    def take(
        cls,
        accounts: Accounts,
        *,
        name: str,
        limit: Limit,
        holder: str,
        at_once: int,
        clock: Clock,
    ) -> "Lease | None":
        """Take the account's lease; return None if another pump holds it.

        If the holder has missed a renewal, wait for its lease to expire.

        Raises:
            StoreUnavailable: The store did not answer, so the holder is unknown.
        """
        for attempt in range(TAKE_TRIES):
            try:
                stored = accounts.read(name)
                free_in_s = free_in(stored.account, age_s=stored.age_s)
                if stored.account.holder == holder:
                    # The reply to our last try was lost; no call was made under it.
                    stored = replace(stored, account=replace(stored.account, granted=0))
                elif free_in_s > 0.0:
                    if not is_renewal_overdue(stored.account, age_s=stored.age_s):
                        return None
                    clock.sleep(free_in_s)
                    continue
                lease = cls(
                    accounts,
                    stored=stored,
                    limit=limit,
                    holder=holder,
                    at_once=at_once,
                    clock=clock,
                )
                lease._write()
                return lease
            except LostRace:
                # Perhaps to our own last try landing late; reading again tells.
                pass
            except StoreUnavailable:
                if attempt + 1 == TAKE_TRIES:
                    raise
        return None

    @property
    def account(self) -> Account:
        """The account as last written."""
        return self._account

    def set_handover(self, with_handover: Callable[[Account], Account]) -> None:
        """Add to every write of the account what the next pump must know.

        Args:
            with_handover: Returns the account with that added.
        """
        self._with_handover = with_handover

    def write_soon(self) -> None:
        """Make the next renewal due now, so that the account is written."""
        self._renewed_at_s = 0.0

    def may_call(self) -> bool:
        """Return whether the lease is surely still ours, by both of this machine's clocks."""
        return self._clock.monotonic() < self._good_until_s and self._clock.now() < self._good_until

    def is_kept(self) -> bool:
        """Return whether the lease is still ours; renew it first if it ran out and nobody took it.

        A slow store or a slow machine is no reason to leave work undone until the next tick.
        """
        for _ in range(KEEP_TRIES):
            if self.may_call() or self._is_lost:
                break
            self._renew_now()
        return self.may_call()

    def free_at(self) -> float | None:
        """Return when the next call may start; None if a call in flight has to end first."""
        return self.window.free_at(self._clock.monotonic())

    def start_call(self) -> bool:
        """Count a call that starts now; return False if the limit or the grant forbids it."""
        free_at_s = self.free_at()
        if free_at_s is None or free_at_s > self._clock.monotonic():
            return False
        if self._granted_left <= 0:
            self._renew_now()
        if self._granted_left <= 0 or not self.may_call():
            return False
        self._granted_left -= 1
        self.window.start()
        return True

    def renew_if_due(self) -> None:
        """Renew the lease if it is time to."""
        if self.renewal_in_s() <= 0.0:
            self._renew_now()

    def renewal_in_s(self) -> float:
        """Return the seconds until the next renewal."""
        due_at_s = max(self._renewed_at_s + RENEW_EVERY_S, self._renew_again_at_s)
        return due_at_s - self._clock.monotonic()

    def give_back(self) -> None:
        """End the lease and hand over the calls that still count; another pump may take it now."""
        ended = given_back(
            self._with_handover(self._account),
            calls_ago_s=self._recent_calls(),
            at=self._clock.now(),
        )
        self._good_until_s = 0.0
        for _ in range(GIVE_BACK_TRIES):
            try:
                self._accounts.replace(ended, version=self._version)
                return
            except LostRace:
                # Perhaps to a write of our own whose reply was lost.
                if not self._is_still_ours():
                    return
            except StoreUnavailable:
                continue
        log.warning("lease not given back", extra={"fields": {"account": self._account.name}})

    def _renew_now(self) -> None:
        """Write the lease again; if that fails, let it expire."""
        if self._clock.monotonic() < self._renew_again_at_s:
            return
        try:
            self._write()
        except LostRace:
            if not self._is_still_ours():
                self._is_lost = True
                self._good_until_s = 0.0
                log.warning("lease lost", extra={"fields": {"account": self._account.name}})
        except StoreUnavailable:
            self._renew_again_at_s = self._clock.monotonic() + RENEW_PAUSE_S
            log.warning("lease not renewed", extra={"fields": {"account": self._account.name}})

    def _write(self) -> None:
        now, now_s = self._clock.now(), self._clock.monotonic()
        granted = calls_to_grant(self._limit, free=self.window.free_by(now_s + RENEW_EVERY_S))
        renewed = taken(
            self._with_handover(self._account),
            holder=self._holder,
            calls_ago_s=self._recent_calls(),
            granted=granted + self.window.in_flight,
            at_once=self._at_once,
            at=now,
        )
        self._version = self._accounts.replace(renewed, version=self._version)
        self._account = renewed
        self._granted_left = granted
        self._renewed_at_s = now_s
        self._good_until = now + timedelta(seconds=CALLS_FOR_S)
        self._good_until_s = now_s + CALLS_FOR_S

    def _is_still_ours(self) -> bool:
        """Return whether the document still names us; if unreadable, assume so until expiry."""
        try:
            stored = self._accounts.read(self._account.name)
        except StoreUnavailable:
            return True
        if stored.account.holder == self._holder:
            self._version = stored.version
        return stored.account.holder == self._holder

    def _recent_calls(self) -> tuple[float, ...]:
        now_s = self._clock.monotonic()
        return tuple(now_s - ended for ended in self.window.recent(now_s))
