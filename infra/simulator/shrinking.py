"""Makes a failing history as small as it still fails: fewer faults, fewer kinds, fewer jobs."""

from dataclasses import replace

from infra.simulator.run import Outcome, run_seed
from infra.simulator.switches import ALL_ON, Switches

# What had to stay in the first pass can often go in the second.
PASSES = 2


def shrink(failed: Outcome, switches: Switches = ALL_ON) -> tuple[Outcome, Switches]:
    """Return the smallest history of the seed that still breaks the same promise, and how.

    First the shortest prefix of its faults, by bisection; then kinds of fault are switched off
    one by one, and jobs left out; then the prefix once more, and single faults from its end.
    """
    smaller = _Smaller(failed, switches)
    smaller.shorten()
    for kind in sorted(set(smaller.best.struck.values())):
        smaller.try_it(replace(smaller.switches, off=smaller.switches.off | {kind}))
    for jobs in range(1, failed.profile.jobs):
        if smaller.try_it(replace(smaller.switches, most_jobs=jobs)):
            break
    smaller.shorten()
    for _ in range(PASSES):
        for number in sorted(smaller.best.struck, reverse=True):
            left_out = smaller.switches.left_out | {number}
            smaller.try_it(replace(smaller.switches, left_out=left_out))
    return smaller.best, smaller.switches


class _Smaller:
    def __init__(self, failed: Outcome, switches: Switches) -> None:
        self.best = failed
        self.switches = switches
        self._promises = {violation.promise for violation in failed.violations}

    def try_it(self, switches: Switches) -> bool:
        """Run the seed so; keep the outcome if it breaks one of the same promises."""
        outcome = run_seed(self.best.seed, switches)
        if not self._promises & {violation.promise for violation in outcome.violations}:
            return False
        self.best, self.switches = outcome, switches
        return True

    def shorten(self) -> None:
        """Find the shortest prefix of the faults after which it fails."""
        fails_with, holds_with = self.best.faults, -1
        while fails_with - holds_with > 1:
            middle = (fails_with + holds_with) // 2
            if self.try_it(replace(self.switches, most_faults=middle)):
                fails_with = middle
            else:
                holds_with = middle
