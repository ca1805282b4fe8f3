"""Whether a history's outputs are kept, and what goes wrong with that.

Drawn from a generator of its own, so that a history without copies is the same as before.
"""

from dataclasses import dataclass
from random import Random

SHARE = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepingProfile:
    """How outputs are kept; each probability is per call, message or host.

    Attributes:
        unreachable: Chance that an output's host never answers.
        gone: Chance that an output is not there, or no picture.
        lost_request, lost_reply: Chances of a call to the bucket.
    """

    is_on: bool = False
    keepers: int = 1
    twice: float = 0.0
    unreachable: float = 0.0
    gone: float = 0.0
    unanswered: float = 0.0
    lost_request: float = 0.0
    lost_reply: float = 0.0
    crash: float = 0.0


NO_COPIES = KeepingProfile()


def draw_keeping(seed: int, *, always: bool) -> KeepingProfile:
    """Draw how the outputs of a seed are kept."""
    rng = Random(f"copies of {seed}")
    if rng.random() >= SHARE and not always:
        return NO_COPIES
    mood = rng.choice((0.0, 0.5, 1.0, 1.0))
    return KeepingProfile(
        is_on=True,
        keepers=rng.randint(1, 3),
        twice=rng.choice((0.0, 0.3)),
        unreachable=0.03 * mood,
        gone=0.1 * mood,
        unanswered=0.15 * mood,
        lost_request=0.05 * mood,
        lost_reply=0.1 * mood,
        crash=rng.choice((0.0, 0.0, 0.05)),
    )
