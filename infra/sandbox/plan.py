"""What befalls one job, drawn once from what the server and the job ask for."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from infra.sandbox.wishes import Value, Wishes


@dataclass(frozen=True, slots=True)
class Plan:
    """The behaviours of one job."""

    values: Mapping[str, Value]

    def has(self, name: str) -> bool:
        """Tell whether the job has this behaviour."""
        return name in self.values

    def seconds(self, name: str, otherwise: float = 0.0) -> float:
        """Return the behaviour's seconds."""
        value = self.values.get(name)
        return float(value) if value is not None else otherwise

    def word(self, name: str, otherwise: str) -> str:
        """Return the behaviour's word."""
        return str(self.values.get(name) or otherwise)

    def still(self, name: str, times_so_far: int) -> bool:
        """Tell whether a behaviour that wears off after N times is still there."""
        if name not in self.values:
            return False
        value = self.values[name]
        return value is None or times_so_far < float(value)


def plan(
    *, server: Wishes, job: Wishes, provider: str, number: int, seed: int, typical_s: float
) -> Plan:
    """Draw what befalls a job; the same seed and number always draw the same.

    Args:
        job: Wins over *server*, as a provider's own wish wins over one for both.
        number: How many submissions came before this one, whatever became of them.
        typical_s: The typical render time; a job's own lies between 0.6 and 1.6 times that.
    """
    chance = Random(f"{seed}/{number}")
    values: dict[str, Value] = {"render-s": round(typical_s * chance.triangular(0.6, 1.6, 0.9), 3)}
    wanted = [*sorted(server.items(), key=lambda item: item[1].provider is not None), *job.items()]
    for key, wish in wanted:
        if wish.provider not in (None, provider):
            continue
        if Random(f"{seed}/{number}/{key}").random() < wish.probability:
            values[key.removeprefix(f"{provider}:")] = wish.value
    return Plan(values)
