"""The shapes that a field's value can have, as data; `checks` and `schema` read them."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A string.

    Attributes:
        values: The only ones that are taken; empty if any will do.
        may_be_empty: Whether the provider's own samples send an empty one.
    """

    values: tuple[str, ...] = ()
    may_be_empty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageUrl:
    """A URL from which the provider fetches a picture.

    Attributes:
        may_be_empty: Whether the provider's own samples send an empty string.
    """

    may_be_empty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number; each bound is None where there is none.

    Attributes:
        least: The smallest that is taken.
        above: What it must exceed.
        most: The largest that is taken.
    """

    least: float | None = None
    above: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""


@dataclass(frozen=True, slots=True)
class Texts:
    """An array of strings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """An array of ``{x, y}``; coordinates may be fractions and negative.

    Attributes:
        most: None if there may be any number.
    """

    fewest: int
    most: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle ``{x, y, w, h}`` whose origin is the picture's top left corner.

    Attributes:
        may_begin_outside: Whether ``x`` and ``y`` may be negative.
    """

    may_begin_outside: bool


Shape: TypeAlias = Text | ImageUrl | Number | Flag | Texts | Points | Box

COORDINATE = Number()
ORIGIN_WITHIN = Number(least=0)
LENGTH = Number(above=0)

POINT = {"x": COORDINATE, "y": COORDINATE}


def box_sides(box: Box) -> dict[str, Number]:
    """Return the numbers that a box consists of; one without extent is none."""
    origin = COORDINATE if box.may_begin_outside else ORIGIN_WITHIN
    return {"x": origin, "y": origin, "w": LENGTH, "h": LENGTH}
