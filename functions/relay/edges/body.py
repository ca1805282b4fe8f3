"""Reads the bodies of requests, within limits."""

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec
from werkzeug.wrappers import Request, Response

from relay.domain.catalogue.operation import MAX_INPUT_VALUES, too_many_values
from relay.edges.problems import body_too_large, duplicate_name, malformed_json
from relay.errors import InvalidRequest

# What stands beside an input: some fields, and metadata.
MAX_BODY_VALUES = MAX_INPUT_VALUES + 100
# A value, up to where it begins to have others in it; a text before a colon is a name.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"(?P<colon>\s*:)?|[\[{]|[^\s",:\[\]{}]+')


class _Input(msgspec.Struct):
    """What counts most in a body, unread."""

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
    """Have the answer sent without what is left of the request being read first.

    The framework would read it into memory however long it is, unless the answer streams
    (functions-framework, `read_request`). The server drops it piece by piece.
    """
    body = answer.get_data()
    answer.response = iter([body])
    answer.content_length = len(body)
    return answer


def parse_json(body: bytes) -> Any:
    """Return what the JSON says; raise the 400 problem if it is none."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise malformed_json() from None


def parse_strict_json(body: bytes) -> Any:
    """Return what a caller's JSON says; readers of it cannot differ on what that is.

    Raises:
        HttpProblem: 400, it is no JSON, or an object has two members of one name.
        InvalidRequest: There are too many values in it, or a text has a NUL, which stores and
            providers cut texts at.
    """
    _require_bounded(body)
    value = parse_json(body)
    try:
        json.loads(body, object_pairs_hook=_without_twins)
    except (ValueError, RecursionError):
        raise malformed_json() from None
    pointer = next(_nul_pointers(value, ""), None)
    if pointer is not None:
        name = pointer.strip("/").replace("/", ".") or "the body"
        raise InvalidRequest(pointer, f"{name} has the character U+0000, which no text may have")
    return value


def _require_bounded(body: bytes) -> None:
    """Refuse a body that would take much memory once it is parsed.

    Raises:
        HttpProblem: 400, it is no JSON.
        InvalidRequest: It has too many values.
    """
    try:
        # Checks the whole of it and makes nothing of it.
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise malformed_json() from None
    if not _has_more_values(body, than=MAX_BODY_VALUES):
        return
    try:
        given = bytes(msgspec.json.decode(body, type=_Input).input)
    except msgspec.ValidationError:
        given = b""
    if _has_more_values(given, than=MAX_INPUT_VALUES):
        raise too_many_values()
    raise InvalidRequest("", f"the body may have at most {MAX_BODY_VALUES:,} JSON values")


def _has_more_values(body: bytes, *, than: int) -> bool:
    # What every value but the first follows; texts may have some, too.
    if 1 + sum(body.count(mark) for mark in (b"[", b",", b":")) <= than:
        return False
    values = (1 for token in _TOKEN.finditer(body) if token["colon"] is None)
    return next(islice(values, than, None), None) is not None


def pointer_token(name: str) -> str:
    """Return a member's name as JSON Pointer writes it (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
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
