"""The steps of a job whose outputs are copied; its status never changes."""

from dataclasses import replace
from datetime import datetime

from relay.domain.events import with_event
from relay.domain.job import EventType, Job
from relay.domain.kept_output import GIVE_UP_AFTER, NEVER_REACHED, KeptOutput

RESULTS = (EventType.SUCCEEDED, EventType.LATE_RESULT)


def results(job: Job) -> tuple[str, ...]:
    """Return the URLs of the job's outputs or of its late ones; a job never has both."""
    return job.outputs or job.late_outputs


def undecided(job: Job) -> tuple[int, ...]:
    """Return the indexes of the outputs that are neither kept nor given up."""
    decided = {one.index for one in job.kept_outputs}
    return tuple(index for index in range(len(results(job))) if index not in decided)


def decided(job: Job, kept: KeptOutput, *, at: datetime) -> Job:
    """Add the copy of an output, or why there is none, unless that was decided before.

    The last one adds the event.
    """
    if kept.index not in undecided(job):
        return job
    after = replace(job, kept_outputs=(*job.kept_outputs, kept))
    return after if undecided(after) else with_event(after, EventType.OUTPUTS_KEPT, at=at)


def is_given_up(job: Job, *, at: datetime) -> bool:
    """Return whether an output whose host cannot be reached is not waited for any longer."""
    return any(one.type in RESULTS and at - one.at >= GIVE_UP_AFTER for one in job.announcements)


def has_unreached(job: Job) -> bool:
    """Return whether an output was given up because its host was never reached."""
    return any(one.error == NEVER_REACHED for one in job.kept_outputs)
