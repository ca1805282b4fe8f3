"""What the relay relies on of its store, asked of memory and of the Firestore emulator alike."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import chain, product
from typing import Any

import msgspec
import pytest

from infra.memory_store import TIME_TO_LIVE, MemoryAccounts, MemoryJobs
from relay.adapters.firestore import FirestoreAccounts, FirestoreJobs
from relay.application.ports import (
    MAX_SIFTED,
    MAX_SPANS,
    Accounts,
    Cursor,
    JobDocuments,
    JobFilter,
    JobPage,
    Stored,
    StoredAccount,
    Unreadable,
)
from relay.domain.account import Account, given_back
from relay.domain.admission import Hold
from relay.domain.callback import Callback, after_attempt
from relay.domain.delivery_queue import delivery_key, due_keys
from relay.domain.events import published
from relay.domain.job import OPEN, UNREAD, ErrorCode, Status
from relay.domain.queue import FIRST, LAST, Span, keys_of, queue_key
from relay.domain.transitions import cancelled
from relay.edges.api import MAX_PAGE_BYTES
from relay.errors import JobExists, JobNotFound, LostRace, UnreadableJob
from tests.factories import (
    JOB_ID,
    NOON,
    PROVIDER_JOB_ID,
    a_job,
    busy_account,
    finished_job,
    followed_job,
    job_id,
    job_in,
    later,
    processing_job,
)
from tests.fakes import FixedClock

EVERYTHING = Span(FIRST, LAST)
LONG = "küche 🛋".ljust(500, "ü")
STORES = ["memory", pytest.param("firestore", marks=pytest.mark.emulator)]


@pytest.fixture(params=STORES)
def kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    if kind == "firestore":
        request.getfixturevalue("database")
    return kind


@pytest.fixture
def jobs(request: pytest.FixtureRequest, kind: str) -> JobDocuments:
    if kind == "memory":
        return MemoryJobs()
    return FirestoreJobs(request.getfixturevalue("database"), time_to_live=TIME_TO_LIVE)


@pytest.fixture
def accounts(request: pytest.FixtureRequest, kind: str) -> Accounts:
    if kind == "memory":
        return MemoryAccounts(request.getfixturevalue("clock").monotonic)
    return FirestoreAccounts(request.getfixturevalue("database"))


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def nap(clock: FixedClock, kind: str) -> Callable[[float], None]:
    """Let time pass, by the clock of the store."""
    return clock.sleep if kind == "memory" else time.sleep


@pytest.fixture
def put_document(request: pytest.FixtureRequest, kind: str, jobs: Any) -> Any:
    """Write a document past the adapter."""
    if kind == "memory":
        return jobs.put_document
    client = request.getfixturevalue("firestore_client")
    return lambda name, fields: client.collection("jobs").document(name).set(fields)


@pytest.fixture
def document(request: pytest.FixtureRequest, kind: str, jobs: Any) -> Any:
    """Read a document past the adapter."""
    if kind == "memory":
        return jobs.document
    client = request.getfixturevalue("firestore_client")
    return lambda name: client.collection("jobs").document(name).get().to_dict()


@pytest.mark.parametrize("status", Status)
def test_a_job_comes_back_as_it_was_written(jobs, status):
    job = job_in(status)

    version = jobs.create(job)

    assert jobs.read(JOB_ID) == Stored(job, version)


def test_whatever_a_caller_may_send_comes_back_as_it_was(jobs):
    job = a_job(
        input={"a.b": [[1, [2.5, None]], {"": True, "__x__": "\x00 ünï 🛋"}], "big": 10**30},
        metadata={"a.b/`c`": "", "__d__": "🛋"},
        credits=1.5,
    )

    jobs.create(job)

    assert jobs.read(JOB_ID).job == job


def test_a_second_job_of_the_same_id_is_refused(jobs):
    jobs.create(a_job())

    with pytest.raises(JobExists):
        jobs.create(a_job(tenant="other"))

    assert jobs.read(JOB_ID).job.tenant == "demo"


def test_a_job_that_nobody_wrote_is_not_found(jobs):
    with pytest.raises(JobNotFound):
        jobs.read(JOB_ID)


def test_a_document_that_does_not_parse_is_unreadable_and_its_content_stays_unsaid(
    jobs, put_document
):
    put_document(JOB_ID, {"status": "a secret", "input": "{}", "metadata": []})

    with pytest.raises(UnreadableJob) as caught:
        jobs.read(JOB_ID)

    assert JOB_ID in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_write_over_the_version_that_was_read_lands_and_says_the_new_version(jobs):
    first = jobs.create(a_job())

    second = jobs.replace(processing_job(), version=first)
    third = jobs.replace(processing_job(polls=1), version=second)

    assert jobs.read(JOB_ID) == Stored(processing_job(polls=1), third)
    assert len({first, second, third}) == 3


def test_a_write_over_an_older_version_is_a_lost_race_and_changes_nothing(jobs):
    first = jobs.create(a_job())
    jobs.replace(a_job(polls=1), version=first)

    with pytest.raises(LostRace):
        jobs.replace(a_job(polls=2), version=first)

    assert jobs.read(JOB_ID).job.polls == 1


def test_a_write_keeps_what_never_changes_and_what_it_does_not_know(jobs, put_document, document):
    jobs.create(a_job())
    put_document(JOB_ID, {**document(JOB_ID), "fromTheFuture": 1})

    jobs.replace(processing_job(tenant="other"), version=jobs.read(JOB_ID).version)

    assert (document(JOB_ID)["tenant"], document(JOB_ID)["fromTheFuture"]) == ("demo", 1)
    assert jobs.read(JOB_ID).job == processing_job()


def test_a_write_of_a_job_without_its_input_keeps_the_input_and_all_that_never_changes(jobs):
    jobs.create(a_job())
    (queued,) = jobs.queued("gepetto", spans=[EVERYTHING], limit=9)

    jobs.replace(replace(processing_job(tenant="other"), input=UNREAD), version=queued.item.version)

    assert jobs.read(JOB_ID).job == processing_job()


def test_a_write_over_a_document_that_has_gone_does_not_bring_it_back(jobs):
    version = jobs.create(a_job(id=job_id(2)))

    with pytest.raises((JobNotFound, LostRace)):
        jobs.replace(a_job(), version=version)
    with pytest.raises(JobNotFound):
        jobs.read(JOB_ID)


def test_what_became_null_is_null_after_it_was_written_over(jobs):
    version = jobs.create(processing_job(provider_status="pending", error=None))

    jobs.replace(processing_job(provider_status=None, claim=None), version=version)

    job = jobs.read(JOB_ID).job
    assert (job.provider_status, job.claim) == (None, None)


def test_what_is_due_are_the_accounts_jobs_up_to_the_moment_earliest_first(jobs):
    for number, seconds in enumerate([30, 10, 20, 40]):
        jobs.create(processing_job(id=job_id(number), call_at=later(seconds)))
    jobs.create(processing_job(id=job_id(9), provider="spacely", call_at=NOON))

    page = jobs.due("gepetto", after=None, until=later(30), limit=10)

    assert [item.job.id for item in page.items] == [job_id(1), job_id(2), job_id(0)]
    assert page.more_after is None
    read = jobs.read(job_id(1))
    assert page.items[0] == Stored(replace(read.job, input=UNREAD), read.version)


def test_what_is_due_can_be_asked_from_a_moment_on(jobs):
    for number in range(3):
        jobs.create(a_job(id=job_id(number), call_at=later(number)))

    page = jobs.due("gepetto", after=NOON, until=later(9), limit=10)

    assert [item.job.id for item in page.items] == [job_id(1), job_id(2)]


@pytest.mark.parametrize("limit", [2, 3, 5])
def test_page_by_page_nothing_that_is_due_is_left_out(jobs, limit):
    for number, seconds in enumerate([0, 1, 1, 2, 2, 3, 4]):
        jobs.create(a_job(id=job_id(number), call_at=later(seconds)))
    found: set[str] = set()
    after, pages = None, 0

    while True:
        page = jobs.due("gepetto", after=after, until=later(9), limit=limit)
        found |= {item.job.id for item in page.items}
        after, pages = page.more_after, pages + 1
        if after is None:
            break
        assert pages < 20

    assert found == {job_id(number) for number in range(7)}


def test_a_due_document_that_does_not_parse_is_shown_as_such_among_the_others(jobs, put_document):
    put_document(job_id(9), {"account": "gepetto", "wakeAt": NOON})
    jobs.create(a_job(call_at=NOON))

    page = jobs.due("gepetto", after=None, until=NOON, limit=10)

    unreadable = [item for item in page.items if isinstance(item, Unreadable)]
    assert [item.job_id for item in unreadable] == [job_id(9)]
    assert len(page.items) == 2


def with_callback(number, *, url, seconds=0.0, **changes):
    done = finished_job(Status.FAILED, id=job_id(number), callback=Callback(url=url), **changes)
    return published(done, done.announcements[0].id, at=later(seconds))


def test_callbacks_are_found_by_tenant_endpoint_and_age_in_this_order(jobs):
    jobs.create(with_callback(1, url="https://b.example.com/", tenant="one"))
    jobs.create(with_callback(2, url="https://a.example.com/", seconds=9, tenant="one"))
    jobs.create(with_callback(3, url="https://a.example.com/x", seconds=3, tenant="one"))
    jobs.create(with_callback(4, url="https://a.example.com/", tenant="another/one"))
    jobs.create(finished_job(Status.FAILED, id=job_id(5), callback=Callback(url="https://a.eu/")))

    everything = jobs.deliveries(span=Span(FIRST, LAST), limit=9)
    due = jobs.deliveries(span=due_keys("one", "a.example.com:443", at=later(8)), limit=9)
    first = jobs.deliveries(span=keys_of("one"), limit=1)

    assert [one.item.job.id for one in everything] == [job_id(n) for n in (4, 3, 2, 1)]
    assert [one.key for one in everything] == [delivery_key(one.item.job) for one in everything]
    assert [one.item.job.id for one in due] == [job_id(3)]
    assert [one.item.job.id for one in first] == [job_id(3)]


def test_a_callback_that_was_delivered_is_not_found_again(jobs):
    job = with_callback(1, url="https://a.example.com/")
    version = jobs.create(job)
    done = after_attempt(
        job.callback, job.callback.pending, http_status=200, retry_after_s=None, at=NOON
    )

    jobs.replace(replace(job, callback=done), version=version)

    assert jobs.deliveries(span=Span(FIRST, LAST), limit=9) == []
    assert jobs.read(job.id).job.callback == done


def test_a_job_with_nothing_left_to_do_is_never_due(jobs):
    done = finished_job(Status.SUCCEEDED)
    version = jobs.create(done)

    jobs.replace(published(done, done.announcements[0].id, at=NOON), version=version)

    page = jobs.due("gepetto", after=None, until=later(10**6), limit=10)
    assert list(page.items) == []


def test_a_queue_has_the_accounts_jobs_in_its_spans_in_order_without_their_input(jobs):
    for number, tenant in enumerate(["b", "a", "c", "a", "d"]):
        jobs.create(a_job(id=job_id(number), tenant=tenant, created_at=later(number)))
    jobs.create(a_job(id=job_id(8), tenant="a", provider="spacely"))
    jobs.create(processing_job(id=job_id(9), tenant="a"))
    spans = [keys_of("a"), keys_of("c"), keys_of("d")]

    found = jobs.queued("gepetto", spans=spans, limit=9)

    ids = [job_id(number) for number in (1, 3, 2, 4)]
    assert [one.item.job.id for one in found] == ids
    assert [one.key for one in found] == [queue_key(jobs.read(one).job) for one in ids]
    read = jobs.read(ids[0])
    assert found[0].item == Stored(replace(read.job, input=UNREAD), read.version)


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_queue_is_read_no_further_than_it_is_told(jobs, limit):
    for number, tenant in enumerate(["a", "a", "b", "b"]):
        jobs.create(a_job(id=job_id(number), tenant=tenant, created_at=later(number)))

    found = jobs.queued("gepetto", spans=[keys_of("a"), keys_of("b")], limit=limit)

    assert [one.item.job.id for one in found] == [job_id(number) for number in range(limit)]


def test_both_ends_of_a_span_are_left_out(jobs):
    for number in range(3):
        jobs.create(a_job(id=job_id(number), created_at=later(number)))
    first, _, last = jobs.queued("gepetto", spans=[EVERYTHING], limit=9)

    (found,) = jobs.queued("gepetto", spans=[Span(first.key, last.key)], limit=9)

    assert found.item.job.id == job_id(1)


def test_a_queue_is_read_in_as_many_spans_as_there_may_be(jobs):
    tenants = [f"t-{number:02d}" for number in range(MAX_SPANS)]
    for number, tenant in enumerate(tenants):
        jobs.create(a_job(id=job_id(number), tenant=tenant))

    found = jobs.queued("gepetto", spans=[keys_of(tenant) for tenant in tenants], limit=99)

    assert [one.item.job.tenant for one in found] == tenants


def test_a_queued_document_that_does_not_parse_is_shown_as_such(jobs, put_document):
    put_document(job_id(9), {"account": "gepetto", "queueKey": "demo/01/x"})
    jobs.create(a_job())

    found = jobs.queued("gepetto", spans=[EVERYTHING], limit=9)

    assert [type(one.item) for one in found] == [Stored, Unreadable]
    assert (found[1].key, found[1].item.job_id) == ("demo/01/x", job_id(9))


def test_a_job_that_is_sent_leaves_the_queue(jobs):
    version = jobs.create(a_job())

    jobs.replace(processing_job(), version=version)

    assert list(jobs.queued("gepetto", spans=[EVERYTHING], limit=9)) == []


def test_a_document_that_is_set_aside_keeps_everything_but_its_wake_and_its_place(jobs):
    version = jobs.create(a_job())

    jobs.set_aside(JOB_ID, until=later(600))

    assert list(jobs.queued("gepetto", spans=[EVERYTHING], limit=9)) == []
    assert jobs.read(JOB_ID).job == a_job()
    assert list(jobs.due("gepetto", after=None, until=later(599), limit=9).items) == []
    assert len(jobs.due("gepetto", after=None, until=later(600), limit=9).items) == 1
    with pytest.raises(LostRace):
        jobs.replace(cancelled(a_job(), at=NOON), version=version)


def test_setting_aside_what_is_not_there_makes_no_document(jobs):
    with pytest.raises(JobNotFound):
        jobs.set_aside(JOB_ID, until=later(600))


@pytest.mark.parametrize("name", ["a/b/c", "x" * 2000, "job_ünï🛋"], ids=["path", "long", "odd"])
def test_a_name_that_nobody_gave_is_not_found(jobs, name):
    with pytest.raises(JobNotFound):
        jobs.read(name)


def test_an_account_that_nobody_wrote_is_a_new_one(accounts):
    assert accounts.read("gepetto") == StoredAccount(Account(name="gepetto"), None, 0.0)


def test_an_account_comes_back_as_it_was_written(accounts):
    hold = Hold(
        code=ErrorCode.PROVIDER_AUTH, status=401, since=NOON, probe_at=later(30), gap_s=30.0
    )
    account = replace(busy_account(calls_ago_s=(2.5, -1.0)), hold=hold)

    version = accounts.replace(account, version=None)

    stored = accounts.read("gepetto")
    assert (stored.account, stored.version) == (account, version)


def test_an_account_is_as_old_as_its_last_write_that_changed_something(accounts, nap):
    account = busy_account()
    version = accounts.replace(account, version=None)
    nap(0.2)
    version = accounts.replace(account, version=version)

    assert accounts.read("gepetto").age_s >= 0.2

    began_s = time.monotonic()
    accounts.replace(replace(account, written_at=later(1)), version=version)
    age_s = accounts.read("gepetto").age_s

    assert age_s < 0.1 + time.monotonic() - began_s


def test_of_two_pumps_that_take_a_new_account_one_loses(accounts):
    accounts.replace(Account(name="gepetto", holder="first"), version=None)

    with pytest.raises(LostRace):
        accounts.replace(Account(name="gepetto", holder="second"), version=None)


def test_of_two_pumps_that_take_a_known_account_one_loses(accounts):
    version = accounts.replace(Account(name="gepetto"), version=None)
    accounts.replace(Account(name="gepetto", holder="first"), version=version)

    with pytest.raises(LostRace):
        accounts.replace(Account(name="gepetto", holder="second"), version=version)

    assert accounts.read("gepetto").account.holder == "first"


def test_an_account_forgets_what_is_over(accounts):
    account = busy_account(calls_ago_s=(2.5,))
    version = accounts.replace(account, version=None)

    after = given_back(account, calls_ago_s=(), at=NOON)
    accounts.replace(after, version=version)

    assert accounts.read("gepetto").account == after


def test_a_count_is_of_one_tenants_open_jobs_in_one_account(jobs):
    for number, status in enumerate(Status):
        jobs.create(job_in(status, id=job_id(number)))
    jobs.create(a_job(id=job_id(50), tenant="other"))
    jobs.create(a_job(id=job_id(51), provider="spacely"))

    assert jobs.count_open("demo", "gepetto") == len(OPEN)
    assert jobs.count_open("demo", "gepetto", status=Status.QUEUED) == 1
    assert jobs.count_open("nobody", "gepetto") == 0


@pytest.mark.parametrize(("most", "counted"), [(1, 1), (2, 2), (9, 3), (None, 3)])
def test_a_count_goes_no_further_than_it_is_told(jobs, most, counted):
    for number in range(3):
        jobs.create(a_job(id=job_id(number)))

    assert jobs.count_open("demo", "gepetto", most=most) == counted


def put_one_of_each(jobs):
    """Have a job of every kind in the store, two of each moment, and return them all."""
    kinds = product(
        ["demo", "other"],
        [("gepetto", "redesign"), ("gepetto", "raw"), ("spacely", "raw")],
        [Status.QUEUED, Status.SUCCEEDED],
        [{"room": LONG, "floor": "1"}, {"room": "bad"}],
    )
    made = [
        job_in(
            status,
            id=job_id(number),
            tenant=tenant,
            provider=provider,
            operation=operation,
            metadata=metadata,
            created_at=later(number // 2),
        )
        for number, (tenant, (provider, operation), status, metadata) in enumerate(kinds)
    ]
    for job in made:
        jobs.create(job)
    return made


def walk(jobs, tenant, wanted, size, *, max_bytes=MAX_PAGE_BYTES):
    """Return the ids of all pages, page by page."""
    pages, after = [], None
    while True:
        page = jobs.page(tenant, wanted, after=after, size=size, max_bytes=max_bytes)
        pages.append([job.id for job in page.jobs])
        after = page.end
        if after is None:
            return pages
        assert len(pages) < 50


def test_a_page_has_the_tenants_jobs_that_every_filter_takes_newest_first(jobs):
    made = put_one_of_each(jobs)

    for provider, operation, status, metadata in product(
        [None, "gepetto"], [None, "raw"], [None, Status.QUEUED], [None, ("room", LONG)]
    ):
        statuses = () if status is None else (status,)
        wanted = JobFilter(
            provider=provider, operation=operation, statuses=statuses, metadata=metadata
        )

        page = jobs.page("demo", wanted, after=None, size=100, max_bytes=MAX_PAGE_BYTES)

        expected = [
            job
            for job in made
            if job.tenant == "demo"
            and provider in (None, job.provider)
            and operation in (None, job.operation)
            and status in (None, job.status)
            and (metadata is None or job.metadata["room"] == LONG)
        ]
        assert expected
        expected.sort(key=lambda job: (job.created_at, job.id), reverse=True)
        assert (list(page.jobs), page.end) == (expected, None)


def test_a_page_for_a_filter_that_takes_nothing_is_empty(jobs):
    put_one_of_each(jobs)

    for wanted in (
        JobFilter(provider="spacely", operation="redesign"),
        JobFilter(statuses=(Status.FAILED,)),
        JobFilter(metadata=("room", f"{LONG[:-1]}u")),
        JobFilter(metadata=("floor", LONG)),
        JobFilter(metadata=(LONG, "room")),
    ):
        assert jobs.page("demo", wanted, after=None, size=9, max_bytes=MAX_PAGE_BYTES) == JobPage(
            jobs=[], end=None
        )
    assert jobs.page(
        "nobody", JobFilter(), after=None, size=9, max_bytes=MAX_PAGE_BYTES
    ) == JobPage(jobs=[], end=None)


@pytest.mark.parametrize("size", [1, 2, 3, 12])
def test_pages_go_through_all_jobs_once_also_through_those_of_one_moment(jobs, size):
    made = put_one_of_each(jobs)

    pages = walk(jobs, "demo", JobFilter(), size)

    mine = [job for job in made if job.tenant == "demo"]
    mine.sort(key=lambda job: (job.created_at, job.id), reverse=True)
    assert [len(page) for page in pages] == [size] * (12 // size)
    assert list(chain.from_iterable(pages)) == [job.id for job in mine]


def test_pages_of_a_filter_go_through_what_it_takes(jobs):
    put_one_of_each(jobs)
    wanted = JobFilter(statuses=(Status.SUCCEEDED,), metadata=("room", LONG))

    pages = walk(jobs, "demo", wanted, 1)

    assert pages == [[job_id(10)], [job_id(6)], [job_id(2)]]


def test_a_page_ends_early_where_its_jobs_are_large_and_the_next_goes_on(jobs):
    for number in range(7):
        jobs.create(a_job(id=job_id(number), created_at=later(number), input={"a": "x" * 30_000}))

    pages = walk(jobs, "demo", JobFilter(), 5, max_bytes=100_000)
    one_by_one = walk(jobs, "demo", JobFilter(), 5, max_bytes=1)

    assert pages == [
        [job_id(6), job_id(5), job_id(4)],
        [job_id(3), job_id(2), job_id(1)],
        [job_id(0)],
    ]
    assert one_by_one == [[job_id(number)] for number in reversed(range(7))]


def test_a_page_goes_on_after_a_place_where_there_is_no_job(jobs):
    for number in range(4):
        jobs.create(a_job(id=job_id(number), created_at=later(number)))
    gone = Cursor(later(2) + timedelta(microseconds=1), job_id(99))

    page = jobs.page("demo", JobFilter(), after=gone, size=2, max_bytes=MAX_PAGE_BYTES)

    assert [job.id for job in page.jobs] == [job_id(2), job_id(1)]
    assert page.end == Cursor(later(1), job_id(1))


def test_a_job_that_is_created_meanwhile_is_not_on_a_later_page(jobs):
    for number in range(3):
        jobs.create(a_job(id=job_id(number), created_at=later(number)))
    first = jobs.page("demo", JobFilter(), after=None, size=1, max_bytes=MAX_PAGE_BYTES)

    jobs.create(a_job(id=job_id(9), created_at=later(9)))

    second = jobs.page("demo", JobFilter(), after=first.end, size=9, max_bytes=MAX_PAGE_BYTES)
    assert [job.id for job in second.jobs] == [job_id(1), job_id(0)]


def test_documents_that_do_not_parse_are_left_out_of_a_page_and_do_not_end_it(jobs, put_document):
    for number in (0, 1):
        jobs.create(a_job(id=job_id(number), created_at=later(number)))
    for number in (2, 3):
        put_document(job_id(number), {"tenant": "demo", "createdAt": later(number)})
    put_document(job_id(4), {"tenant": "demo"})

    pages = walk(jobs, "demo", JobFilter(), 1)

    assert pages == [[], [], [job_id(1)], [job_id(0)]]


CREATED = {"created_after": later(1), "created_before": later(5)}
MORE_FILTERS = {
    "two statuses": {"statuses": (Status.QUEUED, Status.SUCCEEDED)},
    "two statuses and more": {
        "statuses": (Status.QUEUED, Status.SUCCEEDED),
        "provider": "gepetto",
        "operation": "raw",
        "metadata": ("room", LONG),
    },
    "created within a time": CREATED,
    "created within a time and more": {
        **CREATED,
        "statuses": (Status.QUEUED, Status.SUCCEEDED),
        "metadata": ("room", LONG),
    },
    "a render": {"provider_job_id": PROVIDER_JOB_ID},
    "a render and more": {"provider_job_id": PROVIDER_JOB_ID, "provider": "gepetto", **CREATED},
}
ENDED = JobFilter(ended_after=NOON - timedelta(seconds=1))


@pytest.mark.parametrize("is_by_end", [False, True], ids=["newest first", "by end"])
@pytest.mark.parametrize("filters", MORE_FILTERS.values(), ids=MORE_FILTERS.keys())
def test_pages_have_what_every_filter_takes_in_the_order_of_their_list(jobs, filters, is_by_end):
    made = put_one_of_each(jobs)
    wanted = JobFilter(**filters, ended_after=ENDED.ended_after if is_by_end else None)

    pages = walk(jobs, "demo", wanted, 2)

    expected = [
        job
        for job in made
        if job.tenant == "demo"
        and (job.finished_at is not None or not is_by_end)
        and job.status in filters.get("statuses", tuple(Status))
        and filters.get("provider", job.provider) == job.provider
        and filters.get("operation", job.operation) == job.operation
        and ("metadata" not in filters or job.metadata["room"] == LONG)
        and filters.get("provider_job_id", job.provider_job_id) == job.provider_job_id
        and ("created_after" not in filters or later(1) < job.created_at < later(5))
    ]
    assert expected
    expected.sort(
        key=lambda job: (job.finished_at if is_by_end else job.created_at, job.id),
        reverse=not is_by_end,
    )
    assert list(chain.from_iterable(pages)) == [job.id for job in expected]


@pytest.mark.parametrize("size", [1, 2, 3, 9])
def test_ended_jobs_are_listed_by_their_end_and_a_list_of_them_goes_on(jobs, size):
    for number, seconds in enumerate([3, 1, 2, -1, 1, -5]):
        moment = later(seconds)
        jobs.create(finished_job(Status.FAILED, id=job_id(number), finished_at=moment))
    jobs.create(a_job(id=job_id(7)))
    jobs.create(finished_job(Status.FAILED, id=job_id(8), tenant="other"))

    pages = walk(jobs, "demo", ENDED, size)

    assert list(chain.from_iterable(pages)) == [job_id(number) for number in (1, 4, 2, 0)]
    assert pages[-1] == []


def test_a_list_of_ended_jobs_begins_after_a_moment_or_after_a_job(jobs):
    for number, seconds in enumerate([0, 1, 1, 2]):
        moment = later(seconds)
        jobs.create(finished_job(Status.FAILED, id=job_id(number), finished_at=moment))

    found = {
        place: [
            job.id
            for job in jobs.page("demo", ENDED, after=place, size=9, max_bytes=MAX_PAGE_BYTES).jobs
        ]
        for place in (Cursor(later(1), "job_~"), Cursor(later(1), job_id(1)))
    }

    assert list(found.values()) == [[job_id(3)], [job_id(2), job_id(3)]]


def test_a_job_that_ends_appears_in_the_list_of_those_that_ended(jobs):
    version = jobs.create(processing_job())
    assert walk(jobs, "demo", ENDED, 9) == [[]]

    jobs.replace(finished_job(Status.SUCCEEDED), version=version)

    assert walk(jobs, "demo", ENDED, 9) == [[JOB_ID], []]


def test_a_page_of_ended_jobs_reads_no_further_than_it_may_however_few_it_finds(jobs):
    for number in range(MAX_SIFTED + 1):
        status = Status.FAILED if number % 150 else Status.CANCELLED
        jobs.create(finished_job(status, id=job_id(number), finished_at=later(number)))
    wanted = msgspec.structs.replace(ENDED, statuses=(Status.CANCELLED,))

    pages = walk(jobs, "demo", wanted, 20)

    assert pages == [[job_id(0), job_id(150)], [job_id(300)], []]


def test_documents_that_do_not_parse_are_left_out_of_a_list_of_ended_jobs(jobs, put_document):
    put_document(job_id(0), {"tenant": "demo", "finishedAt": NOON})
    put_document(job_id(1), {"tenant": "demo", "finishedAt": None})
    jobs.create(finished_job(Status.FAILED, id=job_id(2)))

    assert walk(jobs, "demo", ENDED, 1) == [[], [job_id(2)], []]


def test_metadata_of_any_kind_are_found_by_their_pair(jobs):
    pairs = {"a.b/`c`": LONG, "__d__": "", "ключ": "\x01 🛋"}
    jobs.create(a_job(metadata=pairs))

    for pair in pairs.items():
        page = jobs.page(
            "demo", JobFilter(metadata=pair), after=None, size=9, max_bytes=MAX_PAGE_BYTES
        )
        assert [job.id for job in page.jobs] == [JOB_ID]


def test_metadata_are_found_after_the_job_was_written_over(jobs):
    version = jobs.create(a_job(metadata={"room": LONG}))

    jobs.replace(processing_job(metadata={"room": LONG}), version=version)

    page = jobs.page(
        "demo", JobFilter(metadata=("room", LONG)), after=None, size=9, max_bytes=MAX_PAGE_BYTES
    )
    assert [job.status for job in page.jobs] == [Status.PROCESSING]


@pytest.mark.parametrize(
    "ref", [PROVIDER_JOB_ID, "x" * 500, "ü🛋 /\x00"], ids=["plain", "long", "odd"]
)
def test_a_job_is_found_by_its_tenant_its_provider_and_the_providers_id(jobs, ref):
    version = jobs.create(processing_job(provider_job_id=ref))

    found = jobs.find("demo", "gepetto", ref)

    assert found == Stored(processing_job(provider_job_id=ref), version)


@pytest.mark.parametrize(
    ("tenant", "provider", "ref"),
    [
        ("other", "gepetto", PROVIDER_JOB_ID),
        ("demo", "spacely", PROVIDER_JOB_ID),
        ("demo", "gepetto", PROVIDER_JOB_ID[:-1]),
        ("demo", "gepetto", JOB_ID),
    ],
    ids=["another tenant", "another provider", "another id", "our id"],
)
def test_a_job_is_not_found_by_anything_else(jobs, tenant, provider, ref):
    jobs.create(processing_job())
    jobs.create(a_job(id=job_id(2)))

    with pytest.raises(JobNotFound):
        jobs.find(tenant, provider, ref)


def test_of_two_tenants_with_one_render_each_finds_its_own_job(jobs):
    jobs.create(processing_job(id=job_id(1)))
    jobs.create(followed_job(id=job_id(2), tenant="other"))

    assert jobs.find("demo", "gepetto", PROVIDER_JOB_ID).job.id == job_id(1)
    assert jobs.find("other", "gepetto", PROVIDER_JOB_ID).job.id == job_id(2)


def test_of_several_jobs_with_one_render_the_latest_is_found(jobs):
    for number, seconds in enumerate([5, 9, 7]):
        jobs.create(followed_job(id=job_id(number), created_at=later(seconds)))

    assert jobs.find("demo", "gepetto", PROVIDER_JOB_ID).job.id == job_id(1)


def test_a_found_document_that_does_not_parse_is_unreadable(jobs, put_document):
    named = {"tenant": "demo", "provider": "gepetto", "providerJobId": PROVIDER_JOB_ID}
    put_document(JOB_ID, named | {"createdAt": NOON, "status": "a secret"})

    with pytest.raises(UnreadableJob) as caught:
        jobs.find("demo", "gepetto", PROVIDER_JOB_ID)

    assert "secret" not in str(caught.value)


OTHERS_JOBS = {
    "nobody else's": (None, False),
    "submitted by another before": (processing_job(created_at=later(-9)), True),
    "submitted by another since": (processing_job(created_at=later(9)), True),
    "submitted by another at once": (processing_job(), True),
    "submitted by another and over": (finished_job(Status.FAILED), True),
    "followed by another before": (followed_job(created_at=later(-9)), True),
    "followed by another since": (followed_job(created_at=later(9)), False),
    "at another provider": (processing_job(provider="spacely", created_at=later(-9)), False),
    "another render": (processing_job(provider_job_id="6512", created_at=later(-9)), False),
    "not submitted yet": (a_job(created_at=later(-9)), False),
}


@pytest.mark.parametrize(("theirs", "is_anothers"), OTHERS_JOBS.values(), ids=OTHERS_JOBS.keys())
def test_a_render_is_anothers_if_another_tenant_submitted_it_or_followed_it_earlier(
    jobs, theirs, is_anothers
):
    mine = followed_job()
    jobs.create(mine)
    if theirs is not None:
        jobs.create(replace(theirs, id=job_id(2), tenant="other"))

    assert jobs.is_anothers(mine) is is_anothers


def test_a_render_of_ones_own_is_nobody_elses_however_often_it_is_followed(jobs):
    jobs.create(processing_job(id=job_id(2), created_at=later(-9)))
    jobs.create(followed_job(id=job_id(3), created_at=later(-8)))
    mine = followed_job()
    jobs.create(mine)
    jobs.create(followed_job(id=job_id(4), tenant="other", created_at=later(1)))

    assert jobs.is_anothers(mine) is False


@pytest.mark.parametrize("followers", [19, 20, 21, 45])
def test_however_many_early_followers_do_not_hide_who_submitted_a_render(jobs, followers):
    for number in range(10, 10 + followers):
        jobs.create(followed_job(id=job_id(number), created_at=later(number - 100)))
    mine = followed_job(id=job_id(90), created_at=later(9))
    jobs.create(mine)
    assert jobs.is_anothers(mine) is False

    jobs.create(processing_job(id=job_id(1), tenant="other", created_at=later(1)))

    assert jobs.is_anothers(mine) is True


def test_a_render_of_ones_own_is_ones_own_after_however_many_followers(jobs):
    for number in range(10, 35):
        jobs.create(followed_job(id=job_id(number), created_at=later(number - 100)))
    jobs.create(processing_job(id=job_id(1), created_at=later(1)))

    assert jobs.is_anothers(followed_job(id=job_id(90), created_at=later(9))) is False


def test_later_followers_do_not_hide_who_submitted_a_render(jobs):
    jobs.create(processing_job(id=job_id(1), tenant="other", created_at=later(-9)))
    for number in range(2, 40):
        jobs.create(followed_job(id=job_id(number), created_at=later(number)))

    assert jobs.is_anothers(followed_job(id=job_id(39), created_at=later(39))) is True
