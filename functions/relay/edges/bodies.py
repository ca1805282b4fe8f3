"""Bodies of requests: read within limits, parsed strictly, and checked against their types."""

import json
import re
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from typing import Annotated, Any, TypeVar, cast

import msgspec
from msgspec import UNSET, Meta, UnsetType
from werkzeug.wrappers import Request, Response

from relay.application.job_creator import DEFAULT_DEADLINE_S, NewJob
from relay.domain.callback import Callback
from relay.domain.catalogue.operation import MAX_INPUT_VALUES, too_many_values
from relay.domain.job import OnUnconfirmed, Priority
from relay.domain.readable import readable
from relay.domain.validation import Mistakes, pointer_token, validate
from relay.edges.problems import body_too_large, duplicate_name, malformed_json
from relay.errors import InvalidRequest

T = TypeVar("T")

# The fields and the metadata beside an input.
MAX_BODY_VALUES = MAX_INPUT_VALUES + 100
LONGEST_METADATA_KEY = 40
LONGEST_METADATA_VALUE = 500
# It ends up in the path and the query of a poll: nothing in it may mean another address.
FOLLOWED_ID_PATTERN = r"^[A-Za-z0-9._~-]{1,200}$"
DOT_SEGMENTS = (".", "..")
# The fields that have rules beside their types.
ASKED_FOR = ("provider", "operation", "input", "path", "callbackUrl")
_FOLLOWED_ID = re.compile(FOLLOWED_ID_PATTERN)
# The start of a value; a string before a colon is a member's name.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"(?P<colon>\s*:)?|[\[{]|[^\s",:\[\]{}]+')

MetadataKey = Annotated[str, Meta(min_length=1, max_length=LONGEST_METADATA_KEY)]
MetadataValue = Annotated[str, Meta(max_length=LONGEST_METADATA_VALUE)]
ProviderJobId = Annotated[str, Meta(pattern=FOLLOWED_ID_PATTERN)]


@readable
class CreateBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """What a caller posts."""

    provider: str
    operation: str
    input: dict[str, Any] | UnsetType = UNSET
    provider_job_id: ProviderJobId | UnsetType = UNSET
    path: str | UnsetType = UNSET
    metadata: Annotated[dict[MetadataKey, MetadataValue], Meta(max_length=20)] = {}
    deadline_seconds: Annotated[int, Meta(ge=60, le=86_400)] = DEFAULT_DEADLINE_S
    on_unconfirmed: OnUnconfirmed = OnUnconfirmed.WAIT
    priority: Priority = Priority.NORMAL
    callback_url: str | UnsetType = UNSET


@readable
class EmptyBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a call that takes no fields."""


@readable
class _Input(msgspec.Struct):
    """The input of a body, unparsed."""

    input: msgspec.Raw = msgspec.Raw(b"null")


def read_body(request: Request, *, max_bytes: int) -> bytes:
    """Return the body; raise the 413 problem if it is longer, whatever its headers say."""
    body = bytearray()
    # Not by werkzeug's own limit: the framework reads on after our answer, and would meet it.
    while len(body) <= max_bytes and (chunk := request.stream.read(max_bytes + 1 - len(body))):
        body += chunk
    if len(body) > max_bytes:
        raise body_too_large(max_bytes)
    return bytes(body)


def leaving_the_rest_unread(answer: Response) -> Response:
    """Send an answer without reading the rest of its request first.

    The framework would read it into memory however long it is, unless the answer streams
    (functions-framework, `read_request`). The server drops it piece by piece.
    """
    if answer.is_streamed:
        return answer
    body = answer.get_data()
    answer.response = iter([body])
    answer.content_length = len(body)
    return answer


def parse_json(body: bytes) -> Any:
    """Return the parsed JSON; raise the 400 problem if it is not JSON."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise malformed_json() from None


def parse_strict_json(body: bytes) -> Any:
    """Return a caller's parsed JSON, if every parser reads it alike.

    Raises:
        HttpProblem: 400, it is not JSON, or an object has two members of one name.
        InvalidRequest: It has too many values, or a string has a NUL, at which stores and
            providers cut strings off.
    """
    _require_bounded(body)
    value = parse_json(body)
    try:
        json.loads(body, object_pairs_hook=_unique_members)
    except (ValueError, RecursionError):
        raise malformed_json() from None
    # JSON has no other way to write one.
    pointer = next(_nul_pointers(value, ""), None) if b"\\u0000" in body else None
    if pointer is not None:
        name = pointer.strip("/").replace("/", ".") or "the body"
        raise InvalidRequest(pointer, f"{name} has the character U+0000, which no text may have")
    return value


def read_create_body(body: bytes, *, check: Callable[[NewJob], object]) -> NewJob:
    """Return what the caller asks for.

    Args:
        check: Raises InvalidRequest for what the catalogue says is wrong. Called only for a body
            that is wrong already, so that its sender learns of everything at once.

    Raises:
        HttpProblem: 400, the body is not JSON.
        InvalidRequest: Fields are missing, unknown or of the wrong type; names them.
    """
    value = _with_whole_numbers(parse_strict_json(body))
    mistakes = Mistakes()
    given = mistakes.attempt(_read_fields, value)
    if given is None:
        asked = _asked_for(value, wrong=mistakes.places)
        if asked is not None:
            mistakes.attempt(check, asked)
    mistakes.raise_if_any()
    return _new_job(cast("CreateBody", given))


def _read_fields(value: object) -> CreateBody:
    given = validate(value, CreateBody)
    _require_one_source(given)
    return given


def _require_one_source(given: CreateBody) -> None:
    if given.input is UNSET and given.provider_job_id is UNSET:
        raise InvalidRequest(
            "/input", "input is required, or providerJobId of a job that was submitted elsewhere"
        )
    if given.input is not UNSET and given.provider_job_id is not UNSET:
        raise InvalidRequest("/providerJobId", "providerJobId and input exclude each other")
    if given.provider_job_id is not UNSET:
        _require_followable(given.provider_job_id)


def _asked_for(value: Any, *, wrong: Collection[str]) -> NewJob | None:
    """Return the job that the right fields of a wrong body ask for; None if they ask for none."""
    if not isinstance(value, dict):
        return None
    names = [name for name in ASKED_FOR if name in value and f"/{name}" not in wrong]
    if "input" not in names:
        names = [name for name in names if name != "path"]
    if not {"provider", "operation"} <= set(names):
        return None
    return _new_job(validate({name: value[name] for name in names}, CreateBody))


def _new_job(given: CreateBody) -> NewJob:
    return NewJob(
        provider=given.provider,
        operation=given.operation,
        input=_or_none(given.input),
        provider_job_id=_or_none(given.provider_job_id),
        metadata=given.metadata,
        deadline_s=given.deadline_seconds,
        on_unconfirmed=given.on_unconfirmed,
        priority=given.priority,
        path=_or_none(given.path),
        callback=None if given.callback_url is UNSET else Callback(url=given.callback_url),
    )


def read_no_body(body: bytes) -> None:
    """Accept no body at all, or an empty object.

    Raises:
        HttpProblem: 400, the body is not JSON.
        InvalidRequest: It has fields.
    """
    if body:
        validate(parse_strict_json(body), EmptyBody)


def _require_bounded(body: bytes) -> None:
    """Refuse a body that would take much memory once it is parsed.

    Raises:
        HttpProblem: 400, it is not JSON.
        InvalidRequest: It has too many values.
    """
    require_json(body)
    if not has_more_values(body, than=MAX_BODY_VALUES):
        return
    try:
        given = bytes(msgspec.json.decode(body, type=_Input).input)
    except msgspec.ValidationError:
        given = b""
    if has_more_values(given, than=MAX_INPUT_VALUES):
        raise too_many_values()
    raise InvalidRequest("", f"the body may have at most {MAX_BODY_VALUES:,} JSON values")


def require_json(body: bytes) -> None:
    """Check all of a body without building anything; raise the 400 problem if it is not JSON."""
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise malformed_json() from None


def has_more_values(body: bytes, *, than: int) -> bool:
    """Return whether JSON has more values (objects, arrays and scalars) than this."""
    # Every value but the first follows one of these; strings may have them, too.
    if 1 + sum(body.count(mark) for mark in (b"[", b",", b":")) <= than:
        return False
    values = (1 for token in _TOKEN.finditer(body) if token["colon"] is None)
    return next(islice(values, than, None), None) is not None


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise duplicate_name(name)
        members[name] = value
    return members


def _nul_pointers(value: Any, pointer: str) -> Iterator[str]:
    if isinstance(value, str):
        if "\0" in value:
            yield pointer
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _nul_pointers(one, f"{pointer}/{index}")
    elif isinstance(value, dict):
        for name, one in value.items():
            if "\0" in name:
                yield pointer
            yield from _nul_pointers(one, f"{pointer}/{pointer_token(name)}")


def _with_whole_numbers(body: Any) -> Any:
    """Read ``60.0`` as 60: to JSON Schema it is an integer too."""
    if isinstance(body, dict):
        seconds = body.get("deadlineSeconds")
        if isinstance(seconds, float) and seconds.is_integer():
            return {**body, "deadlineSeconds": int(seconds)}
    return body


def _require_followable(provider_job_id: str) -> None:
    # In full: a dollar sign also matches before a line break at the end.
    if not _FOLLOWED_ID.fullmatch(provider_job_id) or provider_job_id in DOT_SEGMENTS:
        raise InvalidRequest(
            "/providerJobId",
            f"providerJobId must match {FOLLOWED_ID_PATTERN}, and be neither `.` nor `..`",
        )


def _or_none(value: T | UnsetType) -> T | None:
    return None if isinstance(value, UnsetType) else value
