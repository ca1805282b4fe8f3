"""How large a storm is and how long each part of it lasts."""

import hashlib
import json
from dataclasses import dataclass

from relay.domain.limits import Limit

INSTANCES = 2
HOSTILE_TENANT = "hostile"
# Known to a stack that only this machine reaches.
HOSTILE_KEY = "storm-key-of-the-hostile-tenant"
RENDER_S = 2.0

# Longer than a lease, so that another pump takes over while the paused one thinks it holds it.
PUMP_PAUSE_S = 20.0
STORE_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KillEvery:
    """The shortest and the longest time between two kills, in seconds."""

    shortest_s: float
    longest_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StormSettings:
    """One storm.

    Attributes:
        hostile: How many jobs another tenant floods the relay with; see `hostile_jobs`.
        seed: Of everything that is drawn; what the machine makes of it differs each time.
        gepetto_calls_per_minute: The limit that both the relay and the sandbox are given.
        spacely_calls_per_second: Likewise.
    """

    jobs: int
    hostile: int
    seed: int
    kill_every: KillEvery
    gepetto_calls_per_minute: int
    spacely_calls_per_second: int

    @property
    def create_s(self) -> float:
        """For how long new jobs come in."""
        return max(20.0, self.jobs * 0.18)

    @property
    def storm_s(self) -> float:
        """For how long processes are killed."""
        return self.create_s + 30.0

    @property
    def horizon_s(self) -> float:
        """When the last deadline passes."""
        return self.create_s + 65.0

    @property
    def limits(self) -> dict[str, Limit]:
        """The limits as the checker needs them."""
        return {
            "gepetto": Limit(calls=self.gepetto_calls_per_minute, window_s=60.0),
            "spacely": Limit(calls=self.spacely_calls_per_second, window_s=1.0),
        }

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which the stack learns of it."""
        sandbox_args = (
            "--no-download",
            *("--render-s", f"{RENDER_S:g}"),
            *("--seed", str(self.seed)),
            *("--gepetto-calls-per-minute", str(self.gepetto_calls_per_minute)),
            *("--spacely-calls-per-second", str(self.spacely_calls_per_second)),
        )
        digest = hashlib.sha256(HOSTILE_KEY.encode()).hexdigest()
        return {
            "API_KEYS": json.dumps({HOSTILE_TENANT: [digest]}),
            "GEPETTO_CALLS_PER_MINUTE": str(self.gepetto_calls_per_minute),
            "SPACELY_CALLS_PER_SECOND": str(self.spacely_calls_per_second),
            "LOCAL_SANDBOX_ARGS": " ".join(sandbox_args),
        }
