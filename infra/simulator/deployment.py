"""One deployment of the relay in a simulated world: its instances, and what reaches them."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import count

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
from infra.verification.history import Run, UsableResult
from relay.application.job_controls import JobControls
from relay.application.job_creator import JobCreator
from relay.assembly import (
    CALLBACK_READERS,
    CONCURRENCY,
    EDGE_PATIENCE_S,
    PUMP_PATIENCE_S,
    Adapters,
    CreatePolicy,
    Relay,
)
from relay.errors import JobNotFound, RelayError, StoreUnavailable, UnreadableJob


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
        self._relays: dict[Instance, Relay] = {}
        self._requests = count(1)

    def relay(self, instance: Instance) -> Relay:
        """Return the relay that runs on an instance, put together on first use."""
        if instance not in self._relays:
            self._relays[instance] = Relay(self._adapters(instance), patience_s=EDGE_PATIENCE_S)
        return self._relays[instance]

    def creator(self, instance: Instance) -> JobCreator:
        """Return what takes new jobs on this instance."""
        return self.relay(instance).creator(CreatePolicy(accounts=self.profile.providers))

    def controls(self, instance: Instance) -> JobControls:
        """Return what cancels and retries jobs on this instance."""
        return self.relay(instance).controls(self.creator(instance))

    def _adapters(self, instance: Instance) -> Adapters:
        jobs = SimulatedJobs(
            self.database, instance, self.store_fates, slow_pages=self.profile.slow_pages
        )
        return Adapters(
            jobs=jobs,  # type: ignore[arg-type]
            accounts=SimulatedAccounts(self.database, instance, self.store_fates),
            durations=SimulatedDurations(self.database, instance, self.store_fates),
            topics=SimulatedTopics(self.broker, instance, self.topic_fates),
            clock=instance,
            draw=self.world.rng.random,
            random_bytes=self.world.rng.randbytes,
            open_workers=partial(SimulatedWorkers, instance),
            is_stopping=lambda: False,
        )

    def is_quiet(self) -> bool:
        """Return whether nothing is under way and no document waits for anything."""
        return (
            self.world.flows == 0
            and self.callbacks_under_way == 0
            and self.broker.undelivered == 0
            and self.database.jobs.is_quiet()
        )

    def _push(self, account: str, done: Callable[[bool], None]) -> None:
        instance = self.pumps.pick()
        profile = self.profile
        accounts = SimulatedAccounts(self.database, instance, self.store_fates)
        relay = Relay(
            replace(self._adapters(instance), accounts=accounts), patience_s=PUMP_PATIENCE_S
        )
        # What an instance has learnt outlives a run; a lease does not.
        relay.learner = self.relay(instance).learner
        provider = SimulatedProvider(
            self.servers[account], instance, profile, self._call_fates, accounts.has_lease
        )
        self.world.note(instance.name, f"tick for {account}")
        pump = relay.pump(
            provider,
            window_s=profile.window_s,
            weights=profile.weights,
            concurrency=replace(CONCURRENCY, calls=profile.workers),
        )

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
        callbacks = self.relay(instance).callback_receiver()
        world = self.world
        said = CALLBACK_READERS[provider](body)
        result = UsableResult(
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
