"""One job's trace through the processes of a stack that collects traces."""

import os
import secrets
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
import requests

from infra.local.errors import EmulatorsUnavailable
from infra.local.inbox import Inbox
from infra.local.stack import running_stack, traces_file
from infra.traces.spans import Span, of_job, read
from tests.system.conftest import Consumer, Relay, call, until

pytestmark = pytest.mark.thorough

CALLERS_SPAN = "00f067aa0ba902b7"
# On a slow machine a call of a job's step may end in a timeout, and the step is taken again.
JOBS = 5
# Of each job at least; the callback may have been lost.
STEPS = {"create job": 1, "submit": 1, "publish event": 2, "deliver": 2, "keep outputs": 1}


@pytest.fixture(scope="module")
def stack_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("traced") / "stack.json"


@pytest.fixture(scope="module")
def traced(stack_file: Path) -> Iterator[Relay]:
    """Run a stack of its own: that of the other tests has no traces."""
    try:
        with running_stack(stack_file=stack_file, env=os.environ, collects_traces=True) as stack:
            where = stack.description
            inbox = Inbox(
                host=where.pubsub_emulator_host,
                project=where.project,
                topic=where.completions_topic,
                subscription="traces",
            )
            with inbox:
                yield Relay(stack, Consumer(inbox))
    except EmulatorsUnavailable as error:
        if os.environ.get("RELAY_REQUIRE_EMULATORS") == "1":
            raise
        pytest.skip(str(error))


def test_one_job_is_one_trace_from_its_callers_span_to_its_consumers(
    traced: Relay, stack_file: Path
) -> None:
    for _ in range(JOBS):
        trace_id = secrets.token_hex(16)
        answer, job_id = create(traced, trace_id)
        traced.kept(job_id)
        copies = traced.copies_event(job_id)
        events = traced.events(job_id, count=1)
        spans = until(partial(all_spans, traces_file(stack_file), job_id))
        failed = [one.name for one in spans if one.error]
        if named(spans, "callback") and not failed:
            break
    else:
        pytest.fail(f"each job missed its callback or had a step that failed, the last {failed}")

    (event,) = events
    assert answer.headers["X-Request-Id"] == trace_id
    assert {one.trace_id for one in spans} == {trace_id}
    (created,) = named(spans, "create job")
    (submitted,) = named(spans, "submit")
    published = {one.facts["renderrelay.event_type"]: one for one in named(spans, "publish event")}
    completion = published["com.renderrelay.job.succeeded"]
    (kept,) = named(spans, "keep outputs")
    assert created.parent_id == CALLERS_SPAN
    assert submitted.parent_id == created.span_id
    assert {one.parent_id for one in named(spans, "callback")} == {created.span_id}
    assert completion.parent_id in {one.span_id for one in named(spans, "callback")}
    assert kept.parent_id == completion.span_id
    assert published["com.renderrelay.job.outputs_kept"].parent_id == kept.span_id
    for delivered in named(spans, "deliver"):
        event_type = delivered.facts["renderrelay.event_type"]
        assert delivered.parent_id == published[event_type].span_id
    # The consumer goes on from the span in which its event was published.
    assert event.attributes["ce-traceparent"] == f"00-{trace_id}-{completion.span_id}-01"
    assert copies.attributes["ce-traceparent"].split("-")[1] == trace_id
    assert {one.service for one in spans} == {
        *("jobs_api", "poll_tick", "provider_webhook", "deliver_callbacks", "keep_outputs")
    }


def create(traced: Relay, trace_id: str) -> tuple[requests.Response, str]:
    """Create a job within a caller's span, and return the answer and the job's id."""
    answer = call(
        "POST",
        f"{traced.api_url}/v1/jobs",
        json={
            "provider": "gepetto",
            "operation": "redesign",
            "input": {
                "url": traced.room("render-s=2"),
                "styleId": "modern",
                "roomId": "living_room",
                "creativity": 14,
            },
            "callbackUrl": traced.receiver(),
        },
        headers={**traced.headers, "traceparent": f"00-{trace_id}-{CALLERS_SPAN}-01"},
    )
    return answer, answer.json()["id"]


def all_spans(file: Path, job_id: str) -> Sequence[Span] | None:
    """Return the job's spans; None if some have not come yet."""
    found = of_job(read(file), job_id)
    is_whole = all(len(named(found, name)) >= times for name, times in STEPS.items())
    return found if is_whole else None


def named(spans: Sequence[Span], name: str) -> list[Span]:
    return [one for one in spans if one.name == name]
