"""What is wrong with a body, in plain words: where it is, and what was expected there."""

import re

import pytest

from relay.domain.validation import validate
from relay.edges.bodies import CreateBody, EmptyBody
from relay.errors import InvalidRequest

BODY = {"provider": "gepetto", "operation": "redesign", "input": {}}
FIELDS = (
    "provider, operation, input, providerJobId, path, metadata, deadlineSeconds, onUnconfirmed, "
    "priority, callbackUrl"
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


def test_everything_that_is_wrong_is_told_at_once():
    body = {"provider": 1, "inputs": {}, "deadlineSeconds": 5, "priority": "hihg"}

    with pytest.raises(InvalidRequest) as caught:
        validate(body, CreateBody)

    mistakes = {one.pointer: one.expected for one in caught.value.mistakes}
    assert mistakes == {
        "/inputs": f"inputs is not a field, did you mean `input`? There are {FIELDS}",
        "/provider": "provider must be a string",
        "/operation": "operation is required",
        "/deadlineSeconds": "deadlineSeconds must be a whole number >= 60",
        "/priority": "priority must be one of normal, low",
    }
    first_three = list(mistakes.values())[:3]
    assert caught.value.expected == f"5 mistakes: {'; '.join(first_three)}; ..."
    assert caught.value.pointer == "/inputs"


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("deadline_seconds", "deadlineSeconds"),
        ("METADATA", "metadata"),
        ("onUnconfirmd", "onUnconfirmed"),
        ("providerJobID", "providerJobId"),
        ("prompt", None),
        ("x" * 200_000, None),
    ],
    ids=lambda one: str(one)[:20],
)
def test_an_unknown_field_is_answered_with_the_known_one_most_like_it(name, near):
    with pytest.raises(InvalidRequest) as caught:
        validate(BODY | {name: 1}, CreateBody)

    found = re.search("did you mean `(.*)`", caught.value.expected)
    assert (found and found[1]) == near
    assert len(caught.value.expected) < 300


def test_of_thousands_of_mistakes_the_first_are_told():
    with pytest.raises(InvalidRequest) as caught:
        validate(BODY | {f"a{number}": 1 for number in range(9_000)}, CreateBody)

    assert [one.pointer for one in caught.value.mistakes] == [f"/a{n}" for n in range(20)]


def test_what_is_right_comes_back_as_the_struct():
    assert validate(BODY, CreateBody).provider == "gepetto"
