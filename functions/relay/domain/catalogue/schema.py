"""What an operation takes, as JSON Schema 2020-12.

Three rules cannot be said in it and are checked only: hosts must be public, an input must not
be too deep, nor too long.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias, assert_never

from relay.domain.answers import MAX_URL_LENGTH
from relay.domain.catalogue.operation import CALLBACK_FIELDS, DependentValues, Operation
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

# JSON, as deep as the operation needs it.
Schema: TypeAlias = dict[str, Any]

HTTPS = "^[hH][tT][tT][pP][sS]://"


def input_schema(operation: Operation) -> Schema:
    """Return the schema of a deployed relay's input, which takes ``https`` images alone."""
    schema: Schema = {
        "type": "object",
        "properties": {
            field.name: shape_schema(field.shape, is_complete=operation.is_complete)
            for field in operation.fields
        },
        "required": [field.name for field in operation.fields if field.required],
    }
    if operation.is_complete:
        schema["additionalProperties"] = False
    else:
        schema["properties"] |= dict.fromkeys(CALLBACK_FIELDS, False)
    if operation.exactly_one_of:
        schema["oneOf"] = [{"required": [name]} for name in operation.exactly_one_of]
    if operation.dependent:
        schema["allOf"] = [
            rule for dependent in operation.dependent for rule in _dependent_rules(dependent)
        ]
    return schema


def shape_schema(shape: Shape, *, is_complete: bool) -> Schema:
    """Return the schema of one field's value.

    Args:
        is_complete: Whether objects may have none but the documented keys.
    """
    match shape:
        case Text():
            return _text(shape)
        case ImageUrl():
            return _image_url(shape)
        case Number():
            return _number(shape)
        case Flag():
            return {"type": "boolean"}
        case Texts():
            return {"type": "array", "items": {"type": "string"}}
        case Points():
            return _points(shape, is_complete=is_complete)
        case Box():
            return _numbers(box_sides(shape), is_complete=is_complete)
        case _:
            assert_never(shape)


def _text(shape: Text) -> Schema:
    if shape.values:
        return {"type": "string", "enum": list(shape.values)}
    return {"type": "string"} if shape.may_be_empty else {"type": "string", "minLength": 1}


def _image_url(shape: ImageUrl) -> Schema:
    url: Schema = {
        "type": "string",
        "format": "uri",
        "pattern": HTTPS,
        "maxLength": MAX_URL_LENGTH,
    }
    return {"anyOf": [{"const": ""}, url]} if shape.may_be_empty else url


def _number(shape: Number) -> Schema:
    bounds = {
        "minimum": shape.least,
        "exclusiveMinimum": shape.above,
        "maximum": shape.most,
    }
    present = {name: bound for name, bound in bounds.items() if bound is not None}
    return {"type": "number", **present}


def _points(shape: Points, *, is_complete: bool) -> Schema:
    schema: Schema = {
        "type": "array",
        "items": _numbers(POINT, is_complete=is_complete),
        "minItems": shape.fewest,
    }
    return schema if shape.most is None else {**schema, "maxItems": shape.most}


def _numbers(shapes: Mapping[str, Number], *, is_complete: bool) -> Schema:
    schema: Schema = {
        "type": "object",
        "properties": {name: _number(shape) for name, shape in shapes.items()},
        "required": list(shapes),
    }
    return {**schema, "additionalProperties": False} if is_complete else schema


def _dependent_rules(dependent: DependentValues) -> list[Schema]:
    return [
        {
            "if": {
                "properties": {dependent.given_by: {"const": word}},
                "required": [dependent.given_by],
            },
            "then": {"properties": {dependent.field: {"enum": list(values)}}},
        }
        for word, values in dependent.values.items()
    ]
