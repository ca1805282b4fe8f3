"""Writes the message of a failed job: what went wrong, in whose words, and what to do about it."""

from collections.abc import Iterator

from relay.domain.answers import ACCOUNT_REFUSALS
from relay.domain.catalogue import find_operation
from relay.domain.job import FAILURES, UNREAD, ErrorCode, Job, ProviderReply

# The failures that an unknown id in the input may have caused.
PERHAPS_BY_AN_ID = frozenset({ErrorCode.PROVIDER_REJECTED, ErrorCode.RENDER_FAILED})


def failure_message(job: Job, code: ErrorCode, reply: ProviderReply | None) -> str:
    """Return the message of a job that fails with this code, with hints if its input was read.

    Args:
        reply: What the provider said of it; None if it said nothing.
    """
    failure = FAILURES[code]
    hints = _hints(job) if code in PERHAPS_BY_AN_ID else ()
    return "; ".join([failure.cause + _quoted(code, reply), failure.remedy, *hints])


def _quoted(code: ErrorCode, reply: ProviderReply | None) -> str:
    if reply is None:
        return ""
    status = f"HTTP {reply.status}" if reply.status >= 400 else ""
    said = ": ".join(filter(None, (status, reply.message)))
    is_own = code is ErrorCode.PROVIDER_REJECTED and reply.status in ACCOUNT_REFUSALS
    return f" ({said})" + (" while it accepted others" if is_own else "")


def _hints(job: Job) -> Iterator[str]:
    if job.input is None or job.input is UNREAD:
        return
    try:
        operation = find_operation(job.provider, job.operation)
    except KeyError:
        return
    for field, known in operation.likely_meant(job.input):
        yield f"{field}: did you mean `{known}`?"
