"""The events of a job: their ids, what every copy carries, and when they are published again."""

import pytest

from relay.domain.events import (
    COMPLETION,
    as_announced,
    event_id,
    not_published,
    published,
    with_event,
)
from relay.domain.job import ENDS, EventType, Status
from relay.domain.kept_output import KeptOutput
from tests.factories import JOB_ID, LATE_OUTPUT, NOON, a_job, finished_job, later


@pytest.mark.parametrize(
    ("type", "last_word"),
    [
        (EventType.SUCCEEDED, "succeeded"),
        (EventType.FAILED, "failed"),
        (EventType.CANCELLED, "cancelled"),
        (EventType.LATE_RESULT, "late_result"),
        (EventType.OUTPUTS_KEPT, "outputs_kept"),
    ],
)
def test_an_event_is_named_by_its_job_and_the_last_word_of_its_type(type, last_word):
    assert event_id(JOB_ID, type) == f"{JOB_ID}.{last_word}"


def test_every_end_has_its_own_completion_event():
    assert set(COMPLETION) == ENDS
    assert len(set(COMPLETION.values())) == len(ENDS)


def test_an_event_waits_twenty_seconds_before_a_pump_publishes_it_again():
    job = with_event(a_job(), EventType.FAILED, at=NOON)

    assert [(one.at, one.publish_at) for one in job.announcements] == [(NOON, later(20))]


def test_publishing_in_vain_is_repeated_after_gaps_that_double_up_to_ten_minutes():
    job = finished_job(Status.SUCCEEDED)
    gaps_s = []

    for _ in range(8):
        job = not_published(job, job.announcements[0].id, at=NOON)
        publish_at = job.announcements[0].publish_at
        assert publish_at is not None
        gaps_s.append((publish_at - NOON).total_seconds())

    assert gaps_s == [20, 40, 80, 160, 320, 600, 600, 600]


def test_an_event_that_is_out_stays_out():
    job = finished_job(Status.SUCCEEDED)
    event_id = job.announcements[0].id

    out = published(job, event_id, at=NOON)

    assert out.unpublished == ()
    assert published(out, event_id, at=NOON) is out
    assert not_published(out, event_id, at=NOON) is out


def test_an_event_of_another_name_changes_nothing():
    job = finished_job(Status.SUCCEEDED)

    assert published(job, f"{JOB_ID}.late_result", at=NOON) is job


def test_only_the_late_result_shows_late_outputs_so_that_every_copy_is_the_same():
    job = finished_job(Status.FAILED, late_outputs=(LATE_OUTPUT,))

    assert as_announced(job, EventType.FAILED).late_outputs == ()
    assert as_announced(job, EventType.LATE_RESULT).late_outputs == (LATE_OUTPUT,)


def test_only_their_own_event_shows_kept_outputs():
    job = finished_job(Status.SUCCEEDED, kept_outputs=(KeptOutput(index=0, error="why"),))

    assert as_announced(job, EventType.SUCCEEDED).kept_outputs == ()
    assert as_announced(job, EventType.LATE_RESULT).kept_outputs == ()
    assert as_announced(job, EventType.OUTPUTS_KEPT).kept_outputs == job.kept_outputs
