"""Shows callers how the provider accounts stand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from relay.application.ports import Accounts, JobCounts
from relay.domain.admission import Hold
from relay.domain.job import OPEN, Status
from relay.domain.limits import Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """How one account stands.

    Attributes:
        hold: Why the provider is not called, None if it is.
        queued_jobs: The tenant's own jobs that wait to be sent.
        open_jobs: The tenant's own jobs that have not ended, the queued ones among them.
    """

    name: str
    limit: Limit
    hold: Hold | None
    queued_jobs: int
    open_jobs: int


class Overview:
    """Reads accounts for tenants.

    A tenant sees the limit, a hold's reason and its own jobs, and nothing that moves with the
    traffic of others, such as the calls that were made.

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
