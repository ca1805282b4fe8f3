"""What a job costs in Firestore, counted at the real client's channel on the emulator."""

import itertools
from datetime import timedelta

import pytest

from infra.bench.store import QUERY, READ, WRITE, CountingInterceptor, firestore_client, total
from relay.adapters.firestore import FirestoreAccounts, FirestoreJobs, FirestoreLists
from relay.application.job_creator import NewJob
from relay.assembly import CreatePolicy
from relay.domain.answers import Rendered, RenderFailed, StillOpen
from relay.domain.job import Job, OnUnconfirmed, Status
from tests.adapters.conftest import patient_calls
from tests.factories import INPUT, OUTPUT
from tests.fakes import World

pytestmark = pytest.mark.emulator

PENDING = StillOpen(provider_status="pending", is_known_word=True)
_projects = itertools.count(1)


class CountedWorld(World):
    """A world whose documents stand in the Firestore emulator."""

    def __init__(self, host: str) -> None:
        super().__init__()
        self.counting = CountingInterceptor()
        project = f"counts-{next(_projects)}"
        self.client = firestore_client(host, project=project, interceptors=(self.counting,))
        # Time is virtual here: a call that a slow machine gave up would be counted twice.
        with patient_calls():
            self.jobs = FirestoreJobs(self.client, time_to_live=timedelta(days=30))
            self.accounts = FirestoreAccounts(self.client)
            self.lists = FirestoreLists(self.client)
        self.assemble()
        self.creator = self.relay.creator(CreatePolicy(accounts={"gepetto"}))
        self.callbacks = self.relay.callback_receiver()

    def create(self) -> Job:
        new = NewJob(
            provider="gepetto",
            operation="redesign",
            input=INPUT,
            metadata={},
            deadline_s=900,
            on_unconfirmed=OnUnconfirmed.WAIT,
        )
        return self.creator.create("demo", new, idempotency_key=None).job

    def cost(self, job: Job) -> tuple[int, int]:
        """Return how often the job's document was written and read by its name."""
        name = f"jobs/{job.id}"
        done = self.counting.counts
        return done[WRITE, name], done[READ, name]


@pytest.fixture
def counted(firestore_emulator: str) -> CountedWorld:
    return CountedWorld(firestore_emulator)


def test_a_webhook_job_costs_five_writes_and_two_reads(counted: CountedWorld) -> None:
    job = counted.create()
    counted.pump(window_s=5).run()

    counted.callbacks.receive("gepetto", job.id, {"id": "p-1", "output": OUTPUT})

    assert counted.store.read(job.id).job.status is Status.SUCCEEDED
    assert len(counted.topics.events) == 1
    # Sending and the callback read it; the third read is the test's own.
    assert counted.cost(job) == (5, 2 + 1)


def test_an_early_webhook_costs_no_more(counted: CountedWorld) -> None:
    job = counted.create()
    counted.provider.on_submit(
        lambda job: counted.callbacks.receive("gepetto", job.id, {"id": "p-1", "output": OUTPUT})
    )

    counted.pump(window_s=5).run()

    writes, reads = counted.cost(job)
    assert counted.store.read(job.id).job.status is Status.SUCCEEDED
    assert writes <= 5
    # Sending and the callback read it; the third is the test's own.
    assert reads <= 3


def test_a_job_polled_within_one_window_costs_five_writes_and_two_reads(
    counted: CountedWorld,
) -> None:
    job = counted.create()
    counted.provider.on_poll(PENDING, Rendered(outputs=(OUTPUT,), provider_status="success"))

    counted.pump().run()

    assert len(counted.provider.called("poll")) == 2
    # No query reads an input: it is read by name to be sent, and to be announced.
    assert counted.cost(job) == (5, 2)


def test_a_failed_job_costs_five_writes_and_two_reads(counted: CountedWorld) -> None:
    job = counted.create()
    counted.provider.on_poll(RenderFailed(provider_status="failed"))

    counted.pump().run()

    assert counted.store.read(job.id).job.status is Status.FAILED
    # The third read is the test's own.
    assert counted.cost(job) == (5, 2 + 1)


def test_a_polled_job_costs_at_most_one_more_write_a_window(counted: CountedWorld) -> None:
    job = counted.create()
    windows = 5

    def tick() -> None:
        began_s = counted.clock.monotonic()
        counted.pump(window_s=55).run()
        counted.clock.advance(began_s + 60 - counted.clock.monotonic())

    for _ in range(windows):
        tick()
    polls = len(counted.provider.called("poll"))
    counted.provider.on_poll(Rendered(outputs=(OUTPUT,), provider_status="success"))
    tick()

    writes, reads = counted.cost(job)
    assert counted.store.read(job.id).job.status is Status.SUCCEEDED
    assert polls > windows
    assert writes <= 5 + windows
    assert reads == 2


def test_an_idle_tick_costs_five_queries_the_lease_and_one_read(counted: CountedWorld) -> None:
    counted.pump(window_s=55).run()

    done = counted.counting.counts
    # What is due and what is queued, under the lease and once more after it; what comes next.
    assert total(done, QUERY) == 5
    assert done[WRITE, "accounts/gepetto"] == 2
    assert done[READ, "accounts/gepetto"] == 1
    # Whether somebody asked for a list.
    assert total(done, READ) == 2
    assert done[READ, "listRequests/gepetto"] == 1
