"""What must be done for a job next, and when."""

from datetime import datetime, timedelta
from enum import StrEnum

from relay.domain.job import Job, OnUnconfirmed, Status

# How long past its deadline a job may wait for the last question to its provider.
LAST_QUESTION = timedelta(seconds=20)


class Action(StrEnum):
    """What a pump does for a job that has come due."""

    SUBMIT = "submit"
    POLL = "poll"
    QUEUE = "queue"
    RESUBMIT = "resubmit"
    EXPIRE_CLAIM = "expire_claim"
    GIVE_UP = "give_up"
    PUBLISH = "publish"

    @property
    def calls_provider(self) -> bool:
        """Whether it counts against the provider's limit."""
        return self in (Action.SUBMIT, Action.POLL)


def wake_at(job: Job) -> datetime | None:
    """Return when something must be done for the job, None if never again.

    A job that stands in its account's queue only has its deadline (design, decision 2).
    Never before its last move: a pump at work does not look far back, and would not see a job
    that somebody else moves after its deadline.
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
    """Return what to do for the job at this moment, None if nothing is due.

    A queued job whose time has come takes its place in the queue; one that its provider refused is
    tried once more from here, because such jobs go one at a time (design 1a).
    A job that can be asked about is asked once more at its deadline; only when that cannot
    be done for `LAST_QUESTION` is it given up unasked.
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
