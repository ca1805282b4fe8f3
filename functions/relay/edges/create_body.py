"""The body of ``POST /v1/jobs``, with the types checked."""

import re
from typing import Annotated, Any, TypeVar

import msgspec

from relay.application.job_creator import DEFAULT_DEADLINE_S, NewJob
from relay.domain.job import OnUnconfirmed, Priority
from relay.edges.body import parse_strict_json, pointer_token
from relay.errors import InvalidRequest

T = TypeVar("T")

LONGEST_METADATA_KEY = 40
LONGEST_METADATA_VALUE = 500

MetadataKey = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_METADATA_KEY)]
MetadataValue = Annotated[str, msgspec.Meta(max_length=LONGEST_METADATA_VALUE)]
# It ends up in the path and the query of a poll: nothing in it may mean another address.
FOLLOWED_ID_PATTERN = r"^[A-Za-z0-9._~-]{1,200}$"
PATHS_OF_THEIR_OWN = (".", "..")
ProviderJobId = Annotated[str, msgspec.Meta(pattern=FOLLOWED_ID_PATTERN)]
_FIELD = re.compile(r"Object (?:contains unknown|missing required) field `(?P<name>.*)`", re.DOTALL)
_FOLLOWED_ID = re.compile(FOLLOWED_ID_PATTERN)
_PLACE = re.compile(r"(?P<what>.*?)(?: - at `(?:key` in `)?\$(?P<path>[\w.\[\]]*)`)?", re.DOTALL)


class CreateBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """What a caller posts."""

    provider: str
    operation: str
    input: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    provider_job_id: ProviderJobId | msgspec.UnsetType = msgspec.UNSET
    path: str | msgspec.UnsetType = msgspec.UNSET
    metadata: Annotated[dict[MetadataKey, MetadataValue], msgspec.Meta(max_length=20)] = {}
    deadline_seconds: Annotated[int, msgspec.Meta(ge=60, le=86_400)] = DEFAULT_DEADLINE_S
    on_unconfirmed: OnUnconfirmed = OnUnconfirmed.WAIT
    priority: Priority = Priority.NORMAL


def read_create_body(body: bytes) -> NewJob:
    """Return what the caller asks for.

    Raises:
        HttpProblem: 400, the body is not JSON.
        InvalidRequest: A field is missing, unknown or of the wrong type; names it.
    """
    try:
        given = msgspec.convert(_with_whole_numbers(parse_strict_json(body)), CreateBody)
    except msgspec.ValidationError as error:
        raise _located(str(error)) from None
    if given.input is msgspec.UNSET and given.provider_job_id is msgspec.UNSET:
        raise InvalidRequest(
            "/input", "input is required, or providerJobId of a job that was submitted elsewhere"
        )
    if given.input is not msgspec.UNSET and given.provider_job_id is not msgspec.UNSET:
        raise InvalidRequest("/providerJobId", "providerJobId and input exclude each other")
    provider_job_id = _or_none(given.provider_job_id)
    if provider_job_id is not None:
        _require_followable(provider_job_id)
    return NewJob(
        provider=given.provider,
        operation=given.operation,
        input=_or_none(given.input),
        provider_job_id=provider_job_id,
        metadata=given.metadata,
        deadline_s=given.deadline_seconds,
        on_unconfirmed=given.on_unconfirmed,
        priority=given.priority,
        path=_or_none(given.path),
    )


def read_no_body(body: bytes) -> None:
    """Accept a body that says nothing: none at all, or an empty object.

    Raises:
        HttpProblem: 400, the body is not JSON.
        InvalidRequest: It says something.
    """
    if not body:
        return
    given = parse_strict_json(body)
    if not isinstance(given, dict):
        raise InvalidRequest("", "the body must be empty, or an empty object")
    for name in given:
        raise InvalidRequest(f"/{pointer_token(name)}", "this call takes no fields")


def _with_whole_numbers(body: Any) -> Any:
    """Read ``60.0`` as 60: to JSON Schema it is an integer too."""
    if isinstance(body, dict):
        seconds = body.get("deadlineSeconds")
        if isinstance(seconds, float) and seconds.is_integer():
            return {**body, "deadlineSeconds": int(seconds)}
    return body


def _require_followable(provider_job_id: str) -> None:
    # In full: a dollar sign also matches before a line break at the end.
    if not _FOLLOWED_ID.fullmatch(provider_job_id) or provider_job_id in PATHS_OF_THEIR_OWN:
        raise InvalidRequest(
            "/providerJobId",
            f"providerJobId must match {FOLLOWED_ID_PATTERN}, and be neither `.` nor `..`",
        )


def _or_none(value: T | msgspec.UnsetType) -> T | None:
    return None if isinstance(value, msgspec.UnsetType) else value


def _located(message: str) -> InvalidRequest:
    # Only the body itself has fields that can be unknown, and their names can be anything.
    field = _FIELD.fullmatch(message)
    if field:
        return InvalidRequest(f"/{pointer_token(field['name'])}", message)
    match = _PLACE.fullmatch(message)
    what, path = (match["what"], match["path"] or "") if match else (message, "")
    pointer = path.replace("[...]", "").replace(".", "/")
    name = pointer.strip("/").replace("/", ".")
    return InvalidRequest(pointer, f"{name}: {what}" if name else what)
