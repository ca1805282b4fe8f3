"""What is wrong with a body, in plain words: where it is, and what was expected there."""

import pytest

from relay.domain.validation import validate
from relay.edges.bodies import CreateBody, EmptyBody
from relay.errors import InvalidRequest

BODY = {"provider": "gepetto", "operation": "redesign", "input": {}}
FIELDS = (
    "provider, operation, input, providerJobId, path, metadata, deadlineSeconds, onUnconfirmed, "
    "priority"
)
WRONG = {
    "no object": ([], "", "the body must be an object"),
    "a field too few": ({"provider": "gepetto"}, "/operation", "operation is required"),
    "a field too many": (BODY | {"a/b": 1}, "/a~1b", f"a/b is not a field; there are {FIELDS}"),
    "a name like a message": (
        BODY | {"a` - at `$.path": 1},
        "/a` - at `$.path",
        f"a` - at `$.path is not a field; there are {FIELDS}",
    ),
    "another type": (BODY | {"path": 1}, "/path", "path must be a string"),
    "a number out of bounds": (
        BODY | {"deadlineSeconds": 59},
        "/deadlineSeconds",
        "deadlineSeconds must be a whole number >= 60",
    ),
    "a fraction": (
        BODY | {"deadlineSeconds": 60.5},
        "/deadlineSeconds",
        "deadlineSeconds must be a whole number",
    ),
    "a word of another list": (
        BODY | {"onUnconfirmed": "pray"},
        "/onUnconfirmed",
        "onUnconfirmed must be one of wait, resubmit",
    ),
    "a text of another form": (
        BODY | {"providerJobId": "a b"},
        "/providerJobId",
        "providerJobId must be a string matching regex '^[A-Za-z0-9._~-]{1,200}$'",
    ),
    "a wrong key": (
        BODY | {"metadata": {"": "a"}},
        "/metadata",
        "metadata has a key that must be a string of length >= 1",
    ),
    "a wrong value of a key": (
        BODY | {"metadata": {"a": 1}},
        "/metadata",
        "metadata[...] must be a string",
    ),
    "too many keys": (
        BODY | {"metadata": {str(number): "" for number in range(21)}},
        "/metadata",
        "metadata must be an object of length <= 20",
    ),
}


@pytest.mark.parametrize(("body", "pointer", "expected"), WRONG.values(), ids=WRONG.keys())
def test_a_refusal_says_where_and_what_was_expected(body, pointer, expected):
    with pytest.raises(InvalidRequest) as caught:
        validate(body, CreateBody)

    assert (caught.value.pointer, caught.value.expected) == (pointer, expected)


def test_what_is_within_a_field_is_named_after_it():
    with pytest.raises(InvalidRequest) as caught:
        validate(BODY | {"path": 1}, CreateBody, within="jobs")
    with pytest.raises(InvalidRequest) as caught_whole:
        validate(7, CreateBody, within="jobs")

    assert (caught.value.pointer, caught.value.expected) == (
        "/jobs/path",
        "jobs.path must be a string",
    )
    assert (caught_whole.value.pointer, caught_whole.value.expected) == (
        "/jobs",
        "jobs must be an object",
    )


def test_where_there_are_no_fields_it_says_so():
    with pytest.raises(InvalidRequest) as caught:
        validate({"a": 1}, EmptyBody)

    assert caught.value.expected == "a is not a field; there are none"


def test_what_is_right_comes_back_as_the_struct():
    assert validate(BODY, CreateBody).provider == "gepetto"
