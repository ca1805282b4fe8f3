"""What a hostile or careless tenant, receiver or store does to callbacks."""

import tracemalloc
from dataclasses import replace
from datetime import timedelta

import pytest

from relay.application.delivery_queue import MAX_OF_TENANT, DeliveryQueue
from relay.application.ports import Queued, Stored
from relay.domain.callback import (
    RETRY_AFTER,
    Callback,
    Delivery,
    DeliveryStatus,
    after_attempt,
)
from relay.domain.delivery_queue import delivery_key, endpoint_of
from relay.domain.events import published, with_event
from relay.domain.job import EventType, Status
from relay.domain.queue import tenant_of_key
from relay.errors import CallUnanswered, UnreadableJob
from tests.factories import LATE_OUTPUT, NOON, finished_job, job_id, later
from tests.fakes import ConcurrentWorkers, World

HOOK = "https://hooks.example.com/renders"
TOMORROW = NOON + timedelta(days=1)


@pytest.fixture
def world() -> World:
    return World()


def ended(*, url=HOOK, number=1, tenant="demo", status=Status.SUCCEEDED):
    """Return a job whose completion event is out and is due at its callback."""
    job = finished_job(status, id=job_id(number), tenant=tenant, callback=Callback(url=url))
    return out(job)


def out(job):
    for event in job.unpublished:
        job = published(job, event.id, at=NOON)
    return job


def postponed(job, *, until=TOMORROW):
    """Return the job as one whose receiver did not take its event, to be tried again later."""
    (delivery,) = job.callback.deliveries
    later_on = replace(delivery, attempts=5, last_status=500, next_at=until)
    return replace(job, callback=replace(job.callback, deliveries=(later_on,)))


def posts_to(world, url=HOOK):
    return [post for post in world.endpoints.posts if post.url == url]


def test_two_dead_endpoints_do_not_hold_up_their_tenants_others(world):
    dead = [f"https://dead{number}.example.com/" for number in (1, 2)]
    for url in dead:
        world.endpoints.slow(url, takes_s=15.0)
        world.endpoints.script(url, *[CallUnanswered("time over")] * 1000)
    world.jobs.put(
        *(ended(url=dead[number % 2], number=number) for number in range(1, 201)),
        replace_due(ended(number=400), later(30)),
    )
    world.clock.advance(30)

    world.callbacks_pump(open_workers=lambda _: ConcurrentWorkers(world.clock)).run()

    (post,) = posts_to(world)
    assert post.at_s < 30 + 16


def replace_due(job, at):
    (delivery,) = job.callback.deliveries
    return replace(job, callback=replace(job.callback, deliveries=(replace(delivery, next_at=at),)))


def test_endpoints_that_wait_for_tomorrow_hide_none_behind_them(world):
    """However many host names a tenant has, and however few a run can visit."""
    world.jobs.put(
        *(
            postponed(ended(url=f"https://host{number:04}.example.com/", number=number))
            for number in range(1000)
        ),
        ended(url="https://zebra.example.com/", number=5000),
    )

    for _ in range(6):
        world.callbacks_pump().run()

    assert len(posts_to(world, "https://zebra.example.com/")) == 1


def test_a_job_that_cannot_be_read_does_not_keep_the_pump_awake(world):
    job = ended()
    world.jobs.put(job)
    read = world.jobs.read

    def unreadable(job_id):
        if job_id == job.id:
            raise UnreadableJob(f"{job_id}: input")
        return read(job_id)

    world.jobs.read = unreadable

    world.callbacks_pump().run()

    assert world.seconds() < 10
    assert world.topics.ticks == []


def test_an_event_is_not_late_because_the_one_before_it_was_not_taken_for_days(world, caplog):
    caplog.set_level("INFO")
    job = ended(status=Status.FAILED)
    job = out(
        with_event(replace(job, late_outputs=(LATE_OUTPUT,)), EventType.LATE_RESULT, at=later(9))
    )
    first, second = job.callback.deliveries
    tried = replace(first, attempts=len(RETRY_AFTER), last_status=500, next_at=later(300_000))
    world.jobs.put(replace(job, callback=replace(job.callback, deliveries=(tried, second))))
    world.endpoints.script(HOOK, 500)
    world.clock.advance(300_000)

    world.callbacks_pump().run()

    assert len(world.endpoints.posts) == 2
    (done,) = [one for one in caplog.records if one.getMessage() == "pump done"]
    assert done.fields["oldest_due_s"] < 60


def test_a_document_outlives_an_event_that_waited_for_the_one_before(world):
    callback = Callback(
        url=HOOK,
        deliveries=(
            Delivery(
                event_id="a",
                status=DeliveryStatus.PENDING,
                attempts=len(RETRY_AFTER),
                next_at=later(300_000),
            ),
            Delivery(event_id="b", status=DeliveryStatus.PENDING, next_at=NOON),
        ),
    )

    after = after_attempt(
        callback,
        callback.deliveries[0],
        http_status=500,
        retry_after_s=None,
        at=later(300_000),
    )

    assert after.deliveries[0].status is DeliveryStatus.FAILED
    assert after.pending is not None
    assert after.pending.next_at == later(300_000)


@pytest.mark.parametrize(
    "url",
    [
        "https://HOOKS.example.com/",
        "https://hooks.example.com./",
        "https://hooks.example.com:443/",
    ],
    ids=ascii,
)
def test_all_spellings_of_a_host_are_one_endpoint(url):
    assert endpoint_of(url) == "hooks.example.com:443"


@pytest.mark.parametrize("tenant", ["a/b", "a b%2f", "\u00fc\u4e2d", "~", "..", "x" * 100])
def test_a_tenant_of_any_name_gets_its_callbacks(world, tenant):
    world.jobs.put(ended(tenant=tenant), ended(tenant="demo", number=2))

    world.callbacks_pump().run()

    assert len(world.endpoints.posts) == 2


def test_a_key_fits_into_an_index_entry(world):
    host = ".".join(["a" * 63] * 3 + ["b" * 57, "com"])
    key = delivery_key(ended(url=f"https://{host}/", tenant="x" * 100))

    assert key is not None
    assert len(key) < 1500


def test_one_host_takes_four_at_a_time_however_it_is_written(world):
    urls = [
        "https://hooks.example.com/",
        "https://hooks.example.com./",
        "https://HOOKS.example.com/",
    ]
    for url in urls:
        world.endpoints.slow(url, takes_s=5.0)
    world.jobs.put(*(ended(url=urls[n % 3], number=n, tenant=f"t{n % 5}") for n in range(60)))

    world.callbacks_pump(open_workers=lambda _: ConcurrentWorkers(world.clock)).run()

    assert world.endpoints.most_at_once == 4
    assert MAX_OF_TENANT == 8


def test_jobs_that_wait_for_their_turn_take_no_memory_beyond_their_keys():
    """A tenant can have thousands of jobs due at hosts that hang, with 60 KiB of metadata each."""
    queue = DeliveryQueue(now=NOON)
    numbers = iter(range(10_000))

    def found(read):
        number = next(numbers)
        url = f"https://host{number:04}.example.com/"
        if read.endpoint:
            return [large(f"https://{read.endpoint}/", next(numbers)) for _ in range(read.limit)]
        return [large(url, number)] if number < 300 else []

    def large(url, number):
        job = replace(ended(url=url, number=number), metadata={"k": "x" * 60_000 + str(number)})
        return Queued(delivery_key(job) or "", Stored(job, 1))

    tracemalloc.start()
    for second in range(60):
        for read in list(queue.next_reads(now=later(second))):
            queue.take_page(read, found(read), now=later(second))
    kept_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert next(numbers) > 200
    assert kept_bytes < 2_000_000


@pytest.mark.thorough
def test_a_backlog_at_many_hosts_keeps_no_others_jobs_unread(world):
    """Also where reading is what takes the time."""
    world.jobs.takes_s["deliveries"] = 0.5
    urls = [f"https://host{number}.example.com/" for number in range(60)]
    for url in urls:
        world.endpoints.slow(url, takes_s=0.005)
    world.jobs.put(*(ended(url=urls[number % 60], number=number) for number in range(3000)))
    world.jobs.put(replace_due(ended(number=9000, tenant="other"), later(20)))

    world.callbacks_pump(open_workers=lambda _: ConcurrentWorkers(world.clock)).run()

    (post,) = posts_to(world)
    assert post.at_s < 20 + 4


def test_who_is_found_first_does_not_take_all_places_of_an_endpoint(world):
    """A pump that is killed while its posts hang leaves the next one to begin in the same order."""
    world.jobs.put(
        *(ended(number=number, tenant="a") for number in range(1, 21)),
        ended(number=40, tenant="b"),
    )
    queue = DeliveryQueue(now=NOON)
    served: list[str] = []

    while reads := list(queue.next_reads(now=NOON)):
        for read in reads:
            found = world.jobs.deliveries(span=read.span, limit=read.limit)
            queue.take_page(read, found, now=NOON)
            while (key := queue.next()) is not None:
                queue.check_out(key)
                served.append(tenant_of_key(key))

    assert sorted(served) == ["a", "a", "a", "b"]
