"""Whatever a stranger sends to `provider_webhook`, it is not an error of ours and says nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.entrypoints.requests import EndlessBody
from tests.factories import JOB_ID, processing_job

TOKEN_SHAPED = "A" * 32
PATHS = [
    "/",
    "/gepetto",
    f"/gepetto/{JOB_ID}",
    f"/gepetto/{JOB_ID}/",
    f"/gepetto/{JOB_ID}/{TOKEN_SHAPED}",
    f"/gepetto/{JOB_ID}/{TOKEN_SHAPED}/more",
    f"/gepetto/{JOB_ID}/%00",
    f"/gepetto/{JOB_ID}/%ff%fe",
    f"/gepetto/{JOB_ID}/ünï",
    f"/gepetto/{JOB_ID}/%f0%9f%9b%8b",
    f"/gepetto/{JOB_ID}/{'a' * 8000}",
    f"/gepetto/{JOB_ID}/{'٣' * 32}",
    f"/GEPETTO/{JOB_ID}/{TOKEN_SHAPED}",
    f"/dalle/{JOB_ID}/{TOKEN_SHAPED}",
    f"/gepetto/../{JOB_ID}/{TOKEN_SHAPED}",
    "/gepetto/job_1/x",
    f"/gepetto/__x__/{TOKEN_SHAPED}",
    f"/gepetto/./{TOKEN_SHAPED}",
    f"/{JOB_ID}",
    "/healthz",
    "/.env",
]
BODIES = [b"", b"{}", b"[" * 60_000, b"\x00\xff", b'{"id": 1e999}', b'{"output": "\\ud800"}']


@pytest.mark.parametrize("body", BODIES, ids=lambda one: repr(one[:12]))
@pytest.mark.parametrize("path", PATHS, ids=lambda one: repr(one[:60]))
def test_a_stranger_learns_that_there_is_nothing_here(webhook, world, path, body):
    world.jobs.put(processing_job())

    answer = webhook.post(path, data=body)

    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert world.jobs.calls == []


def test_what_a_stranger_sends_is_not_read_on_a_path_of_the_frameworks_either(webhook):
    body = EndlessBody()
    environ = {**body.environ, "PATH_INFO": "/a\nb"}

    answer = webhook.post("/", input_stream=body, environ_overrides=environ)

    assert (answer.status_code, body.bytes_read) == (404, 0)


@pytest.mark.parametrize("path", ["//", f"/gepetto/{JOB_ID}/{TOKEN_SHAPED}%0a"])
def test_a_path_that_the_framework_itself_refuses_says_as_little(webhook, world, path):
    answer = webhook.post(path, data=b"{}")

    assert 300 <= answer.status_code < 500
    assert world.jobs.calls == []


@pytest.mark.parametrize("path", ["//", "//gepetto//x", "/gepetto/x/y/", "/gepetto//job/y"])
def test_no_path_is_answered_by_a_redirect(webhook, path):
    answer = webhook.post("/", data=b"{}", environ_overrides={"PATH_INFO": path})

    assert answer.status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "abc"},
        {"Content-Length": "-1"},
        {"Content-Type": "multipart/form-data; boundary="},
        {"Content-Type": "multipart/form-data"},
        {"Content-Type": "\xff"},
        {"Content-Encoding": "gzip"},
        {"Host": "[::1"},
        {"Host": "a b"},
        {"X-Cloud-Trace-Context": "x" * 9000},
        {"traceparent": "\xff-00"},
        {"X-HTTP-Method-Override": "GET"},
    ],
    ids=str,
)
def test_odd_headers_are_no_error_of_ours(webhook, headers):
    answer = webhook.post("/", data=b"{}", headers=headers)

    assert 400 <= answer.status_code < 500


@given(path=st.text(max_size=80), body=st.binary(max_size=200))
def test_nothing_that_is_drawn_at_random_is_an_error_of_ours(webhook, path, body):
    # Not as a URL: the test client would take what follows two slashes for a host.
    as_served = "/" + path.encode("utf-8", "replace").decode("latin-1")
    answer = webhook.post("/", data=body, environ_overrides={"PATH_INFO": as_served})

    assert answer.status_code in (400, 404)
