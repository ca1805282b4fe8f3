"""One deployment of the relay in a simulated environment: its instances, and what reaches them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count

from infra.simulator.callbacks import KEYS
from infra.simulator.environment import Crashed, Environment
from infra.simulator.instances import Instance, InstancePool
from infra.simulator.keeping import Keeping
from infra.simulator.profile import Profile
from infra.simulator.providers import Server, SimulatedProvider, provider_faults
from infra.simulator.receivers import Receivers, SimulatedEndpoints, post_faults
from infra.simulator.store import (
    Database,
    SimulatedAccounts,
    SimulatedDurations,
    SimulatedJobs,
    SimulatedLists,
    store_faults,
)
from infra.simulator.topics import Broker, SimulatedTopics, topic_faults
from infra.simulator.workers import SimulatedWorkers
from infra.verification.history import Run, UsableResult
from relay.application.job_controls import JobControls
from relay.application.job_creator import JobCreator
from relay.application.provider_lists import ListReader
from relay.application.pump import Pump
from relay.assembly import (
    CALLBACK_READERS,
    CONCURRENCY,
    EDGE_PATIENCE_S,
    PUMP_PATIENCE_S,
    Adapters,
    CreatePolicy,
    Relay,
)
from relay.domain.callback import CALLBACKS
from relay.errors import JobNotFound, RelayError, StoreUnavailable, UnreadableJob


class Deployment:
    """Four functions of several instances each, on one store and its topics.

    Args:
        lists: The lists that every provider has.
    """

    def __init__(self, env: Environment, profile: Profile, *, lists: Sequence[str]) -> None:
        self.env = env
        self.lists = lists
        self.profile = profile
        self.store_faults = store_faults(profile)
        self.topic_faults = topic_faults(profile)
        self._provider_faults = provider_faults(profile)
        self.database = Database(env)
        self.broker = Broker(env, profile, self._push)
        self.callbacks_under_way = 0
        self.servers = {
            name: Server(env, profile, name, self._plan_callback, self.database.plan_outage)
            for name in profile.providers
        }
        self.apis = InstancePool(env, profile, "api", profile.apis)
        self.webhooks = InstancePool(env, profile, "webhook", profile.webhooks)
        self.pumps = InstancePool(env, profile, "pump", profile.pumps)
        self.receivers = Receivers(env, profile.callbacks)
        self._post_faults = post_faults(profile)
        # Without callbacks, nothing is drawn for them.
        self.deliverers = (
            InstancePool(env, profile, "deliverer", profile.callbacks.pumps)
            if profile.callbacks.is_on
            else None
        )
        self.keepers = (
            InstancePool(env, profile, "keeper", profile.keeping.keepers)
            if profile.keeping.is_on
            else None
        )
        self.broker.subscribe(Keeping(self, profile.keeping).take)
        self._relays: dict[Instance, Relay] = {}
        self._requests = count(1)

    def relay(self, instance: Instance) -> Relay:
        """Return the relay that runs on an instance, put together on first use."""
        if instance not in self._relays:
            self._relays[instance] = Relay(self._adapters(instance), patience_s=EDGE_PATIENCE_S)
        return self._relays[instance]

    def creator(self, instance: Instance) -> JobCreator:
        """Return what takes new jobs on this instance."""
        policy = CreatePolicy(accounts=self.profile.providers, allow_callbacks=True)
        return self.relay(instance).creator(policy)

    def controls(self, instance: Instance) -> JobControls:
        """Return what cancels and retries jobs on this instance."""
        return self.relay(instance).controls(self.creator(instance))

    def list_reader(self, instance: Instance) -> ListReader:
        """Return what reads the providers' lists on this instance."""
        return ListReader(
            self._adapters(instance).lists,
            waker=self.relay(instance).waker,
            clock=instance,
            accounts=self.profile.providers,
        )

    def _adapters(self, instance: Instance) -> Adapters:
        jobs = SimulatedJobs(
            self.database, instance, self.store_faults, slow_pages=self.profile.slow_pages
        )
        return Adapters(
            jobs=jobs,  # type: ignore[arg-type]
            accounts=SimulatedAccounts(self.database, instance, self.store_faults),
            durations=SimulatedDurations(self.database, instance, self.store_faults),
            lists=SimulatedLists(self.database, instance, self.store_faults),
            topics=SimulatedTopics(self.broker, instance, self.topic_faults),
            clock=instance,
            draw=self.env.rng.random,
            random_bytes=self.env.rng.randbytes,
            open_workers=partial(SimulatedWorkers, instance),
            is_stopping=lambda: False,
        )

    def is_quiet(self) -> bool:
        """Return whether nothing is under way and no document waits, but for what takes days.

        That is, for callbacks and copies.
        """
        pools = [pool for pool in (self.deliverers, self.keepers) if pool is not None]
        later = sum(len(one.flows) for pool in pools for one in pool.instances)
        return (
            self.env.flows == later
            and self.callbacks_under_way == 0
            and not any(self.broker.undelivered[name] for name in self.profile.providers)
            and self.database.jobs.is_quiet()
        )

    def is_busy(self) -> bool:
        """Return whether anything at all is running, or about to."""
        return self.env.flows > 0 or any(self.broker.undelivered.values())

    def due(self) -> Mapping[str, float]:
        """Return when each account's pump, or the callbacks', has something to do next."""
        jobs = self.database.jobs
        due = {name: jobs.next_wake_s(name) for name in self.profile.providers}
        due[CALLBACKS] = jobs.next_delivery_s()
        return {name: at_s for name, at_s in due.items() if at_s is not None}

    def _push(self, account: str, done: Callable[[bool], None]) -> None:
        if account == CALLBACKS:
            self._push_to_deliverer(done)
        else:
            self._push_to_pump(account, done)

    def _push_to_deliverer(self, done: Callable[[bool], None]) -> None:
        assert self.deliverers is not None  # noqa: S101 - no callbacks, no ticks
        instance = self.deliverers.pick()
        accounts = SimulatedAccounts(self.database, instance, self.store_faults)
        relay = Relay(
            replace(self._adapters(instance), accounts=accounts), patience_s=PUMP_PATIENCE_S
        )
        endpoints = SimulatedEndpoints(
            self.receivers, instance, self._post_faults, accounts=accounts
        )
        pump = relay.callbacks_pump(endpoints, keys=KEYS, window_s=self.profile.window_s)
        self._run_pump(CALLBACKS, instance, pump, done)

    def _push_to_pump(self, account: str, done: Callable[[bool], None]) -> None:
        instance = self.pumps.pick()
        profile = self.profile
        accounts = SimulatedAccounts(self.database, instance, self.store_faults)
        relay = Relay(
            replace(self._adapters(instance), accounts=accounts), patience_s=PUMP_PATIENCE_S
        )
        # What an instance has learnt outlives a run; a lease does not.
        relay.learner = self.relay(instance).learner
        provider = SimulatedProvider(
            self.servers[account],
            instance,
            profile,
            self._provider_faults,
            accounts.has_lease,
            self.lists,
        )
        pump = relay.pump(
            provider,
            window_s=profile.window_s,
            weights=profile.weights,
            concurrency=replace(CONCURRENCY, calls=profile.workers),
        )
        self._run_pump(account, instance, pump, done)

    def _run_pump(
        self, account: str, instance: Instance, pump: Pump, done: Callable[[bool], None]
    ) -> None:
        self.env.note(instance.name, f"tick for {account}")

        def run() -> None:
            worked, began_s = False, self.env.now_s
            try:
                pump.run()
                worked = True
                self.env.note(instance.name, f"pump for {account} done")
            except StoreUnavailable:
                self.env.note(instance.name, f"pump for {account} failed")
            finally:
                until_s = min(self.env.now_s, began_s + self.profile.window_s)
                self.env.history.runs.append(Run(at_s=began_s, until_s=until_s, provider=account))
                done(worked)

        instance.spawn("pump", run, delay_s=0.001)

    def _plan_callback(self, provider: str, job_id: str, body: object, in_s: float) -> None:
        self.callbacks_under_way += 1
        self.env.after(in_s, partial(self._call_back, provider, job_id, body, 0))

    def _call_back(self, provider: str, job_id: str, body: object, failures: int) -> None:
        instance = self.webhooks.pick()
        callbacks = self.relay(instance).callback_receiver()
        env = self.env
        said = CALLBACK_READERS[provider](body)
        result = UsableResult(
            at_s=env.now_s,
            job_id=job_id,
            by="callback",
            provider_job_id=said.provider_job_id,
            outputs=said.outputs,
        )
        if said.outputs:
            env.history.results.append(result)

        def run() -> None:
            status = 0
            try:
                env.note(instance.name, f"callback for {job_id}: {body}")
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
            env.note(instance.name, f"callback for {job_id} answered {status or 'not at all'}")
            if status in (0, 503) and failures < 2 and env.rng.random() < 0.5:
                delay_s = env.rng.uniform(1.0, 60.0)
                env.after(delay_s, partial(self._call_back, provider, job_id, body, failures + 1))
                return
            self.callbacks_under_way -= 1

        number = next(self._requests)
        try:
            instance.spawn(f"callback{number}", run)
        except Crashed:
            answered(0)
