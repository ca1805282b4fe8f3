"""A function of the relay and its floor, in short rounds that take turns in one run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from infra.bench import usage
from infra.bench.rig import Served
from infra.bench.spread import Spread
from infra.bench.volley import Answered, Shot, Volley, fire

SENDERS = (1, 8, 32, 80)
WARMING_UP = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """One of the two.

    Attributes:
        shots: Makes so many requests that have not been sent before.
        status: What each of them is to be answered with.
    """

    served: Served
    headers: dict[str, str]
    shots: Callable[[int], Sequence[Shot]]
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What one of the two did in all rounds.

    Attributes:
        cpu_s: Processor time of the function itself, of each round, a request.
    """

    per_s: tuple[float, ...]
    cpu_s: tuple[float, ...]
    answered: tuple[Answered, ...]

    @property
    def cpu_ms(self) -> float:
        """Processor time of a request in the median round, in milliseconds."""
        return median(self.cpu_s) * 1000

    @property
    def median_per_s(self) -> float:
        """Requests per second in the median round."""
        return median(self.per_s)

    def to_answer(self) -> Spread:
        """Return how long requests took."""
        return Spread.of([one.answered_at - one.sent_at for one in self.answered])


@dataclass(frozen=True, slots=True, kw_only=True)
class Duel:
    """Both, at one number of senders."""

    senders: int
    relay: Side
    floor: Side

    @property
    def ratios(self) -> tuple[float, ...]:
        """The relay's throughput as a share of the floor's, round by round."""
        pairs = zip(self.relay.per_s, self.floor.per_s, strict=True)
        return tuple(relay / floor for relay, floor in pairs)

    @property
    def ratio(self) -> float:
        """That of the median round."""
        return median(self.ratios)


@dataclass(frozen=True, slots=True)
class _Round:
    answered: Sequence[Answered]
    cpu_s: float


def run_duels(
    relay: Contestant, floor: Contestant, *, rounds: int, requests: Mapping[int, int]
) -> tuple[Duel, ...]:
    """Warm both up, then let them take turns at every number of senders.

    Args:
        requests: Of one round, by the number of senders.
    """
    _run_duel(relay, floor, senders=SENDERS[-1], rounds=1, requests=WARMING_UP)
    return tuple(
        _run_duel(relay, floor, senders=senders, rounds=rounds, requests=requests[senders])
        for senders in SENDERS
    )


def _run_duel(
    relay: Contestant, floor: Contestant, *, senders: int, rounds: int, requests: int
) -> Duel:
    """Let both take turns; who is first changes with every round.

    Args:
        requests: How many each of them gets in one round.
    """
    prepared = [(relay.shots(requests), floor.shots(requests)) for _ in range(rounds)]
    of_relay: list[_Round] = []
    of_floor: list[_Round] = []
    for number, (to_relay, to_floor) in enumerate(prepared):
        turns = [(relay, to_relay, of_relay), (floor, to_floor, of_floor)]
        for contestant, shots, done in turns if number % 2 == 0 else reversed(turns):
            done.append(_fired(contestant, shots, senders=senders))
    return Duel(senders=senders, relay=_side(of_relay), floor=_side(of_floor))


def _fired(contestant: Contestant, shots: Sequence[Shot], *, senders: int) -> _Round:
    served = contestant.served
    volley = Volley(port=served.port, senders=senders, headers=contestant.headers, shots=shots)
    before_s = usage.cpu_s(served.pid)
    answered = fire(volley)
    cpu_s = usage.cpu_s(served.pid) - before_s
    odd = {one.status for one in answered} - {contestant.status}
    if odd:
        raise RuntimeError(f"port {volley.port} answered {sorted(odd)}")
    return _Round(answered, cpu_s / len(answered))


def _side(rounds: Sequence[_Round]) -> Side:
    return Side(
        per_s=tuple(_per_s(one.answered) for one in rounds),
        cpu_s=tuple(one.cpu_s for one in rounds),
        answered=tuple(answered for one in rounds for answered in one.answered),
    )


def _per_s(answered: Sequence[Answered]) -> float:
    began = min(one.sent_at for one in answered)
    return len(answered) / (max(one.answered_at for one in answered) - began)
