"""What only the real adapter can show: its documents, its errors, and many writers at once."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from google.api_core import exceptions as google
from google.cloud.firestore_v1.services.firestore import FirestoreClient

from infra.memory_store import TIME_TO_LIVE
from relay.adapters.database import EMULATOR_HOST, Database, connect
from relay.adapters.firestore import FirestoreAccounts, FirestoreJobs
from relay.adapters.runtime import SystemClock
from relay.application.ports import JobFilter
from relay.application.store import JobStore
from relay.domain.account import Account
from relay.domain.events import published
from relay.domain.job import Status
from relay.edges.api import MAX_PAGE_BYTES
from relay.errors import JobNotFound, LostRace, StoreUnavailable
from tests.factories import JOB_ID, NOON, a_job, finished_job, processing_job

WRITERS = 8
CHANGES = 40

pytestmark = pytest.mark.emulator


@pytest.fixture
def jobs(database: Database) -> FirestoreJobs:
    return FirestoreJobs(database, time_to_live=TIME_TO_LIVE)


def test_eight_writers_make_forty_changes_to_one_document_and_all_are_there(jobs):
    jobs.create(processing_job())
    store = JobStore(jobs, clock=SystemClock(), draw=lambda: 0.5, patience_s=600.0)
    errors: list[Exception] = []

    def count_a_poll(job):
        return replace(job, polls=job.polls + 1)

    def work():
        try:
            for _ in range(CHANGES // WRITERS):
                store.change(store.read(JOB_ID), count_a_poll)
        except Exception as error:  # noqa: BLE001 - shown by the main thread
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert jobs.read(JOB_ID).job.polls == CHANGES


def test_the_document_has_its_wake_at_only_as_long_as_there_is_something_to_do(
    jobs, firestore_client
):
    done = finished_job(Status.SUCCEEDED)
    version = jobs.create(done)

    jobs.replace(published(done, done.announcements[0].id, at=NOON), version=version)

    document = firestore_client.collection("jobs").document(JOB_ID).get().to_dict()
    assert "wakeAt" not in document
    assert document["expireAt"] == NOON + TIME_TO_LIVE


def test_a_write_over_a_deleted_document_is_not_one(jobs, firestore_client):
    version = jobs.create(a_job())
    firestore_client.collection("jobs").document(JOB_ID).delete()

    with pytest.raises((JobNotFound, LostRace)):
        jobs.replace(processing_job(), version=version)

    with pytest.raises(JobNotFound):
        jobs.read(JOB_ID)


@pytest.mark.parametrize("name", [".", "..", "__x__", "a/b", "", "\ud800"], ids=repr)
def test_a_name_that_no_document_can_have_is_not_found(jobs, name):
    with pytest.raises(JobNotFound):
        jobs.read(name)


@pytest.mark.parametrize(
    "call",
    [
        lambda jobs: jobs.create(a_job()),
        lambda jobs: jobs.read(JOB_ID),
        lambda jobs: jobs.due("gepetto", after=None, until=NOON, limit=1),
        lambda jobs: jobs.set_aside(JOB_ID, until=NOON + timedelta(hours=1)),
    ],
    ids=["create", "read", "due", "set_aside"],
)
def test_a_store_that_nobody_answers_for_is_unavailable(call, silent):
    jobs = FirestoreJobs(silent, time_to_live=TIME_TO_LIVE)

    with pytest.raises(StoreUnavailable):
        call(jobs)


def test_accounts_that_nobody_answers_for_are_unavailable(silent):
    accounts = FirestoreAccounts(silent)

    with pytest.raises(StoreUnavailable):
        accounts.read("gepetto")
    with pytest.raises(StoreUnavailable):
        accounts.replace(Account(name="gepetto"), version=None)


@pytest.fixture
def silent() -> Database:
    """A database behind a port on which nobody listens."""
    return connect("test-nobody", "(default)", env={EMULATOR_HOST: "127.0.0.1:1"})


@pytest.mark.parametrize(
    "ask",
    [
        lambda jobs: jobs.due("gepetto", after=None, until=NOON, limit=1),
        lambda jobs: jobs.count_open("demo", "gepetto", status=Status.QUEUED),
        lambda jobs: jobs.page("demo", JobFilter(), after=None, size=1, max_bytes=MAX_PAGE_BYTES),
        lambda jobs: jobs.find("demo", "gepetto", "6512f0aa"),
        lambda jobs: jobs.is_anothers(processing_job()),
    ],
    ids=["due", "count_open", "page", "find", "is_anothers"],
)
def test_a_query_without_its_index_is_no_lost_race_and_is_logged(jobs, monkeypatch, caplog, ask):
    def refuse(*_args, **_more):
        raise google.FailedPrecondition("The query requires an index.")

    monkeypatch.setattr(FirestoreClient, "run_query", refuse)
    monkeypatch.setattr(FirestoreClient, "run_aggregation_query", refuse)

    with pytest.raises(StoreUnavailable):
        ask(jobs)

    assert [(one.message, one.levelname) for one in caplog.records] == [
        ("query has no index", "ERROR")
    ]
