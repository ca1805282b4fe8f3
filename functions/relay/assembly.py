"""Assembles the relay from adapters: the only composition root.

The deployed functions pass in the real adapters; the simulator, the benchmarks and the tests pass
in their own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

from relay.adapters.providers.gepetto import read_callback as read_gepetto_callback
from relay.adapters.providers.spacely import read_callback as read_spacely_callback
from relay.application.announcer import Announcer
from relay.application.batch_creator import BatchCreator
from relay.application.callback_receiver import CallbackReceiver
from relay.application.deliverer import Deliverer
from relay.application.delivery_run import (
    MAX_DELIVERIES,
    DeliveryDependencies,
    DeliveryRun,
)
from relay.application.duration_learner import DurationLearner
from relay.application.job_controls import JobControls
from relay.application.job_creator import CreatePolicy as CreatePolicy
from relay.application.job_creator import JobCreator
from relay.application.job_reader import JobReader
from relay.application.output_keeper import OutputKeeper
from relay.application.overview import Overview
from relay.application.picture_reader import PictureReader
from relay.application.ports import (
    Accounts,
    CallbackReader,
    Clock,
    Downloads,
    DurationsDocuments,
    Endpoints,
    Jobs,
    ListDocuments,
    OutputBucket,
    Provider,
    Topics,
    Workers,
)
from relay.application.progress import ProgressReader
from relay.application.provider_lists import ListReader
from relay.application.pump import OpenRun, Pump, PumpSetup
from relay.application.pump_run import Concurrency, PumpDependencies, PumpRun
from relay.application.slots import large_answer_slots, picture_slots, wait_slots
from relay.application.store import JobStore
from relay.application.traced_ports import TracedProvider, TracedTopics
from relay.application.tracer import UNTRACED, Tracer
from relay.application.waker import Waker
from relay.domain.callback import CALLBACKS
from relay.domain.catalogue import CATALOGUE
from relay.domain.limits import Limit
from relay.domain.poll_policy import PollPolicy
from relay.edges.api import Api
from relay.edges.console import Console
from relay.edges.push import Completions, Ticks
from relay.edges.webhook import Webhook
from relay.job_view import callback_json

# Retry budgets: an edge has a caller waiting; a pump has none, and more to lose.
EDGE_PATIENCE_S = 8.0
PUMP_PATIENCE_S = 20.0
CONCURRENCY = Concurrency(calls=32, changes=12, events=8)

# The callbacks' lease counts no calls.
UNCOUNTED = Limit(calls=1, window_s=1.0)

CALLBACK_READERS: Mapping[str, CallbackReader] = {
    "gepetto": read_gepetto_callback,
    "spacely": read_spacely_callback,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """All adapters that the relay needs.

    Attributes:
        draw: Returns a random number from 0 to 1.
        random_bytes: Returns that many unguessable bytes.
        open_workers: Starts that many workers.
        is_stopping: Whether the server was told to stop.
        tracer: Records the steps of jobs, if that is switched on.
    """

    jobs: Jobs
    accounts: Accounts
    durations: DurationsDocuments
    lists: ListDocuments
    topics: Topics
    clock: Clock
    draw: Callable[[], float]
    random_bytes: Callable[[int], bytes]
    open_workers: Callable[[int], Workers]
    is_stopping: Callable[[], bool]
    tracer: Tracer = UNTRACED


class Relay:
    """One instance of the relay, whichever function it runs.

    Args:
        patience_s: The retry budget for one store operation, in seconds.
    """

    def __init__(self, adapters: Adapters, *, patience_s: float) -> None:
        if adapters.tracer is not UNTRACED:
            adapters = replace(adapters, topics=TracedTopics(adapters.topics, adapters.tracer))
        self._adapters = adapters
        self.store = JobStore(
            adapters.jobs, clock=adapters.clock, draw=adapters.draw, patience_s=patience_s
        )
        self.waker = Waker(topics=adapters.topics, clock=adapters.clock)
        self.announcer = Announcer(
            store=self.store, topics=adapters.topics, waker=self.waker, clock=adapters.clock
        )
        self.learner = cache(self._learner)

    def creator(self, policy: CreatePolicy) -> JobCreator:
        """Return the service that creates jobs."""
        adapters = self._adapters
        return JobCreator(
            policy=policy,
            store=self.store,
            counts=adapters.jobs,
            waker=self.waker,
            clock=adapters.clock,
            random_bytes=adapters.random_bytes,
            tracer=adapters.tracer,
        )

    def reader(self) -> JobReader:
        """Return the service that reads jobs."""
        return JobReader(listings=self._adapters.jobs, store=self.store, clock=self._adapters.clock)

    def controls(self, creator: JobCreator) -> JobControls:
        """Return the service that cancels and retries jobs, and delivers callbacks again."""
        return JobControls(
            store=self.store,
            creator=creator,
            announcer=self.announcer,
            waker=self.waker,
            clock=self._adapters.clock,
        )

    def api(
        self,
        policy: CreatePolicy,
        *,
        limits: Mapping[str, Limit],
        tenants: Mapping[str, str],
        threads: int,
        downloads: Downloads,
        callback_keys: Sequence[str],
        bucket: OutputBucket | None = None,
    ) -> Api:
        """Return the function `jobs_api`.

        Args:
            limits: The limit of each account that is switched on.
            tenants: The tenant of each key, by the key's SHA-256 digest in hex.
            threads: How many requests the instance answers at a time.
            callback_keys: `CALLBACK_KEYS`; empty where callbacks are not switched on.
            bucket: Of the kept outputs; None where there is none.
        """
        adapters = self._adapters
        creator = self.creator(policy)
        reader = self.reader()
        return Api(
            creator=creator,
            batches=BatchCreator(creator=creator, waker=self.waker, clock=adapters.clock),
            reader=reader,
            controls=self.controls(creator),
            overview=Overview(accounts=adapters.accounts, counts=adapters.jobs, limits=limits),
            progress=ProgressReader(
                accounts=adapters.accounts, durations=adapters.durations, clock=adapters.clock
            ),
            lists=ListReader(
                adapters.lists, waker=self.waker, clock=adapters.clock, accounts=limits.keys()
            ),
            pictures=PictureReader(
                reader=reader, downloads=downloads, slots=picture_slots(), clock=adapters.clock
            ),
            console=Console(local_urls=policy.allow_local_urls),
            waits=wait_slots(threads=threads),
            large_answers=large_answer_slots(),
            tenants=tenants,
            callback_keys=callback_keys,
            bucket=bucket,
        )

    def callback_receiver(self) -> CallbackReceiver:
        """Return the service that applies providers' callbacks."""
        return CallbackReceiver(
            store=self.store,
            announcer=self.announcer,
            waker=self.waker,
            clock=self._adapters.clock,
            readers=CALLBACK_READERS,
            learners={
                name: self.learner(name, CATALOGUE[name].poll_policy) for name in CALLBACK_READERS
            },
            tracer=self._adapters.tracer,
        )

    def webhook(self, *, keys: Sequence[str]) -> Webhook:
        """Return the function `provider_webhook`.

        Args:
            keys: `WEBHOOK_KEYS`.
        """
        return Webhook(
            callbacks=self.callback_receiver(), keys=keys, providers=CALLBACK_READERS.keys()
        )

    def pump(
        self,
        provider: Provider,
        *,
        window_s: float,
        weights: Mapping[str, int],
        concurrency: Concurrency = CONCURRENCY,
    ) -> Pump:
        """Return the pump of a provider's account.

        Args:
            window_s: How long one tick may work; 0 makes one pass over what is due.
            weights: The tenants' weights; 1 where not named.
        """
        adapters = self._adapters
        if adapters.tracer is not UNTRACED:
            provider = TracedProvider(provider, adapters.tracer)
        deps = PumpDependencies(
            documents=adapters.jobs,
            store=self.store,
            lists=adapters.lists,
            announcer=self.announcer,
            provider=provider,
            owners=adapters.jobs,
            learner=self.learner(provider.name, provider.poll_policy),
            clock=adapters.clock,
            draw=adapters.draw,
            new_token=self._new_token,
            concurrency=concurrency,
            open_workers=adapters.open_workers,
            weights=weights,
            is_stopping=adapters.is_stopping,
        )
        return self._pump(
            provider.name,
            limit=provider.limit,
            at_once=concurrency.calls,
            window_s=window_s,
            open_run=partial(PumpRun, deps),
        )

    def ticks(
        self,
        providers: Mapping[str, Callable[[], Provider]],
        *,
        window_s: float,
        weights: Mapping[str, int],
    ) -> Ticks:
        """Return the function `poll_tick` for these accounts.

        Args:
            providers: Makes each account's provider; every pump gets its own.
        """

        def pump(open_provider: Callable[[], Provider]) -> Pump:
            return self.pump(open_provider(), window_s=window_s, weights=weights)

        return Ticks({name: partial(pump, one) for name, one in providers.items()})

    def callbacks_pump(self, endpoints: Endpoints, *, keys: Sequence[str], window_s: float) -> Pump:
        """Return the pump that delivers callbacks.

        Args:
            keys: `CALLBACK_KEYS`.
            window_s: As for `pump`.
        """
        adapters = self._adapters

        def open_deliverer(may_call: Callable[[], bool]) -> Deliverer:
            return Deliverer(
                store=self.store,
                endpoints=endpoints,
                bodies=callback_json,
                keys=keys,
                clock=adapters.clock,
                may_call=may_call,
                tracer=adapters.tracer,
            )

        deps = DeliveryDependencies(
            documents=adapters.jobs,
            open_deliverer=open_deliverer,
            clock=adapters.clock,
            open_workers=adapters.open_workers,
            is_stopping=adapters.is_stopping,
        )
        return self._pump(
            CALLBACKS,
            limit=UNCOUNTED,
            at_once=MAX_DELIVERIES,
            window_s=window_s,
            open_run=partial(DeliveryRun, deps),
        )

    def callback_ticks(
        self, endpoints: Endpoints, *, keys: Sequence[str], window_s: float
    ) -> Ticks:
        """Return the function `deliver_callbacks`; see `callbacks_pump`."""
        return Ticks(
            {CALLBACKS: partial(self.callbacks_pump, endpoints, keys=keys, window_s=window_s)}
        )

    def completions(self, downloads: Downloads, bucket: OutputBucket | None) -> Completions:
        """Return the function `keep_outputs`.

        Args:
            bucket: None where outputs are not kept.
        """
        if bucket is None:
            return Completions(None)
        return Completions(
            OutputKeeper(
                store=self.store,
                downloads=downloads,
                bucket=bucket,
                announcer=self.announcer,
                clock=self._adapters.clock,
                tracer=self._adapters.tracer,
            )
        )

    def _pump(
        self, name: str, *, limit: Limit, at_once: int, window_s: float, open_run: OpenRun
    ) -> Pump:
        adapters = self._adapters
        setup = PumpSetup(
            name=name,
            limit=limit,
            at_once=at_once,
            window_s=window_s,
            accounts=adapters.accounts,
            topics=adapters.topics,
            clock=adapters.clock,
            new_token=self._new_token,
            is_stopping=adapters.is_stopping,
        )
        return Pump(setup, open_run=open_run)

    def _new_token(self) -> str:
        return self._adapters.random_bytes(8).hex()

    def _learner(self, account: str, poll_policy: PollPolicy) -> DurationLearner:
        return DurationLearner(
            self._adapters.durations,
            account=account,
            poll_policy=poll_policy,
            clock=self._adapters.clock,
        )
