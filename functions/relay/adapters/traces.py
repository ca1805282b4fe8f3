"""Traces by OpenTelemetry's SDK, which is imported only where traces are switched on.

The SDK reads its own variables: ``OTEL_TRACES_SAMPLER``, ``OTEL_RESOURCE_ATTRIBUTES``,
``OTEL_SERVICE_NAME`` and the limits of spans (OpenTelemetry specification, "Environment Variable
Specification").
"""

import os
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Self

from opentelemetry import context as otel_context
from opentelemetry.sdk.environment_variables import OTEL_SERVICE_NAME
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    TraceState,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace import Span as OtelSpan

from relay import __version__
from relay.application.tracer import NO_SPAN, Span, Step
from relay.domain.job import Job
from relay.domain.trace import TraceContext, event_trace, trace_context

_KINDS: Mapping[Step, SpanKind] = {
    Step.SUBMIT: SpanKind.CLIENT,
    Step.POLL: SpanKind.CLIENT,
    Step.CALLBACK: SpanKind.SERVER,
    Step.PUBLISH: SpanKind.PRODUCER,
    Step.DELIVER: SpanKind.CLIENT,
    Step.KEEP: SpanKind.CONSUMER,
}
# OpenTelemetry has a name for this one; the others are ours.
_HTTP_STATUS = "http.response.status_code"
_PREFIX = "renderrelay."


class OpenTelemetryTracer:
    """Records the steps of jobs as spans; thread-safe.

    Args:
        processor: Takes the spans that have ended.
        resource: What the spans say of the process, beside what the environment has it say.
        caller: Where the request that is answered stands in its caller's trace; None if nowhere.
        request_id: The id of that request; None outside of a request.
    """

    def __init__(
        self,
        processor: SpanProcessor,
        *,
        resource: Mapping[str, str],
        caller: Callable[[], TraceContext | None],
        request_id: Callable[[], str | None],
    ) -> None:
        self._caller = caller
        self._ids = _Ids(request_id)
        provider = TracerProvider(
            resource=Resource.create({**resource}),
            id_generator=self._ids,
            # The instance is stopped without notice; what is to be sent is sent before.
            shutdown_on_exit=False,
        )
        provider.add_span_processor(processor)
        self._spans = provider.get_tracer("render-relay", __version__)

    def create(self) -> Span:
        """See `Tracer`; without a caller's trace the request's id becomes the trace's."""
        return self._begin("create job", SpanKind.SERVER, self._caller())

    def step(self, step: Step, job: Job, *, event_id: str | None = None) -> Span:
        """See `Tracer`."""
        if job.trace is None:
            return NO_SPAN
        event = None if event_id is None else event_trace(job.trace, event_id)
        is_event = step is Step.PUBLISH and event is not None
        parent = event if event is not None and not is_event else _around(job.trace)
        span_id = event.span_id if event is not None and is_event else None
        span = self._begin(step.value, _KINDS[step], parent, span_id)
        span.describe(job)
        return span

    def _begin(
        self, name: str, kind: SpanKind, parent: TraceContext | None, span_id: str | None = None
    ) -> "_Span":
        within = otel_context.Context() if parent is None else _as_parent(parent)
        with self._ids.next_is(span_id):
            return _Span(self._spans.start_span(name, within, kind))


class _Span:
    """A span of the SDK's, which is the current one while it lasts."""

    def __init__(self, span: OtelSpan) -> None:
        self._span = span

    def __enter__(self) -> Self:
        self._before = otel_context.attach(set_span_in_context(self._span))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            # Not its text, which may quote what a provider or a caller wrote.
            self._span.set_status(StatusCode.ERROR, kind.__name__)
        self._span.end()
        otel_context.detach(self._before)

    @property
    def context(self) -> TraceContext | None:
        found = self._span.get_span_context()
        return _as_ours(found) if found.is_valid else None

    def describe(self, job: Job) -> None:
        self.note(
            job_id=job.id,
            tenant=job.tenant,
            account=job.account,
            operation=job.operation,
            status=job.status.value,
        )

    def note(self, **facts: str | int) -> None:
        for name, value in facts.items():
            self._span.set_attribute(
                _HTTP_STATUS if name == "http_status" else f"{_PREFIX}{name}", value
            )


class _Ids(RandomIdGenerator):
    """Random ids, but for a request's trace and an event's span."""

    def __init__(self, request_id: Callable[[], str | None]) -> None:
        self._request_id = request_id
        self._span_id: ContextVar[str | None] = ContextVar("span_id", default=None)

    def next_is(self, span_id: str | None) -> "_NextIs":
        return _NextIs(self._span_id, span_id)

    def generate_trace_id(self) -> int:
        request_id = self._request_id()
        return super().generate_trace_id() if request_id is None else int(request_id, 16)

    def generate_span_id(self) -> int:
        span_id = self._span_id.get()
        return super().generate_span_id() if span_id is None else int(span_id, 16)


class _NextIs:
    def __init__(self, variable: ContextVar[str | None], value: str | None) -> None:
        self._variable, self._value = variable, value

    def __enter__(self) -> None:
        self._token = self._variable.set(self._value)

    def __exit__(self, *_: object) -> None:
        self._variable.reset(self._token)


def service(function: str, *, project: str) -> dict[str, str]:
    """Return the resource of a function; Cloud Trace finds the project by ``gcp.project_id``."""
    named = {} if os.environ.get(OTEL_SERVICE_NAME) else {"service.name": function}
    return {
        **named,
        "service.namespace": "render-relay",
        "service.version": __version__,
        "gcp.project_id": project,
    }


def _around(trace: TraceContext) -> TraceContext:
    """Return the step that is under way if it is one of the same trace, else the trace's first."""
    current = get_current_span().get_span_context()
    if current.is_valid and _as_ours(current).trace_id == trace.trace_id:
        return _as_ours(current)
    return trace


def _as_ours(found: SpanContext) -> TraceContext:
    return trace_context(
        f"{found.trace_id:032x}",
        f"{found.span_id:016x}",
        is_sampled=found.trace_flags.sampled,
        tracestate=found.trace_state.to_header(),
    )


def _as_parent(parent: TraceContext) -> otel_context.Context:
    context = SpanContext(
        int(parent.trace_id, 16),
        int(parent.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED if parent.is_sampled else TraceFlags.DEFAULT),
        trace_state=TraceState.from_header([parent.tracestate] if parent.tracestate else []),
    )
    return set_span_in_context(NonRecordingSpan(context), otel_context.Context())
