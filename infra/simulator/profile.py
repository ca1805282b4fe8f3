"""The profile of a seed: how many jobs, which faults, and how likely each fault is."""

from dataclasses import dataclass, fields, replace
from random import Random
from typing import Any

from infra.simulator.callbacks import NO_CALLBACKS, CallbackProfile
from infra.simulator.keeping_profile import NO_COPIES, KeepingProfile
from infra.simulator.scenarios import MIXED, draw_scenario
from infra.simulator.tenants import Behaviour, Burst, draw_bursts
from relay.domain.limits import Limit

SHARE_CROWDED = 0.15
MAX_IN_TROUBLE = 20
PROVIDERS = ("gepetto", "spacely")
LONGEST_WINDOW_S = 55.0
SHORT_WINDOW_S = 20.0
# How often a seed draws a scenario, and how often such a history has few other faults.
SCENARIO = 0.04
QUIET = 0.8
# Faults that take a pump away or slow its store down.
DISTURBING = (
    "crash_before",
    "crash_after",
    "freeze",
    "clock_jump",
    "sluggish",
    "store_lost_request",
    "store_lost_reply",
    "store_late",
    "store_outages",
    "callback_into_outage",
    "slow_pages",
    "tick_late",
    "tick_lost",
    "tick_unsent",
    "topic_lost_request",
    "topic_late",
    "topic_outages",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Sizes and probabilities of one history; each probability is per call, job or message.

    Attributes:
        spread_s: Over how long the jobs arrive.
        sluggish: Probability that one way of a call takes long.
        skew_s: No clock is further than this from the true time.
        pumps, apis, webhooks: How many instances of each function there are.
        crash_before, crash_after: Chances per outside effect, by the moment of the crash.
        freeze: Chance per outside effect that the instance freezes before or after it.
        slow_pages: Chance that a page of a query takes seconds to read.
        provider_outages: How often each provider is down for minutes.
        renders_s: How long renders take, from and to; empty for the usual.
        scenario: The name of the scenario; empty for none.
        weights: The tenants' weights.
        callback_into_outage: Chance that the store is unreachable just when a good callback comes.
        never_known: Chance that the provider's read endpoint never finds a render.
        callbacks: Not to be confused with the providers', which begin with ``callback_``.
    """

    jobs: int
    spread_s: float
    providers: tuple[str, ...]
    limits: dict[str, Limit]
    keys: float
    resubmit: float
    cancel: float
    retry: float
    reads: float
    pumps: int
    apis: int
    webhooks: int
    workers: int
    window_s: float
    sluggish: float
    skew_s: float
    clock_jump: float

    crash_before: float
    crash_after: float
    freeze: float

    store_lost_request: float
    store_lost_reply: float
    store_late: float
    store_outages: int
    poison: float

    topic_lost_request: float
    topic_lost_reply: float
    topic_late: float
    topic_outages: int
    tick_late: float
    tick_twice: float
    tick_lost: float
    tick_unsent: float

    no_connection: float
    slow_connection: float
    counted_late: float
    reply_lost: float
    taken_unanswered: float
    busy: float
    broken: float
    refused: float
    account_refusals: int

    fast_render: float
    slow_render: float
    lost_render: float
    failed_render: float
    empty_render: float
    cold: float
    known_late: float
    never_known: float
    odd_words: float

    callback_never: float
    callback_early: float
    callback_late: float
    callback_twice: float
    callback_nonsense: float
    callback_empty: float
    callback_other_id: float
    callback_into_outage: float

    slow_pages: float
    provider_outages: int
    renders_s: tuple[float, ...]
    weights: dict[str, int]
    bursts: tuple[Burst, ...]
    scenario: str = ""
    callbacks: CallbackProfile = NO_CALLBACKS
    keeping: KeepingProfile = NO_COPIES

    @property
    def is_steady(self) -> bool:
        """Whether no fault takes a pump away or slows its store down."""
        return self.window_s >= 20.0 and not any(getattr(self, one) for one in DISTURBING)

    @property
    def is_prompt(self) -> bool:
        """Whether every call reaches its provider and is answered at once, and all clocks agree."""
        faults = (
            self.no_connection,
            self.slow_connection,
            self.counted_late,
            self.reply_lost,
            self.taken_unanswered,
            self.skew_s,
        )
        return not any((*faults, self.provider_outages)) and all(
            one.behaviour is not Behaviour.HANGING for one in self.bursts
        )

    def text(self) -> str:
        """Return what is switched on, as one line."""
        set_here = [f"{one.name}={_short(getattr(self, one.name))}" for one in fields(self)]
        return " ".join(one for one in set_here if not one.endswith("=0"))


def draw_profile(rng: Random, *, is_crowded: bool = False, scenario: str | None = None) -> Profile:
    """Draw a profile: most are small, and each group of faults is on or off by itself.

    Args:
        is_crowded: Have tenants send bursts, and few other faults.
        scenario: The name of the scenario to draw from; None for the usual mixture.
    """
    profile = _draw_usual(rng, is_crowded=is_crowded)
    if scenario is None:
        if is_crowded or rng.random() >= SCENARIO:
            return profile
        scenario = rng.choice(MIXED)
    return _with_scenario(profile, scenario, rng)


def with_callbacks(profile: Profile, callbacks: CallbackProfile) -> Profile:
    """Add the callbacks; where their bursts are to show something, all else works."""
    if not callbacks.are_bursts_steady:
        return replace(profile, callbacks=callbacks)
    changes: dict[str, Any] = dict.fromkeys(DISTURBING, 0)
    window_s = max(profile.window_s, SHORT_WINDOW_S)
    return replace(profile, callbacks=callbacks, window_s=window_s, **changes)


def _with_scenario(profile: Profile, name: str, rng: Random) -> Profile:
    drawn = draw_scenario(name, rng, profile.providers)
    bursts, changes = drawn.bursts, dict[str, Any]()
    if rng.random() < QUIET:
        changes = dict.fromkeys(DISTURBING, 0)
    else:
        bursts = _small(bursts)
    changes["slow_pages"] = drawn.slow_pages
    return replace(
        profile,
        scenario=name,
        bursts=bursts,
        provider_outages=drawn.outages,
        renders_s=drawn.renders_s,
        window_s=drawn.window_s or profile.window_s or LONGEST_WINDOW_S,
        **changes,
    )


def _draw_usual(rng: Random, *, is_crowded: bool) -> Profile:
    size = rng.random()
    jobs = (
        rng.randint(1, 2)
        if size < 0.6
        else rng.randint(2, 5)
        if size < 0.92
        else rng.randint(8, 24)
    )
    providers = rng.choice(((PROVIDERS[0],), (PROVIDERS[0],), (PROVIDERS[1],), PROVIDERS))
    mood = rng.choice((0.3, 1.0, 1.0, 3.0))

    window_s = rng.choice((55.0, 55.0, 55.0, 20.0, 0.0))

    bursts = draw_bursts(rng, providers, share=1.0 if is_crowded else SHARE_CROWDED)
    is_steady = bool(bursts) and rng.random() < (0.9 if is_crowded else 0.6)
    if is_steady:
        window_s = rng.choice((55.0, 20.0))
    else:
        bursts = _small(bursts)

    def group(chance: float) -> "_Chances":
        return _Chances(rng, mood if rng.random() < chance else 0.0)

    # How tenants affect each other shows best where all else works.
    harm = 0.0 if is_steady else 1.0
    crashes, store, topics = group(0.4 * harm), group(0.4 * harm), group(0.4 * harm)
    ticks, network, service = group(0.3 * harm), group(0.5), group(0.5)
    renders, callbacks, clocks = group(0.5), group(0.5 * harm), group(0.4 * harm)
    return Profile(
        jobs=jobs,
        spread_s=rng.choice((0.0, 0.5, 20.0, 90.0)),
        providers=providers,
        limits={name: _limit(rng, name) for name in providers},
        keys=rng.choice((0.0, 0.5, 1.0)),
        resubmit=rng.choice((0.0, 0.0, 0.5, 1.0)),
        cancel=rng.choice((0.0, 0.0, 0.2, 0.5)),
        retry=rng.choice((0.0, 0.0, 0.3)),
        reads=rng.choice((0.0, 0.3)),
        pumps=rng.randint(1, 3),
        apis=rng.randint(1, 2),
        webhooks=rng.randint(1, 2),
        workers=rng.choice((2, 4, 8)),
        window_s=window_s,
        sluggish=store(0.03),
        skew_s=1.0 if clocks.is_on else 0.0,
        clock_jump=clocks(0.02),
        crash_before=crashes(0.006),
        crash_after=crashes(0.006),
        freeze=clocks(0.02),
        store_lost_request=store(0.02),
        store_lost_reply=store(0.03),
        store_late=store(0.008),
        store_outages=store.count(4),
        poison=store(0.02),
        topic_lost_request=topics(0.25),
        topic_lost_reply=topics(0.25),
        topic_late=topics(0.05),
        topic_outages=topics.count(2),
        # One pass that finds an account on hold 29 s after a deadline needs the next on time.
        tick_late=ticks(0.3) if window_s > 0.0 else 0.0,
        tick_twice=ticks(0.3),
        tick_lost=ticks(0.3),
        tick_unsent=ticks(0.1),
        no_connection=network(0.1),
        slow_connection=network(0.15),
        counted_late=network(0.2),
        reply_lost=network(0.15),
        taken_unanswered=network(0.1),
        busy=service(0.1),
        broken=service(0.12),
        refused=service(0.05),
        account_refusals=service.count(2),
        fast_render=renders(0.3),
        slow_render=renders(0.3),
        lost_render=renders(0.1),
        failed_render=renders(0.1),
        empty_render=renders(0.15),
        cold=renders(0.2),
        known_late=renders(0.3),
        never_known=renders(0.15),
        odd_words=renders(0.3),
        callback_never=callbacks(0.3),
        callback_early=callbacks(0.3),
        callback_late=callbacks(0.5),
        callback_twice=callbacks(0.4),
        callback_nonsense=callbacks(0.2),
        callback_empty=callbacks(0.2),
        callback_other_id=callbacks(0.2),
        callback_into_outage=callbacks(0.4),
        slow_pages=rng.choice((0.0, 0.0, 0.0, 0.3)) * harm,
        provider_outages=service.count(1),
        renders_s=(),
        weights=rng.choice(({}, {}, {"crowd-0": 5}, {"demo": 3})),
        bursts=bursts,
    )


class _Chances:
    def __init__(self, rng: Random, strength: float) -> None:
        self._rng = rng
        self._strength = strength

    @property
    def is_on(self) -> bool:
        return self._strength > 0.0

    def __call__(self, usual: float) -> float:
        drawn = self._rng.choice((0.0, 0.5, 1.0, 1.0, 2.0))
        return min(usual * drawn * self._strength, 0.7)

    def count(self, most: int) -> int:
        drawn = self._rng.randint(0, most)
        return drawn if self.is_on else 0


def _small(bursts: tuple[Burst, ...]) -> tuple[Burst, ...]:
    """Make bursts small: where everything is slow and fails, hundreds do not end within 90 s."""
    return tuple(replace(one, jobs=min(one.jobs, MAX_IN_TROUBLE)) for one in bursts)


def _limit(rng: Random, provider: str) -> Limit:
    documented = {
        "gepetto": Limit(calls=120, window_s=60.0),
        "spacely": Limit(calls=100, window_s=1.0),
    }
    kind = rng.random()
    if kind < 0.6:
        return documented[provider]
    return Limit(calls=rng.randint(2, 12), window_s=rng.choice((1.0, 5.0, 20.0, 60.0)))


def _short(value: object) -> str:
    if isinstance(value, CallbackProfile):
        return ",".join(value.endpoints) or "0"
    if isinstance(value, KeepingProfile):
        return str(int(value.is_on))
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, tuple) and value and isinstance(value[0], Burst):
        return ",".join(f"{one.tenant}:{one.behaviour}:{one.jobs}" for one in value)
    if isinstance(value, dict) and not all(isinstance(one, Limit) for one in value.values()):
        return ",".join(f"{name}:{weight}" for name, weight in value.items())
    if isinstance(value, dict):
        return ",".join(f"{one.calls}/{one.window_s:g}s" for one in value.values())
    return ",".join(value) if isinstance(value, tuple) else str(value)
