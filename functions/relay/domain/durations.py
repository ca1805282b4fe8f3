"""How long renders of one operation take, as seen by one account.

A histogram with fixed buckets whose old observations decay: it follows drift, stays small whatever
the number of jobs, and can be merged from several instances.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

import msgspec

# Bucket edges, as ages in seconds: below the first is "at once", above the last (well past the
# usual deadline) is "very late".
FIRST_EDGE_S = 2.0
EDGE_RATIO = 1.14
EDGES_S = tuple(FIRST_EDGE_S * EDGE_RATIO**power for power in range(49))
BUCKETS = len(EDGES_S) + 1

# Each observation takes this share from all earlier ones, so about 300 count at a time.
FADING = 1 / 300

# The prior weighs as much as this many observations; its log-normal spread puts nine of ten
# renders between a quarter of and four times the expected duration.
PRIOR_WEIGHT = 4.0
PRIOR_SIGMA = 0.85
# A bucket of zero probability may still be observed.
LEAST_SHARE = 1e-9


class Durations(msgspec.Struct, frozen=True):
    """The observations, as one weight per bucket; this array is all that is stored.

    The weights add up to less than `1 / FADING`, and their sum alone tells how often older weights
    have decayed since. That makes `+` associative: what two instances saw since they last read the
    same history can be added to it one after the other.
    """

    weights: tuple[float, ...]

    @classmethod
    def unknown(cls) -> "Durations":
        """Return the durations of an operation without observations."""
        return cls((0.0,) * BUCKETS)

    @classmethod
    def from_plain(cls, weights: Sequence[object]) -> "Durations":
        """Read stored weights; weights that do not fit these buckets count as no history."""
        numbers = tuple(
            float(weight)
            for weight in weights
            if isinstance(weight, int | float) and math.isfinite(weight) and weight >= 0
        )
        if len(numbers) != BUCKETS or len(weights) != BUCKETS or sum(numbers) > 1 / FADING + 1:
            return cls.unknown()
        return cls(numbers)

    def to_plain(self) -> list[float]:
        """Return the weights to store, rounded to 4 decimals."""
        return [round(weight, 4) for weight in self.weights]

    @property
    def observations(self) -> float:
        """How many observations the weights amount to now."""
        return sum(self.weights)

    def __add__(self, newer: "Durations") -> "Durations":
        """Return this history followed by a newer one."""
        left = max(0.0, 1.0 - FADING * newer.observations)
        return Durations(
            tuple(old * left + new for old, new in zip(self.weights, newer.weights, strict=True))
        )

    def with_render(self, *, after_s: float, by_s: float, expected_s: float) -> "Durations":
        """Add one successful render; failed and abandoned ones say nothing about durations.

        A webhook comes at one moment. A poll only shows that the render became ready at some time
        since the previous poll, so its weight is spread over that interval in proportion to what is
        known so far (the self-consistent estimate of Turnbull, 1976).

        Args:
            after_s: Age at which it was known not to be ready; 0 if never polled before.
            by_s: Age at which it was ready; equal to `after_s` for a webhook.
            expected_s: What the catalogue expects.
        """
        if not 0 <= after_s <= by_s or not math.isfinite(by_s):
            raise ValueError(f"not an interval of ages: {after_s} to {by_s}")
        first, last = bisect_right(EDGES_S, after_s), bisect_right(EDGES_S, by_s)
        if first == last:
            return self + _of({first: 1.0})
        known = belief(self, expected_s=expected_s)
        shares = {
            bucket: (known[bucket] + LEAST_SHARE) * _part_between(bucket, after_s, by_s)
            for bucket in range(first, last + 1)
        }
        total = sum(shares.values())
        return self + _of({bucket: share / total for bucket, share in shares.items()})


def seen_quantile_s(durations: Durations, share: float) -> float:
    """Return the age by which this share of the observed renders was ready."""
    total = durations.observations
    return quantile_s((weight / total for weight in durations.weights), share)


def belief(durations: Durations, *, expected_s: float) -> tuple[float, ...]:
    """Return the probability of each bucket: the history combined with a prior."""
    total = durations.observations + PRIOR_WEIGHT
    return tuple(
        (weight + PRIOR_WEIGHT * before) / total
        for weight, before in zip(durations.weights, prior(expected_s), strict=True)
    )


@lru_cache(maxsize=64)
def prior(expected_s: float) -> tuple[float, ...]:
    """Return the probability of each bucket before any observation."""
    reached = [
        0.5 * (1 + math.erf(math.log(edge / expected_s) / (PRIOR_SIGMA * math.sqrt(2))))
        for edge in EDGES_S
    ]
    return tuple(after - before for before, after in pairwise((0.0, *reached, 1.0)))


def quantile_s(probabilities: Iterable[float], share: float) -> float:
    """Return the age by which this share of renders is ready, or the last edge."""
    reached = 0.0
    starts = (0.0, *EDGES_S)
    for bucket, probability in enumerate(probabilities):
        if reached + probability >= share and bucket < len(EDGES_S):
            inside = (share - reached) / probability if probability else 0.0
            return starts[bucket] + inside * (EDGES_S[bucket] - starts[bucket])
        reached += probability
    return EDGES_S[-1]


def _part_between(bucket: int, after_s: float, by_s: float) -> float:
    """Return the share of a bucket's width between two ages that touch it."""
    start = EDGES_S[bucket - 1] if bucket else 0.0
    end = EDGES_S[bucket] if bucket < len(EDGES_S) else max(by_s, start * EDGE_RATIO)
    return (min(end, by_s) - max(start, after_s)) / (end - start)


def _of(weights: dict[int, float]) -> Durations:
    return Durations(tuple(weights.get(bucket, 0.0) for bucket in range(BUCKETS)))
