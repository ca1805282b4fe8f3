"""Bodies of `POST /v1/jobs` that are wrong, each in one way."""

import json
import time
import tracemalloc
from http import HTTPStatus
from io import BytesIO

import pytest

from tests.entrypoints.requests import BEARER, BODY, EndlessBody, create
from tests.factories import INPUT

TEXT = json.dumps(BODY)


def with_input(**changes):
    return BODY | {"input": INPUT | changes}


def raw(path, **input_):
    return {"provider": "gepetto", "operation": "raw", "path": path, "input": input_}


def with_metadata(metadata):
    return BODY | {"metadata": metadata}


NOT_JSON = {
    "empty": b"",
    "words": b"hello",
    "cut short": TEXT.encode()[:-1],
    "a comma too many": TEXT.encode()[:-1] + b",}",
    "two values": TEXT.encode() + b"{}",
    "single quotes": b"{'provider': 'gepetto'}",
    "NaN": TEXT.replace("12", "NaN").encode(),
    "Infinity": TEXT.replace("12", "-Infinity").encode(),
    "a number beyond all": TEXT.replace("12", "1e999").encode(),
    "an integer of 5,000 digits": TEXT.replace("12", "1" * 5000).encode(),
    "half an emoji": TEXT.replace("modern", r"\ud83d").encode(),
    "half an emoji in a name": TEXT.replace("listing", r"\ud83d").encode(),
    "no UTF-8": TEXT.replace("modern", "m\xf6dern").encode("latin-1"),
    "UTF-16": TEXT.encode("utf-16"),
    "100,000 brackets": b"[" * 100_000,
    "100,000 objects": b'{"input":' * 25_000,
    "100,000 brackets in the input": TEXT.replace("12", "[" * 100_000).encode(),
    "a NUL after it": TEXT.encode() + b"\x00",
}

WRONG = {
    "null": (None, ""),
    "an array": ([], ""),
    "a string": ("job", ""),
    "nothing in it": ({}, "/provider"),
    "no operation": ({"provider": "gepetto", "input": {}}, "/operation"),
    "no input": ({"provider": "gepetto", "operation": "redesign"}, "/input"),
    "an unknown field": (BODY | {"webhook": "https://a.b"}, "/webhook"),
    "a field in snake case": (BODY | {"deadline_seconds": 60}, "/deadline_seconds"),
    "a provider that is a number": (BODY | {"provider": 1}, "/provider"),
    "a provider that nobody knows": (BODY | {"provider": "dalle"}, "/provider"),
    "a provider that is off": (BODY | {"provider": "spacely"}, "/provider"),
    "a provider with a NUL": (BODY | {"provider": "gepetto\x00"}, "/provider"),
    "an operation that nobody knows": (BODY | {"operation": "paint"}, "/operation"),
    "an operation that is null": (BODY | {"operation": None}, "/operation"),
    "an input that is an array": (BODY | {"input": []}, "/input"),
    "an unknown input": (with_input(webhook="https://a.b"), "/input/webhook"),
    "an unknown input with odd marks": (with_input(**{"a/b~c": 1}), "/input/a~1b~0c"),
    "a local image": (with_input(url="https://localhost/a.jpg"), "/input/url"),
    "an image by http": (with_input(url="http://example.com/a.jpg"), "/input/url"),
    "an image with a NUL": (with_input(url="https://example.com/\x00"), "/input/url"),
    "a webhook in a raw input": (raw("/upscale", webhook="https://a.b"), "/input/webhook"),
    "a webhook by its other name": (with_input(webhookUrl="https://a.b"), "/input/webhookUrl"),
    "a raw job without a path": (BODY | {"operation": "raw"}, "/path"),
    "a path that is null": (raw(None), "/path"),
    "a path that is a number": (raw(1), "/path"),
    "a path that leads up": (raw("/../job"), "/path"),
    "a path with a line break": (raw("/upscale\n"), "/path"),
    "a path of 83": (raw("/" + "a" * 82), "/path"),
    "a path of another operation": (BODY | {"path": "/redesign"}, "/path"),
    "a raw input that is an array": (raw("/upscale") | {"input": []}, "/input"),
    "a raw input 33 levels deep": (raw("/upscale", a=json.loads("[" * 32 + "]" * 32)), "/input/a"),
    "a number out of range": (with_input(creativity=31), "/input/creativity"),
    "a huge integer": (with_input(creativity=10**300), "/input/creativity"),
    "a number as text": (with_input(creativity="12"), "/input/creativity"),
    "a flag that is a number": (with_input(preserveWalls=1), "/input/preserveWalls"),
    "metadata that is null": (with_metadata(None), "/metadata"),
    "metadata that is an array": (with_metadata([]), "/metadata"),
    "metadata of 21 keys": (with_metadata({str(n): "" for n in range(21)}), "/metadata"),
    "metadata with a number": (with_metadata({"a": 1}), "/metadata"),
    "metadata in metadata": (with_metadata({"a": {}}), "/metadata"),
    "metadata with an empty key": (with_metadata({"": "a"}), "/metadata"),
    "a metadata key of 41": (with_metadata({"a" * 41: ""}), "/metadata"),
    "a metadata value of 501": (with_metadata({"a": "b" * 501}), "/metadata"),
    "a deadline of 59 s": (BODY | {"deadlineSeconds": 59}, "/deadlineSeconds"),
    "a deadline of over a day": (BODY | {"deadlineSeconds": 86_401}, "/deadlineSeconds"),
    "a deadline with a half": (BODY | {"deadlineSeconds": 60.5}, "/deadlineSeconds"),
    "a deadline as text": (BODY | {"deadlineSeconds": "60"}, "/deadlineSeconds"),
    "a deadline that is true": (BODY | {"deadlineSeconds": True}, "/deadlineSeconds"),
    "a deadline beyond all": (BODY | {"deadlineSeconds": 10**30}, "/deadlineSeconds"),
    "a wish that nobody knows": (BODY | {"onUnconfirmed": "pray"}, "/onUnconfirmed"),
    "a priority that nobody knows": (BODY | {"priority": "high"}, "/priority"),
    "a priority that is null": (BODY | {"priority": None}, "/priority"),
}

DEEP = [32, 100, 500, 900, 950, 980, 990, 1000, 1010, 5000]


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_what_is_not_json_is_400_and_writes_nothing(api, world, body):
    answer = create(api, body)

    assert (answer.status_code, answer.json["code"]) == (400, "malformed_json")
    assert answer.mimetype == "application/problem+json"
    assert world.jobs.calls == []


@pytest.mark.parametrize(("body", "pointer"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_422_names_the_field_and_writes_nothing(api, world, body, pointer):
    answer = create(api, body)

    problem = answer.json
    assert (answer.status_code, problem["code"]) == (422, "invalid_request")
    assert answer.mimetype == "application/problem+json"
    assert (problem["title"], problem["status"]) == (HTTPStatus(422).phrase, 422)
    assert problem["pointer"] == pointer
    name = pointer.replace("~1", "/").replace("~0", "~").rpartition("/input/")[2]
    assert name.strip("/") in problem["detail"]
    assert world.jobs.calls == []


def raw_of(text):
    """Return the body of a raw job with this JSON in its input."""
    return json.dumps(raw("/upscale", a="?")).replace('"?"', text).encode()


TOO_MANY = {
    "objects": raw_of("[" + "{}," * 80_000 + "{}]"),
    "arrays": raw_of("[" + "[]," * 80_000 + "[]]"),
    "numbers": raw_of("[" + "1," * 120_000 + "1]"),
    "texts": raw_of("[" + '"",' * 80_000 + '""]'),
    "members": raw_of("{" + ",".join(f'"{n:x}":0' for n in range(24_000)) + "}"),
    "one too many": raw_of("[" + "1," * 9_998 + "1]"),
    "with spaces": raw_of("[ " + "{ } ,\n" * 30_000 + "{}]"),
    "in a body that is wrong beside it": raw_of("[" + "{}," * 80_000 + "{}]").replace(
        b"raw", b"no"
    ),
}


@pytest.mark.parametrize("body", TOO_MANY.values(), ids=TOO_MANY.keys())
def test_an_input_of_more_than_10_000_values_is_422_and_writes_nothing(api, world, body):
    answer = create(api, body)

    assert (answer.status_code, answer.json["code"]) == (422, "invalid_request")
    assert answer.json["pointer"] == "/input"
    assert "10,000 JSON values" in answer.json["detail"]
    assert world.jobs.calls == []


def test_too_many_values_beside_an_input_are_422_too(api, world):
    answer = create(api, BODY | {"metadata": [0] * 20_000})

    assert (answer.status_code, answer.json["pointer"]) == (422, "")
    assert world.jobs.calls == []


@pytest.mark.parametrize(
    "text",
    [
        "[" + "1," * 9_997 + "1]",
        json.dumps("{},[]:" * 20_000),
        json.dumps('\\"[,' * 20_000),
        json.dumps({"a,b:[": "c\\,:"}),
    ],
    ids=["10,000 values", "marks in a text", "escapes in a text", "marks in a name"],
)
def test_an_input_within_its_limits_is_taken_and_comes_back(api, text):
    answer = create(api, raw_of(text))

    assert (answer.status_code, answer.json["input"]) == (201, {"a": json.loads(text)})
    job = api.get(answer.headers["Location"], headers=BEARER).json
    assert job["input"] == {"a": json.loads(text)}


HOSTILE = {
    **TOO_MANY,
    "brackets": b"[" * 256 * 1024,
    "brackets in the input": raw_of("[" * 250_000),
    "arrays in arrays": raw_of("[" * 120_000 + "]" * 120_000),
    "objects in objects": raw_of('{"":' * 50_000 + "0" + "}" * 50_000),
    "quotes": b'"' * 256 * 1024,
    "an endless text of escapes": b'"' + b'\\"' * 120_000,
    "commas": b"[" + b"," * 250_000,
    "the most that is taken": raw_of("[" + "{}," * 9_997 + "{}]"),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_body_takes_much_memory_or_time(api, body):
    create(api, BODY)
    tracemalloc.start()
    try:
        began_s = time.process_time()
        answer = create(api, body)
        took_s = time.process_time() - began_s
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert answer.status_code in (201, 400, 422)
    assert peak_bytes < 8 * 1024 * 1024
    assert took_s < 2


@pytest.mark.parametrize("depth", DEEP)
def test_an_input_however_deep_is_one_clear_refusal(api, world, depth):
    brackets = "[" * depth + "]" * depth
    deep = TEXT.replace("12", brackets).encode()
    raw_deep = json.dumps(raw("/upscale", a="12")).replace('"12"', brackets).encode()

    assert create(api, deep).status_code in (400, 422)
    assert create(api, raw_deep).status_code in (400, 422)
    assert world.jobs.calls == []


def test_a_raw_input_of_32_levels_is_taken_and_comes_back(api):
    body = raw("/upscale", a=json.loads("[" * 31 + "]" * 31))

    answer = create(api, body)

    assert (answer.status_code, answer.json["input"]) == (201, body["input"])
    assert answer.json["path"] == "/upscale"


def test_a_body_over_256_kib_is_413_whoever_sends_it(api, world):
    body = TEXT.encode() + b" " * 256 * 1024

    assert create(api, body).status_code == 413
    assert create(api, body, {}).json["code"] == "body_too_large"
    assert world.jobs.calls == []


def test_a_body_of_256_kib_is_taken(api):
    body = TEXT.encode()

    assert create(api, body + b" " * (256 * 1024 - len(body))).status_code == 201


def test_a_long_body_that_does_not_say_how_long_it_is_is_413_too(api, world):
    answer = api.post(
        "/v1/jobs",
        input_stream=BytesIO(b" " * 300_000),
        headers=BEARER,
        content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True},
    )

    assert answer.status_code == 413
    assert world.jobs.calls == []


@pytest.mark.parametrize(
    ("method", "path", "headers", "bytes_read"),
    [
        ("POST", "/v1/jobs", BEARER, 256 * 1024 + 1),
        ("GET", "/v1/jobs", BEARER, 0),
        ("GET", "/v1/jobs", {}, 0),
        ("POST", "/nowhere", {}, 0),
    ],
    ids=["a create", "a list", "a stranger", "a path of nobody"],
)
def test_of_an_endless_body_no_more_is_read_than_is_needed(api, method, path, headers, bytes_read):
    body = EndlessBody()

    answer = api.open(
        path, method=method, headers=headers, input_stream=body, environ_overrides=body.environ
    )

    assert answer.status_code in (200, 401, 404, 413)
    assert body.bytes_read == bytes_read


@pytest.mark.parametrize("length", ["abc", "-1", "1e3"])
def test_a_length_that_is_none_is_a_refusal_and_no_error_of_ours(api, world, length):
    answer = api.post(
        "/v1/jobs",
        headers=BEARER,
        content_type="application/json",
        environ_overrides={"CONTENT_LENGTH": length},
    )

    assert 400 <= answer.status_code < 500
    assert world.jobs.calls == []


@pytest.mark.parametrize(
    "metadata",
    [
        {"a" * 40: "b" * 500, "": ""} | {str(n): "" for n in range(18)},
        {"\x01": "\x7f", "a.b/`c`": "🛋" * 500, "__x__": ""},
    ],
    ids=["at its limits", "odd"],
)
def test_metadata_within_its_limits_comes_back_untouched(api, metadata):
    metadata.pop("", None)

    answer = create(api, with_metadata(metadata))

    assert (answer.status_code, answer.json["metadata"]) == (201, metadata)


def test_a_deadline_that_is_written_with_a_fraction_of_nought_is_whole(api):
    answer = create(api, BODY | {"deadlineSeconds": 60.0})

    assert answer.status_code == 201
    assert answer.json["deadlineAt"] == "2026-01-02T12:01:00Z"
