"""Logs for Cloud Logging: one JSON object per line, with severity and the request's trace."""

import functools
import json
import logging
import re
import secrets
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import flask

from relay import __version__
from relay.domain.trace import TraceContext, read_trace_context, trace_context

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

# All zeros are no trace (W3C Trace Context, 3.2.2.3).
_CLOUD_TRACE = re.compile(r"(?!0{32})([0-9a-f]{32})(?:/|$)")
_CLOUD_SPAN = re.compile(r"[0-9a-f]{32}/0*([1-9][0-9]{0,18})(?:;o=([01]))?")
# Made once: json.dumps makes an encoder for every call that is not plain.
_encoded = json.JSONEncoder(default=str).encode


def configure(*, level: str, project: str) -> None:
    """Write all logs to standard output as JSON.

    Args:
        level: The lowest severity written.
        project: The Google Cloud project in the traces' names.
    """
    handler = _StandardOutput()
    handler.setFormatter(_JsonLines(project))
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(level)
    # No line shows where it was logged, or by which thread: Python need not look for that (its
    # logging HOWTO, section Optimization).
    logging._srcfile = None  # noqa: SLF001
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # It logs whole URLs; callers log what matters about a call.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    log.info("function started", extra={"fields": {"version": __version__}})


def identified(entry_point: Callable[P, R]) -> Callable[P, R]:
    """Answer with the request's id, also if the entry point fails."""

    @functools.wraps(entry_point)
    def with_id(*args: P.args, **kwargs: P.kwargs) -> R:
        flask.after_this_request(_add_request_id)
        return entry_point(*args, **kwargs)

    return with_id


def _add_request_id(answer: flask.Response) -> flask.Response:
    answer.headers["X-Request-Id"] = _request_id()
    return answer


def _request_id() -> str:
    """Return the id of the request's trace, or a new one if it has none."""
    known = flask.g.get("request_id")
    if known is None:
        cloud = _CLOUD_TRACE.match(flask.request.headers.get("X-Cloud-Trace-Context", ""))
        if cloud is not None:
            known = cloud[1]
        elif (trace := _traceparent()) is not None:
            known = trace.trace_id
        else:
            known = secrets.token_hex(16)
        flask.g.request_id = known
    return str(known)


def request_id() -> str | None:
    """Return the id of the request that is answered, which is its trace's; None outside of one."""
    return _request_id() if flask.has_request_context() else None


def caller_trace() -> TraceContext | None:
    """Return the span of the caller's that the request belongs to; None if it names none.

    Of the trace whose id is the request's, should two headers name different ones.
    """
    if not flask.has_request_context():
        return None
    trace = _traceparent()
    if trace is not None and trace.trace_id == _request_id():
        return trace
    span = _CLOUD_SPAN.match(flask.request.headers.get("X-Cloud-Trace-Context", ""))
    if span is None:
        return None
    return trace_context(_request_id(), f"{int(span[1]):016x}", is_sampled=span[2] == "1")


def _traceparent() -> TraceContext | None:
    headers = flask.request.headers
    return read_trace_context(headers.get("traceparent", ""), headers.get("tracestate", ""))


class _StandardOutput(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        # Looked up for every write: the framework swaps the stream for each request.
        sys.stdout.write(self.format(record) + "\n")
        sys.stdout.flush()


class _JsonLines(logging.Formatter):
    def __init__(self, project: str) -> None:
        super().__init__()
        self._project = project

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "severity": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
        }
        if flask.has_request_context():
            trace = f"projects/{self._project}/traces/{_request_id()}"
            line["logging.googleapis.com/trace"] = trace
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["stack_trace"] = self.formatException(record.exc_info)
        return _encoded(line)
