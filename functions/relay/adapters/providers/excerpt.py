"""Excerpts of what providers say, fit for the job's owner and for the log."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

MAX_LENGTH = 300
BLOT = "***"
# Enough for an excerpt, and little enough for the patterns below whatever stands in it.
MAX_READ_LENGTH = 4_000
# Where APIs commonly put words for people; no provider documents its own.
TEXT_MEMBERS = ("message", "error", "detail", "reason")
# What is documented, or typed in clients, of an answer to a poll: never the reason for a failure
# (gepetto.md 2.3, spacely.md 2).
POLL_MEMBERS = frozenset(
    {"status", "output", "result", "mode", "createdAt", "id", "progress", "webhook", "webhookUrl"}
)

_MARKUP = re.compile(r"<[a-zA-Z!/?]")
_TAGS = re.compile(
    r"<(script|style)\b.*?(?:</\1\s*>|$)|<[a-zA-Z!/?][^>]*(?:>|$)", re.IGNORECASE | re.DOTALL
)
# An address with what may sign it or log in with it: credentials, query and fragment.
_URL = re.compile(
    r"(https?://)(?:[^\s/?#\"'<>@]*@)?([^\s?#\"'<>]*)(?:[?#][^\s\"'<>]*)?", re.IGNORECASE
)
_QUOTED_URL = re.compile(r"https?%3A%2F%2F[^\s\"'<>]*", re.IGNORECASE)


def excerpt(said: str, *, secrets: Iterable[str]) -> str:
    """Return the first 300 printable characters of a text without markup and secrets.

    URLs lose their queries, which may sign them.

    Args:
        secrets: What neither the job's owner nor the log may show.
    """
    said = said.replace("\\/", "/")
    for secret in sorted({*secrets, *(quote(one, safe="") for one in secrets)}, key=len)[::-1]:
        said = said.replace(secret, BLOT) if secret else said
    said = said[:MAX_READ_LENGTH]
    if _MARKUP.search(said):
        said = _TAGS.sub(" ", said)
    said = _QUOTED_URL.sub(BLOT, _URL.sub(_without_query, said))
    printable = "".join(mark if mark.isprintable() else " " for mark in said)
    return " ".join(printable.split())[:MAX_LENGTH].rstrip()


def text_of(body: bytes, parsed: object) -> str:
    """Return what the body of a refusal says.

    Args:
        parsed: The body as JSON; anything but an object or an array if it is none.
    """
    match parsed:
        case dict():
            return next(_texts(parsed), _dumped(parsed))
        case list():
            return _dumped(parsed)
        case str():
            return parsed
        case _:
            return body.decode("utf-8-sig", errors="replace")


def failure_text(word: str, *bodies: Mapping[str, Any]) -> str:
    """Return the provider's word for a failed render, and what it says beside it.

    Args:
        bodies: The objects that may say why, the likeliest first.
    """
    for body in bodies:
        texts = dict.fromkeys(one for one in _texts(body) if one.strip() != word.strip())
        if texts:
            return f"{word}: {'; '.join(texts)}"
    for body in bodies:
        rest = {name: one for name, one in body.items() if name not in POLL_MEMBERS and one}
        rest.pop("data", None)
        if any(one != word for one in rest.values()):
            return f"{word}: {_dumped(rest)}"
    return word


def _texts(body: Mapping[str, Any]) -> Iterator[str]:
    for name in TEXT_MEMBERS:
        value = body.get(name)
        if isinstance(value, dict):
            value = value.get("message")
        values = value if isinstance(value, list) else [value]
        texts = [one for one in values if isinstance(one, str) and one.strip()]
        if texts and len(texts) == len(values):
            yield "; ".join(texts)


def _dumped(value: Mapping[str, Any] | Sequence[Any]) -> str:
    return json.dumps(value, ensure_ascii=False) if value else ""


def _without_query(url: re.Match[str]) -> str:
    address = url[1] + url[2]
    return f"{address}?{BLOT}" if "?" in url[0] else address
