"""Checks JSON against a msgspec type, and tells callers in plain words what is wrong with it."""

import re
from collections.abc import Callable
from typing import Any, TypeVar, cast

import msgspec
from msgspec import inspect

from relay.errors import InvalidRequest

T = TypeVar("T", bound=msgspec.Struct)

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
_PLACE = re.compile(
    r"(?P<what>.*) - at `(?P<key>key` in `)?\$\.(?P<field>\w+)(?P<place>[^`]*)`", re.DOTALL
)


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
        InvalidRequest: Names the field, and what was expected of it.
    """
    fields = type.__struct_encode_fields__
    if isinstance(value, dict) and type.__struct_config__.forbid_unknown_fields:
        # Not left to msgspec: a name can look like a part of its message.
        for name in value:
            if name not in fields:
                expected = f"is not a field; there are {', '.join(fields) or 'none'}"
                raise invalid_field(name, expected, within=within)
    try:
        return msgspec.convert(value, type, dec_hook=dec_hook)
    except msgspec.ValidationError as error:
        raise _refusal(str(error), type, within=within) from None


def invalid_field(name: str, expected: str, *, within: str = "", place: str = "") -> InvalidRequest:
    """Return the refusal of a field.

    Args:
        expected: What would have been right, as the rest of a sentence.
        within: Name of the field that it is in; empty for the whole body.
        place: Where in its value, such as ``[2].y``.
    """
    names = [within, name] if within else [name]
    pointer = "".join(f"/{pointer_token(one)}" for one in names)
    return InvalidRequest(pointer, f"{'.'.join(names)}{place} {expected}")


def pointer_token(name: str) -> str:
    """Return a member's name as JSON Pointer writes it (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _refusal(message: str, type: type[msgspec.Struct], *, within: str) -> InvalidRequest:
    match = _PLACE.fullmatch(message)
    if match is None:
        missing = _MISSING.fullmatch(message)
        if missing is not None:
            return invalid_field(missing[1], "is required", within=within)
        name = within or "the body"
        return InvalidRequest(within and f"/{within}", f"{name} {_expected(message)}")
    if match["what"].startswith("Invalid enum value"):
        expected = f"must be one of {', '.join(_words(type, match['field']))}"
    else:
        expected = _expected(match["what"])
    if match["key"]:
        expected = f"has a key that {expected}"
    return invalid_field(match["field"], expected, within=within, place=match["place"])


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
