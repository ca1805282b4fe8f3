"""What holds of a job whatever happens to it, in whatever order, however often."""

import itertools
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from relay.domain import transitions
from relay.domain.due import next_action, wake_at
from relay.domain.events import COMPLETION, not_published, published
from relay.domain.job import Actor, Claim, ErrorCode, EventType, Job, OnUnconfirmed
from tests.factories import LATE_OUTPUT, NOON, OUTPUT, REFUSAL, a_job

CLAIMS = [Claim(token=f"claim-{n}", expires_at=NOON + timedelta(seconds=40)) for n in (1, 2)]
THINGS = (
    *("claimed", "accepted", "requeued", "refused", "unconfirmed", "claim_expired", "resubmitted"),
    *("made_ready", "not_sent_in_time", "resubmission_skipped"),
    *(
        "succeeded",
        "failed",
        "cancelled",
        "still_open",
        "poll_unanswered",
        "with_strike",
        "given_up",
    ),
    *("poll_requested", "published", "not_published"),
)
HAPPENINGS = st.lists(
    st.tuples(st.sampled_from(THINGS), st.sampled_from(CLAIMS), st.integers(0, 400)), max_size=25
)


def happen(job: Job, thing: str, claim: Claim, passed_s: float) -> Job:
    at = NOON + timedelta(seconds=passed_s)
    soon = at + timedelta(seconds=5)
    match thing:
        case "claimed":
            return transitions.claimed(job, claim=claim, at=at)
        case "accepted":
            return transitions.accepted(
                job, claim=claim, provider_job_id="p", provider_status=None, poll_at=soon, at=at
            )
        case "requeued":
            return transitions.requeued(
                job, claim=claim, call_at=soon, note="", refusal=None, at=at
            )
        case "refused":
            return transitions.refused(job, claim=claim, reply=REFUSAL, at=at)
        case "unconfirmed":
            return transitions.unconfirmed(job, claim=claim, note="", at=at)
        case "claim_expired":
            return transitions.claim_expired(job, at=at)
        case "succeeded":
            output = LATE_OUTPUT if job.is_final else OUTPUT
            return transitions.succeeded(job, outputs=[output], by=Actor.POLL, at=at)
        case "failed":
            code = ErrorCode.RENDER_FAILED
            return transitions.failed(job, code=code, by=Actor.POLL, at=at)
        case "still_open":
            return transitions.still_open(
                job, provider_status="pending", asked_at=NOON, poll_at=soon
            )
        case "poll_unanswered":
            return transitions.poll_unanswered(job, poll_at=soon)
        case "with_strike":
            return transitions.with_strike(job, code=ErrorCode.OUTPUT_UNUSABLE, poll_at=soon, at=at)
        case "poll_requested":
            return transitions.poll_requested(job, provider_job_id="p", at=at)
        case "published" | "not_published":
            return _publishing(job, thing, at=at)
        case "resubmitted":
            return transitions.resubmitted(job, at=at)
        case "made_ready":
            return transitions.made_ready(job)
        case "not_sent_in_time":
            return transitions.not_sent_in_time(job, at=at)
        case "resubmission_skipped":
            return transitions.resubmission_skipped(job)
        case "cancelled":
            return transitions.cancelled(job, at=at)
        case _:
            return transitions.given_up(job, at=at)


def _publishing(job: Job, thing: str, *, at: datetime) -> Job:
    for event in job.unpublished[:1]:
        if thing == "published":
            return published(job, event.id, at=at)
        return not_published(job, event.id, at=at)
    return job


def histories(wish: OnUnconfirmed, happenings: list[tuple[str, Claim, int]]) -> list[Job]:
    jobs = [a_job(on_unconfirmed=wish)]
    passed_s = 0
    for thing, claim, gap_s in happenings:
        passed_s += gap_s
        jobs.append(happen(jobs[-1], thing, claim, passed_s))
    return jobs


@given(st.sampled_from(OnUnconfirmed), HAPPENINGS)
def test_every_open_job_has_a_moment_at_which_something_is_done_for_it(wish, happenings):
    for job in histories(wish, happenings):
        due = wake_at(job)

        if job.is_final:
            assert (due is None) == (not job.unpublished)
        else:
            assert due is not None
        if due is not None:
            assert next_action(job, at=due) is not None


@given(st.sampled_from(OnUnconfirmed), HAPPENINGS)
def test_a_final_job_keeps_its_status_and_its_result(wish, happenings):
    jobs = histories(wish, happenings)

    for before, after in itertools.pairwise(jobs):
        if before.is_final:
            assert after.status is before.status
            assert (after.outputs, after.error) == (before.outputs, before.error)
            assert (after.finished_at, after.finished_by) == (
                before.finished_at,
                before.finished_by,
            )


@given(st.sampled_from(OnUnconfirmed), HAPPENINGS)
def test_every_final_job_has_one_completion_event_and_at_most_one_late_result(wish, happenings):
    for job in histories(wish, happenings):
        types = [one.type for one in job.announcements]

        if job.is_final:
            assert types[0] is COMPLETION[job.status]
            assert job.announcements[0].at == job.finished_at
            assert types[1:] == ([EventType.LATE_RESULT] if job.late_outputs else [])
        else:
            assert types == []


@given(HAPPENINGS)
def test_without_the_callers_word_an_unconfirmed_job_is_never_queued_again(happenings):
    jobs = histories(OnUnconfirmed.WAIT, happenings)

    for before, after in itertools.pairwise(jobs):
        assert not (before.status == "unconfirmed" and after.status == "queued")
