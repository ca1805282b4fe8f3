"""Log lines as Cloud Logging reads them."""

import io
import json
import logging
import re
import sys

import flask
import pytest

from relay import logs
from relay.domain.trace import TraceContext, trace_context

TRACE_ID = "0123456789abcdef0123456789abcdef"


def context(*, span, is_sampled):
    return trace_context(TRACE_ID, f"{span:016x}", is_sampled=is_sampled)


@pytest.fixture(autouse=True)
def configured():
    before = logging.root.handlers[:], logging.root.level
    logs.configure(level="INFO", project="p")
    yield
    logging.root.handlers[:], logging.root.level = before


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def log_in_a_request(headers):
    """Log a line in a request; return the request's id as its answer has it."""
    app = flask.Flask("test")

    @app.route("/")
    @logs.identified
    def entry_point():
        logging.getLogger("relay.test").info("in a request")
        return ""

    return app.test_client().get("/", headers=headers).headers["X-Request-Id"]


@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING, logging.ERROR])
def test_a_line_is_one_json_object_with_its_severity(capsys, level):
    logging.getLogger("relay.test").log(level, "job %s", "moved")

    assert lines(capsys) == [
        {
            "severity": logging.getLevelName(level),
            "message": "job moved",
            "logger": "relay.test",
        }
    ]


def test_fields_stand_beside_the_message(capsys):
    fields = {"job_id": "job_1", "odd": object, "text": "ünï\ud800\n"}

    logging.getLogger("relay.test").info("job moved", extra={"fields": fields})

    (line,) = lines(capsys)
    assert (line["job_id"], line["text"]) == ("job_1", "ünï\ud800\n")


def test_what_is_below_the_level_is_not_written(capsys):
    logging.getLogger("relay.test").debug("quiet")

    assert lines(capsys) == []


def test_an_error_carries_its_traceback_in_the_same_line(capsys):
    try:
        int("a bug")
    except ValueError:
        logging.getLogger("relay.test").exception("step broke")

    (line,) = lines(capsys)
    assert line["severity"] == "ERROR"
    assert "ValueError: invalid literal" in line["stack_trace"]


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Cloud-Trace-Context": f"{TRACE_ID}/123;o=1"},
        {"X-Cloud-Trace-Context": TRACE_ID},
        {"traceparent": f"00-{TRACE_ID}-0123456789abcdef-01"},
    ],
    ids=["cloud trace", "without a span", "traceparent"],
)
def test_what_is_logged_in_a_request_carries_its_trace(capsys, headers):
    request_id = log_in_a_request(headers)

    (line,) = lines(capsys)
    assert line["logging.googleapis.com/trace"] == f"projects/p/traces/{TRACE_ID}"
    assert request_id == TRACE_ID


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Cloud-Trace-Context": "nonsense"},
        {"X-Cloud-Trace-Context": f"{TRACE_ID}0/1"},
        {"X-Cloud-Trace-Context": "0" * 32},
        {"traceparent": TRACE_ID},
        {"traceparent": f"00-{'0' * 32}-0123456789abcdef-01"},
        {"traceparent": f"00-{TRACE_ID}-0123456789abcdef"},
        {"traceparent": f"ff-{TRACE_ID}-0123456789abcdef-01"},
        {"X-Request-Id": TRACE_ID},
    ],
    ids=str,
)
def test_without_a_trace_a_request_has_a_new_id(capsys, headers):
    first, second = log_in_a_request(headers), log_in_a_request(headers)

    assert re.fullmatch("[0-9a-f]{32}", first)
    assert len({first, second, TRACE_ID, "0" * 32}) == 4
    traces = [line["logging.googleapis.com/trace"] for line in lines(capsys)]
    assert traces == [f"projects/p/traces/{first}", f"projects/p/traces/{second}"]


def test_a_trace_ends_with_its_request(capsys):
    log_in_a_request({"X-Cloud-Trace-Context": TRACE_ID})
    logging.getLogger("relay.test").info("afterwards")

    assert "logging.googleapis.com/trace" not in lines(capsys)[1]


def test_an_entry_point_keeps_its_name():
    @logs.identified
    def poll_tick():
        """Run the pump."""

    assert poll_tick.__name__ == "poll_tick"


def test_standard_output_is_looked_up_at_every_write(monkeypatch):
    swapped = io.StringIO()
    monkeypatch.setattr(sys, "stdout", swapped)

    logging.getLogger("relay.test").info("to the new stream")

    assert "to the new stream" in swapped.getvalue()


PARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"


def caller_trace(headers):
    app = flask.Flask("test")
    with app.test_request_context("/", headers=headers):
        return logs.request_id(), logs.caller_trace()


@pytest.mark.parametrize(
    ("headers", "trace"),
    [
        ({"traceparent": PARENT}, TraceContext(PARENT)),
        ({"traceparent": PARENT, "tracestate": "a=1"}, TraceContext(PARENT, "a=1")),
        ({"X-Cloud-Trace-Context": f"{TRACE_ID}/255;o=1"}, context(span=255, is_sampled=True)),
        ({"X-Cloud-Trace-Context": f"{TRACE_ID}/255"}, context(span=255, is_sampled=False)),
        ({"X-Cloud-Trace-Context": f"{TRACE_ID}/0;o=1"}, None),
        ({"X-Cloud-Trace-Context": TRACE_ID}, None),
        ({"X-Cloud-Trace-Context": f"{TRACE_ID}/9", "traceparent": PARENT}, TraceContext(PARENT)),
        (
            {
                "X-Cloud-Trace-Context": f"{TRACE_ID}/255;o=1",
                "traceparent": f"00-{'1' * 32}-00f067aa0ba902b7-01",
            },
            context(span=255, is_sampled=True),
        ),
    ],
    ids=[
        "traceparent",
        "with tracestate",
        "cloud trace",
        "not sampled",
        "no span",
        "trace alone",
        "both of one trace",
        "of two traces",
    ],
)
def test_a_request_belongs_to_a_span_of_the_trace_that_its_id_is(headers, trace):
    assert caller_trace(headers) == (TRACE_ID, trace)


@pytest.mark.parametrize("value", ["", "nonsense", f"00-{TRACE_ID}-{'0' * 16}-01"])
def test_a_request_without_a_span_of_its_callers_has_an_id_all_the_same(value):
    request_id, trace = caller_trace({"traceparent": value})

    assert re.fullmatch("[0-9a-f]{32}", request_id)
    assert trace is None


def test_outside_of_a_request_there_is_neither_id_nor_trace():
    assert (logs.request_id(), logs.caller_trace()) == (None, None)
