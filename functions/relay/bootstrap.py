"""Puts the parts together, once per worker, each function with what it alone needs."""

import functools
import os
import random
import secrets
import threading
from collections.abc import Callable
from typing import TypeVar

from google.cloud import firestore

from relay import config, logs
from relay.adapters.firestore import FirestoreAccounts, FirestoreDurations, FirestoreJobs
from relay.adapters.providers.gepetto import Gepetto
from relay.adapters.providers.gepetto import read_callback as read_gepetto_callback
from relay.adapters.providers.spacely import Spacely
from relay.adapters.providers.spacely import read_callback as read_spacely_callback
from relay.adapters.pubsub import PubSubTopics, publisher
from relay.adapters.system import SystemClock, WorkerThreads, is_server_stopping
from relay.adapters.transport import Transport
from relay.application.announcer import Announcer
from relay.application.callbacks import Callbacks
from relay.application.cancelling import Cancelling
from relay.application.creating import Creating
from relay.application.learning import Learning
from relay.application.listing import Listing
from relay.application.overview import Overview
from relay.application.places import large_page_places, wait_places
from relay.application.ports import Provider
from relay.application.progress import ProgressReader
from relay.application.pump import Pump
from relay.application.pump_run import Concurrency, PumpPorts
from relay.application.quota import OpenJobsQuota
from relay.application.reading import Reading
from relay.application.retrying import Retrying
from relay.application.store import JobStore
from relay.application.waking import Waker
from relay.config import AccountSettings, Common, PumpSettings
from relay.domain.catalogue import CATALOGUE
from relay.domain.job import Job
from relay.domain.tokens import callback_url
from relay.edges.api import Api, ApiPorts
from relay.edges.tick import Ticks
from relay.edges.webhook import Webhook

T = TypeVar("T")

# A caller waits for these; a pump has nobody waiting and more to lose.
EDGE_PATIENCE_S = 8.0
PUMP_PATIENCE_S = 20.0
CONCURRENCY = Concurrency(calls=32, changes=12, events=8)

CALLBACK_READERS = {"gepetto": read_gepetto_callback, "spacely": read_spacely_callback}


def once_per_worker(build: Callable[[], T]) -> Callable[[], T]:
    """Have something built on the first call, and only once.

    Not built at import: the framework imports us in the gunicorn parent and answers requests
    in a forked worker, and gRPC channels may not survive a fork (grpc/grpc#41725). Locked,
    because functools.cache lets two first requests build two of everything.
    """
    lock = threading.Lock()
    built: list[T] = []

    @functools.wraps(build)
    def get() -> T:
        with lock:
            if not built:
                built.append(build())
            return built[0]

    return get


@once_per_worker
def jobs_api() -> Api:
    """Return the API.

    Raises:
        LookupError: Names every variable that is missing or malformed.
    """
    settings = config.api_settings(os.environ)
    parts = _Parts(settings.common, patience_s=EDGE_PATIENCE_S)
    creating = Creating(
        store=parts.store,
        waker=parts.waker,
        clock=parts.clock,
        accounts=frozenset(settings.limits),
        allow_local_urls=settings.allow_local_urls,
        random_bytes=secrets.token_bytes,
        allow_raw=settings.raw_operations,
        quota=OpenJobsQuota(parts.documents, clock=parts.clock, most=settings.max_open_jobs),
    )
    accounts = FirestoreAccounts(parts.client)
    ports = ApiPorts(
        creating=creating,
        reading=Reading(store=parts.store, clock=parts.clock),
        listing=Listing(listings=parts.documents, store=parts.store),
        cancelling=Cancelling(store=parts.store, announcer=parts.announcer, clock=parts.clock),
        retrying=Retrying(
            store=parts.store, creating=creating, announcer=parts.announcer, clock=parts.clock
        ),
        overview=Overview(accounts=accounts, counts=parts.documents, limits=settings.limits),
        progress=ProgressReader(
            accounts=accounts, durations=FirestoreDurations(parts.client), clock=parts.clock
        ),
        waits=wait_places(threads=settings.threads),
        large_pages=large_page_places(),
    )
    return Api(ports, tenants=settings.tenants)


@once_per_worker
def provider_webhook() -> Webhook:
    """Return the receiver of callbacks.

    Raises:
        LookupError: As `jobs_api`.
    """
    settings = config.webhook_settings(os.environ)
    parts = _Parts(settings.common, patience_s=EDGE_PATIENCE_S)
    return Webhook(
        callbacks=Callbacks(
            store=parts.store,
            announcer=parts.announcer,
            waker=parts.waker,
            clock=parts.clock,
            readers=CALLBACK_READERS,
            learning={name: parts.learning(name) for name in CALLBACK_READERS},
        ),
        keys=settings.webhook_keys,
        providers=CALLBACK_READERS.keys(),
    )


@once_per_worker
def poll_tick() -> Ticks:
    """Return the runner of pumps.

    Raises:
        LookupError: As `jobs_api`.
    """
    settings = config.pump_settings(os.environ)
    parts = _Parts(settings.common, patience_s=PUMP_PATIENCE_S)
    accounts = FirestoreAccounts(parts.client)
    learning = {name: parts.learning(name) for name in settings.accounts}

    def pump(name: str) -> Pump:
        ports = PumpPorts(
            documents=parts.documents,
            store=parts.store,
            accounts=accounts,
            announcer=parts.announcer,
            topics=parts.topics,
            provider=_provider(name, settings),
            owners=parts.documents,
            learning=learning[name],
            clock=parts.clock,
            draw=random.random,
            new_token=lambda: secrets.token_hex(8),
            concurrency=CONCURRENCY,
            open_workers=WorkerThreads,
            weights=settings.tenant_weights,
            is_stopping=is_server_stopping,
        )
        return Pump(ports, window_s=settings.window_s)

    return Ticks({name: functools.partial(pump, name) for name in settings.accounts})


class _Parts:
    """What all three functions are made of."""

    def __init__(self, common: Common, *, patience_s: float) -> None:
        logs.configure(level=common.log_level, project=common.project)
        self.clock = SystemClock()
        self.client = firestore.Client(project=common.project, database=common.database)
        self.documents = FirestoreJobs(self.client, time_to_live=common.time_to_live)
        self.store = JobStore(
            self.documents, clock=self.clock, draw=random.random, patience_s=patience_s
        )
        self.topics = PubSubTopics(
            publisher(),
            project=common.project,
            completions_topic=common.completions_topic,
            ticks_topic=common.ticks_topic,
        )
        self.announcer = Announcer(store=self.store, topics=self.topics)
        self.waker = Waker(topics=self.topics, clock=self.clock)

    def learning(self, account: str) -> Learning:
        """Return what learns how long this account's renders take."""
        return Learning(
            FirestoreDurations(self.client),
            account=account,
            rhythm=CATALOGUE[account].rhythm,
            clock=self.clock,
        )


def _provider(name: str, settings: PumpSettings) -> Provider:
    account: AccountSettings = settings.accounts[name]
    transport = Transport()

    if name == "spacely":
        return Spacely(
            transport=transport,
            base_url=account.base_url,
            api_key=account.api_key,
            limit=account.limit,
        )

    def webhook_url(job: Job) -> str:
        return callback_url(
            settings.webhook_base_url,
            settings.webhook_keys[0],
            provider=job.provider,
            job_id=job.id,
        )

    return Gepetto(
        transport=transport,
        base_url=account.base_url,
        api_key=account.api_key,
        limit=account.limit,
        webhook_url=webhook_url,
    )
