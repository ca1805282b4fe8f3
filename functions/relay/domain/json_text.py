"""JSON objects that mostly pass through: kept as text and parsed only when accessed."""

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

# Made once: json.dumps makes an encoder for every call that is not plain.
_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class JsonText(Mapping[str, Any]):
    """A JSON object kept as the text that is stored and shown.

    Parsed, a text of 256 KB can take thirty times as much memory.

    Args:
        text: A JSON object.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def _members(self) -> dict[str, Any]:
        members: dict[str, Any] = json.loads(self.text)
        return members

    def __getitem__(self, name: str) -> Any:
        return self._members[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __repr__(self) -> str:
        return f"JsonText({self.text!r})"


def json_text(value: Mapping[str, Any] | None) -> str:
    """Return a JSON object as compact text."""
    if isinstance(value, JsonText):
        return value.text
    return _compact(value)
