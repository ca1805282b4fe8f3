"""The requests that the tests of the API send."""

import json
from io import BytesIO
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from relay.domain.durations import Durations
from tests.factories import INPUT
from tests.fakes import World

BEARER = {"Authorization": "Bearer key-of-demo"}
OTHER = {"Authorization": "Bearer key-of-other"}
KEY = {"Idempotency-Key": "order-1"}
BODY: dict[str, Any] = {
    "provider": "gepetto",
    "operation": "redesign",
    "input": INPUT,
    "metadata": {"listing": "42"},
}


class EndlessBody(BytesIO):
    """A request's body that never ends, and counts how much of it was read."""

    def __init__(self) -> None:
        super().__init__()
        self.environ: dict[str, Any] = {"wsgi.input_terminated": True}
        self.bytes_read = 0

    def read(self, size: int | None = -1) -> bytes:
        assert size is not None, "all of it was asked for"
        assert 0 <= size < 2**22, "all of it was asked for"
        self.bytes_read += size
        return b" " * size


def create(
    api: FlaskClient,
    body: object,
    headers: dict[str, str] | None = None,
    *,
    content_type: str = "application/json",
) -> TestResponse:
    """Post a job; bytes go out as they are, anything else as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return api.post(
        "/v1/jobs",
        data=content,
        headers=BEARER if headers is None else headers,
        content_type=content_type,
    )


def create_batch(
    api: FlaskClient, jobs: Any, headers: dict[str, str] | None = None, **more: object
) -> TestResponse:
    """Post a batch of jobs; bytes go out as they are."""
    content = jobs if isinstance(jobs, bytes) else json.dumps({"jobs": jobs, **more}).encode()
    return api.post(
        "/v1/jobs:batch",
        data=content,
        headers=BEARER if headers is None else headers,
        content_type="application/json",
    )


def follow(
    api: FlaskClient,
    ref: object,
    headers: dict[str, str] | None = None,
    **more: object,
) -> TestResponse:
    """Have a job followed that was submitted elsewhere."""
    body = {"provider": "gepetto", "operation": "redesign", "providerJobId": ref}
    return create(api, body | more, headers)


def listed(api: FlaskClient, query: str = "", headers: dict[str, str] | None = None) -> Any:
    """Return a page of jobs as JSON."""
    answer = api.get(f"/v1/jobs?{query}", headers=BEARER if headers is None else headers)
    assert answer.status_code == 200, answer.text
    return answer.json


def learn(world: World, operation: str, *seconds: float) -> None:
    """Have renders in what was learnt that took so long."""
    known = Durations.unknown()
    for one in seconds:
        known = known.with_render(after_s=one, by_s=one, expected_s=30)
    world.durations.replace("gepetto", {operation: known}, version=None)
