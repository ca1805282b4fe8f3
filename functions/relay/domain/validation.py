"""Checks JSON against a msgspec type, and tells callers in plain words what is wrong with it."""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, ParamSpec, TypeVar, cast

import msgspec
from msgspec import inspect

from relay.domain.spelling import one_of, unknown
from relay.errors import MAX_MISTAKES, Invalid, InvalidRequest

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T", bound=msgspec.Struct)

SHOWN_NAME = 40

_TYPES = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "an array",
    "object": "an object",
}
# msgspec's messages, and the places that it adds to them.
_MISSING = re.compile(r"Object missing required field `(\w+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_EXPECTED = re.compile(r"Expected `(?P<type>\w+)`(?:, got `\w+`)?(?P<bounds>.*)")
_PLACE = re.compile(r"(?P<what>.*?)(?: - at `(?P<key>key` in `)?\$(?P<place>[^`]*)`)?", re.DOTALL)


class Mistakes:
    """Collects what is wrong with a request, so that its sender learns of all of it at once."""

    def __init__(self) -> None:
        self._found: list[Invalid] = []

    @property
    def places(self) -> set[str]:
        """Where something is wrong."""
        return {one.where for one in self._found}

    def add(self, error: Invalid) -> None:
        """Add an error, but for places that have one already."""
        places = self.places
        self._found += [one for one in error.mistakes if one.where not in places]

    def attempt(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R | None:
        """Return what a call returns; None, having added it, if it raises `Invalid`."""
        try:
            return call(*args, **kwargs)
        except Invalid as error:
            self.add(error)
            return None

    def raise_if_any(self) -> None:
        """Raise one error for all that was added, if anything was."""
        if self._found:
            raise type(self._found[0]).joined(self._found[:MAX_MISTAKES])


def validate(
    value: object,
    type: type[T],
    *,
    within: str = "",
    dec_hook: Callable[[Any, Any], Any] | None = None,
) -> T:
    """Return JSON as a struct.

    Args:
        within: Name of the field whose value this is; empty for the whole body.
        dec_hook: Reads a field of a custom type; its ValueError is the rest of a sentence.

    Raises:
        InvalidRequest: Names every wrong field, and what was expected of it.
    """
    mistakes = Mistakes()
    if isinstance(value, dict) and type.__struct_config__.forbid_unknown_fields:
        # Not left to msgspec: a name can look like a part of its message.
        fields = type.__struct_encode_fields__
        for name in islice((one for one in value if one not in fields), MAX_MISTAKES):
            expected = unknown("is not a field", name, fields)
            mistakes.add(invalid_field(name, expected, within=within))
        value = {name: value[name] for name in fields if name in value}
    try:
        found = msgspec.convert(value, type, dec_hook=dec_hook)
    except msgspec.ValidationError as error:
        for one in _refusals(str(error), value, type, within=within, dec_hook=dec_hook):
            mistakes.add(one)
    mistakes.raise_if_any()
    return found


def invalid_field(name: str, expected: str, *, within: str = "", place: str = "") -> InvalidRequest:
    """Return the refusal of a field.

    Args:
        expected: What would have been right, as the rest of a sentence.
        within: Name of the field that it is in; empty for the whole body.
        place: Where in its value, such as ``[2].y``.
    """
    names = [within, name] if within else [name]
    pointer = "".join(f"/{pointer_token(one)}" for one in names)
    return InvalidRequest(pointer, f"{shortened('.'.join(names))}{place} {expected}")


def shortened(name: str) -> str:
    """Return a name that a caller chose, short enough for a message."""
    return name if len(name) <= SHOWN_NAME else f"{name[:SHOWN_NAME]}..."


def pointer_token(name: str) -> str:
    """Return a member's name as JSON Pointer writes it (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _refusals(
    message: str,
    value: object,
    type: type[msgspec.Struct],
    *,
    within: str,
    dec_hook: Callable[[Any, Any], Any] | None,
) -> Iterator[InvalidRequest]:
    """Yield what is wrong with each field of a value that msgspec refused at the first."""
    if not isinstance(value, dict):
        name = within or "the body"
        yield InvalidRequest(within and f"/{within}", f"{name} {_expected(message)}")
        return
    for field in msgspec.structs.fields(type):
        name = field.encode_name
        if name not in value:
            if field.required:
                yield invalid_field(name, "is required", within=within)
            continue
        try:
            msgspec.convert(value[name], field.type, dec_hook=dec_hook)
        except msgspec.ValidationError as error:
            yield _refusal(str(error), value[name], type, name, within=within)


def _refusal(
    message: str, value: object, type: type[msgspec.Struct], name: str, *, within: str
) -> InvalidRequest:
    match = cast("re.Match[str]", _PLACE.fullmatch(message))
    if match["what"].startswith("Invalid enum value"):
        expected = one_of(value, _words(type, name))
    else:
        expected = _expected(match["what"])
    if match["key"]:
        expected = f"has a key that {expected}"
    return invalid_field(name, expected, within=within, place=match["place"] or "")


def _expected(what: str) -> str:
    """Return what msgspec says is wrong as the rest of a sentence."""
    match = _EXPECTED.fullmatch(what)
    if match is not None:
        return f"must be {_TYPES.get(match['type'], match['type'])}{match['bounds']}"
    if what == "Number out of range":
        return "must be a number in the range of 64-bit floats"
    return _UNKNOWN.sub(r"must not have \1", _MISSING.sub(r"must have \1", what))


def _words(type: type[msgspec.Struct], field: str) -> list[str]:
    """Return the only words that a field may have."""
    struct = cast("inspect.StructType", inspect.type_info(type))
    found = next(one.type for one in struct.fields if one.encode_name == field)
    while isinstance(found, inspect.Metadata):
        found = found.type
    match found:
        case inspect.EnumType():
            return [word.value for word in found.cls]
        case inspect.LiteralType():
            return [str(word) for word in found.values]
        case _:
            return []
