"""Weighted round robin over tenants."""

from collections.abc import Collection, Mapping

# Rounding errors in summed shares must not delay a tenant.
ROUNDING = 1e-9
# How many turns the heaviest tenant catches up on after it could not be served, lighter ones on as
# many or fewer. So others fall behind their share by at most this much more.
MAX_BEHIND = 2.0


class WeightedRoundRobin:
    """Serves tenants in turn by weight: worst-case fair weighted fair queueing (WF2Q+).

    Virtual time advances by one whenever every unit of weight has had a turn. A tenant's next turn
    starts when its last one ended, and ends 1/weight later; of the turns that have started, the one
    that ends first is served. So of any K turns served while a tenant waited it had at least its
    weighted share of K, less 2. Idle tenants save up nothing. See J. C. R. Bennett and H. Zhang,
    "Hierarchical packet fair queueing algorithms", 1997.

    Args:
        weights: By tenant; 1 where not named.
        starts: When each tenant's next turn starts, from another instance's `starts`. A tenant that
            was behind there is behind here once it waits.
    """

    def __init__(self, weights: Mapping[str, int], starts: Mapping[str, float]) -> None:
        self._weights = weights
        self._starts = {tenant: start for tenant, start in starts.items() if start > 0}
        self._behind = {tenant: start for tenant, start in starts.items() if start < 0}
        self._now = 0.0
        self._waiting: set[str] = set()

    def next(self, waiting: Collection[str], *, delayed: Collection[str] = ()) -> str | None:
        """Return the waiting tenant whose turn it is; None if no tenant waits.

        Args:
            delayed: Tenants that wait but cannot be served yet; they catch up on a few turns.
        """
        if not waiting:
            return None
        still_waiting = set(waiting) | (self._waiting & set(delayed))
        if self._waiting != still_waiting:
            for tenant in set(waiting) - self._waiting:
                start = max(self._starts.get(tenant, self._now), self._now)
                self._starts[tenant] = start + self._behind.pop(tenant, 0.0)
            self._waiting = still_waiting
        for tenant in self._waiting - set(waiting):
            self._starts[tenant] = max(self._starts[tenant], self._now - self._most_behind())
        self._now = max(self._now, min(self._starts[tenant] for tenant in waiting))
        started = (one for one in waiting if self._starts[one] <= self._now + ROUNDING)
        return min(started, key=lambda one: (self._ends(one), self._starts[one], one))

    def take_turn(self, tenant: str) -> None:
        """Count a turn of the tenant."""
        self._starts[tenant] = self._ends(tenant)
        weight = sum(self._weights.get(one, 1) for one in self._waiting | {tenant})
        self._now += 1 / weight

    def return_turn(self, tenant: str) -> None:
        """Give the tenant back an unused turn."""
        self._starts[tenant] -= 1 / self._weights.get(tenant, 1)

    def starts(self) -> dict[str, float]:
        """Return the start of each next turn, relative to now; negative if the tenant is behind."""
        behind = {} if self._waiting else self._behind
        return behind | {
            tenant: start - self._now
            for tenant, start in self._starts.items()
            if start > self._now + ROUNDING
            or (tenant in self._waiting and start < self._now - ROUNDING)
        }

    def _most_behind(self) -> float:
        """Return how far behind a delayed tenant may be, in virtual time."""
        return MAX_BEHIND / max(self._weights.get(one, 1) for one in self._waiting)

    def _ends(self, tenant: str) -> float:
        return self._starts.get(tenant, self._now) + 1 / self._weights.get(tenant, 1)
