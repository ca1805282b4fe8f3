"""How long renders take: models to try rhythms on, not claims about any provider."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

# A poll before this finds nothing in any model.
LEAST_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One way in which durations may be spread.

    Attributes:
        draw: Returns a duration in seconds, given a source of chance and how far through the
            run its job is, from 0 to 1.
        is_steady: Whether that share makes no difference.
    """

    name: str
    description: str
    draw: Callable[[Random, float], float]
    is_steady: bool = True

    def durations_s(self, count: int, *, seed: str) -> list[float]:
        """Return the durations of so many jobs, in the order of their submission."""
        chance = Random(f"{seed} {self.name}")
        return [max(LEAST_S, self.draw(chance, number / count)) for number in range(count)]


def log_normal(sigma: float) -> Model:
    """Return the model of a warm provider, with a median of 30 s."""
    low, high = (30 * math.exp(sign * 1.645 * sigma) for sign in (-1, 1))
    return Model(
        name="log-normal",
        description=f"median 30 s, sigma {sigma:g}: nine of ten between {low:.0f} and {high:.0f} s",
        draw=lambda chance, _: chance.lognormvariate(math.log(30), sigma),
    )


def _two_peaks(chance: Random, _: float) -> float:
    warm_s = chance.lognormvariate(math.log(25), 0.3)
    if chance.random() < 0.15:
        return warm_s + chance.lognormvariate(math.log(150), 0.3)
    return warm_s


def _drifting(chance: Random, share: float) -> float:
    median_s = 40 - 20 * math.cos(2 * math.pi * share) if share < 0.75 else 90.0
    return chance.lognormvariate(math.log(median_s), 0.25)


NARROW = Model(
    name="narrow",
    description="normal, 30 s with a standard deviation of 3 s",
    draw=lambda chance, _: chance.normalvariate(30, 3),
)
LOG_NORMAL = log_normal(0.35)
TWO_PEAKS = Model(
    name="two peaks",
    description="log-normal around 25 s (sigma 0.3); every seventh or so (15 %) is a cold start "
    "and takes another 150 s (log-normal, sigma 0.3)",
    draw=_two_peaks,
)
DRIFTING = Model(
    name="drifting",
    description="log-normal (sigma 0.25) around a median that moves from 20 s to 60 s and half "
    "the way back over three quarters of the jobs, then jumps to 90 s",
    draw=_drifting,
    is_steady=False,
)
MODELS = (NARROW, LOG_NORMAL, TWO_PEAKS, DRIFTING)
