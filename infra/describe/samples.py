"""One good input for every operation, made from the catalogue's own fields."""

from collections.abc import Mapping
from typing import Any, assert_never

from relay.domain.catalogue.operation import Field, Operation
from relay.domain.catalogue.shapes import Box, Flag, ImageUrl, Number, Points, Text, Texts

IMAGE = "https://example.com/room.jpg"
RAW_PATHS: Mapping[str, str] = {"gepetto": "/upscale", "spacely": "/generate/text-to-image"}
RAW_INPUTS: Mapping[str, Mapping[str, Any]] = {
    "gepetto": {"url": IMAGE},
    "spacely": {"prompt": "a quiet reading corner"},
}
BOX = {"x": 40, "y": 60, "w": 120, "h": 80}
POINTS = [{"x": 10, "y": 20}, {"x": 210.5, "y": 24}, {"x": 400, "y": 18}]

# Words and numbers from the providers' own pages.
VALUES: Mapping[str, str | float] = {
    "styleId": "modern",
    "roomId": "living_room",
    "creativity": 14,
    "value": "egg shell",
    "model": "spacely-v1",
    "spaceType": "bedroom",
    "spaceStyle": "industrial_loft",
    "productWidth": 0.6,
    "productHeight": 0.9,
    "lineLength": 2.4,
    "roomHeight": 2.6,
    "color": "#0543F5",
    "prompt": "a quiet reading corner",
}


def sample_input(provider: str, operation: Operation) -> dict[str, Any]:
    """Return an input with the fields that the operation needs, and no others."""
    if operation.path is None:
        return dict(RAW_INPUTS[provider])
    needed = {field.name for field in operation.fields if field.required}
    needed |= set(operation.exactly_one_of[:1])
    return {field.name: _value(field) for field in operation.fields if field.name in needed}


def _value(field: Field) -> object:
    shape = field.shape
    match shape:
        case ImageUrl():
            return IMAGE
        case Text() if shape.values and VALUES.get(field.name) not in shape.values:
            return shape.values[0]
        case Text() | Number():
            return VALUES[field.name]
        case Box():
            return BOX
        case Points():
            return POINTS[: shape.fewest]
        case Flag():
            return True
        case Texts():
            return []
        case _:
            assert_never(shape)
