"""The export of spans: bounded, in time as in memory, whatever the collector does."""

import json
import logging
import threading
import time
from contextlib import contextmanager
from http.server import ThreadingHTTPServer

import google.auth
import pytest
from google.auth.exceptions import RefreshError
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind, StatusCode

from infra.traces.collector import collector
from infra.traces.spans import read, spans_of
from relay.adapters.span_export import (
    MAX_SPANS,
    NotExported,
    OtlpEndpoint,
    SpanExport,
    google_headers,
    message,
)
from relay.adapters.transport import Bounds, Transport

# No test waits as long: it ends when what it waits for has come.
LONG_S = 60.0


class Collector:
    """Takes messages one at a time, each when it is allowed to."""

    def __init__(self) -> None:
        self.why: str | None = None
        self.taken: list[list[str]] = []
        self.is_asked = threading.Semaphore(0)
        self.may_go_on = threading.Semaphore(0)
        self.is_free = True

    def post(self, body: bytes) -> None:
        self.is_asked.release()
        if not self.is_free:
            self.may_go_on.acquire()
        if self.why is not None:
            raise NotExported(self.why)
        self.taken.append([one.name for one in spans_of(body)])


class Clock:
    """A clock that steps on by itself at every look.

    Attributes:
        step_s: How long each post appears to take.
    """

    def __init__(self) -> None:
        self.now_s = 0.0
        self.step_s = 0.0

    def __call__(self) -> float:
        self.now_s += self.step_s
        return self.now_s


@pytest.fixture
def spans():
    """Ended spans, by name."""
    ended = []

    class Keep(SpanExport):
        def on_end(self, span):
            ended.append(span)

    provider = TracerProvider(
        resource=Resource({"service.name": "jobs_api"}), shutdown_on_exit=False
    )
    provider.add_span_processor(Keep(lambda _: None))
    tracer = provider.get_tracer("render-relay", "1")

    def make(*names):
        ended.clear()
        for name in names:
            with tracer.start_as_current_span(name, kind=SpanKind.CLIENT) as span:
                span.set_attribute("renderrelay.attempt", 2)
                span.set_attribute("renderrelay.tenant", "démo")
                span.set_status(StatusCode.ERROR, "JobRefused")
        return list(ended)

    return make


def an_export(collector, **more):
    return SpanExport(collector.post, **({"flush_s": LONG_S, "every_s": LONG_S} | more))


def take(export, ended):
    for one in ended:
        export.on_end(one)


def test_what_has_ended_is_sent_before_a_flush_returns(spans):
    collector = Collector()
    export = an_export(collector)

    take(export, spans("create job", "submit"))
    export.flush()

    assert [name for message in collector.taken for name in message] == ["create job", "submit"]


def test_a_flush_of_nothing_returns_at_once(spans):
    collector = Collector()

    an_export(collector).flush()

    assert collector.taken == []


def test_a_span_is_sent_though_nobody_flushes(spans):
    collector = Collector()
    export = an_export(collector, every_s=0.0)

    take(export, spans("submit"))

    assert collector.is_asked.acquire(timeout=LONG_S)


def test_nothing_runs_while_there_is_nothing_to_send(spans, monkeypatch):
    class Counted(threading.Condition):
        waits = 0

        def wait(self, timeout=None):
            Counted.waits += 1
            return super().wait(timeout)

    monkeypatch.setattr(threading, "Condition", Counted)
    export = an_export(Collector(), every_s=0.0)
    take(export, spans("submit"))
    export.flush()

    time.sleep(0.1)

    assert Counted.waits < 20


def test_no_request_waits_for_a_collector_that_has_failed_and_it_is_logged_once(spans, caplog):
    collector = Collector()
    export = an_export(collector)
    collector.why = "HTTP 503"
    caplog.set_level(logging.INFO, "relay")
    take(export, spans("create job"))
    export.flush()
    collector.is_free = False

    for name in ("second", "third"):
        take(export, spans(name))
        flushing = threading.Thread(target=export.flush, daemon=True)
        flushing.start()
        flushing.join(LONG_S / 3)
        assert not flushing.is_alive()
        assert collector.is_asked.acquire(timeout=LONG_S)
        collector.may_go_on.release()

    warnings = [one.message for one in caplog.records]
    assert warnings == ["traces not exported"]
    assert caplog.records[0].fields == {"why": "HTTP 503"}


def test_requests_wait_again_once_the_collector_is_back(spans, caplog):
    collector = Collector()
    export = an_export(collector)
    caplog.set_level(logging.INFO, "relay")
    collector.why = "HTTP 503"
    take(export, spans("lost"))
    export.flush()
    collector.why = None
    take(export, spans("first"))
    export.flush()
    with export._changed:
        assert export._changed.wait_for(lambda: export._is_prompt, LONG_S)

    take(export, spans("second"))
    export.flush()

    assert collector.taken == [["first"], ["second"]]
    assert [one.message for one in caplog.records] == [
        "traces not exported",
        "traces exported again",
    ]


def test_a_flush_waits_no_longer_than_it_may_and_the_next_does_not_wait_at_all(spans):
    collector = Collector()
    collector.is_free = False
    export = an_export(collector, flush_s=0.001)
    take(export, spans("create job"))

    export.flush()

    assert collector.taken == []
    assert not export._is_prompt
    export._flush_s = LONG_S
    export.flush()
    collector.may_go_on.release()


def test_a_collector_that_takes_too_long_is_not_waited_for_the_next_time(spans):
    collector, clock = Collector(), Clock()
    clock.step_s = LONG_S + 1
    export = an_export(collector, monotonic=clock)
    take(export, spans("create job"))

    export.flush()

    assert collector.taken == [["create job"]]
    assert not export._is_prompt


def test_the_oldest_spans_are_dropped_for_the_newest(spans):
    collector = Collector()
    collector.is_free = False
    export = an_export(collector, flush_s=0.0)
    take(export, spans("held up"))
    export.flush()
    assert collector.is_asked.acquire(timeout=LONG_S)

    take(export, spans("oldest") + spans("other") * (MAX_SPANS - 1) + spans("newest"))

    assert len(export._waiting) == MAX_SPANS
    names = [one.name for one in export._waiting]
    assert (names[0], names[-1]) == ("other", "newest")
    collector.is_free = True
    collector.may_go_on.release()


def test_the_message_says_what_the_spans_say(spans):
    (ended,) = spans("submit")

    (sent,) = spans_of(message([ended]))

    context = ended.get_span_context()
    assert (sent.trace_id, sent.span_id) == (
        f"{context.trace_id:032x}",
        f"{context.span_id:016x}",
    )
    assert (sent.name, sent.service, sent.kind) == ("submit", "jobs_api", "CLIENT")
    assert (sent.began_ns, sent.ended_ns) == (ended.start_time, ended.end_time)
    assert sent.facts == {"renderrelay.attempt": 2, "renderrelay.tenant": "démo"}
    assert (sent.error, sent.parent_id) == ("JobRefused", "")


@contextmanager
def serving(server: ThreadingHTTPServer):
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def test_an_endpoint_gets_the_spans_and_the_headers(spans, tmp_path):
    file = tmp_path / "traces.jsonl"
    with serving(collector(host="127.0.0.1", port=0, file=file)) as url:
        OtlpEndpoint(url, headers=lambda: {"x-key": "k"}).post(message(spans("submit")))

    assert [one.name for one in read(file)] == ["submit"]
    assert json.loads(file.read_text())["service"] == "jobs_api"


@pytest.mark.parametrize(
    ("path", "body", "why"), [("/elsewhere", b"", "HTTP 404"), ("", b"\xff", "HTTP 400")]
)
def test_an_endpoint_that_refuses_is_named_by_its_status_alone(tmp_path, path, body, why):
    with serving(collector(host="127.0.0.1", port=0, file=tmp_path / "none")) as url:
        endpoint = OtlpEndpoint(f"{url}{path}", headers=dict)

        with pytest.raises(NotExported, match=f"^{why}$"):
            endpoint.post(body)


def test_an_endpoint_that_is_not_there_is_an_error_that_names_no_address():
    bounds = Bounds(connect_s=1.0, send_s=1.0, read_s=1.0, call_s=1.0)
    endpoint = OtlpEndpoint("http://127.0.0.1:1", headers=dict, transport=Transport(bounds=bounds))

    with pytest.raises(NotExported) as caught:
        endpoint.post(b"")

    assert "127.0.0.1" not in str(caught.value)


class Credentials:
    """Credentials of Google's, as far as they are used."""

    def __init__(self, error=None):
        self.error = error
        self.asked = []

    def before_request(self, _request, method, url, headers):
        self.asked.append((method, url))
        if self.error:
            raise self.error
        headers["authorization"] = "Bearer token"


def test_cloud_trace_gets_the_functions_own_identity(monkeypatch):
    found, scopes = Credentials(), []

    def default(scopes_asked=None, **kw):
        scopes.append(kw.get("scopes", scopes_asked))
        return found, "p"

    monkeypatch.setattr(google.auth, "default", default)
    headers = google_headers()

    assert headers() == headers() == {"authorization": "Bearer token"}
    assert scopes == [["https://www.googleapis.com/auth/trace.append"]]


def test_without_an_identity_nothing_is_exported_and_no_reason_is_quoted(monkeypatch):
    error = RefreshError("the answer of the metadata server")
    monkeypatch.setattr(google.auth, "default", lambda **_: (Credentials(error), "p"))

    with pytest.raises(NotExported, match=r"^RefreshError$"):
        google_headers()()
