"""Cursors of lists of ended jobs: nobody who follows one misses a job, whenever its write lands."""

from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.memory_store import MemoryJobs
from relay.application.job_reader import JobReader
from relay.application.list_position import SETTLES_AFTER, ListPage, ListPosition
from relay.application.ports import Cursor, JobFilter
from relay.domain.job import Status
from tests.factories import NOON, finished_job, job_id, later
from tests.fakes import FixedClock, World

ENDED = JobFilter(ended_after=NOON - timedelta(days=1))
SETTLES_S = SETTLES_AFTER.total_seconds()


def position_after(end_s, *, read_at_s, start=None, wanted=ENDED):
    """Return the position after a page that ended with a job of this moment."""
    page = ListPage(
        wanted=wanted,
        start=start,
        jobs=[],
        end=Cursor(later(end_s), job_id(1)),
        read_at=later(read_at_s),
    )
    return page.next


def test_a_position_in_what_has_settled_is_just_a_place():
    assert position_after(0, read_at_s=SETTLES_S) == ListPosition(Cursor(NOON, job_id(1)))


def test_a_position_in_the_last_minute_remembers_from_where_on_jobs_may_be_missing():
    position = position_after(0.1, read_at_s=SETTLES_S)

    assert position == ListPosition(Cursor(later(0.1), job_id(1)), settled=NOON)


def test_a_list_by_creation_needs_no_memory():
    position = position_after(59, read_at_s=60, wanted=JobFilter())

    assert position.settled is None


@pytest.mark.parametrize(("asked_at_s", "is_led_back"), [(60, False), (119.9, False), (120, True)])
def test_a_caller_is_led_back_once_what_was_passed_has_settled(asked_at_s, is_led_back):
    position = position_after(50, read_at_s=60)

    resumed = position.resumed(now=later(asked_at_s))

    assert (resumed.place.at == NOON) is is_led_back
    assert (resumed.settled is None) is is_led_back


def test_pages_after_the_settled_part_keep_its_end():
    first = position_after(50, read_at_s=60)
    second = position_after(80, read_at_s=90, start=first)

    assert second == ListPosition(Cursor(later(80), job_id(1)), settled=NOON)


def follow(jobs, landings, *, pause_s, size, until_s):
    """Return the ids that a follower was shown, while jobs land as planned.

    Args:
        landings: When each job ended, and how much later its document was written.
    """
    clock = FixedClock()
    reader = JobReader(listings=jobs, store=World().store, clock=clock)
    for number, (ended_s, lag_s) in enumerate(landings):
        job = finished_job(Status.SUCCEEDED, id=job_id(number), finished_at=later(ended_s))
        clock.after(ended_s + lag_s, partial(jobs.put_unchecked, [job]))
    shown, position = [], None
    while clock.passed_s < until_s:
        page = reader.page("demo", ENDED, after=position, size=size, max_bytes=10**9)
        shown += [job.id for job in page.jobs]
        position = page.next or position
        clock.advance(pause_s)
    return shown


@given(
    landings=st.lists(
        st.tuples(st.integers(0, 300), st.integers(0, int(SETTLES_S))), min_size=1, max_size=60
    ),
    pause_s=st.sampled_from([0.5, 1.0, 7.0, 45.0, 130.0]),
    size=st.sampled_from([1, 3, 100]),
)
def test_a_follower_is_shown_every_job_however_late_it_is_written(landings, pause_s, size):
    # So long that even one job a page gets through all of them, several times over.
    until_s = 500 + pause_s * (4 * len(landings) / size + 4)

    shown = follow(MemoryJobs(), landings, pause_s=pause_s, size=size, until_s=until_s)

    assert set(shown) == {job_id(number) for number in range(len(landings))}


def test_a_follower_who_asks_every_second_is_shown_a_job_about_twice():
    landings = [(second, 0) for second in range(600)]

    shown = follow(MemoryJobs(), landings, pause_s=1.0, size=100, until_s=800)

    assert len(set(shown)) == 600
    assert len(shown) < 3 * 600
