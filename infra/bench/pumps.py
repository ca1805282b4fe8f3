"""Pumps of any account in this process: the product's, on the emulator, before a made-up provider.

There are two accounts in the catalogue; what is made up here stands in for more of them.
"""

import random
import secrets
import time

from infra.bench.jobs import OUTPUT, TIME_TO_LIVE
from relay.adapters.database import Database
from relay.adapters.firestore import FirestoreAccounts, FirestoreDurations, FirestoreJobs
from relay.adapters.runtime import SystemClock, WorkerThreads
from relay.application.pump import Pump
from relay.assembly import PUMP_PATIENCE_S, Adapters, Relay
from relay.domain.answers import Accepted, PollAnswer, Rendered
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
        self.poll_policy = CATALOGUE["gepetto"].poll_policy
        self.submitted: list[float] = []
        self._takes_s = takes_s

    def submit(self, job: Job) -> Accepted:
        """See `Provider`."""
        self.submitted.append(time.monotonic())
        time.sleep(self._takes_s)
        return Accepted(provider_job_id=f"ref-{job.id}", provider_status="pending")

    def poll(self, job: Job) -> PollAnswer:
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


def pump(database: Database, provider: PatientProvider, *, window_s: float) -> Pump:
    """Return a pump as it is deployed, but for the provider and the topics."""
    adapters = Adapters(
        jobs=FirestoreJobs(database, time_to_live=TIME_TO_LIVE),
        accounts=FirestoreAccounts(database),
        durations=FirestoreDurations(database),
        topics=SilentTopics(),
        clock=SystemClock(),
        draw=random.random,
        random_bytes=secrets.token_bytes,
        open_workers=WorkerThreads,
        is_stopping=lambda: False,
    )
    relay = Relay(adapters, patience_s=PUMP_PATIENCE_S)
    return relay.pump(provider, window_s=window_s, weights={})
