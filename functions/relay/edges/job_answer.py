"""A job as the API answers with it: as events show it, and what is true of it only now."""

from datetime import datetime

import msgspec

from relay.application.progress import Progress
from relay.domain.job import Job
from relay.job_view import JobView, view


class JobAnswer(JobView, rename="camel", kw_only=True):
    """A job as its caller sees it; see design 2."""

    expected_at: datetime | None
    waiting_for: str | None


def answer_json(job: Job, progress: Progress) -> bytes:
    """Return the job as JSON."""
    return msgspec.json.encode(
        JobAnswer(
            **msgspec.structs.asdict(view(job)),
            expected_at=progress.expected_at,
            waiting_for=progress.waiting_for,
        )
    )
