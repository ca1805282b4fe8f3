"""Turns our dataclasses into the fields of a document and back: camelCase names, plain values."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def to_fields(value: object) -> dict[str, Any]:
    """Return the document fields of a dataclass; what is None is kept as null."""
    fields: dict[str, Any] = _renamed(msgspec.to_builtins(value, builtin_types=(datetime,)), camel)
    return fields


def from_fields(kind: type[T], fields: Mapping[str, Any]) -> T:
    """Return the dataclass that these fields hold.

    Raises:
        msgspec.ValidationError: Names the field that does not fit.
    """
    return msgspec.convert(_renamed(fields, _snake), kind)


def _renamed(value: Any, rename: Callable[[str], str]) -> Any:
    if isinstance(value, Mapping):
        return {rename(name): _renamed(inner, rename) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_renamed(inner, rename) for inner in value]
    if isinstance(value, datetime):
        # The client's own subclass carries nanoseconds that nothing here has a use for.
        return datetime.combine(value.date(), value.time(), tzinfo=UTC)
    return value


@cache
def camel(name: str) -> str:
    """Return a field's name as documents have it."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


@cache
def _snake(name: str) -> str:
    return "".join(f"_{mark.lower()}" if mark.isupper() else mark for mark in name)
