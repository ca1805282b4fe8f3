"""Pumps of any account in this process: the product's, on the emulator, before a made-up provider.

There are two accounts in the catalogue; what is made up here stands in for more of them.
"""

import random
import secrets
import time
from functools import partial

from google.cloud import firestore

from infra.bench.jobs import OUTPUT, TIME_TO_LIVE
from relay.adapters.firestore import FirestoreAccounts, FirestoreDurations, FirestoreJobs
from relay.adapters.system import SystemClock, WorkerThreads
from relay.application.announcer import Announcer
from relay.application.learning import Learning
from relay.application.pump import Pump
from relay.application.pump_run import PumpPorts
from relay.application.store import JobStore
from relay.bootstrap import CONCURRENCY, PUMP_PATIENCE_S
from relay.domain.answers import Accepted, Reading, Rendered
from relay.domain.catalogue import CATALOGUE
from relay.domain.job import Announcement, Job
from relay.domain.limits import Limit

NO_LIMIT = Limit(calls=1_000_000, window_s=1.0)


class PatientProvider:
    """Takes every job, after a while, and has every render ready when it is asked.

    Attributes:
        submitted: When each submission began, on the monotonic clock.
    """

    def __init__(self, name: str, *, limit: Limit, takes_s: float) -> None:
        self.name = name
        self.limit = limit
        self.rhythm = CATALOGUE["gepetto"].rhythm
        self.submitted: list[float] = []
        self._takes_s = takes_s

    def submit(self, job: Job) -> Accepted:
        """See `Provider`."""
        self.submitted.append(time.monotonic())
        time.sleep(self._takes_s)
        return Accepted(provider_job_id=f"ref-{job.id}", provider_status="pending")

    def poll(self, job: Job) -> Reading:
        """See `Provider`."""
        del job
        time.sleep(self._takes_s)
        return Rendered(outputs=(OUTPUT,), provider_status="success")


class SilentTopics:
    """Topics that take everything at once."""

    def publish_event(self, job: Job, event: Announcement) -> None:
        """See `Topics`."""

    def publish_tick(self, account: str) -> None:
        """See `Topics`."""


def pump(client: firestore.Client, provider: PatientProvider, *, window_s: float) -> Pump:
    """Return a pump as `relay.bootstrap` makes them, but for the provider and the topics."""
    clock = SystemClock()
    documents = FirestoreJobs(client, time_to_live=TIME_TO_LIVE)
    store = JobStore(documents, clock=clock, draw=random.random, patience_s=PUMP_PATIENCE_S)
    topics = SilentTopics()
    ports = PumpPorts(
        documents=documents,
        store=store,
        accounts=FirestoreAccounts(client),
        announcer=Announcer(store=store, topics=topics),
        topics=topics,
        provider=provider,
        owners=documents,
        learning=Learning(
            FirestoreDurations(client), account=provider.name, rhythm=provider.rhythm, clock=clock
        ),
        clock=clock,
        draw=random.random,
        new_token=partial(secrets.token_hex, 8),
        concurrency=CONCURRENCY,
        open_workers=WorkerThreads,
        weights={},
        is_stopping=lambda: False,
    )
    return Pump(ports, window_s=window_s)
