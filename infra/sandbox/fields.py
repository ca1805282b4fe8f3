"""What a provider's input fields must look like."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

Inputs = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Shape:
    """A test for one value, and how to say what it wants."""

    wanted: str
    fits: Callable[[object], bool]


@dataclass(frozen=True, slots=True)
class Field:
    """A documented input field."""

    name: str
    shape: Shape
    required: bool = True

    def complaint(self, inputs: Inputs) -> str | None:
        """Return what is wrong with the field, or None; null counts as absent."""
        value = inputs.get(self.name)
        if value is None:
            return f"{self.name} is missing" if self.required else None
        return None if self.shape.fits(value) else f"{self.name} is not {self.shape.wanted}"


def optional(name: str, shape: Shape) -> Field:
    """Return a field that may be left out."""
    return Field(name, shape, required=False)


def _is_web_url(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_point(value: object) -> bool:
    return isinstance(value, dict) and all(_is_number(value.get(key)) for key in "xy")


def _is_box(value: object) -> bool:
    return isinstance(value, dict) and all(
        _is_number(value.get(key)) and value[key] >= 0 for key in "xywh"
    )


TEXT = Shape("a text", lambda value: isinstance(value, str) and value != "")
ANY_TEXT = Shape("a text, which may be empty", lambda value: isinstance(value, str))
WEB_URL = Shape("an http(s) URL", _is_web_url)
FLAG = Shape("true or false", lambda value: isinstance(value, bool))
NUMBER = Shape("a number", _is_number)
BOX = Shape("an object of x, y, w, h, none negative", _is_box)
TEXTS = Shape(
    "a list of texts",
    lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
)


def number_within(lowest: float, highest: float) -> Shape:
    """Return the shape of a number within bounds, both included."""
    return Shape(
        f"a number from {lowest:g} to {highest:g}",
        lambda value: (
            isinstance(value, int | float) and _is_number(value) and lowest <= value <= highest
        ),
    )


def one_of(*words: str) -> Shape:
    """Return the shape of a closed choice."""
    return Shape(f"one of {', '.join(words)}", lambda value: value in words)


def points(least: int, most: int) -> Shape:
    """Return the shape of a line: that many points of x and y, also negative ones."""
    return Shape(
        f"a list of {least} points x, y" if least == most else f"at least {least} points x, y",
        lambda value: (
            isinstance(value, list)
            and least <= len(value) <= most
            and all(_is_point(item) for item in value)
        ),
    )
