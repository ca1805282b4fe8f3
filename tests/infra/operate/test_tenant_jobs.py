"""A tenant's jobs are listed, cancelled and delivered again; nobody else's are touched."""

from dataclasses import replace
from typing import Any

import pytest

from infra.operate import tenant_jobs
from infra.operate.tenant_jobs import cancel_jobs, list_jobs, redeliver_callbacks
from relay.application.ports import JobFilter
from relay.domain.callback import Callback, Delivery, DeliveryStatus
from relay.domain.job import OPEN, Status
from tests.factories import NOON, a_job, finished_job, job_id, job_in, later
from tests.infra.operate.deployments import deployment_of

TENANT = a_job().tenant


@pytest.fixture(autouse=True)
def _one_at_a_time(monkeypatch):
    monkeypatch.setattr(tenant_jobs, "AT_ONCE", 1)


def cancel(world, *statuses, tenant=TENANT, dry_run=False):
    return cancel_jobs(deployment_of(world), tenant, statuses, dry_run=dry_run)


def status_of(world, number):
    return world.jobs.job(job_id(number)).status


@pytest.mark.parametrize("status", OPEN)
def test_open_jobs_are_cancelled_and_their_events_are_left_to_the_pump(world, status):
    world.jobs.put(job_in(status, id=job_id(1)))

    outcome = cancel(world, *OPEN)

    job = world.jobs.job(job_id(1))
    assert (job.status, outcome.data["cancelled"]) == (Status.CANCELLED, 1)
    assert [event.type.value for event in job.unpublished] == ["com.renderrelay.job.cancelled"]
    assert world.topics.ticks == [job.account]


def test_the_pump_announces_what_was_cancelled(world):
    world.jobs.put(a_job())

    cancel(world, *OPEN)
    world.pump().run()

    assert [one.id for one in world.topics.events] == [f"{a_job().id}.cancelled"]
    assert world.jobs.job().unpublished == ()


def test_a_job_ends_when_it_is_cancelled_not_when_the_command_began(world):
    world.jobs.put(a_job(id=job_id(1)), a_job(id=job_id(2), created_at=later(-1)))
    world.jobs.before_next_write(lambda: world.clock.advance(120))

    cancel(world, *OPEN)

    moments = sorted(world.jobs.job(job_id(n)).finished_at for n in (1, 2))
    assert moments == [NOON, later(120)]


def test_only_jobs_in_these_states_and_of_this_tenant_are_cancelled(world):
    world.jobs.put(
        a_job(id=job_id(1)),
        job_in(Status.PROCESSING, id=job_id(2)),
        finished_job(Status.SUCCEEDED, id=job_id(3)),
        a_job(id=job_id(4), tenant="another"),
    )

    outcome = cancel(world, Status.QUEUED)

    states = [status_of(world, number) for number in (1, 2, 3, 4)]
    assert states == [Status.CANCELLED, Status.PROCESSING, Status.SUCCEEDED, Status.QUEUED]
    assert outcome.data["byStatus"] == {"queued": 1}
    assert outcome.data["maybePaidFor"] == 0


def test_a_dry_run_says_what_it_would_cost_and_changes_nothing(world):
    world.jobs.put(a_job(id=job_id(1)), job_in(Status.PROCESSING, id=job_id(2)))

    outcome = cancel(world, *OPEN, dry_run=True)

    assert world.jobs.writes == 0
    assert world.topics.ticks == []
    assert outcome.lines[0] == f"Would cancel 2 jobs of {TENANT}."
    assert outcome.lines[1].endswith("Up to 1 may be paid for already.")


def test_a_job_that_was_sent_meanwhile_is_left_alone(world):
    world.jobs.put(a_job(id=job_id(1)))
    world.jobs.before_next_write(lambda: world.jobs.put(job_in(Status.PROCESSING, id=job_id(1))))

    outcome = cancel(world, Status.QUEUED)

    assert status_of(world, 1) is Status.PROCESSING
    assert outcome.data["cancelled"] == 0


def test_more_than_a_page_is_cancelled(world, monkeypatch):
    monkeypatch.setattr(tenant_jobs, "PAGE", 3)
    world.jobs.put(*(a_job(id=job_id(n), created_at=later(-n)) for n in range(10)))

    outcome = cancel(world, *OPEN)

    assert outcome.data["cancelled"] == 10


def test_jobs_that_the_store_does_not_answer_for_are_named(world, monkeypatch):
    monkeypatch.setattr("relay.application.store.ATTEMPTS", 2)
    world.jobs.put(a_job(id=job_id(1)))
    page = world.jobs.page

    def page_then_down(*args, **more):
        found = page(*args, **more)
        world.jobs.is_down = True
        return found

    deployment = deployment_of(world)
    monkeypatch.setattr(tenant_jobs, "PASSES", 1)
    monkeypatch.setattr(world.jobs, "page", page_then_down, raising=False)
    outcome = cancel_jobs(deployment, TENANT, OPEN, dry_run=False)

    assert outcome.is_complete is False
    assert outcome.data["failed"] == [job_id(1)]
    assert job_id(1) in outcome.lines[-1]


def test_a_misspelt_tenant_is_told_from_one_without_open_jobs(world):
    world.jobs.put(finished_job(Status.SUCCEEDED))

    assert cancel(world, *OPEN).lines == [f"{TENANT} has no job that is open."]
    assert "Is the name right?" in cancel(world, *OPEN, tenant="shpo").lines[0]


def test_a_list_shows_the_latest_jobs_and_nothing_of_their_content(world):
    secret = {"url": "https://example.com/room.jpg?token=secret"}
    world.jobs.put(
        *(a_job(id=job_id(n), created_at=later(-60 * n), input=secret) for n in range(3))
    )

    outcome = list_jobs(deployment_of(world), TENANT, JobFilter(), most=2, now=NOON)

    assert [one["id"] for one in outcome.data["jobs"]] == [job_id(0), job_id(1)]
    assert outcome.lines[0].split()[:3] == ["id", "status", "provider"]
    assert outcome.lines[-1] == "These are the latest 2; more with --limit."
    assert "secret" not in f"{outcome}"


def with_callback(*statuses, number=1, ended_s=0.0):
    deliveries = tuple(
        Delivery(event_id=f"{job_id(number)}.{index}", status=status, attempts=9)
        for index, status in enumerate(statuses)
    )
    job = finished_job(Status.SUCCEEDED, id=job_id(number))
    callback = Callback(url="https://hooks.example.com/relay", deliveries=deliveries)
    return replace(job, callback=callback, finished_at=later(ended_s))


def redeliver(world, **more):
    given: dict[str, Any] = {"since": later(-1), "delivered_too": False, "dry_run": False}
    return redeliver_callbacks(deployment_of(world), TENANT, **(given | more))


DELIVERED, FAILED = DeliveryStatus.DELIVERED, DeliveryStatus.FAILED


def test_what_has_not_arrived_is_delivered_again(world):
    world.jobs.put(
        with_callback(FAILED, number=1),
        with_callback(DELIVERED, number=2),
        with_callback(FAILED, number=3, ended_s=-10),
        finished_job(Status.SUCCEEDED, id=job_id(4)),
    )

    world.clock.advance(60)
    outcome = redeliver(world)

    assert outcome.data["redelivered"] == [job_id(1)]
    (again,) = world.jobs.job(job_id(1)).callback.deliveries
    assert (again.status, again.attempts, again.next_at) == (
        DeliveryStatus.PENDING,
        0,
        later(60),
    )
    assert world.topics.ticks == ["callbacks"]


def test_an_event_that_failed_before_one_that_arrived_counts_as_missing(world):
    world.jobs.put(with_callback(FAILED, DELIVERED))

    assert redeliver(world).data["redelivered"] == [job_id(1)]


def test_what_has_arrived_is_delivered_again_on_demand(world):
    world.jobs.put(with_callback(DELIVERED))

    assert redeliver(world, delivered_too=True).data["redelivered"] == [job_id(1)]


def test_a_dry_run_of_redelivering_changes_nothing(world):
    world.jobs.put(with_callback(FAILED))

    outcome = redeliver(world, dry_run=True)

    assert outcome.data["wouldRedeliver"] == [job_id(1)]
    assert (world.jobs.writes, world.topics.ticks) == (0, [])
