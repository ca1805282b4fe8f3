"""What a job needs next, and when."""

from datetime import datetime, timedelta
from enum import StrEnum

from relay.domain.job import Job, OnUnconfirmed, Status

# How long past its deadline a job may wait for its last poll.
LAST_QUESTION = timedelta(seconds=20)


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
