"""Logs for Cloud Logging: one JSON object per line, with severity and trace."""

import contextlib
import functools
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

import flask

from relay import __version__

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

_trace_id: ContextVar[str | None] = ContextVar("trace_id", default=None)
_CLOUD_TRACE = re.compile(r"([0-9a-f]{32})(?:/|$)")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-")


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
    # It logs whole URLs; callers log what matters about a call.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    log.info("function started", extra={"fields": {"version": __version__}})


def traced(entry_point: Callable[P, R]) -> Callable[P, R]:
    """Attach the request's trace to everything logged during it."""

    @functools.wraps(entry_point)
    def with_trace(*args: P.args, **kwargs: P.kwargs) -> R:
        with _trace_of_request():
            return entry_point(*args, **kwargs)

    return with_trace


@contextlib.contextmanager
def _trace_of_request() -> Iterator[None]:
    headers = flask.request.headers
    match = _CLOUD_TRACE.match(headers.get("X-Cloud-Trace-Context", "")) or _TRACEPARENT.match(
        headers.get("traceparent", "")
    )
    token = _trace_id.set(match[1] if match else None)
    try:
        yield
    finally:
        _trace_id.reset(token)


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
        trace_id = _trace_id.get()
        if trace_id is not None:
            line["logging.googleapis.com/trace"] = f"projects/{self._project}/traces/{trace_id}"
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["stack_trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
