"""Whether a value has the shape that its field must have, and what is wrong if not."""

from collections.abc import Mapping
from typing import assert_never

from relay.domain.catalogue.image_url import image_url_complaint
from relay.domain.catalogue.shapes import (
    POINT,
    Box,
    Flag,
    ImageUrl,
    Number,
    Points,
    Shape,
    Text,
    Texts,
    box_sides,
)
from relay.domain.job import Json


def complaint(
    shape: Shape, value: Json, *, allow_local_urls: bool, is_complete: bool
) -> str | None:
    """Return what is wrong with a value, as the rest of a sentence; None if nothing is.

    Args:
        is_complete: Whether objects may have none but the documented keys.
    """
    match shape:
        case Text():
            return _text(shape, value)
        case ImageUrl():
            is_left_empty = value == "" and shape.may_be_empty
            return None if is_left_empty else image_url_complaint(value, allow_local_urls)
        case Number():
            return _number(shape, value)
        case Flag():
            return None if isinstance(value, bool) else "must be true or false"
        case Texts():
            is_texts = isinstance(value, list) and all(isinstance(one, str) for one in value)
            return None if is_texts else "must be an array of strings"
        case Points():
            return _points(shape, value, is_complete=is_complete)
        case Box():
            return _numbers(box_sides(shape), value, is_complete=is_complete)
        case _:
            assert_never(shape)


def depth_of(value: Json, *, most: int) -> int:
    """Return how many arrays and objects are in one another, counting no further than *most*."""
    depth, level = 0, [value]
    while depth < most and (level := [one for one in level if isinstance(one, list | dict)]):
        depth += 1
        level = [
            inner for one in level for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return depth


def count_values(value: object, *, most: int) -> int:
    """Return how many objects, arrays and scalars there are, as soon as it is above *most*."""
    counted, level = 0, [value]
    while level and counted <= most:
        counted += len(level)
        level = [
            inner
            for one in level
            if isinstance(one, list | Mapping)
            for inner in (one.values() if isinstance(one, Mapping) else one)
        ]
    return counted


def _text(shape: Text, value: Json) -> str | None:
    if not isinstance(value, str):
        return "must be a string"
    if not value and not shape.may_be_empty:
        return "must not be empty"
    if shape.values and value not in shape.values:
        return f"must be one of {', '.join(shape.values)}"
    return None


def _number(shape: Number, value: Json) -> str | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return "must be a number"
    if shape.least is not None and value < shape.least:
        return f"must be at least {shape.least:g}"
    if shape.above is not None and value <= shape.above:
        return f"must be more than {shape.above:g}"
    if shape.most is not None and value > shape.most:
        return f"must be at most {shape.most:g}"
    return None


def _points(shape: Points, value: Json, *, is_complete: bool) -> str | None:
    wanted = f"{shape.fewest}" if shape.most == shape.fewest else f"at least {shape.fewest}"
    if not isinstance(value, list):
        return f"must be an array of {wanted} points"
    if len(value) < shape.fewest or (shape.most is not None and len(value) > shape.most):
        return f"must have {wanted} points"
    for number, point in enumerate(value, start=1):
        wrong = _numbers(POINT, point, is_complete=is_complete)
        if wrong is not None:
            return f"has a wrong point {number}: it {wrong}"
    return None


def _numbers(shapes: Mapping[str, Number], value: Json, *, is_complete: bool) -> str | None:
    names = ", ".join(shapes)
    if not isinstance(value, dict) or not shapes.keys() <= value.keys():
        return f"must be an object of {names}"
    if is_complete and value.keys() != shapes.keys():
        return f"must have no other keys than {names}"
    for name, shape in shapes.items():
        wrong = _number(shape, value[name])
        if wrong is not None:
            return f"has a wrong {name}: it {wrong}"
    return None
