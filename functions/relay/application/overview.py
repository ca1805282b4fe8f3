"""Shows callers the state of the provider accounts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from relay.application.ports import Accounts, JobCounts
from relay.domain.admission import Hold
from relay.domain.job import OPEN, Status
from relay.domain.limits import Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """The state of one account as one tenant may see it.

    Attributes:
        hold: Why the account is on hold; None if it is not.
        queued_jobs: The tenant's own queued jobs.
        open_jobs: The tenant's own open jobs, including queued ones.
    """

    name: str
    limit: Limit
    hold: Hold | None
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
        return AccountState(
            name=name,
            limit=limit,
            hold=self._accounts.read(name).account.hold,
            queued_jobs=self._counts.count(tenant, name, (Status.QUEUED,)),
            open_jobs=self._counts.count(tenant, name, OPEN),
        )
