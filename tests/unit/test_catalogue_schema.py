"""The catalogue as plain data, and that its JSON Schemas say what the check does."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.catalogue import (
    CATALOGUE,
    describe_provider,
    find_operation,
    input_schema,
)
from relay.domain.catalogue.description import OperationDescription
from relay.errors import InvalidRequest
from tests.payloads.inputs import IMAGE, SAMPLES, sample_input

ALL = [(facts.name, name) for facts in CATALOGUE.values() for name in facts.operations]

# Values next to what fields take; hosts are public, because a schema cannot tell.
NUMBERS = st.sampled_from([-1, -0.5, 0, 0.5, 2, 30, 30.1, 10**30])
WORDS = st.sampled_from(
    [
        "",
        "x",
        IMAGE,
        IMAGE.upper(),
        "http://example.com/a.jpg",
        "living_room",
        "kitchen",
        "walls",
        "floor",
        "marble",
        "white",
        "wall",
        "exterior",
        "residential",
    ]
)
SCALARS = NUMBERS | WORDS | st.none() | st.booleans()
OBJECTS = st.dictionaries(st.sampled_from(["x", "y", "w", "h", "z"]), SCALARS, max_size=5)
POINTS = st.fixed_dictionaries(
    {"x": NUMBERS, "y": NUMBERS}, optional={"w": NUMBERS, "h": NUMBERS, "z": SCALARS}
)
VALUES = SCALARS | POINTS | OBJECTS | st.lists(SCALARS, max_size=3) | st.lists(POINTS, max_size=4)
FOREIGN = ["webhook", "webhookUrl", "other"]


def is_valid(value, schema):
    """Return what JSON Schema 2020-12 says, for the words of it that the catalogue uses."""
    if isinstance(schema, bool):
        return schema
    unknown = schema.keys() - RULES.keys() - {"then", "format", "description", "examples"}
    assert not unknown, f"this interpreter does not know {unknown}"
    return all(rule(value, schema[word], schema) for word, rule in RULES.items() if word in schema)


def is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


TYPES = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "number": is_number,
}
RULES = {
    "type": lambda value, name, _: TYPES[name](value),
    "enum": lambda value, choices, _: value in choices,
    "const": lambda value, constant, _: value == constant,
    "minLength": lambda value, least, _: not isinstance(value, str) or len(value) >= least,
    "maxLength": lambda value, most, _: not isinstance(value, str) or len(value) <= most,
    "pattern": lambda value, text, _: not isinstance(value, str) or bool(re.search(text, value)),
    "minimum": lambda value, least, _: not is_number(value) or value >= least,
    "exclusiveMinimum": lambda value, bound, _: not is_number(value) or value > bound,
    "maximum": lambda value, most, _: not is_number(value) or value <= most,
    "minItems": lambda value, least, _: not isinstance(value, list) or len(value) >= least,
    "maxItems": lambda value, most, _: not isinstance(value, list) or len(value) <= most,
    "items": lambda value, inner, _: (
        not isinstance(value, list) or all(is_valid(one, inner) for one in value)
    ),
    "required": lambda value, names, _: (
        not isinstance(value, dict) or all(name in value for name in names)
    ),
    "properties": lambda value, inner, _: (
        not isinstance(value, dict)
        or all(is_valid(value[name], inner[name]) for name in inner if name in value)
    ),
    "additionalProperties": lambda value, inner, schema: (
        not isinstance(value, dict)
        or all(is_valid(value[name], inner) for name in value.keys() - schema["properties"].keys())
    ),
    "propertyNames": lambda value, inner, _: (
        not isinstance(value, dict) or all(is_valid(name, inner) for name in value)
    ),
    "not": lambda value, inner, _: not is_valid(value, inner),
    "oneOf": lambda value, choices, _: sum(is_valid(value, one) for one in choices) == 1,
    "anyOf": lambda value, choices, _: any(is_valid(value, one) for one in choices),
    "allOf": lambda value, rules, _: all(is_valid(value, one) for one in rules),
    "if": lambda value, condition, schema: (
        not is_valid(value, condition) or is_valid(value, schema["then"])
    ),
}


def is_taken(operation, value):
    try:
        operation.check(value, allow_local_urls=False)
    except InvalidRequest:
        return False
    return True


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_the_good_inputs_fit_their_schemas(sample):
    schema = input_schema(find_operation(sample.provider, sample.operation))

    assert is_valid(sample.input, schema)


@pytest.mark.parametrize(("provider", "operation"), ALL)
@given(data=st.data())
def test_the_schema_and_the_check_agree(provider, operation, data):
    entry = find_operation(provider, operation)
    names = [*entry.input.__struct_encode_fields__, *FOREIGN]
    changes = data.draw(st.dictionaries(st.sampled_from(names), VALUES, max_size=2))
    left_out = data.draw(st.sets(st.sampled_from(names), max_size=1))
    value = {
        name: one
        for name, one in sample_input(provider, operation, **changes).items()
        if name not in left_out
    }

    assert is_valid(value, input_schema(entry)) == is_taken(entry, value)


@pytest.mark.parametrize("field", ["transformation", "value"])
@pytest.mark.parametrize(
    "word", ["walls", "floor", "ceiling", "egg shell", "olive", "parquet", "hardwood", None]
)
def test_the_schema_and_the_check_agree_on_values_that_depend_on_another(field, word):
    entry = find_operation("gepetto", "refresh")
    value = sample_input("gepetto", "refresh", **{field: word})

    assert is_valid(value, input_schema(entry)) == is_taken(entry, value)


@pytest.mark.parametrize(("provider", "operation"), ALL)
def test_every_field_is_described_and_its_example_is_taken(provider, operation):
    entry = find_operation(provider, operation)
    fields = entry.input.__struct_encode_fields__

    for name in fields:
        schema = input_schema(entry)["properties"][name]
        assert schema["description"].endswith(".")
        for example in schema.get("examples", []):
            assert is_valid(example, schema)


@pytest.mark.parametrize("facts", CATALOGUE.values(), ids=CATALOGUE.keys())
def test_a_provider_is_described_in_plain_json(facts):
    described = describe_provider(facts)

    assert json.loads(json.dumps(described)) == described
    assert [one["name"] for one in described["operations"]] == list(facts.operations)
    assert described["limit"] == {"calls": facts.limit.calls, "windowSeconds": facts.limit.window_s}


def test_an_operation_is_described_with_all_that_is_known_of_it():
    (declutter,) = (
        one
        for one in describe_provider(CATALOGUE["gepetto"])["operations"]
        if one["name"] == "declutter"
    )
    url = {
        "type": "string",
        "format": "uri",
        "pattern": "^[hH][tT][tT][pP][sS]://",
        "maxLength": 2048,
        "description": "Picture of the room.",
        "examples": ["https://example.com/room.jpg"],
    }
    mask = url | {
        "description": "Mask for decluttering by hand.",
        "examples": ["https://example.com/mask.png"],
    }

    expected: OperationDescription = {
        "name": "declutter",
        "path": "/declutter",
        "pathPattern": None,
        "fields": [
            {"name": "url", "required": True, "schema": url, "knownValues": []},
            {"name": "mask", "required": False, "schema": mask, "knownValues": []},
        ],
        "exactlyOneOf": [],
        "inputSchema": {
            "type": "object",
            "properties": {"url": url, "mask": mask},
            "required": ["url"],
            "additionalProperties": False,
        },
        "isComplete": True,
        "isLegacy": False,
        "credits": {"amount": 2, "withField": {"mask": 1}},
        "expected": {"seconds": 30.0, "source": declutter["expected"]["source"]},
        "source": "docs.gepettoapp.com, endpoints/declutter",
        "notes": [],
    }

    assert declutter == expected


def test_the_description_of_raw_says_which_paths_it_takes():
    raw = describe_provider(CATALOGUE["spacely"])["operations"][-1]

    assert (raw["name"], raw["path"], raw["fields"]) == ("raw", None, [])
    assert raw["pathPattern"] == "^/[a-z0-9][a-z0-9/-]{0,80}$"
    assert raw["inputSchema"] == {
        "type": "object",
        "properties": {},
        "required": [],
        "additionalProperties": True,
        "propertyNames": {"not": {"enum": ["webhook", "webhookUrl"]}},
    }
