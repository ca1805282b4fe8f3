"""Trace contexts: what is read of headers, and the span of an event."""

import re

import pytest

from relay.domain.trace import TraceContext, event_trace, read_trace_context

# The example of W3C Trace Context, 3.2.
TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE_ID}-{SPAN_ID}-01"


def test_a_context_is_read_as_it_is_written():
    trace = read_trace_context(PARENT, "congo=t61rcWkgMzE")

    assert trace == TraceContext(PARENT, "congo=t61rcWkgMzE")
    assert (trace.trace_id, trace.span_id, trace.is_sampled) == (TRACE_ID, SPAN_ID, True)
    assert trace.headers == {"traceparent": PARENT, "tracestate": "congo=t61rcWkgMzE"}


@pytest.mark.parametrize(("flags", "is_sampled"), [("00", False), ("01", True), ("03", True)])
def test_of_the_flags_only_one_is_kept(flags, is_sampled):
    trace = read_trace_context(f"00-{TRACE_ID}-{SPAN_ID}-{flags}", "")

    assert trace is not None
    assert trace.is_sampled is is_sampled
    assert trace.headers == {"traceparent": f"00-{TRACE_ID}-{SPAN_ID}-0{int(is_sampled)}"}


def test_a_later_version_may_say_more():
    assert read_trace_context(f"cc-{TRACE_ID}-{SPAN_ID}-01-what-is-to-be", "") == TraceContext(
        PARENT
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"ff-{TRACE_ID}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{SPAN_ID}-01-more",
        f"cc-{TRACE_ID}-{SPAN_ID}-01more",
        f"00-{'0' * 32}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"00-{TRACE_ID.upper()}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{SPAN_ID}",
        f"00-{TRACE_ID}-{SPAN_ID}-1",
        f"{PARENT}\n",
    ],
)
def test_what_is_no_context_is_none(text):
    assert read_trace_context(text, "a=1") is None


@pytest.mark.parametrize("state", ["a" * 513, "a=\n", "a=é"], ids=["long", "line", "letter"])
def test_a_tracestate_that_is_none_is_left_out(state):
    assert read_trace_context(PARENT, state) == TraceContext(PARENT)


def test_an_events_span_is_the_same_for_every_copy_and_another_for_every_event():
    trace = TraceContext(PARENT, "a=1")

    first, copy = event_trace(trace, "job_1.succeeded"), event_trace(trace, "job_1.succeeded")
    other = event_trace(trace, "job_1.outputs_kept")

    assert first is not None
    assert other is not None
    assert first == copy
    assert re.fullmatch(rf"00-{TRACE_ID}-[0-9a-f]{{16}}-01", first.traceparent)
    assert first.tracestate == "a=1"
    assert len({trace.span_id, first.span_id, other.span_id}) == 3
    assert event_trace(None, "job_1.succeeded") is None
