"""Percentiles of what was measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How measured times are spread, in milliseconds."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, times_s: Sequence[float]) -> Self:
        """Measure times in seconds."""
        p50, p95, p99 = (float(one) for one in np.percentile(times_s, (50, 95, 99)) * 1000)
        return cls(p50=p50, p95=p95, p99=p99)

    def above(self, other: "Spread") -> "Spread":
        """Return by how much each percentile is higher."""
        return Spread(p50=self.p50 - other.p50, p95=self.p95 - other.p95, p99=self.p99 - other.p99)

    def cells(self) -> tuple[str, str, str]:
        """Return the three as they stand in tables."""
        return f"{self.p50:.1f}", f"{self.p95:.1f}", f"{self.p99:.1f}"
