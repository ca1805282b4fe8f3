"""What a board that is left open costs in document reads, counted at the emulator's client."""

import pytest
from playwright.sync_api import expect

from infra.bench.store import BILLED, READ, total
from relay.domain.job import Status
from tests.adapters.test_operation_counts import CountedWorld
from tests.console.conftest import serve
from tests.factories import finished_job, job_id, later, processing_job

pytestmark = pytest.mark.emulator

POLLS = 10


@pytest.fixture
def world(firestore_emulator):
    return CountedWorld(firestore_emulator)


@pytest.fixture
def site(world, monkeypatch):
    served = serve(world, monkeypatch)
    yield served
    served.close()


def ended(number):
    return finished_job(
        Status.SUCCEEDED, id=job_id(number), created_at=later(number - 1000), announcements=()
    )


def reads(world):
    return total(world.counting.counts, BILLED) + total(world.counting.counts, READ)


def cost_of_polls(console):
    console.settle()
    before = reads(console.site.world)
    for _ in range(POLLS):
        console.pass_s(2)
        console.settle()
    return reads(console.site.world) - before


def test_a_board_of_50_finished_jobs_costs_one_read_a_poll(console, world):
    for number in range(50):
        world.jobs.create(ended(number))
    page = console.open()
    expect(page.locator("li.card[data-job]")).to_have_count(50)

    assert cost_of_polls(console) <= POLLS


def test_a_board_with_3_open_jobs_costs_four_reads_a_poll_and_little_for_durations(console, world):
    for number in range(50):
        world.jobs.create(ended(number))
    for number in range(50, 53):
        world.jobs.create(processing_job(id=job_id(number), created_at=later(number - 1000)))
    page = console.open()
    expect(page.locator("li.card[data-job]")).to_have_count(50)

    # What is expected of renders is read once a minute.
    assert cost_of_polls(console) <= 4 * POLLS + 1


def test_a_job_that_ends_costs_one_read_more(console, world):
    world.jobs.create(ended(1))
    version = world.jobs.create(processing_job(id=job_id(2), created_at=later(-900)))
    page = console.open()
    expect(page.locator("li.card[data-job]")).to_have_count(2)
    console.settle()

    world.jobs.replace(
        finished_job(Status.SUCCEEDED, id=job_id(2), created_at=later(-900), announcements=()),
        version=version,
    )
    before = reads(world)
    console.pass_s(2)
    console.settle()

    expect(page.locator("li.card.is-succeeded")).to_have_count(2)
    # For new jobs, for open ones, and for the one that ended.
    assert reads(world) - before <= 3
