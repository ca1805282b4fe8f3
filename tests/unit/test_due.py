"""When a job must be worked on next, and what is done then."""

import pytest

from relay.domain.due import Action, next_action, wake_at
from relay.domain.events import not_published, published
from relay.domain.job import ENDS, Actor, ErrorCode, OnUnconfirmed, Status
from relay.domain.transitions import poll_requested, succeeded
from tests.factories import (
    CLAIM,
    NOON,
    OUTPUT,
    a_job,
    finished_job,
    job_in,
    later,
    processing_job,
    submitting_job,
    unconfirmed_job,
)

RESUBMIT = OnUnconfirmed.RESUBMIT
ENDED = sorted(ENDS)


@pytest.mark.parametrize(
    ("job", "due"),
    [
        (a_job(call_at=later(5)), later(5)),
        (a_job(call_at=later(5), deadline_at=later(3)), later(3)),
        (a_job(), later(900)),
        (submitting_job(), CLAIM.expires_at),
        (submitting_job(deadline_at=later(3)), CLAIM.expires_at),
        (unconfirmed_job(), later(900)),
        (unconfirmed_job(on_unconfirmed=RESUBMIT, call_at=later(60)), later(60)),
        (processing_job(call_at=later(25)), later(25)),
        (processing_job(call_at=later(1000)), later(900)),
    ],
    ids=[
        "queued: when it is to be sent",
        "queued: at its deadline",
        "queued: ready, so only at its deadline",
        "submitting: when the claim expires",
        "submitting: also after its deadline",
        "unconfirmed: at its deadline",
        "unconfirmed: when it is to be sent again",
        "processing: when it is to be polled",
        "processing: at its deadline",
    ],
)
def test_an_open_job_is_due_when_something_must_be_done_for_it(job, due):
    assert wake_at(job) == due


@pytest.mark.parametrize("status", ENDED)
def test_a_final_job_is_due_as_long_as_its_event_is_not_out(status):
    job = finished_job(status)
    event_id = job.announcements[0].id

    delayed = not_published(job, event_id, at=later(100))

    assert wake_at(job) == later(20)
    assert wake_at(delayed) == later(120)
    assert wake_at(published(delayed, event_id, at=later(100))) is None


def test_a_final_job_with_two_events_is_due_when_the_first_of_them_is():
    job = finished_job(Status.FAILED)
    late = succeeded(job, outputs=(OUTPUT,), by=Actor.WEBHOOK, at=later(50), provider_status=None)

    assert [event.publish_at for event in late.unpublished] == [later(20), later(70)]
    assert wake_at(late) == later(20)


@pytest.mark.parametrize("status", Status)
def test_nothing_is_done_before_a_job_is_due(status):
    job = job_in(status, call_at=later(5), on_unconfirmed=RESUBMIT)

    assert next_action(job, at=later(4.999)) is None


@pytest.mark.parametrize(
    ("job", "action"),
    [
        (a_job(call_at=later(5)), Action.QUEUE),
        (a_job(call_at=later(5), refusal=ErrorCode.PROVIDER_AUTH), Action.SUBMIT),
        (submitting_job(), Action.EXPIRE_CLAIM),
        (unconfirmed_job(on_unconfirmed=RESUBMIT, call_at=NOON), Action.RESUBMIT),
        (processing_job(), Action.POLL),
        *((finished_job(end), Action.PUBLISH) for end in ENDED),
    ],
    ids=lambda one: one.value if isinstance(one, Action) else one.status.value,
)
def test_a_job_that_is_due_has_one_thing_to_be_done(job, action):
    assert next_action(job, at=later(60)) is action


@pytest.mark.parametrize(
    ("status", "seconds", "action"),
    [
        (Status.QUEUED, 900, Action.GIVE_UP),
        (Status.SUBMITTING, 900, Action.EXPIRE_CLAIM),
        (Status.UNCONFIRMED, 900, Action.GIVE_UP),
        (Status.PROCESSING, 900, Action.POLL),
        (Status.PROCESSING, 919.999, Action.POLL),
        (Status.PROCESSING, 920, Action.GIVE_UP),
        *((end, 900, Action.PUBLISH) for end in ENDED),
    ],
)
@pytest.mark.parametrize("wish", OnUnconfirmed)
def test_past_its_deadline_a_job_is_asked_about_if_it_can_be_and_else_given_up(
    wish, status, seconds, action
):
    job = job_in(status, on_unconfirmed=wish)

    assert next_action(job, at=later(seconds)) is action


def test_an_unconfirmed_job_is_never_sent_again_without_the_callers_word():
    job = unconfirmed_job(on_unconfirmed=OnUnconfirmed.WAIT, call_at=NOON)

    assert next_action(job, at=later(60)) is None


@pytest.mark.parametrize("action", Action)
def test_only_submitting_and_polling_count_against_the_providers_limit(action):
    assert action.calls_provider == (action in (Action.SUBMIT, Action.POLL))


def test_a_job_that_is_moved_after_its_deadline_wakes_at_that_move_and_not_before():
    """A pump at work does not look far back, and would not see it."""
    late = later(950)
    job = unconfirmed_job(deadline_at=later(900))

    moved = poll_requested(job, provider_job_id="p-1", at=late)

    assert wake_at(moved) == late
