"""Shows callers the state of the provider accounts."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from relay.application.ports import Accounts, JobCounts
from relay.domain.account import Account
from relay.domain.admission import Hold, Stop
from relay.domain.job import Status
from relay.domain.limits import Limit


class PauseReason(StrEnum):
    """Why a tenant's submissions are paused; the last concerns this tenant alone."""

    THROTTLED = "throttled"
    OUTAGE = "outage"
    UNANSWERED = "unanswered"


class AccountState(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one account as one tenant may see it.

    Attributes:
        hold: Why the account is on hold; None if it is not.
        pause: Why the tenant's submissions are paused, and until when; None if they are not, or if
            none of its jobs waits.
        queued_jobs: The tenant's own queued jobs.
        open_jobs: The tenant's own open jobs, including queued ones.
    """

    name: str
    limit: Limit
    hold: Hold | None
    pause: tuple[PauseReason, Stop] | None
    queued_jobs: int
    open_jobs: int


class Overview:
    """Reads the accounts' state for tenants.

    A tenant sees the limit, a hold's reason and its own jobs, and nothing that depends on others'
    traffic, such as the number of calls made.

    Args:
        limits: The limit of each account that is switched on.
    """

    def __init__(
        self,
        *,
        accounts: Accounts,
        counts: JobCounts,
        limits: Mapping[str, Limit],
    ) -> None:
        self._accounts = accounts
        self._counts = counts
        self._limits = limits

    def of(self, tenant: str) -> Sequence[AccountState]:
        """Return the state of every account that is switched on.

        Raises:
            StoreUnavailable: The store did not answer.
        """
        return [self._state(tenant, name, limit) for name, limit in self._limits.items()]

    def _state(self, tenant: str, name: str, limit: Limit) -> AccountState:
        account = self._accounts.read(name).account
        queued_jobs = self._counts.count_open(tenant, name, status=Status.QUEUED)
        return AccountState(
            name=name,
            limit=limit,
            hold=account.hold,
            # A waiting job says that there is a pause. Without one it would only tell of others.
            pause=_pause(account, tenant) if queued_jobs else None,
            queued_jobs=queued_jobs,
            open_jobs=self._counts.count_open(tenant, name),
        )


def _pause(account: Account, tenant: str) -> tuple[PauseReason, Stop] | None:
    """Return the pause that ends last."""
    own = next((one.stop for one in account.tenants if one.tenant == tenant), None)
    stops = {
        PauseReason.THROTTLED: account.pause,
        PauseReason.OUTAGE: account.outage,
        PauseReason.UNANSWERED: own,
    }
    pauses = [(reason, stop) for reason, stop in stops.items() if stop is not None]
    return max(pauses, key=lambda one: one[1].probe_at, default=None)
