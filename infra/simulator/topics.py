"""Simulated topics: they record events, and deliver ticks late, twice, out of order or never."""

from collections import Counter
from collections.abc import Callable

from infra.simulator.environment import Environment
from infra.simulator.instances import CallFaults, Instance
from infra.simulator.profile import Profile
from infra.verification.history import Message, Trouble
from relay.domain.account import LEASE_S
from relay.domain.callback import CALLBACKS
from relay.domain.events import as_announced
from relay.domain.job import Announcement, Job
from relay.errors import PublishFailed
from relay.job_view import to_json

# As the real adapter's.
PUBLISH_TIMEOUT_S = 5.0
TICK_EVERY_S = 60.0
LATEST_TICK_S = 10.0
FIRST_BACKOFF_S = 10.0
LONGEST_BACKOFF_S = 60.0


def topic_faults(profile: Profile) -> CallFaults:
    """Return which faults hit publishing."""
    return CallFaults.of_service(
        "topic",
        profile,
        lost_request=profile.topic_lost_request,
        lost_reply=profile.topic_lost_reply,
        late=profile.topic_late,
    )


class Broker:
    """Records the events and pushes the ticks.

    Args:
        push: Starts handling a tick, and calls `done` with whether that succeeded.

    Attributes:
        undelivered: How many ticks for each account have not been handled.
    """

    def __init__(
        self,
        env: Environment,
        profile: Profile,
        push: Callable[[str, Callable[[bool], None]], None],
    ) -> None:
        self._env = env
        self._profile = profile
        self._push = push
        self._outages: list[tuple[float, float]] = []
        self.undelivered: Counter[str] = Counter()
        self._is_stopped = False

    def plan_outage(self, from_s: float, to_s: float) -> None:
        """Be unreachable for a while."""
        self._outages.append((from_s, to_s))

    def take_event(self, job: Job, event: Announcement, data: bytes) -> None:
        """Record an event."""
        self._be_reachable()
        self._env.history.messages.append(
            Message(
                at_s=self._env.now_s,
                job_id=job.id,
                id=event.id,
                type=event.type.value,
                time=event.at,
                data=data,
            )
        )

    def take_tick(self, account: str) -> None:
        """Deliver a tick at least once, unless it is lost."""
        self._be_reachable()
        env = self._env
        if env.injects("tick_lost", self._profile.tick_lost):
            env.note("topic", f"tick for {account} lost")
            return
        self._deliver(account, self._delay_s(), 0)
        if env.injects("tick_twice", self._profile.tick_twice):
            self._deliver(account, self._delay_s() + env.rng.uniform(0.0, 30.0), 0)

    def schedule(self, account: str) -> None:
        """Publish a tick every minute, as Cloud Scheduler does; it never misses two in a row."""
        env = self._env
        missed = False

        def tick() -> None:
            nonlocal missed
            if self._is_stopped:
                return
            missed = not missed and env.injects("tick_unsent", self._profile.tick_unsent)
            if missed:
                env.note("scheduler", f"tick for {account} missed")
                self._trouble(account, "missed tick", 0.0)
            else:
                self._deliver(account, self._delay_s(), 0)
            env.after(TICK_EVERY_S, tick)

        env.after(env.rng.uniform(0.0, TICK_EVERY_S), tick)

    def stop_schedules(self) -> None:
        """Publish no more ticks but those asked for by `tick_now`."""
        self._is_stopped = True

    def tick_now(self, account: str) -> None:
        """Publish a tick of the scheduler's."""
        self._deliver(account, self._delay_s(), 0)

    def _trouble(self, account: str, what: str, lasts_s: float) -> None:
        history, now_s = self._env.history, self._env.now_s
        troubles = history.callback_troubles if account == CALLBACKS else history.troubles
        troubles.append(Trouble(at_s=now_s, what=what, until_s=now_s + lasts_s))

    def _delay_s(self) -> float:
        env = self._env
        if env.injects("tick_late", self._profile.tick_late):
            return env.rng.uniform(0.5, LATEST_TICK_S)
        return 0.02 + 0.2 * env.rng.random()

    def _deliver(self, account: str, delay_s: float, failures: int) -> None:
        self.undelivered[account] += 1

        def done(worked: bool) -> None:
            self.undelivered[account] -= 1
            if worked:
                return
            backoff_s = min(FIRST_BACKOFF_S * 2**failures, LONGEST_BACKOFF_S)
            self._trouble(account, "failed tick", LEASE_S)
            self._deliver(account, backoff_s, failures + 1)

        self._env.after(delay_s, lambda: self._push(account, done))

    def _be_reachable(self) -> None:
        now_s = self._env.now_s
        if not self._env.is_calm and any(a <= now_s < b for a, b in self._outages):
            raise PublishFailed("outage")


class SimulatedTopics:
    """The `Topics` of one instance."""

    def __init__(self, broker: Broker, instance: Instance, faults: CallFaults) -> None:
        self._broker = broker
        self._instance = instance
        self._faults = faults

    def publish_event(self, job: Job, event: Announcement) -> None:
        """See `Topics`."""
        data = to_json(as_announced(job, event.type))
        self._call(f"publish {event.id}", lambda: self._broker.take_event(job, event, data))

    def publish_tick(self, account: str) -> None:
        """See `Topics`."""
        self._call(f"publish tick {account}", lambda: self._broker.take_tick(account))

    def _call(self, label: str, effect: Callable[[], None]) -> None:
        self._instance.remote(
            label,
            effect,
            faults=self._faults,
            timeout_s=PUBLISH_TIMEOUT_S,
            failure=lambda: PublishFailed("simulated"),
        )
