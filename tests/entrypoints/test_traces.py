"""A job's trace through the five functions: what belongs to what, and what it carries on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.trace import SpanContext, SpanKind, StatusCode

from relay import bootstrap, logs
from relay.adapters.traces import OpenTelemetryTracer, service
from relay.domain.answers import Accepted, Rendered
from relay.domain.job import Status
from relay.domain.tokens import make_token
from relay.domain.trace import event_trace
from relay.errors import JobRefused, NoAnswer, PublishFailed
from tests.entrypoints.conftest import WEBHOOK_KEYS
from tests.entrypoints.requests import BEARER, BODY, KEY, create, create_batch
from tests.entrypoints.test_keep_outputs import push as push_event
from tests.entrypoints.test_tick import push as push_tick
from tests.factories import OUTPUT, PROVIDER_JOB_ID, a_job
from tests.fakes import World

TRACE_ID, CALLERS_SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE_ID}-{CALLERS_SPAN}-01"
FOLLOWED = {**BEARER, "traceparent": PARENT, "tracestate": "congo=t61rcWkgMzE"}
HOOK = "https://hooks.example.com/renders"
FUNCTIONS = Path(__file__).parents[2] / "functions"


class Spans(SpanProcessor):
    """Keeps what has ended, in that order."""

    def __init__(self) -> None:
        self.ended: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.ended.append(span)

    def named(self, name: str) -> list[ReadableSpan]:
        return [one for one in self.ended if one.name == name]

    def only(self, name: str) -> ReadableSpan:
        (span,) = self.named(name)
        return span


@pytest.fixture
def spans() -> Spans:
    return Spans()


@pytest.fixture
def world(spans: Spans) -> World:
    """A world whose relay records traces."""
    world = World()
    world.tracer = OpenTelemetryTracer(
        spans,
        resource=service("test", project="p"),
        caller=logs.caller_trace,
        request_id=logs.request_id,
    )
    world.assemble()
    return world


def context(span: ReadableSpan) -> SpanContext:
    found = span.get_span_context()
    assert found is not None
    return found


def trace_id(span: ReadableSpan) -> str:
    return f"{context(span).trace_id:032x}"


def span_id(span: ReadableSpan) -> str:
    return f"{context(span).span_id:016x}"


def parent_id(span: ReadableSpan) -> str | None:
    return None if span.parent is None else f"{span.parent.span_id:016x}"


def called_back(webhook, job_id):
    token = make_token(WEBHOOK_KEYS[0], provider="gepetto", job_id=job_id)
    body = json.dumps({"id": PROVIDER_JOB_ID, "output": OUTPUT})
    return webhook.post(f"/gepetto/{job_id}/{token}", data=body, content_type="application/json")


def test_a_job_is_one_trace_from_its_create_to_the_copy_of_its_result(
    api, tick, webhook, callback_tick, keep, world, spans
):
    job = create(api, BODY | {"callbackUrl": HOOK}, FOLLOWED).json
    world.provider.on_submit(Accepted(provider_job_id=PROVIDER_JOB_ID, provider_status="pending"))
    push_tick(tick, b'{"account": "gepetto"}')
    called_back(webhook, job["id"])
    push_tick(callback_tick, b'{"account": "callbacks"}')
    push_event(keep, job_id=job["id"])

    created, submitted = spans.only("create job"), spans.only("submit")
    callback, delivered = spans.only("callback"), spans.only("deliver")
    published, kept_event = spans.named("publish event")
    kept = spans.only("keep outputs")
    assert {trace_id(one) for one in spans.ended} == {TRACE_ID}
    assert [
        (one.name, parent_id(one))
        for one in (created, submitted, callback, published, delivered, kept, kept_event)
    ] == [
        ("create job", CALLERS_SPAN),
        ("submit", span_id(created)),
        ("callback", span_id(created)),
        ("publish event", span_id(callback)),
        ("deliver", span_id(published)),
        ("keep outputs", span_id(published)),
        ("publish event", span_id(kept)),
    ]


def test_each_poll_is_a_step_of_its_own_and_tells_what_it_learnt(api, tick, world, spans):
    create(api, BODY, FOLLOWED)
    world.provider.on_poll(NoAnswer("HTTP 500"), Rendered(outputs=(OUTPUT,), provider_status=None))
    for _ in range(6):
        push_tick(tick, b'{"account": "gepetto"}')
        world.clock.advance(120)

    created, published = spans.only("create job"), spans.only("publish event")
    failed, polled = spans.named("poll")
    assert {parent_id(one) for one in (failed, polled, published)} == {span_id(created)}
    assert [one.attributes["renderrelay.attempt"] for one in (failed, polled)] == [1, 2]
    assert (failed.status.description, polled.attributes["renderrelay.answer"]) == (
        "NoAnswer",
        "Rendered",
    )


def test_the_request_id_of_a_create_is_its_trace(api, spans):
    followed = create(api, BODY, FOLLOWED)
    first = create(api, BODY)

    assert followed.headers["X-Request-Id"] == TRACE_ID
    ours = spans.named("create job")[1]
    assert trace_id(ours) == first.headers["X-Request-Id"] != TRACE_ID
    assert ours.parent is None


def test_the_jobs_of_a_batch_are_in_the_trace_of_the_request(api, spans):
    create_batch(api, [BODY, BODY], FOLLOWED)

    first, second = spans.named("create job")
    assert (trace_id(first), parent_id(first)) == (TRACE_ID, CALLERS_SPAN)
    assert (trace_id(second), parent_id(second)) == (TRACE_ID, CALLERS_SPAN)


def test_a_repeated_create_leaves_the_job_in_the_trace_of_the_first(api, world, spans):
    job_id = create(api, BODY, FOLLOWED | KEY).json["id"]
    create(api, BODY, BEARER | KEY)

    assert world.jobs.job(job_id).trace.trace_id == TRACE_ID
    assert [one.attributes["renderrelay.job_id"] for one in spans.ended] == [job_id, job_id]


def test_nobody_is_shown_the_trace_of_a_job(api, world):
    answer = create(api, BODY, FOLLOWED)

    assert TRACE_ID not in answer.text
    assert TRACE_ID not in api.get(f"/v1/jobs/{answer.json['id']}", headers=BEARER).text


def test_a_callback_carries_the_trace_on(world, callback_tick, spans, api, webhook):
    job_id = create(api, BODY | {"callbackUrl": HOOK}, FOLLOWED).json["id"]
    called_back(webhook, job_id)

    push_tick(callback_tick, b'{"account": "callbacks"}')

    (post,) = world.endpoints.posts
    delivered = spans.only("deliver")
    assert post.headers["traceparent"] == f"00-{TRACE_ID}-{span_id(delivered)}-01"
    assert post.headers["tracestate"] == "congo=t61rcWkgMzE"
    assert delivered.attributes["http.response.status_code"] == 200


def test_the_span_of_an_event_is_the_one_that_its_copies_name(api, webhook, world, spans):
    job_id = create(api, BODY, FOLLOWED).json["id"]
    world.topics.is_down = True
    called_back(webhook, job_id)
    world.topics.is_down = False

    event = world.jobs.job(job_id).announcements[0]
    named = event_trace(world.jobs.job(job_id).trace, event.id)

    failed = spans.only("publish event")
    assert named is not None
    assert span_id(failed) == named.span_id
    assert (failed.status.status_code, failed.status.description) == (
        StatusCode.ERROR,
        PublishFailed.__name__,
    )


def test_spans_tell_nothing_that_callers_or_providers_wrote(
    api, tick, webhook, callback_tick, world, spans
):
    secret = {**BODY, "callbackUrl": f"{HOOK}?token=s3cret", "metadata": {"m": "s3cret"}}
    create(api, secret | {"input": BODY["input"] | {"url": "https://x.example/s3cret"}}, FOLLOWED)
    world.provider.on_submit(JobRefused(422, "s3cret"))
    push_tick(tick, b'{"account": "gepetto"}')
    push_tick(callback_tick, b'{"account": "callbacks"}')

    shown = json.dumps([json.loads(one.to_json()) for one in spans.ended])
    assert "s3cret" not in shown
    refused = spans.only("submit")
    assert (refused.kind, refused.status.description) == (SpanKind.CLIENT, "JobRefused")
    assert refused.attributes["http.response.status_code"] == 422
    assert {one.rpartition(".")[2] for span in spans.ended for one in span.attributes} == {
        *("job_id", "tenant", "account", "operation", "status"),
        *("attempt", "event_type", "status_code"),
    }


def test_a_job_from_before_traces_were_switched_on_has_none(tick, world, spans):
    world.jobs.put(a_job())

    push_tick(tick, b'{"account": "gepetto"}')

    assert world.jobs.job().status is not Status.QUEUED
    assert spans.ended == []


def test_a_trace_that_is_not_sampled_is_carried_on_and_not_recorded(
    api, webhook, callback_tick, world, spans, monkeypatch
):
    unsampled = {**FOLLOWED, "traceparent": PARENT.replace("-01", "-00")}
    job_id = create(api, BODY | {"callbackUrl": HOOK}, unsampled).json["id"]
    called_back(webhook, job_id)
    push_tick(callback_tick, b'{"account": "callbacks"}')

    assert spans.ended == []
    assert world.endpoints.posts[0].headers["traceparent"].startswith(f"00-{TRACE_ID}-")
    assert world.endpoints.posts[0].headers["traceparent"].endswith("-00")


@pytest.mark.parametrize("target", ["answered", "failing"])
def test_what_was_traced_is_sent_before_the_answer(api, monkeypatch, target):
    sent = []
    monkeypatch.setattr(bootstrap, "_flushes", [lambda: sent.append("flush")])
    if target == "failing":
        monkeypatch.setattr(bootstrap, "jobs_api", lambda: None)

    answer = api.get("/healthz")

    assert (answer.status_code, sent) == (200 if target == "answered" else 500, ["flush"])


SCRIPT = """
import sys
import main
from relay import bootstrap
bootstrap.jobs_api()
print(sorted(name for name in sys.modules if name.startswith("opentelemetry.")
             or name in ("relay.adapters.traces", "relay.adapters.span_export")))
print(len(bootstrap._flushes))
"""


@pytest.mark.parametrize(
    ("traces", "is_on"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, True),
        ({"CLOUD_TRACE": "1"}, True),
    ],
    ids=["off", "collector", "cloud trace"],
)
def test_without_traces_nothing_of_opentelemetry_is_imported(traces, is_on):
    env = {
        "PYTHONPATH": str(FUNCTIONS),
        "GOOGLE_CLOUD_PROJECT": "p",
        "FIRESTORE_EMULATOR_HOST": "127.0.0.1:1",
        "PUBSUB_EMULATOR_HOST": "127.0.0.1:1",
        "API_KEYS": json.dumps({"demo": ["a" * 64]}),
        **traces,
    }

    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=env, capture_output=True, text=True, check=True
    )

    *_, modules, flushes = ran.stdout.splitlines()
    assert ("relay.adapters.traces" in modules) is is_on
    assert ("opentelemetry.sdk.trace" in modules) is is_on
    assert is_on or modules == "[]"
    assert flushes == str(int(is_on))
