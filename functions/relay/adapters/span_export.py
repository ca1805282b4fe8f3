"""The export of spans by OTLP over HTTP, bounded so that no request suffers from it.

An instance may have CPU only while it answers a request, so spans are sent before the answer; in a
longer request, such as a pump's, also every 2 s. A collector that is dead or slow costs at most one
request 0.5 s: after that requests no longer wait for it, until it has been prompt again.

See OTLP specification 1.9, "OTLP/HTTP Request"; for Cloud Trace, the Telemetry API's reference,
"v1.traces".
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import google.auth
import requests
from google.auth.credentials import Credentials
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request
from opentelemetry.context import Context
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace import Span as LiveSpan
from opentelemetry.util.types import Attributes

from relay.adapters.transport import Bounds, NotSent, PerhapsSent, Transport

log = logging.getLogger(__name__)

# How long a request waits for its spans to be sent.
FLUSH_S = 0.5
EVERY_S = 2.0
MAX_SPANS = 2048
MAX_AT_ONCE = 512
BOUNDS = Bounds(connect_s=2.0, send_s=3.0, read_s=3.0, call_s=5.0, body_bytes=64 * 1024)
CLOUD_TRACE = "https://telemetry.googleapis.com"
CLOUD_TRACE_SCOPE = "https://www.googleapis.com/auth/trace.append"
GOOGLE_TIMEOUT_S = 3.0

Post = Callable[[bytes], None]
Headers = Callable[[], Mapping[str, str]]


class NotExported(Exception):
    """The collector did not take the spans.

    Args:
        why: Without anything that the collector wrote.
    """


class SpanExport(SpanProcessor):
    """Sends the spans that have ended, from a thread of its own; what cannot be sent is dropped.

    Args:
        post: Sends a message; raises `NotExported`.
        flush_s: How long `flush` waits.
        every_s: How long a span waits at most before it is sent.
    """

    def __init__(
        self,
        post: Post,
        *,
        flush_s: float = FLUSH_S,
        every_s: float = EVERY_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._post = post
        self._flush_s = flush_s
        self._every_s = every_s
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._waiting: deque[ReadableSpan] = deque()
        self._taken = 0
        self._settled = 0
        self._is_wanted = False
        self._is_prompt = True
        self._is_failing = False
        self._thread: threading.Thread | None = None

    def on_start(self, span: LiveSpan, parent_context: Context | None = None) -> None:
        """Do nothing: only ended spans are sent."""

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span; the oldest is dropped for it if too many are waiting."""
        with self._changed:
            if len(self._waiting) == MAX_SPANS:
                self._waiting.popleft()
                self._settled += 1
            self._waiting.append(span)
            self._taken += 1
            if len(self._waiting) == 1:
                self._changed.notify_all()
            if self._thread is None:
                # Not before: threads do not survive the server's fork.
                self._thread = threading.Thread(target=self._run, name="span-export", daemon=True)
                self._thread.start()

    def flush(self) -> None:
        """Have all spans sent, and wait for that no longer than 0.5 s."""
        with self._changed:
            until = self._taken
            if self._settled >= until:
                return
            self._is_wanted = True
            self._changed.notify_all()
            if self._is_prompt and not self._changed.wait_for(
                lambda: self._settled >= until or not self._is_prompt, self._flush_s
            ):
                self._is_prompt = False

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_wanted)
                self._changed.wait_for(lambda: self._is_wanted, self._every_s)
                batch = [
                    self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_AT_ONCE))
                ]
                self._is_wanted = bool(self._waiting)
            if batch:
                self._send(batch)

    def _send(self, batch: Sequence[ReadableSpan]) -> None:
        began_s = self._monotonic()
        why = None
        try:
            self._post(message(batch))
        except NotExported as error:
            why = str(error)
        with self._changed:
            self._settled += len(batch)
            self._is_prompt = why is None and self._monotonic() - began_s <= self._flush_s
            self._changed.notify_all()
        # Once, and not for every batch that follows.
        if why is not None and not self._is_failing:
            log.warning("traces not exported", extra={"fields": {"why": why}})
        if why is None and self._is_failing:
            log.info("traces exported again")
        self._is_failing = why is not None


class OtlpEndpoint:
    """The traces of an OTLP endpoint.

    Args:
        endpoint: As ``OTEL_EXPORTER_OTLP_ENDPOINT`` has it, without ``/v1/traces``.
        headers: Returns what each message is sent with; raises `NotExported`.
    """

    def __init__(
        self, endpoint: str, *, headers: Headers, transport: Transport | None = None
    ) -> None:
        self._url = f"{endpoint}/v1/traces"
        self._headers = headers
        self._transport = transport or Transport(bounds=BOUNDS)

    def post(self, body: bytes) -> None:
        """Send a message.

        Raises:
            NotExported: It was not taken.
        """
        headers = {**self._headers(), "Content-Type": "application/x-protobuf"}
        try:
            status = self._transport.call_once(
                "POST", self._url, headers=headers, body=body, read=_status
            )
        except (NotSent, PerhapsSent) as error:
            raise NotExported(str(error)) from None
        if not 200 <= status < 300:
            raise NotExported(f"HTTP {status}")


def google_headers() -> Headers:
    """Return what makes the headers of the function's own identity; renewed as they expire."""
    known: list[Credentials] = []

    def headers() -> Mapping[str, str]:
        made: dict[str, str] = {}
        try:
            if not known:
                known.append(google.auth.default(scopes=[CLOUD_TRACE_SCOPE])[0])
            request = _within(Request(), GOOGLE_TIMEOUT_S)
            known[0].before_request(  # type: ignore[no-untyped-call]
                request, "POST", CLOUD_TRACE, made
            )
        except GoogleAuthError as error:
            raise NotExported(type(error).__name__) from None
        return made

    return headers


def message(spans: Sequence[ReadableSpan]) -> bytes:
    """Return the message that exports spans of one process."""
    resource = Resource(attributes=_attributes(spans[0].resource.attributes))
    scope = spans[0].instrumentation_scope
    sent = ExportTraceServiceRequest(
        resource_spans=[
            ResourceSpans(
                resource=resource,
                scope_spans=[
                    ScopeSpans(
                        scope=InstrumentationScope(
                            name=scope.name if scope else "",
                            version=(scope.version or "") if scope else "",
                        ),
                        spans=[_span(one) for one in spans],
                    )
                ],
            )
        ]
    )
    return bytes(sent.SerializeToString())


def _span(span: ReadableSpan) -> Span:
    context, parent = span.get_span_context(), span.parent
    assert context is not None  # noqa: S101 - only a span that never started has none
    return Span(
        trace_id=context.trace_id.to_bytes(16, "big"),
        span_id=context.span_id.to_bytes(8, "big"),
        trace_state=context.trace_state.to_header(),
        parent_span_id=parent.span_id.to_bytes(8, "big") if parent else b"",
        name=span.name,
        # OTLP has a value for "unspecified" before the SDK's first.
        kind=Span.SpanKind.ValueType(span.kind.value + 1),
        start_time_unix_nano=span.start_time or 0,
        end_time_unix_nano=span.end_time or 0,
        attributes=_attributes(span.attributes),
        status=Status(
            code=Status.StatusCode.ValueType(span.status.status_code.value),
            message=span.status.description or "",
        ),
    )


def _attributes(attributes: Attributes) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(value)) for key, value in (attributes or {}).items()]


def _value(value: object) -> AnyValue:
    if isinstance(value, int):
        return AnyValue(int_value=value)
    return AnyValue(string_value=str(value))


def _status(response: requests.Response) -> int:
    return response.status_code


def _within(request: Request, timeout_s: float) -> Callable[..., object]:
    def bounded(*args: object, **kw: object) -> object:
        return request(*args, **{**kw, "timeout": timeout_s})

    return bounded
