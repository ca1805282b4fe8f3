"""Every field of the OpenAPI file is described, has an example, and reads well."""

import re

import pytest

from infra.describe.__main__ import DOCS
from infra.describe.field_examples import add_examples, object_in
from relay.domain.catalogue.description import Schema
from relay.edges.bodies import CreateBody
from tests.faults import only_faulty
from tests.infra.test_describe import complaints_within, parsed, resolved

OPENAPI = parsed(DOCS / "openapi.yaml")
SCHEMAS = OPENAPI["components"]["schemas"]
UNITS = re.compile(
    r"second|metre|credit|calls|jobs|HTTP status|From 0 to 30|bytes|attempts|counted from 0|edge"
    r"|unit of `\w+`|any unit",
    re.I,
)
# Field names of the code, its docstrings' markup, and where only we can look things up.
INNER = re.compile(r"``|\bsee \w|\bcontract\b|\bdesign,? \d|\b(next_page|job_id|created_at)")


def fields_in(schema, path):
    """Yield every field that a schema describes, by its path."""
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}", field
        yield from fields_in(field, f"{path}.{name}")
    if "items" in schema:
        yield from fields_in(schema["items"], f"{path}[]")


FIELDS = {name: dict(fields_in(schema, name)) for name, schema in SCHEMAS.items()}
WITH_FIELDS = [name for name, fields in FIELDS.items() if fields]


def texts(node, path="#"):
    match node:
        case dict():
            for name, one in node.items():
                if name in ("description", "summary") and isinstance(one, str):
                    yield path, one
                elif name not in ("example", "examples", "x-problems"):
                    yield from texts(one, f"{path}/{name}")
        case list():
            for number, one in enumerate(node):
                yield from texts(one, f"{path}/{number}")


def whole(field):
    """Return a field with what its reference leads to."""
    return {**resolved(field), **field} if "$ref" in field else field


def example_faults(field):
    """Return what is wrong with a field's examples; nothing if it is made of other fields."""
    shown = whole(field)
    if "const" in shown or object_in(SCHEMAS, field) is not None:
        return []
    choices = [whole(one) for one in shown.get("anyOf", [])]
    examples = shown.get("examples") or [
        one for each in choices for one in each.get("examples", [])
    ]
    if not examples and "enum" not in shown:
        return ["no example"]
    return [fault for one in examples for fault in complaints_within(OPENAPI, one, field)]


def is_number(field):
    return any(word in str(field.get("type")) for word in ("integer", "number"))


@pytest.mark.parametrize("name", WITH_FIELDS)
def test_every_field_is_described_in_sentences(name):
    said = {path: whole(field)["description"] for path, field in FIELDS[name].items()}

    assert [one for one in said.items() if not re.fullmatch(r"[`A-Z][^\0]*[.:`]", one[1])] == []


@pytest.mark.parametrize("name", WITH_FIELDS)
def test_every_field_has_an_example_that_fits_or_is_made_of_fields_that_have_one(name):
    wrong = {path: example_faults(field) for path, field in FIELDS[name].items()}

    assert only_faulty(wrong) == {}


def test_every_number_has_a_unit():
    numbers = {
        path: field["description"]
        for fields in FIELDS.values()
        for path, field in fields.items()
        if is_number(field)
    }

    assert [one for one in numbers.items() if not UNITS.search(one[1])] == []
    assert {"Job.credits", "ExpectedDuration.seconds"} <= numbers.keys()
    assert len(numbers) >= 20


def test_every_schema_is_described():
    assert [name for name, schema in SCHEMAS.items() if not schema["description"]] == []


def test_no_description_uses_words_of_the_code():
    assert [(path, text) for path, text in texts(OPENAPI) if INNER.search(text)] == []


def test_operation_ids_and_tags_are_names_that_code_can_have():
    tags = {tag["name"] for tag in OPENAPI["tags"]}
    operations = [one for path in OPENAPI["paths"].values() for one in path.values()]

    ids = [one["operationId"] for one in operations]
    assert len(set(ids)) == len(ids)
    assert [one for one in ids if not re.fullmatch(r"[a-z]+([A-Z][a-z]*[0-9]?)+", one)] == []
    assert {tag for one in operations for tag in one["tags"]} == tags


def test_the_described_defaults_are_those_of_the_code():
    body = CreateBody(provider="gepetto", operation="redesign")

    assert SCHEMAS["OnUnconfirmed"]["default"] == body.on_unconfirmed
    assert SCHEMAS["Priority"]["default"] == body.priority


def test_an_example_is_the_first_value_that_is_there_and_no_other_than_the_given_one():
    schemas: dict[str, Schema] = {
        "Whole": {
            "properties": {
                "part": {"anyOf": [{"$ref": "#/components/schemas/Part"}, {"type": "null"}]},
                "parts": {"items": {"$ref": "#/components/schemas/Part"}},
                "given": {"examples": [1]},
            }
        },
        "Part": {"properties": {"name": {}, "size": {}}},
    }

    add_examples(
        schemas,
        {
            "Whole": [
                {"part": None, "parts": [{"name": None, "size": 2}], "given": 3},
                {"part": {"name": "a", "size": 4}, "surprise": 5},
            ]
        },
    )

    assert schemas["Part"]["properties"] == {"name": {"examples": ["a"]}, "size": {"examples": [2]}}
    assert schemas["Whole"]["properties"]["given"] == {"examples": [1]}
