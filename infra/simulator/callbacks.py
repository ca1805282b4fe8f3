"""What a history has of callbacks: the callers' endpoints, how they answer, and bursts of jobs.

Everything here is drawn from a generator of its own, so that a history without callbacks is the
same as before there were any.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

# Where a job's metadata says that it has a callback.
CALLS = "calls"
SHARE = 0.3
SHARE_OF_BURSTS = 0.2
KEYS = ("first-callback-key-of-the-simulator", "second-callback-key-of-the-simulator")


class Receiving(StrEnum):
    """How an endpoint answers."""

    PROMPT = "prompt"
    SLOW = "slow"
    FLAKY = "flaky"
    DOWN = "down"
    SILENT = "silent"
    BROKEN = "broken"
    GONE = "gone"

    @property
    def is_healthy(self) -> bool:
        """Whether it takes every post, within a few seconds."""
        return self in (Receiving.PROMPT, Receiving.SLOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackBurst:
    """Jobs with a callback that one tenant creates and cancels at one moment."""

    tenant: str
    jobs: int
    at_s: float
    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackProfile:
    """The callbacks of a history; each probability is per post, job or caller.

    Attributes:
        endpoints: How each host answers.
        urls: One for each caller; empty for none.
        are_bursts_steady: Whether the bursts come where all else works.
        outages: How often an endpoint that is down for a time is down.
        redeliver: Chance that a caller asks for its callbacks again.
    """

    endpoints: Mapping[str, Receiving] = field(default_factory=dict)
    urls: tuple[str, ...] = ()
    bursts: tuple[CallbackBurst, ...] = ()
    are_bursts_steady: bool = False
    pumps: int = 1
    outages: int = 0
    redeliver: float = 0.0
    unreachable: float = 0.0
    unanswered: float = 0.0
    broken: float = 0.0
    moved: float = 0.0
    busy: float = 0.0
    gone: float = 0.0
    crash: float = 0.0

    @property
    def is_on(self) -> bool:
        """Whether any job has a callback."""
        return bool(self.endpoints)


def draw_callbacks(seed: int, *, callers: int, always: bool) -> CallbackProfile:
    """Draw the callbacks of a seed.

    Args:
        callers: How many callers there are.
        always: Have bursts of callbacks, in every history.
    """
    rng = Random(f"callbacks of {seed}")
    if rng.random() >= SHARE and not always:
        return CallbackProfile()
    endpoints = {
        f"{kind}-{number}.example.com": kind
        for number, kind in enumerate((Receiving.PROMPT, *_some(rng), Receiving.FLAKY))
    }
    bursts = _bursts(rng, endpoints) if always or rng.random() < SHARE_OF_BURSTS else ()
    mood = rng.choice((0.0, 0.5, 1.0, 1.0))
    return CallbackProfile(
        endpoints=endpoints,
        urls=tuple(
            f"https://{rng.choice(tuple(endpoints))}/renders" if rng.random() < 0.8 else ""
            for _ in range(callers)
        ),
        bursts=bursts,
        are_bursts_steady=bool(bursts) and rng.random() < 0.7,
        pumps=rng.randint(1, 3),
        outages=rng.randint(0, 2),
        redeliver=rng.choice((0.0, 0.0, 0.3)),
        unreachable=0.1 * mood,
        unanswered=0.1 * mood,
        broken=0.2 * mood,
        moved=0.05 * mood,
        busy=0.15 * mood,
        gone=0.03 * mood,
        crash=rng.choice((0.0, 0.0, 0.02)),
    )


def _some(rng: Random) -> list[Receiving]:
    others = (Receiving.DOWN, Receiving.SILENT, Receiving.BROKEN, Receiving.GONE)
    return rng.sample(others, rng.randint(0, 2))


def _bursts(rng: Random, endpoints: dict[str, Receiving]) -> tuple[CallbackBurst, ...]:
    """Draw a tenant that would hold others up, and one that must not be held up."""
    at_s = rng.uniform(5.0, 60.0)
    honest = ("https://prompt-0.example.com/honest",)
    many = rng.choice((12, 24, 40))
    kind = rng.random()
    if kind < 0.4:
        # Few endpoints, or one, that never answer or always fail.
        bad = rng.choice((Receiving.SILENT, Receiving.BROKEN))
        hosts = {f"{bad}-dead-{number}.example.com": bad for number in range(rng.choice((1, 3)))}
    elif kind < 0.7:
        # The same endpoint as the honest tenant's.
        hosts = {"slow-shared.example.com": Receiving.SLOW}
        honest = ("https://slow-shared.example.com/honest",)
    else:
        hosts = {f"slow-{number}.example.com": Receiving.SLOW for number in range(20, 40)}
    endpoints |= hosts
    return (
        CallbackBurst(
            tenant="hooks-many",
            jobs=many,
            at_s=at_s,
            urls=tuple(f"https://{host}/many" for host in hosts),
        ),
        CallbackBurst(
            tenant="hooks-few", jobs=4, at_s=at_s + rng.choice((0.0, 2.0, 9.0)), urls=honest
        ),
    )
