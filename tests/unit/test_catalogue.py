"""What the catalogue says is wrong with an input: each way once, and the field is named."""

import pytest

from relay.domain.catalogue import CATALOGUE, find_operation
from relay.errors import InvalidRequest

IMAGE = "https://example.com/room.jpg"
GOOD = {
    ("gepetto", "redesign"): {
        "url": IMAGE,
        "styleId": "modern",
        "roomId": "living_room",
        "creativity": 12,
    },
    ("gepetto", "furnish"): {"url": IMAGE, "roomId": "bedroom", "styleId": "modern"},
    ("gepetto", "smart-staging-v2"): {"url": IMAGE, "roomId": "kitchen", "styleId": "modern"},
    ("spacely", "standard"): {
        "model": "v1",
        "imageUrl": IMAGE,
        "spaceType": "bedroom",
        "spaceStyle": "coastal",
        "renovateType": "exterior",
    },
    ("spacely", "advance"): {"model": "v1", "imageUrl": IMAGE, "renovateType": "commercial"},
    ("spacely", "style-transfer"): {
        "imageUrl": IMAGE,
        "spaceType": "bedroom",
        "styleImageUrl": IMAGE,
        "renovateType": "residential",
    },
}
ALL = [(facts.name, name) for facts in CATALOGUE.values() for name in facts.operations]
REQUIRED = [
    (provider, name, field.name)
    for provider, name in ALL
    for field in find_operation(provider, name).fields
    if field.required
]


def check(provider, operation, given, *, allow_local_urls=False):
    find_operation(provider, operation).check(given, allow_local_urls=allow_local_urls)


def refusal(provider, operation, given):
    with pytest.raises(InvalidRequest) as caught:
        check(provider, operation, given)
    return caught.value


@pytest.mark.parametrize(("provider", "operation"), ALL)
def test_the_documented_input_of_every_operation_is_taken(provider, operation):
    check(provider, operation, GOOD[provider, operation])


@pytest.mark.parametrize(("provider", "operation", "field"), REQUIRED)
def test_every_required_field_is_missed_by_name(provider, operation, field):
    given = {name: value for name, value in GOOD[provider, operation].items() if name != field}

    assert refusal(provider, operation, given).pointer in (f"/input/{field}", "/input")


@pytest.mark.parametrize(("provider", "operation"), ALL)
def test_a_field_that_an_operation_does_not_have_is_refused_by_name(provider, operation):
    error = refusal(provider, operation, GOOD[provider, operation] | {"a/b~c": 1})

    assert error.pointer == "/input/a~1b~0c"
    assert "input.a/b~c is not a field" in error.expected


@pytest.mark.parametrize(("provider", "operation"), ALL)
def test_every_field_of_every_operation_refuses_a_value_of_another_type(provider, operation):
    for field in find_operation(provider, operation).fields:
        for wrong in (None, {}, [1], -1e9):
            given = GOOD[provider, operation] | {field.name: wrong}

            error = refusal(provider, operation, given)

            assert error.pointer == f"/input/{field.name}"
            assert f"input.{field.name} must" in error.expected


@pytest.mark.parametrize(
    ("provider", "operation", "field", "wrong"),
    [
        ("gepetto", "redesign", "styleId", ""),
        ("gepetto", "redesign", "creativity", -0.1),
        ("gepetto", "redesign", "creativity", 30.1),
        ("gepetto", "redesign", "creativity", True),
        ("gepetto", "redesign", "creativity", "12"),
        ("gepetto", "redesign", "preserveWalls", "true"),
        ("gepetto", "redesign", "mask", ""),
        ("gepetto", "smart-staging-v2", "roomId", "cellar"),
        ("spacely", "standard", "renovateType", "Residential"),
        ("spacely", "standard", "materialsIds", "m1"),
        ("spacely", "standard", "materialsIds", ["m1", 2]),
        ("spacely", "advance", "renovateType", "exterior"),
        ("spacely", "advance", "prompt", 7),
    ],
)
def test_a_value_that_a_field_does_not_take_is_refused(provider, operation, field, wrong):
    given = GOOD[provider, operation] | {field: wrong}

    assert refusal(provider, operation, given).pointer == f"/input/{field}"


@pytest.mark.parametrize(
    ("field", "right"),
    [("creativity", 0), ("creativity", 30), ("creativity", 0.5), ("preserveWalls", False)],
)
def test_values_at_the_edge_of_what_a_field_takes_are_taken(field, right):
    check("gepetto", "redesign", GOOD["gepetto", "redesign"] | {field: right})


def test_texts_that_the_documentation_itself_leaves_empty_may_be_empty():
    given = GOOD["spacely", "standard"] | {"spaceColor": "", "styleUrl": "", "materialsIds": []}

    check("spacely", "standard", given)


@pytest.mark.parametrize(
    "rooms", [{}, {"roomId": "bedroom", "furnitureId": "f1"}], ids=["neither", "both"]
)
def test_of_two_fields_that_exclude_each_other_exactly_one_is_taken(rooms):
    error = refusal("gepetto", "furnish", {"url": IMAGE, "styleId": "modern"} | rooms)

    assert error.pointer == "/input"
    assert "exactly one of roomId and furnitureId" in error.expected
