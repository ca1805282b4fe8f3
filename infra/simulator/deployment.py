"""One deployment of the relay in a simulated world: its instances, and what reaches them."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import count

from infra.simulator.history import Result, Run
from infra.simulator.instances import Instance, Slots
from infra.simulator.profile import Profile
from infra.simulator.providers import Server, SimulatedProvider, call_fates
from infra.simulator.store import (
    Database,
    SimulatedAccounts,
    SimulatedDurations,
    SimulatedJobs,
    store_fates,
)
from infra.simulator.topics import Broker, SimulatedTopics, topic_fates
from infra.simulator.workers import SimulatedWorkers
from infra.simulator.world import Crashed, World
from relay.adapters.providers.gepetto import read_callback as read_gepetto_callback
from relay.adapters.providers.spacely import read_callback as read_spacely_callback
from relay.application.announcer import Announcer
from relay.application.callbacks import Callbacks
from relay.application.cancelling import Cancelling
from relay.application.creating import Creating
from relay.application.learning import Learning
from relay.application.pump import Pump
from relay.application.pump_run import PumpPorts
from relay.application.reading import Reading
from relay.application.retrying import Retrying
from relay.application.store import JobStore
from relay.application.waking import Waker
from relay.bootstrap import CONCURRENCY
from relay.domain.catalogue import CATALOGUE
from relay.errors import JobNotFound, RelayError, StoreUnavailable, UnreadableJob

# As the composition root's.
EDGE_PATIENCE_S = 8.0
PUMP_PATIENCE_S = 20.0

CALLBACK_READERS = {"gepetto": read_gepetto_callback, "spacely": read_spacely_callback}


class Parts:
    """What every instance is made of."""

    def __init__(self, deployment: "Deployment", instance: Instance, *, patience_s: float) -> None:
        world = deployment.world
        self.documents = SimulatedJobs(
            deployment.database,
            instance,
            deployment.store_fates,
            slow_pages=deployment.profile.slow_pages,
        )
        self.store = JobStore(
            self.documents, clock=instance, draw=world.rng.random, patience_s=patience_s
        )
        self.topics = SimulatedTopics(deployment.broker, instance, deployment.topic_fates)
        self.announcer = Announcer(store=self.store, topics=self.topics)
        self.waker = Waker(topics=self.topics, clock=instance)
        durations = SimulatedDurations(deployment.database, instance, deployment.store_fates)
        self.learning = {
            name: Learning(durations, account=name, rhythm=CATALOGUE[name].rhythm, clock=instance)
            for name in CALLBACK_READERS
        }


class Deployment:
    """Three functions of several instances each, on one store and its topics."""

    def __init__(self, world: World, profile: Profile) -> None:
        self.world = world
        self.profile = profile
        self.store_fates = store_fates(profile)
        self.topic_fates = topic_fates(profile)
        self._call_fates = call_fates(profile)
        self.database = Database(world)
        self.broker = Broker(world, profile, self._push)
        self.callbacks_under_way = 0
        self.servers = {
            name: Server(world, profile, name, self._plan_callback, self.database.plan_outage)
            for name in profile.providers
        }
        self.apis = Slots(world, profile, "api", profile.apis)
        self.webhooks = Slots(world, profile, "webhook", profile.webhooks)
        self.pumps = Slots(world, profile, "pump", profile.pumps)
        self._parts: dict[Instance, Parts] = {}
        self._tokens = count(1)
        self._requests = count(1)

    def parts(self, instance: Instance, *, patience_s: float = EDGE_PATIENCE_S) -> Parts:
        """Return the instance's parts, built on first use."""
        if instance not in self._parts:
            self._parts[instance] = Parts(self, instance, patience_s=patience_s)
        return self._parts[instance]

    def creating(self, instance: Instance) -> Creating:
        """Return what takes new jobs on this instance."""
        parts = self.parts(instance)
        return Creating(
            store=parts.store,
            waker=parts.waker,
            clock=instance,
            accounts=frozenset(self.profile.providers),
            allow_local_urls=False,
            random_bytes=self.world.rng.randbytes,
        )

    def cancelling(self, instance: Instance) -> Cancelling:
        """Return what cancels jobs on this instance."""
        parts = self.parts(instance)
        return Cancelling(store=parts.store, announcer=parts.announcer, clock=instance)

    def retrying(self, instance: Instance) -> Retrying:
        """Return what retries jobs on this instance."""
        parts = self.parts(instance)
        return Retrying(
            store=parts.store,
            creating=self.creating(instance),
            announcer=parts.announcer,
            clock=instance,
        )

    def reading(self, instance: Instance) -> Reading:
        """Return what shows jobs on this instance."""
        return Reading(store=self.parts(instance).store, clock=instance)

    def is_quiet(self) -> bool:
        """Return whether nothing is under way and no document waits for anything."""
        return (
            self.world.flows == 0
            and self.callbacks_under_way == 0
            and self.broker.undelivered == 0
            and self.database.is_quiet()
        )

    def _push(self, account: str, done: Callable[[bool], None]) -> None:
        instance = self.pumps.pick()
        parts = self.parts(instance, patience_s=PUMP_PATIENCE_S)
        profile = self.profile
        accounts = SimulatedAccounts(self.database, instance, self.store_fates)
        ports = PumpPorts(
            documents=parts.documents,
            store=parts.store,
            learning=parts.learning[account],
            accounts=accounts,
            owners=parts.documents,
            announcer=parts.announcer,
            topics=parts.topics,
            provider=SimulatedProvider(
                self.servers[account], instance, profile, self._call_fates, accounts.has_lease
            ),
            clock=instance,
            draw=self.world.rng.random,
            new_token=lambda: f"t{next(self._tokens)}",
            concurrency=replace(CONCURRENCY, calls=profile.workers),
            open_workers=partial(SimulatedWorkers, instance),
            weights=profile.weights,
            is_stopping=lambda: False,
        )
        self.world.note(instance.name, f"tick for {account}")
        pump = Pump(ports, window_s=profile.window_s)

        def run() -> None:
            worked, began_s = False, self.world.now_s
            try:
                pump.run()
                worked = True
                self.world.note(instance.name, f"pump for {account} done")
            except StoreUnavailable:
                self.world.note(instance.name, f"pump for {account} failed")
            finally:
                until_s = min(self.world.now_s, began_s + profile.window_s)
                self.world.history.runs.append(Run(at_s=began_s, until_s=until_s, provider=account))
                done(worked)

        instance.spawn("pump", run, delay_s=0.001)

    def _plan_callback(self, provider: str, job_id: str, body: object, in_s: float) -> None:
        self.callbacks_under_way += 1
        self.world.after(in_s, partial(self._call_back, provider, job_id, body, 0))

    def _call_back(self, provider: str, job_id: str, body: object, failures: int) -> None:
        instance = self.webhooks.pick()
        parts = self.parts(instance)
        callbacks = Callbacks(
            store=parts.store,
            announcer=parts.announcer,
            waker=parts.waker,
            clock=instance,
            readers=CALLBACK_READERS,
            learning=parts.learning,
        )
        world = self.world
        said = CALLBACK_READERS[provider](body)
        result = Result(
            at_s=world.now_s,
            job_id=job_id,
            by="callback",
            provider_job_id=said.provider_job_id,
            outputs=said.outputs,
        )
        if said.outputs:
            world.history.results.append(result)

        def run() -> None:
            status = 0
            try:
                world.note(instance.name, f"callback for {job_id}: {body}")
                callbacks.receive(provider, job_id, body)
                status = 200
            except JobNotFound:
                status = 404
            except (RelayError, UnreadableJob):
                status = 503
            finally:
                answered(status)

        def answered(status: int) -> None:
            if status == 200:
                result.is_ours = True
            world.note(instance.name, f"callback for {job_id} answered {status or 'not at all'}")
            if status in (0, 503) and failures < 2 and world.rng.random() < 0.5:
                delay_s = world.rng.uniform(1.0, 60.0)
                world.after(delay_s, partial(self._call_back, provider, job_id, body, failures + 1))
                return
            self.callbacks_under_way -= 1

        number = next(self._requests)
        try:
            instance.spawn(f"callback{number}", run)
        except Crashed:
            answered(0)
