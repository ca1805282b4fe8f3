"""What each step does to a job beyond its status."""

import pytest

from relay.domain import transitions
from relay.domain.job import (
    FAILURES,
    Actor,
    Claim,
    Entry,
    ErrorCode,
    EventType,
    JobError,
    OnUnconfirmed,
    ProviderReply,
    Status,
)
from tests.factories import (
    CLAIM,
    LATE_OUTPUT,
    NOON,
    OUTPUT,
    PROVIDER_JOB_ID,
    a_hold,
    a_job,
    finished_job,
    followed_job,
    job_in,
    later,
    processing_job,
    submitting_job,
    unconfirmed_job,
)


def test_claiming_notes_the_claim_the_time_and_the_try():
    after = transitions.claimed(a_job(tries=2), claim=CLAIM, at=later(1))

    assert (after.claim, after.submitted_at, after.tries) == (CLAIM, later(1), 3)


def test_a_second_claim_does_not_replace_the_first():
    first = transitions.claimed(a_job(), claim=CLAIM, at=NOON)
    other = Claim(token="claim-2", expires_at=later(50))

    assert transitions.claimed(first, claim=other, at=later(1)) is first


@pytest.mark.parametrize("before", [submitting_job(), unconfirmed_job()], ids=["in time", "late"])
def test_an_acknowledgement_brings_the_id_and_the_time_of_the_first_poll(before):
    after = transitions.accepted(
        before,
        claim=CLAIM,
        provider_job_id="p-1",
        provider_status="created",
        poll_at=later(25),
        at=later(1),
    )

    assert (after.provider_job_id, after.provider_status) == ("p-1", "created")
    assert after.call_at == later(25)


def test_an_acknowledgement_corrects_the_id_that_a_callback_brought_before():
    before = processing_job(provider_job_id="from-a-callback")

    after = transitions.accepted(
        before,
        claim=CLAIM,
        provider_job_id="p-1",
        provider_status=None,
        poll_at=later(25),
        at=later(1),
    )

    assert after.provider_job_id == "p-1"
    assert after.history == before.history


def test_an_acknowledgement_that_a_result_has_beaten_changes_nothing():
    done = finished_job(Status.SUCCEEDED)

    after = transitions.accepted(
        done,
        claim=CLAIM,
        provider_job_id="p-9",
        provider_status=None,
        poll_at=later(25),
        at=later(1),
    )

    assert after is done


def test_a_job_that_was_not_taken_is_queued_as_if_it_had_never_been_sent():
    after = transitions.requeued(
        submitting_job(), claim=CLAIM, call_at=later(5), note="429", refusal=None, at=later(1)
    )

    assert (after.claim, after.submitted_at, after.call_at) == (None, None, later(5))
    assert after.tries == 1


def test_a_refused_account_is_remembered_for_the_deadline():
    reply = ProviderReply(status=402, message="buy more")

    after = transitions.requeued(
        submitting_job(), claim=CLAIM, call_at=NOON, note="402", refusal=reply, at=later(1)
    )
    ended = transitions.given_up(after, at=after.deadline_at)

    assert after.refusal is ErrorCode.PROVIDER_OUT_OF_CREDITS
    assert ended.error is not None
    assert ended.error.provider == reply
    assert "(HTTP 402: buy more)" in ended.error.message


@pytest.mark.parametrize(
    ("status", "said", "quoted"),
    [
        (422, "styleId is unknown", "(HTTP 422: styleId is unknown)"),
        (404, "", "(HTTP 404)"),
        (403, "", "(HTTP 403) while it accepted others"),
    ],
    ids=["with a reason", "without", "its account"],
)
def test_a_refused_job_fails_in_the_providers_words(status, said, quoted):
    reply = ProviderReply(status=status, message=said)

    after = transitions.refused(submitting_job(), claim=CLAIM, reply=reply, at=later(1))

    failure = FAILURES[ErrorCode.PROVIDER_REJECTED]
    message = f"{failure.cause} {quoted}; {failure.remedy}"
    assert after.error == JobError(
        code=ErrorCode.PROVIDER_REJECTED, message=message, provider=reply
    )
    assert after.finished_by is Actor.SUBMIT


@pytest.mark.parametrize(
    ("wish", "call_at"),
    [(OnUnconfirmed.WAIT, None), (OnUnconfirmed.RESUBMIT, later(61))],
    ids=["wait", "resubmit"],
)
def test_a_lost_submission_is_planned_again_only_on_the_callers_word(wish, call_at):
    job = submitting_job(on_unconfirmed=wish)

    after = transitions.unconfirmed(job, claim=CLAIM, note="timeout", at=later(1))

    assert after.call_at == call_at


def test_a_claim_does_not_expire_before_its_time():
    job = submitting_job()

    assert transitions.claim_expired(job, at=later(39.999)) is job


def test_an_unconfirmed_job_is_not_submitted_again_unless_the_caller_said_so():
    job = unconfirmed_job(on_unconfirmed=OnUnconfirmed.WAIT)

    assert transitions.resubmitted(job, at=later(60)) is job


def test_a_resubmitted_job_remembers_that_two_renders_may_exist():
    job = unconfirmed_job(on_unconfirmed=OnUnconfirmed.RESUBMIT, call_at=later(60))

    assert transitions.resubmitted(job, at=later(59)) is job

    after = transitions.resubmitted(job, at=later(60))

    assert after.is_resubmitted
    assert (after.claim, after.submitted_at) == (None, None)
    assert after.is_ready


def test_a_success_keeps_the_outputs_and_ends_all_calls():
    after = transitions.succeeded(
        processing_job(), outputs=[OUTPUT], by=Actor.POLL, at=later(30), provider_status="success"
    )

    assert (after.outputs, after.provider_status) == ((OUTPUT,), "success")
    assert (after.finished_at, after.finished_by, after.call_at) == (later(30), Actor.POLL, None)


def test_a_success_does_not_replace_the_id_that_was_acknowledged():
    after = transitions.succeeded(
        processing_job(), outputs=[OUTPUT], by=Actor.WEBHOOK, at=NOON, provider_job_id="other"
    )

    assert after.provider_job_id == PROVIDER_JOB_ID


def test_a_success_without_outputs_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match="at least one usable output"):
        transitions.succeeded(processing_job(), outputs=[], by=Actor.POLL, at=NOON)


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
def test_a_result_for_a_job_that_ended_without_one_is_added_and_announced_once(status):
    ended = finished_job(status)

    after = transitions.succeeded(ended, outputs=[LATE_OUTPUT], by=Actor.WEBHOOK, at=later(99))
    again = transitions.succeeded(after, outputs=[OUTPUT], by=Actor.POLL, at=later(120))

    assert (after.status, after.outputs, after.error) == (status, (), ended.error)
    assert after.late_outputs == (LATE_OUTPUT,)
    assert [one.type for one in after.announcements][1:] == [EventType.LATE_RESULT]
    assert after.announcements[-1].at == later(99)
    assert again is after


def test_a_second_result_does_not_touch_the_first():
    done = finished_job(Status.SUCCEEDED)

    assert transitions.succeeded(done, outputs=[LATE_OUTPUT], by=Actor.POLL, at=later(9)) is done


@pytest.mark.parametrize(
    ("job", "code"),
    [
        (a_job(), ErrorCode.NOT_SENT_IN_TIME),
        (a_job(resubmissions=1), ErrorCode.SUBMIT_UNCONFIRMED),
        (a_job(refusal=ErrorCode.PROVIDER_AUTH), ErrorCode.PROVIDER_AUTH),
        (a_job(refusal=ErrorCode.PROVIDER_OUT_OF_CREDITS), ErrorCode.PROVIDER_OUT_OF_CREDITS),
        (submitting_job(), ErrorCode.DEADLINE_EXCEEDED),
        (unconfirmed_job(), ErrorCode.SUBMIT_UNCONFIRMED),
        (unconfirmed_job(refusal=ErrorCode.PROVIDER_AUTH), ErrorCode.SUBMIT_UNCONFIRMED),
        (processing_job(), ErrorCode.DEADLINE_EXCEEDED),
        (processing_job(refusal=ErrorCode.PROVIDER_AUTH), ErrorCode.DEADLINE_EXCEEDED),
    ],
    ids=lambda one: one.value if isinstance(one, ErrorCode) else one.status.value,
)
def test_a_job_past_its_deadline_fails_with_what_it_waited_for(job, code):
    after = transitions.given_up(job, at=job.deadline_at)

    assert after.error is not None
    assert (after.error.code, after.finished_by) == (code, Actor.DEADLINE)


def test_a_refusal_before_a_resubmission_does_not_explain_a_later_deadline():
    job = unconfirmed_job(
        on_unconfirmed=OnUnconfirmed.RESUBMIT, refusal=ErrorCode.PROVIDER_OUT_OF_CREDITS
    )

    after = transitions.given_up(transitions.resubmitted(job, at=later(60)), at=job.deadline_at)

    assert after.error is not None
    assert after.error.code is ErrorCode.SUBMIT_UNCONFIRMED


@pytest.mark.parametrize("status", [Status.QUEUED, Status.UNCONFIRMED, Status.PROCESSING])
def test_a_job_past_its_deadline_on_a_held_account_fails_with_the_holds_code(status):
    """Whether or not it was ever sent itself."""
    hold = a_hold(code=ErrorCode.PROVIDER_OUT_OF_CREDITS, status=402)

    after = transitions.given_up(job_in(status), at=later(900), hold=hold)

    assert after.error is not None
    assert after.error.code is hold.code
    assert after.error.provider == ProviderReply(status=402, message="")


def test_on_a_held_account_a_job_tells_what_was_said_of_itself_if_that_is_why():
    own = ProviderReply(status=401, message="key revoked")
    job = processing_job(refusal_reply=own)

    for_its_key = transitions.given_up(job, at=later(900), hold=a_hold())
    for_credits = transitions.given_up(
        job, at=later(900), hold=a_hold(code=ErrorCode.PROVIDER_OUT_OF_CREDITS, status=402)
    )

    assert for_its_key.error is not None
    assert for_its_key.error.provider == own
    assert for_credits.error is not None
    assert for_credits.error.provider == ProviderReply(status=402, message="")


def test_a_refusal_of_the_account_does_not_explain_why_a_render_took_too_long():
    job = processing_job(refusal_reply=ProviderReply(status=401, message="key revoked"))

    after = transitions.given_up(job, at=later(900))

    assert after.error is not None
    assert (after.error.code, after.error.provider) == (ErrorCode.DEADLINE_EXCEEDED, None)


def test_a_job_is_sent_again_after_one_and_two_minutes_and_never_a_fourth_time():
    job, gaps_s = a_job(on_unconfirmed=OnUnconfirmed.RESUBMIT), []
    for number in range(3):
        claim = Claim(token=f"claim-{number}", expires_at=later(40))
        lost = transitions.unconfirmed(
            transitions.claimed(job, claim=claim, at=NOON), claim=claim, note="timeout", at=later(1)
        )
        gaps_s.append(lost.call_at and (lost.call_at - later(1)).total_seconds())
        job = transitions.made_ready(transitions.resubmitted(lost, at=later(200)))

    assert gaps_s == [60, 120, None]
    assert (job.status, job.tries, job.resubmissions) == (Status.UNCONFIRMED, 3, 2)


def test_a_job_that_was_sent_before_is_not_ended_because_a_second_render_comes_too_late():
    job = a_job(resubmissions=1)

    assert transitions.not_sent_in_time(job, at=NOON) is job


def test_a_job_that_is_not_sent_again_waits_for_its_deadline():
    job = unconfirmed_job(on_unconfirmed=OnUnconfirmed.RESUBMIT, call_at=later(60))

    after = transitions.resubmission_skipped(job)

    assert (after.status, after.call_at) == (Status.UNCONFIRMED, None)
    assert transitions.resubmission_skipped(after) is after


def test_a_job_that_waited_for_a_provider_takes_its_place_in_the_queue():
    job = a_job(call_at=later(5))

    after = transitions.made_ready(job)

    assert (job.is_ready, after.is_ready) == (False, True)
    assert transitions.made_ready(after) is after


def test_no_job_is_given_up_before_its_deadline():
    job = processing_job()

    assert transitions.given_up(job, at=later(899.999)) is job


RETRYABLE = {
    ErrorCode.PROVIDER_JOB_NOT_FOUND,
    ErrorCode.DEADLINE_EXCEEDED,
    ErrorCode.NOT_SENT_IN_TIME,
    ErrorCode.SUBMIT_UNCONFIRMED,
}


@pytest.mark.parametrize("code", ErrorCode)
def test_a_failure_says_what_to_do_and_whether_the_same_input_may_succeed_next_time(code):
    after = transitions.failed(a_job(), code=code, by=Actor.POLL, at=NOON)

    assert after.error is not None
    assert after.error.message == f"{FAILURES[code].cause}; {FAILURES[code].remedy}"
    assert after.is_retryable is (code in RETRYABLE)


@pytest.mark.parametrize("code", ErrorCode)
def test_a_followed_job_is_never_to_be_retried_because_its_input_is_not_known(code):
    after = transitions.failed(followed_job(), code=code, by=Actor.POLL, at=NOON)

    assert not after.is_retryable


@pytest.mark.parametrize(
    ("job", "cost"),
    [
        (a_job(credits=2), 2),
        (finished_job(Status.SUCCEEDED, credits=2), 2),
        (transitions.cancelled(a_job(credits=2), at=NOON), 0),
        (transitions.cancelled(a_job(credits=None), at=NOON), 0),
        (transitions.cancelled(submitting_job(credits=2), at=NOON), 2),
        (transitions.cancelled(a_job(credits=2, resubmissions=1), at=NOON), 2),
        (transitions.cancelled(followed_job(credits=2), at=NOON), 2),
        (transitions.not_sent_in_time(a_job(credits=2), at=NOON), 0),
        (finished_job(Status.FAILED, credits=None), None),
        (
            transitions.succeeded(a_job(credits=2), outputs=[OUTPUT], by=Actor.WEBHOOK, at=NOON),
            2,
        ),
        (
            transitions.succeeded(
                transitions.cancelled(a_job(credits=2), at=NOON),
                outputs=[OUTPUT],
                by=Actor.WEBHOOK,
                at=NOON,
            ),
            2,
        ),
    ],
    ids=[
        "open",
        "rendered",
        "cancelled unsent",
        "cancelled unsent, price unknown",
        "cancelled while it was sent",
        "cancelled while it was to be sent again",
        "followed",
        "not sent in time",
        "failed, price unknown",
        "a result although it seemed unsent",
        "a late result although it seemed unsent",
    ],
)
def test_a_job_that_ended_without_being_sent_costs_nothing(job, cost):
    assert job.cost == cost


def test_a_nudge_has_a_job_under_way_polled_at_once():
    job = processing_job(call_at=later(60))

    assert transitions.poll_requested(job, provider_job_id="other", at=later(3)).call_at == later(3)
    assert (
        transitions.poll_requested(job, provider_job_id="other", at=later(3)).provider_job_id
        == job.provider_job_id
    )


@pytest.mark.parametrize("status", [Status.SUBMITTING, Status.UNCONFIRMED])
def test_a_nudge_without_an_id_says_nothing_of_a_job_that_has_none(status):
    job = job_in(status)

    assert transitions.poll_requested(job, provider_job_id=None, at=later(3)) is job


def test_a_nudge_is_noted_even_if_a_poll_is_due_for_a_pump_may_be_ahead_of_the_document():
    job = processing_job(call_at=later(1))

    assert transitions.poll_requested(job, provider_job_id=None, at=later(3)).call_at == later(3)


def test_an_answer_that_says_nothing_new_only_plans_the_next_poll():
    job = processing_job(polls=1)

    after = transitions.still_open(job, provider_status="pending", asked_at=NOON, poll_at=later(30))

    assert (after.polls, after.call_at, after.history) == (2, later(30), job.history)


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.PROCESSING}))
def test_answers_to_polls_say_nothing_of_a_job_that_is_not_under_way(status):
    job = job_in(status)

    assert (
        transitions.still_open(job, provider_status="pending", asked_at=NOON, poll_at=NOON) is job
    )
    assert transitions.poll_unanswered(job, poll_at=NOON) is job
    assert (
        transitions.with_strike(job, code=ErrorCode.OUTPUT_UNUSABLE, poll_at=NOON, at=NOON) is job
    )


def test_the_history_keeps_its_first_line_and_the_last_nineteen():
    job = a_job()
    for number in range(30):
        claim = Claim(token=f"claim-{number}", expires_at=later(number + 40))
        job = transitions.claimed(job, claim=claim, at=later(number))
        job = transitions.requeued(
            job, claim=claim, call_at=NOON, note=f"no {number}", refusal=None, at=later(number)
        )

    assert len(job.history) == 20
    assert job.history[0] == Entry(at=NOON, status=Status.QUEUED, by=Actor.CALLER, note="created")
    assert job.history[-1].note == "no 29"
