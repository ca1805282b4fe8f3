"""Reads the bodies of requests, within limits."""

from typing import Any, TypeVar

import msgspec
from werkzeug.wrappers import Request

from relay.edges.problems import body_too_large, malformed_json

T = TypeVar("T")


def read_body(request: Request, *, max_bytes: int) -> bytes:
    """Return the body; raise the 413 problem if it is longer, whatever its headers say."""
    body = bytearray()
    # Not by werkzeug's own limit: the framework reads on after our answer, and would meet it.
    while len(body) <= max_bytes and (chunk := request.stream.read(max_bytes + 1 - len(body))):
        body += chunk
    if len(body) > max_bytes:
        raise body_too_large(max_bytes)
    return bytes(body)


def parse_json(body: bytes) -> Any:
    """Return what the JSON says; raise the 400 problem if it is none."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise malformed_json() from None
