"""Every change of a job, each as a pure function from one job to the next.

Providers repeat and reorder their reports, and a write whose reply was lost is retried. So a step
that is not allowed, or was already taken, is not an error: it returns the same object.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from relay.domain.admission import Hold, refusal_code
from relay.domain.events import COMPLETION, with_event
from relay.domain.failures import failure_message
from relay.domain.job import (
    MOVES,
    Actor,
    Claim,
    Entry,
    ErrorCode,
    EventType,
    Job,
    JobError,
    OnUnconfirmed,
    ProviderReply,
    Status,
    Strikes,
)

MAX_HISTORY = 20

# Three submissions in all (contract, section 1a): the second 60 s after the first became
# unconfirmed, the third 120 s after the second did.
MAX_RESUBMISSIONS = 2
FIRST_RESUBMISSION_AFTER = timedelta(seconds=60)

# A single such answer may mean that the provider is not ready yet; see contract, section 2.
STRIKES_TO_FAIL = 3
STRIKES_SPAN = timedelta(seconds=60)


def claimed(job: Job, *, claim: Claim, at: datetime) -> Job:
    """Claim a queued job before calling its provider."""
    if job.status is not Status.QUEUED:
        return job
    moved = _moved(job, Status.SUBMITTING, by=Actor.SUBMIT, at=at, note="claimed by a pump")
    return replace(
        moved, claim=claim, submitted_at=at, not_ready_at=None, call_at=None, tries=job.tries + 1
    )


def accepted(
    job: Job,
    *,
    claim: Claim,
    provider_job_id: str,
    provider_status: str | None,
    poll_at: datetime,
    at: datetime,
) -> Job:
    """Apply the provider's acknowledgement, even if it comes late."""
    if job.claim != claim or job.is_final:
        return job
    if job.status is Status.PROCESSING:
        if job.provider_job_id == provider_job_id and job.is_acknowledged:
            return job
        return replace(job, provider_job_id=provider_job_id, is_acknowledged=True)
    moved = _moved(job, Status.PROCESSING, by=Actor.SUBMIT, at=at, note="accepted by the provider")
    return replace(
        moved,
        provider_job_id=provider_job_id,
        is_acknowledged=True,
        provider_status=provider_status,
        call_at=poll_at,
    )


def requeued(
    job: Job,
    *,
    claim: Claim,
    call_at: datetime | None,
    note: str,
    at: datetime,
    refusal: ProviderReply | None = None,
    is_throttled: bool = False,
) -> Job:
    """Queue a claimed job again that the provider certainly did not take.

    Args:
        call_at: When it may be sent again; None for its next turn.
        refusal: How the provider refused the account; None if it did not.
        is_throttled: Whether it answered 429.
    """
    if job.status is not Status.SUBMITTING or job.claim != claim:
        return job
    moved = _moved(job, Status.QUEUED, by=Actor.SUBMIT, at=at, note=note)
    return replace(
        moved,
        claim=None,
        submitted_at=None,
        call_at=call_at,
        refusal=refusal_code(refusal.status) if refusal else job.refusal,
        refusal_reply=refusal or job.refusal_reply,
        refused_at=at if refusal else job.refused_at,
        throttled_at=at if is_throttled else job.throttled_at,
    )


def made_ready(job: Job) -> Job:
    """Move a queued job whose waiting time is over into the queue."""
    if job.status is not Status.QUEUED or job.call_at is None:
        return job
    return replace(job, call_at=None)


def not_sent_in_time(job: Job, *, at: datetime) -> Job:
    """Fail a queued job that can no longer be rendered by its deadline: nothing was bought.

    A job that was sent before stays open: its first render may still come.
    """
    if job.status is not Status.QUEUED or job.is_resubmitted:
        return job
    return failed(job, code=ErrorCode.NOT_SENT_IN_TIME, by=Actor.DEADLINE, at=at)


def refused(job: Job, *, claim: Claim, reply: ProviderReply, at: datetime) -> Job:
    """Fail a claimed job that the provider refused."""
    if job.claim != claim or job.status not in (Status.SUBMITTING, Status.UNCONFIRMED):
        return job
    return failed(job, code=ErrorCode.PROVIDER_REJECTED, by=Actor.SUBMIT, at=at, reply=reply)


def unconfirmed(job: Job, *, claim: Claim, note: str, at: datetime) -> Job:
    """Mark a claimed job as unconfirmed: the provider may or may not have taken it.

    If its caller chose resubmission it is sent again, at most twice, after a delay that doubles.
    """
    if job.status is not Status.SUBMITTING or job.claim != claim:
        return job
    moved = _moved(job, Status.UNCONFIRMED, by=Actor.SUBMIT, at=at, note=note)
    if not _may_be_resubmitted(job):
        return replace(moved, call_at=None)
    return replace(moved, call_at=at + FIRST_RESUBMISSION_AFTER * 2**job.resubmissions)


def claim_expired(job: Job, *, at: datetime) -> Job:
    """Expire the claim of a dead pump, which may or may not have sent the job."""
    if job.claim is None or at < job.claim.expires_at:
        return job
    return unconfirmed(job, claim=job.claim, note="the pump that sent it died", at=at)


def resubmitted(job: Job, *, at: datetime) -> Job:
    """Queue an unconfirmed job again, if its caller chose resubmission."""
    if job.status is not Status.UNCONFIRMED or not _may_be_resubmitted(job):
        return job
    if job.call_at is not None and at < job.call_at:
        # A repeated write must not send a job again that has become unconfirmed once more.
        return job
    moved = _moved(job, Status.QUEUED, by=Actor.CALLER, at=at, note="to be submitted again")
    return replace(
        moved,
        claim=None,
        submitted_at=None,
        call_at=None,
        refusal=None,
        refusal_reply=None,
        resubmissions=job.resubmissions + 1,
    )


def resubmission_skipped(job: Job) -> Job:
    """Leave an unconfirmed job alone until its deadline: a new render would come too late."""
    if job.status is not Status.UNCONFIRMED or job.call_at is None:
        return job
    return replace(job, call_at=None)


def succeeded(
    job: Job,
    *,
    outputs: Sequence[str],
    by: Actor,
    at: datetime,
    provider_job_id: str | None = None,
    provider_status: str | None = None,
) -> Job:
    """Apply a usable result: it ends an open job and becomes the late result of a final one."""
    if not outputs:
        raise ValueError("a success needs at least one usable output")
    if job.status is Status.SUCCEEDED or job.late_outputs:
        return job
    if job.is_final:
        return with_event(replace(job, late_outputs=tuple(outputs)), EventType.LATE_RESULT, at=at)
    return _ended(
        job,
        Status.SUCCEEDED,
        by=by,
        at=at,
        note=f"{len(outputs)} output(s)",
        outputs=tuple(outputs),
        provider_job_id=provider_job_id,
        provider_status=provider_status,
    )


def failed(
    job: Job,
    *,
    code: ErrorCode,
    by: Actor,
    at: datetime,
    provider_status: str | None = None,
    reply: ProviderReply | None = None,
) -> Job:
    """End an open job without a result.

    Args:
        reply: What the provider said of it; None if it said nothing.
    """
    if job.is_final:
        return job
    return _ended(
        job,
        Status.FAILED,
        by=by,
        at=at,
        note=code.value,
        error=JobError(code=code, message=failure_message(job, code, reply), provider=reply),
        provider_status=provider_status,
    )


def cancelled(job: Job, *, at: datetime) -> Job:
    """Cancel an open job for its caller."""
    if job.is_final:
        return job
    return _ended(job, Status.CANCELLED, by=Actor.CALLER, at=at, note="cancelled by the caller")


def still_open(job: Job, *, provider_status: str, asked_at: datetime, poll_at: datetime) -> Job:
    """Record a poll that found the render unfinished.

    Args:
        asked_at: When the poll was sent: the render may have ended before the answer came.
    """
    if job.status is not Status.PROCESSING:
        return job
    return replace(
        job,
        provider_status=provider_status,
        polls=job.polls + 1,
        not_ready_at=asked_at,
        strikes=None,
        call_at=poll_at,
    )


def poll_unanswered(
    job: Job,
    *,
    poll_at: datetime,
    refused_at: datetime | None = None,
    refusal: ProviderReply | None = None,
    throttled_at: datetime | None = None,
) -> Job:
    """Record a poll without an answer, which says nothing about the job.

    Args:
        refused_at: When the provider refused the account; None if it did not.
        refusal: How it did.
        throttled_at: When the provider answered 429; None if it did not.
    """
    if job.status is not Status.PROCESSING:
        return job
    return replace(
        job,
        polls=job.polls + 1,
        call_at=poll_at,
        refusal_reply=refusal or job.refusal_reply,
        refused_at=refused_at or job.refused_at,
        throttled_at=throttled_at or job.throttled_at,
    )


def with_strike(
    job: Job,
    *,
    code: ErrorCode,
    poll_at: datetime,
    at: datetime,
    provider_status: str | None = None,
    reply: ProviderReply | None = None,
) -> Job:
    """Count an answer that fails the job once it was repeated often and long enough."""
    if job.status is not Status.PROCESSING:
        return job
    strikes = job.strikes
    if strikes is None or strikes.code is not code:
        strikes = Strikes(code=code, count=0, since=at)
    strikes = replace(strikes, count=strikes.count + 1)
    if strikes.count >= STRIKES_TO_FAIL and at - strikes.since >= STRIKES_SPAN:
        return failed(
            job,
            code=code,
            by=Actor.POLL,
            at=at,
            provider_status=provider_status,
            reply=reply,
        )
    return replace(
        job,
        provider_status=provider_status or job.provider_status,
        polls=job.polls + 1,
        strikes=strikes,
        call_at=poll_at,
    )


def given_up(job: Job, *, at: datetime, hold: Hold | None = None) -> Job:
    """Fail an open job whose deadline has passed.

    Args:
        hold: The hold of its account; None if it is not on hold.
    """
    if at < job.deadline_at:
        return job
    code = _why_given_up(job, hold=hold)
    reply = _account_refusal(job, code, hold=hold)
    return failed(job, code=code, by=Actor.DEADLINE, at=at, reply=reply)


def poll_requested(job: Job, *, provider_job_id: str | None, at: datetime) -> Job:
    """Poll the job at once after a callback that proves nothing.

    The provider's id in the callback is adopted if none is known yet: then the job can be polled.
    """
    if provider_job_id is not None and job.status in (Status.SUBMITTING, Status.UNCONFIRMED):
        moved = _moved(
            job, Status.PROCESSING, by=Actor.WEBHOOK, at=at, note="a callback brought its id"
        )
        return replace(moved, provider_job_id=provider_job_id, call_at=at)
    if job.status is Status.PROCESSING and job.call_at != at:
        # Written even if a poll is due already: a pump may keep this job with bookkeeping ahead of
        # the document, and only a new version tells it of the callback.
        return replace(job, call_at=at)
    return job


def _why_given_up(job: Job, *, hold: Hold | None) -> ErrorCode:
    if hold is not None:
        return hold.code
    if job.status is Status.UNCONFIRMED or (job.status is Status.QUEUED and job.is_resubmitted):
        return ErrorCode.SUBMIT_UNCONFIRMED
    if job.status is Status.QUEUED:
        return job.refusal or ErrorCode.NOT_SENT_IN_TIME
    return ErrorCode.DEADLINE_EXCEEDED


def _account_refusal(job: Job, code: ErrorCode, *, hold: Hold | None) -> ProviderReply | None:
    """Return how the provider refused the account, in its words about no other job."""
    if code not in (ErrorCode.PROVIDER_AUTH, ErrorCode.PROVIDER_OUT_OF_CREDITS):
        return None
    own = job.refusal_reply
    if own is not None and refusal_code(own.status) is code:
        return own
    return None if hold is None else ProviderReply(status=hold.status, message="")


def _may_be_resubmitted(job: Job) -> bool:
    return job.on_unconfirmed is OnUnconfirmed.RESUBMIT and job.resubmissions < MAX_RESUBMISSIONS


def _ended(
    job: Job,
    to: Status,
    *,
    by: Actor,
    at: datetime,
    note: str,
    outputs: tuple[str, ...] = (),
    error: JobError | None = None,
    provider_job_id: str | None = None,
    provider_status: str | None = None,
) -> Job:
    if to not in MOVES[job.status]:
        return job
    # In one step: a copy of a job costs a callback as much as a log line.
    ended = replace(
        job,
        status=to,
        history=_history(job, Entry(at=at, status=to, by=by, note=note)),
        outputs=outputs or job.outputs,
        error=error or job.error,
        provider_job_id=job.provider_job_id or provider_job_id,
        provider_status=provider_status or job.provider_status,
        finished_at=at,
        finished_by=by,
        call_at=None,
        strikes=None,
    )
    return with_event(ended, COMPLETION[to], at=at)


def _moved(job: Job, to: Status, *, by: Actor, at: datetime, note: str) -> Job:
    if to not in MOVES[job.status]:
        return job
    entry = Entry(at=at, status=to, by=by, note=note)
    return replace(job, status=to, history=_history(job, entry))


def _history(job: Job, entry: Entry) -> tuple[Entry, ...]:
    history = (*job.history, entry)
    # Keep the first entry, however many follow.
    return history if len(history) <= MAX_HISTORY else (history[0], *history[-(MAX_HISTORY - 1) :])
