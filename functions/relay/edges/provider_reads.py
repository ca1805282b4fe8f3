"""Jobs as the providers' own read endpoints would show them.

Sources: ``GET /job/{id}`` (gepetto.md 2.3) and ``GET /generate/poll-result`` (spacely.md 2). The
shapes of a job that is not done or has failed are documented by neither: see design 3.
"""

from datetime import UTC

import msgspec

from relay.domain.job import Job, Status


class GepettoJob(msgspec.Struct, rename="camel"):
    """What Gepetto's Get Job answers."""

    status: str
    output: str | None
    mode: str
    created_at: str


class SpacelyData(msgspec.Struct):
    """What Spacely's poll answers in ``data``."""

    status: str
    result: list[str]


class SpacelyResult(msgspec.Struct):
    """What Spacely's poll answers."""

    data: SpacelyData


def gepetto_json(job: Job) -> bytes:
    """Return the job as Gepetto would show it; the time has milliseconds, as there."""
    created_at = job.created_at.astimezone(UTC).isoformat(timespec="milliseconds")
    return msgspec.json.encode(
        GepettoJob(
            status=_word(job, open_word="pending"),
            output=next(iter(job.outputs), None),
            mode=job.operation,
            created_at=created_at.replace("+00:00", "Z"),
        )
    )


def spacely_json(job: Job) -> bytes:
    """Return the job as Spacely would show it."""
    word = _word(job, open_word="processing")
    return msgspec.json.encode(SpacelyResult(SpacelyData(word, list(job.outputs))))


def _word(job: Job, *, open_word: str) -> str:
    if job.status is Status.SUCCEEDED:
        return "success"
    return "failed" if job.is_final else open_word
