"""What a provider's HTTP answer means, where both providers behave alike.

No provider documents the body of an error, so refusals go by their status alone.
"""

import json
import re
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final, cast

from relay.adapters.providers.excerpt import excerpt, text_of
from relay.adapters.transport import Answer, NotSent, PerhapsSent
from relay.domain.answers import ACCOUNT_REFUSALS, UnknownJob, status_word
from relay.domain.catalogue import RAW, find_operation
from relay.domain.job import Job, Json, ProviderReply
from relay.domain.provider_list import MAX_LIST_BYTES, ProviderList
from relay.errors import AccountRefused, JobRefused, NoAnswer, NotAccepted, PerhapsAccepted

TOO_MANY_CALLS = 429
COME_AGAIN = frozenset({408, 425, TOO_MANY_CALLS, 503})
NO_SUCH_JOB = frozenset({400, 404})

CONTENT_TYPE = re.compile(r"[a-z]+/[\x21-\x7e][\x20-\x7e]{0,99}", re.IGNORECASE)


class NotJson(Enum):
    """The type of `NOT_JSON`."""

    NOT_JSON = "not JSON"


NOT_JSON: Final = NotJson.NOT_JSON


def parse_json(body: bytes) -> Json | NotJson:
    """Return what the body says, or `NOT_JSON`.

    The standard library rather than msgspec, for its tolerance: an id or an output that was
    paid for must not be lost because a field beside it holds NaN, 1e999 or half of an emoji.
    So strings may hold lone surrogates.
    """
    try:
        return cast(Json, json.loads(body.decode("utf-8-sig")))
    except (ValueError, RecursionError):
        return NOT_JSON


def submission_path(job: Job) -> str:
    """Return where the job goes, below its provider's base URL.

    Raises:
        NotAccepted: The catalogue of this version does not know; that of another one may.
    """
    if job.operation == RAW:
        path = job.path
    else:
        try:
            path = find_operation(job.provider, job.operation).path
        except KeyError:
            path = None
    if path is None:
        raise NotAccepted("the operation is not in the catalogue")
    return path


def polled_id(job: Job) -> str:
    """Return the provider's id for the job; raise `NoAnswer` if there is none to ask for."""
    if job.provider_job_id is None:
        raise NoAnswer("the provider's id is not known")
    return job.provider_job_id


def acknowledgement(call: Callable[[], Answer], *, secrets: Sequence[str]) -> dict[str, Json]:
    """Submit with *call* and return the JSON object of an answer that says yes.

    Args:
        secrets: What must not be shown of what the provider says in a refusal.

    Raises:
        NotAccepted, PerhapsAccepted, JobRefused, AccountRefused: See `relay.errors`.
    """
    try:
        answer = call()
    except NotSent as error:
        raise NotAccepted(str(error)) from None
    except PerhapsSent as error:
        raise PerhapsAccepted(str(error)) from None
    status = answer.status
    if 200 <= status < 300:
        body = parse_json(answer.body)
        if isinstance(body, dict):
            return body
        raise PerhapsAccepted(f"HTTP {status} without a JSON object")
    if status in ACCOUNT_REFUSALS:
        raise AccountRefused(status, answer.retry_after_s, reason=_reason(answer, secrets=secrets))
    if status in COME_AGAIN:
        is_throttled = status == TOO_MANY_CALLS
        raise NotAccepted(f"HTTP {status}", answer.retry_after_s, is_throttled=is_throttled)
    if 400 <= status < 500:
        raise JobRefused(status, _reason(answer, secrets=secrets))
    raise PerhapsAccepted(f"HTTP {status}")


def polled_body(
    call: Callable[[], Answer], *, secrets: Sequence[str]
) -> dict[str, Json] | UnknownJob:
    """Ask with *call* and return the JSON object that says how the job stands.

    Args:
        secrets: As `acknowledgement`.

    Raises:
        NoAnswer, AccountRefused: See `relay.errors`.
    """
    try:
        answer = call()
    except (NotSent, PerhapsSent) as error:
        raise NoAnswer(str(error)) from None
    if answer.status in ACCOUNT_REFUSALS:
        raise AccountRefused(
            answer.status, answer.retry_after_s, reason=_reason(answer, secrets=secrets)
        )
    if answer.status in NO_SUCH_JOB:
        reason = _reason(answer, secrets=secrets)
        return UnknownJob(reply=ProviderReply(status=answer.status, message=reason))
    if answer.status != 200:
        is_throttled = answer.status == TOO_MANY_CALLS
        raise NoAnswer(f"HTTP {answer.status}", answer.retry_after_s, is_throttled=is_throttled)
    body = parse_json(answer.body)
    if not isinstance(body, dict):
        raise NoAnswer("HTTP 200 without a JSON object", answer.retry_after_s)
    return body


def whole_list(call: Callable[[], Answer]) -> ProviderList:
    """Ask for a list with *call* and return it as it came.

    Raises:
        NoAnswer: There is none that can be kept.
    """
    try:
        answer = call()
    except (NotSent, PerhapsSent) as error:
        raise NoAnswer(str(error)) from None
    if answer.status != 200:
        raise NoAnswer(f"HTTP {answer.status}", answer.retry_after_s)
    if not 0 < len(answer.body) <= MAX_LIST_BYTES:
        raise NoAnswer(f"HTTP 200 with {len(answer.body)} bytes")
    content_type = answer.content_type
    if not CONTENT_TYPE.fullmatch(content_type):
        content_type = "application/octet-stream"
    return ProviderList(content_type=content_type, body=answer.body)


def storable_word(value: Json) -> str | None:
    """Return the provider's word for a status, fit to be stored; None if there is no word."""
    word = status_word(value)
    return word.encode(errors="replace").decode() if word.strip() else None


def polled_word(value: Json) -> str:
    """Return the status word of a poll; raise `NoAnswer` if it has none."""
    word = storable_word(value)
    if word is None:
        raise NoAnswer("HTTP 200 without a status")
    return word


def _reason(answer: Answer, *, secrets: Sequence[str]) -> str:
    return excerpt(text_of(answer.body, parse_json(answer.body)), secrets=secrets)
