"""What of a seed's faults is let happen: all of it, or less while a failure is being shrunk."""

import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """Leaves faults out of a history.

    Attributes:
        most_faults: How many faults happen at most, the first ones.
        left_out: The numbers of single faults, counted from 0, that do not happen.
        off: The kinds of fault that never happen.
        is_crowded: Crowds of tenants come in every history, and most of them are steady.
        scenario: The scenario that every world is drawn from; None for the usual mixture.
        most_jobs: How many of the profile's jobs are created at most.
    """

    most_faults: int = sys.maxsize
    left_out: frozenset[int] = frozenset()
    off: frozenset[str] = frozenset()
    most_jobs: int = sys.maxsize
    is_crowded: bool = False
    scenario: str | None = None


ALL_ON = Switches()
