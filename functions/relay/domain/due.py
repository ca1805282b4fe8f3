"""What a job needs next, and when."""

from datetime import datetime, timedelta
from enum import StrEnum

from relay.domain.job import Job, OnUnconfirmed, Status

# How long past its deadline a job may wait for its last poll.
LAST_QUESTION = timedelta(seconds=20)
# No document is written later than this after a moment that stands in it, such as its `wakeAt` or
# its creation: the instance may have been slow or frozen in between, or its clock slow.
WRITTEN_WITHIN = timedelta(seconds=120)
# From this age on, a render's end may be noticed a scheduler's minute late: what a pump costs that
# stays for every poll is more than what most renders cost (docs/decisions/0020).
PATIENT_AFTER = timedelta(minutes=2)
# The scheduler ticks every minute, and one tick may be lost.
NEXT_TICK_WITHIN = timedelta(minutes=2)


class Action(StrEnum):
    """What a pump does with a due job."""

    SUBMIT = "submit"
    POLL = "poll"
    QUEUE = "queue"
    RESUBMIT = "resubmit"
    EXPIRE_CLAIM = "expire_claim"
    GIVE_UP = "give_up"
    PUBLISH = "publish"

    @property
    def calls_provider(self) -> bool:
        """Whether the action counts against the provider's limit."""
        return self in (Action.SUBMIT, Action.POLL)


def wake_at(job: Job) -> datetime | None:
    """Return when the job next needs attention; None if never again.

    A job in its account's queue only has its deadline (contract, decision 2). Never before the
    job's last move: the due scan does not look far back, and would miss a job that somebody else
    moves after its deadline.
    """
    if job.is_final:
        return min(
            (event.publish_at for event in job.unpublished if event.publish_at), default=None
        )
    if job.status is Status.SUBMITTING and job.claim is not None:
        return job.claim.expires_at
    due = min(job.call_at or job.deadline_at, job.deadline_at)
    return max(due, job.history[-1].at) if job.history else due


def can_wait_for_tick(job: Job, *, at: datetime) -> bool:
    """Return whether the scheduler's next tick is soon enough for what the job needs next.

    True for the next poll of a long render, unless its deadline might come before that tick.
    """
    if not job.can_be_polled or next_action(job, at=at) is not None:
        return False
    age = at - (job.submitted_at or job.created_at)
    return age >= PATIENT_AFTER and job.deadline_at - at > NEXT_TICK_WITHIN


def next_action(job: Job, *, at: datetime) -> Action | None:
    """Return what the job needs at this moment; None if nothing is due.

    A queued job whose retry time has come joins the queue; one that the provider refused is retried
    directly, because such jobs go one at a time (contract, section 1a). A job that can be polled is
    polled once more at its deadline, and given up unpolled only if that fails for `LAST_QUESTION`.
    """
    due = wake_at(job)
    if due is None or at < due:
        return None
    if job.is_final:
        return Action.PUBLISH
    if job.status is Status.SUBMITTING:
        return Action.EXPIRE_CLAIM
    if job.can_be_polled and at < job.deadline_at + LAST_QUESTION:
        return Action.POLL
    if at >= job.deadline_at:
        return Action.GIVE_UP
    if job.status is Status.UNCONFIRMED:
        return Action.RESUBMIT if job.on_unconfirmed is OnUnconfirmed.RESUBMIT else None
    return Action.QUEUE if job.refusal is None else Action.SUBMIT
