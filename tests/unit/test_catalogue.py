"""What the catalogue says is wrong with an input: each way once, and the field is named."""

import copy
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import fields

from relay.domain.catalogue import CATALOGUE, find_operation
from relay.domain.catalogue.operation import MAX_INPUT_BYTES
from relay.domain.job import Json
from relay.errors import InvalidRequest
from tests.payloads.inputs import BY_OPERATION, IMAGE, SAMPLES, sample_input

ALL = [(facts.name, name) for facts in CATALOGUE.values() for name in facts.operations]
COMPLETE = [one for one in ALL if find_operation(*one).is_complete]
INCOMPLETE = [one for one in ALL if not find_operation(*one).is_complete]
REQUIRED = [
    (provider, name, field.encode_name)
    for provider, name in ALL
    for field in fields(find_operation(provider, name).input)
    if field.required
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


def check(provider, operation, given, *, allow_local_urls=False):
    find_operation(provider, operation).check(given, allow_local_urls=allow_local_urls)


def refusal(provider, operation, given):
    with pytest.raises(InvalidRequest) as caught:
        check(provider, operation, given)
    return caught.value


def test_the_catalogue_has_these_operations():
    assert {name: list(facts.operations) for name, facts in CATALOGUE.items()} == {
        "gepetto": [
            "redesign",
            "creative-redesign",
            "furnish",
            "smart-staging",
            "smart-staging-v2",
            "refresh",
            "sunshine",
            "declutter",
            "upscale",
            "raw",
        ],
        "spacely": [
            "standard",
            "advance",
            "style-transfer",
            "furniture-placement",
            "decoration-placement",
            "color-transfer",
            "color-transfer-exact",
            "two-point-perspective",
            "text-to-image",
            "raw",
        ],
    }


def test_one_operation_is_legacy_and_these_are_known_in_part():
    legacy = [name for provider, name in ALL if find_operation(provider, name).is_legacy]

    assert legacy == ["smart-staging"]
    assert INCOMPLETE == [
        ("gepetto", "sunshine"),
        ("gepetto", "upscale"),
        ("gepetto", "raw"),
        ("spacely", "decoration-placement"),
        ("spacely", "color-transfer"),
        ("spacely", "color-transfer-exact"),
        ("spacely", "text-to-image"),
        ("spacely", "raw"),
    ]


@pytest.mark.parametrize(("provider", "operation"), ALL)
def test_every_entry_is_whole(provider, operation):
    entry = find_operation(provider, operation)

    assert entry.path is None or entry.path.endswith(f"/{operation}")
    assert 1 <= entry.expected.seconds <= 300
    assert entry.source
    assert entry.expected.source


@pytest.mark.parametrize(("provider", "operation"), ALL)
def test_the_documented_input_of_every_operation_is_taken_and_not_touched(provider, operation):
    sample = BY_OPERATION[provider, operation]
    before = copy.deepcopy(sample.input)

    check(provider, operation, sample.input)
    find_operation(provider, operation).check_path(sample.path)

    assert sample.input == before


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_what_an_input_costs_is_read_from_the_catalogue(sample):
    entry = find_operation(sample.provider, sample.operation)

    assert entry.credits.of(sample.input) == sample.credits


def test_declutter_by_hand_costs_less():
    price = find_operation("gepetto", "declutter").credits

    assert (price.of({"url": IMAGE}), price.of({"url": IMAGE, "mask": IMAGE})) == (2, 1)


@pytest.mark.parametrize(("provider", "operation", "field"), REQUIRED)
def test_every_required_field_is_missed_by_name(provider, operation, field):
    given = sample_input(provider, operation)
    del given[field]

    assert refusal(provider, operation, given).pointer == f"/input/{field}"


@pytest.mark.parametrize(("provider", "operation"), COMPLETE)
def test_a_field_that_an_operation_does_not_have_is_refused_by_name(provider, operation):
    error = refusal(provider, operation, sample_input(provider, operation) | {"a/b~c": 1})

    assert error.pointer == "/input/a~1b~0c"
    assert "input.a/b~c is not a field" in error.expected


@pytest.mark.parametrize(("provider", "operation"), INCOMPLETE)
def test_where_the_documentation_is_incomplete_unknown_fields_pass(provider, operation):
    more = {"a/b~c": [{"deep": None}], "imageHint": "http://localhost/"}

    check(provider, operation, sample_input(provider, operation) | more)


@pytest.mark.parametrize("name", ["webhook", "webhookUrl"])
@pytest.mark.parametrize(("provider", "operation"), ALL)
def test_a_callers_own_webhook_is_refused_everywhere(provider, operation, name):
    given = sample_input(provider, operation) | {name: "https://example.com/hook"}

    error = refusal(provider, operation, given)

    assert error.pointer == f"/input/{name}"
    assert "the relay" in error.expected


WRONG_FOR_EVERY_FIELD: tuple[Json, ...] = (None, {}, [1], -1e9)


@pytest.mark.parametrize(("provider", "operation"), ALL)
def test_every_field_of_every_operation_refuses_a_value_of_another_type(provider, operation):
    for field in find_operation(provider, operation).input.__struct_encode_fields__:
        for wrong in WRONG_FOR_EVERY_FIELD:
            given = sample_input(provider, operation) | {field: wrong}

            error = refusal(provider, operation, given)

            assert error.pointer == f"/input/{field}"
            assert re.match(rf"input\.{field}(\[0])? must (be|have) ", error.mistakes[0].expected)


POINT = {"x": 1, "y": 2}
BOX = {"x": 1, "y": 2, "w": 3, "h": 4}
WRONG = {
    "an empty text": ("gepetto", "redesign", "styleId", ""),
    "a text that is a number": ("spacely", "advance", "prompt", 7),
    "a text out of a list": ("gepetto", "smart-staging-v2", "roomId", "cellar"),
    "a room of version 2 for version 1": ("gepetto", "smart-staging", "roomId", "living_dining"),
    "a text in another case": ("spacely", "standard", "renovateType", "Residential"),
    "a value of the other transformation": ("gepetto", "refresh", "value", "parquet"),
    "a value without its space": ("gepetto", "refresh", "value", "eggshell"),
    "a value that is null": ("gepetto", "refresh", "value", None),
    "a transformation of neither": ("gepetto", "refresh", "transformation", "ceiling"),
    "an area that nobody knows": ("spacely", "color-transfer", "area", "door"),
    "an area as a number": ("spacely", "color-transfer-exact", "area", 1),
    "a number too small": ("gepetto", "redesign", "creativity", -0.1),
    "a number too large": ("gepetto", "redesign", "creativity", 30.1),
    "a number that is true": ("gepetto", "redesign", "creativity", True),
    "a number as text": ("gepetto", "redesign", "creativity", "12"),
    "a length of nothing": ("spacely", "two-point-perspective", "roomHeight", 0),
    "a flag as text": ("gepetto", "redesign", "preserveWalls", "true"),
    "an empty image": ("gepetto", "redesign", "mask", ""),
    "an image by http": ("spacely", "style-transfer", "styleImageUrl", "http://a.example/b.png"),
    "a private image": ("spacely", "furniture-placement", "productImageUrl", "https://10.0.0.1/a"),
    "an image of an incomplete operation": ("gepetto", "upscale", "url", "https://localhost/a"),
    "texts as one text": ("spacely", "standard", "materialsIds", "m1"),
    "texts with a number": ("spacely", "standard", "materialsIds", ["m1", 2]),
    "two points of three": ("spacely", "two-point-perspective", "topCornerLine", [POINT] * 2),
    "four points of three": ("spacely", "two-point-perspective", "topCornerLine", [POINT] * 4),
    "one point of a line": ("spacely", "decoration-placement", "referenceLine", [POINT]),
    "points as an object": ("spacely", "two-point-perspective", "topCornerLine", POINT),
    "a point as an array": (
        "spacely",
        "two-point-perspective",
        "topCornerLine",
        [POINT, POINT, [1, 2]],
    ),
    "a point without y": (
        "spacely",
        "two-point-perspective",
        "topCornerLine",
        [POINT, {"x": 1}, POINT],
    ),
    "a point with z": (
        "spacely",
        "two-point-perspective",
        "topCornerLine",
        [POINT, POINT, POINT | {"z": 0}],
    ),
    "a coordinate as text": (
        "spacely",
        "two-point-perspective",
        "topCornerLine",
        [POINT, POINT, POINT | {"y": "2"}],
    ),
    "a box without h": ("spacely", "furniture-placement", "area", {"x": 1, "y": 2, "w": 3}),
    "a box with more": ("spacely", "furniture-placement", "area", BOX | {"unit": "px"}),
    "a box as an array": ("spacely", "furniture-placement", "area", [1, 2, 3, 4]),
    "a box off the picture": ("spacely", "furniture-placement", "placement", BOX | {"x": -1}),
    "a box of no width": ("spacely", "furniture-placement", "placement", BOX | {"w": 0}),
    "a box of negative height": ("spacely", "decoration-placement", "placement", BOX | {"h": -1}),
    "a side that is true": ("spacely", "decoration-placement", "placement", BOX | {"h": True}),
}


@pytest.mark.parametrize(
    ("provider", "operation", "field", "wrong"), WRONG.values(), ids=WRONG.keys()
)
def test_a_value_that_a_field_does_not_take_is_refused(provider, operation, field, wrong):
    given = sample_input(provider, operation) | {field: wrong}

    assert refusal(provider, operation, given).pointer == f"/input/{field}"


RIGHT = {
    "the least": ("gepetto", "redesign", {"creativity": 0}),
    "the most": ("gepetto", "redesign", {"creativity": 30}),
    "a fraction": ("gepetto", "redesign", {"creativity": 0.5}),
    "a flag that is false": ("gepetto", "redesign", {"preserveWalls": False}),
    "a mask": ("gepetto", "furnish", {"mask": IMAGE}),
    "the other transformation": (
        "gepetto",
        "refresh",
        {"transformation": "floor", "value": "marble"},
    ),
    "texts that the samples leave empty": (
        "spacely",
        "standard",
        {"spaceColor": "", "styleUrl": "", "materialsIds": []},
    ),
    "a box in the corner": ("spacely", "furniture-placement", {"area": BOX | {"x": 0, "y": 0}}),
    "a box off the picture where nothing forbids it": (
        "spacely",
        "decoration-placement",
        {"placement": BOX | {"x": -1}},
    ),
    "a line of three points where nothing forbids it": (
        "spacely",
        "decoration-placement",
        {"referenceLine": [POINT | {"label": "a"}] * 3},
    ),
    "a huge coordinate": (
        "spacely",
        "two-point-perspective",
        {"topCornerLine": [{"x": 10**300, "y": -1e300}] * 3},
    ),
}


@pytest.mark.parametrize(("provider", "operation", "changes"), RIGHT.values(), ids=RIGHT.keys())
def test_a_value_at_the_edge_of_what_a_field_takes_is_taken(provider, operation, changes):
    check(provider, operation, sample_input(provider, operation) | changes)


@pytest.mark.parametrize(
    "rooms", [{}, {"roomId": "bedroom", "furnitureId": "f1"}], ids=["neither", "both"]
)
def test_of_two_fields_that_exclude_each_other_exactly_one_is_taken(rooms):
    error = refusal("gepetto", "furnish", {"url": IMAGE, "styleId": "modern"} | rooms)

    assert error.pointer == "/input"
    assert "exactly one of roomId and furnitureId" in error.expected


REFUSALS = {
    "input.creativity must be a number <= 30.0": ("gepetto", "redesign", {"creativity": 31}),
    "input.roomHeight must be a number > 0.0": (
        "spacely",
        "two-point-perspective",
        {"roomHeight": -1},
    ),
    "input.styleId must be a string of length >= 1": ("gepetto", "redesign", {"styleId": ""}),
    "input.preserveWalls must be true or false": ("gepetto", "redesign", {"preserveWalls": 1}),
    "input.area must be one of ceiling, floor, wall": (
        "spacely",
        "color-transfer",
        {"area": "door"},
    ),
    "input.value must be one of parquet, tile, marble, carpet, concrete "
    "where transformation is floor": (
        "gepetto",
        "refresh",
        {"transformation": "floor", "value": "oak"},
    ),
    "input.glow is not a field; there are url, styleId, roomId": (
        "gepetto",
        "creative-redesign",
        {"glow": True},
    ),
    "input.url must be an https URL": ("gepetto", "upscale", {"url": "ftp://a.example/b.png"}),
    "input.materialsIds[1] must be a string": ("spacely", "standard", {"materialsIds": ["m1", 2]}),
    "input.topCornerLine must be an array of length >= 3": (
        "spacely",
        "two-point-perspective",
        {"topCornerLine": [POINT] * 2},
    ),
    "input.topCornerLine[2].y must be a number": (
        "spacely",
        "two-point-perspective",
        {"topCornerLine": [POINT, POINT, {"x": 1, "y": None}]},
    ),
    "input.topCornerLine[1].x must be a number in the range of 64-bit floats": (
        "spacely",
        "two-point-perspective",
        {"topCornerLine": [POINT, {"x": 10**400, "y": 1}, POINT]},
    ),
    "input.topCornerLine[1] must have y": (
        "spacely",
        "two-point-perspective",
        {"topCornerLine": [POINT, {"x": 1}, POINT]},
    ),
    "input.topCornerLine[0] must not have a` - at `$.b\n": (
        "spacely",
        "two-point-perspective",
        {"topCornerLine": [POINT | {"a` - at `$.b\n": 1}, POINT, POINT]},
    ),
}


@pytest.mark.parametrize(
    ("expected", "provider", "operation", "changes"),
    [(expected, *case) for expected, case in REFUSALS.items()],
    ids=range(len(REFUSALS)),
)
def test_a_refusal_says_where_and_what_was_expected(expected, provider, operation, changes):
    error = refusal(provider, operation, sample_input(provider, operation) | changes)

    assert error.expected == expected


@pytest.mark.parametrize("operation", ["raw", "sunshine"])
def test_an_input_may_be_32_levels_deep_and_no_deeper(operation):
    given = sample_input("gepetto", operation)

    check("gepetto", operation, given | {"deep": nested(31)})
    for depth in (32, 100, 5_000):
        assert refusal("gepetto", operation, given | {"deep": nested(depth)}).pointer == (
            "/input/deep"
        )


@pytest.mark.parametrize(
    "just_fits",
    [
        {"a": "x" * (MAX_INPUT_BYTES - len('{"a":""}'))},
        {"a": "ü" * ((MAX_INPUT_BYTES - len('{"a":""}')) // 2)},
    ],
    ids=["ASCII", "umlauts"],
)
def test_an_input_has_at_most_256_kib_as_json(just_fits):
    check("gepetto", "raw", just_fits)

    error = refusal("gepetto", "raw", {"a": just_fits["a"] + "x"})

    assert error.pointer == "/input"
    assert "262144 bytes" in error.expected


# The input and the list in it are values, too.
@pytest.mark.parametrize("value", [0, "a", None, {}, [], True], ids=repr)
def test_an_input_has_at_most_10_000_values(value):
    check("gepetto", "raw", {"a": [value] * 9_998})

    error = refusal("gepetto", "raw", {"a": [value] * 9_999})

    assert error.pointer == "/input"
    assert "10,000 JSON values" in error.expected


def test_values_count_wherever_they_are():
    nested = {str(n): {"a": [n, {"b": n}]} for n in range(2_000)}

    assert refusal("gepetto", "raw", nested).pointer == "/input"
    check("gepetto", "raw", dict(list(nested.items())[:1_999]))


PATHS = ["/upscale", "/a", "/0", "/generate/one-point-perspective", "/v2//x/", "/" + "a" * 81]
NO_PATHS = [
    "",
    "/",
    "upscale",
    "//upscale",
    "/-upscale",
    "/upscale\n",
    "/upscale\r\n",
    "/Upscale",
    "/a/../b",
    "/a.b",
    "/a?b=c",
    "/a#b",
    "/a%2e",
    "/a b",
    "/a\x00",
    "/é",
    "/\u0661",
    "/@example.com",
    "https://example.com/",
    "/" + "a" * 82,
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("provider", CATALOGUE)
def test_a_raw_job_has_a_path(provider, path):
    find_operation(provider, "raw").check_path(path)


@pytest.mark.parametrize("path", [None, *NO_PATHS], ids=repr)
@pytest.mark.parametrize("provider", CATALOGUE)
def test_a_raw_job_without_a_proper_path_is_refused(provider, path):
    with pytest.raises(InvalidRequest) as caught:
        find_operation(provider, "raw").check_path(path)

    assert caught.value.pointer == "/path"


@pytest.mark.parametrize(("provider", "operation"), [one for one in ALL if one[1] != "raw"])
def test_a_path_is_refused_for_every_other_operation(provider, operation):
    entry = find_operation(provider, operation)

    entry.check_path(None)
    with pytest.raises(InvalidRequest) as caught:
        entry.check_path(entry.path)

    assert caught.value.pointer == "/path"


# More examples than other properties have: they are shared by all operations.
@settings(max_examples=5 * settings().max_examples)
@given(data=st.data())
def test_no_input_at_all_surprises_the_check(data):
    provider, operation = data.draw(st.sampled_from(ALL))
    names = find_operation(provider, operation).input.__struct_encode_fields__
    given = data.draw(st.dictionaries(st.sampled_from([*names, "other"]), JSON))

    for whole in (given, sample_input(provider, operation) | given):
        try:
            check(provider, operation, whole)
        except InvalidRequest as error:
            pointer = error.pointer
        else:
            pointer = "/input"
        assert pointer.startswith("/input")


def nested(depth):
    """Return so many arrays in one another."""
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value
