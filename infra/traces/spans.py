"""Spans as the collector keeps them: a line of JSON each, in a file."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message
from opentelemetry.proto.trace.v1.trace_pb2 import Status

JOB_ID = "renderrelay.job_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One step of a job.

    Attributes:
        parent_id: Empty for the first of its trace.
        service: The function that took the step.
        kind: OTLP's word for it, such as ``CLIENT``.
        began_ns, ended_ns: Nanoseconds since 1970.
        error: Why the step failed; empty if it did not.
    """

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    service: str
    kind: str
    began_ns: int
    ended_ns: int
    facts: Mapping[str, str | int]
    error: str


def spans_of(body: bytes) -> Iterator[Span]:
    """Return the spans of one OTLP message.

    Raises:
        google.protobuf.message.DecodeError: It is none.
    """
    request = ExportTraceServiceRequest.FromString(body)
    for resource in request.resource_spans:
        service = str(_facts(resource.resource.attributes).get("service.name", ""))
        for scope in resource.scope_spans:
            yield from (_span(one, service) for one in scope.spans)


def append(file: Path, spans: Iterable[Span]) -> None:
    """Add spans to a file."""
    lines = [json.dumps(asdict(one)) + "\n" for one in spans]
    with file.open("a") as target:
        target.write("".join(lines))


def read(file: Path) -> Sequence[Span]:
    """Return the spans in a file, in the order in which they came; none if there is no file."""
    if not file.exists():
        return []
    whole_lines = file.read_text().rpartition("\n")[0].splitlines()
    return [Span(**json.loads(line)) for line in whole_lines]


def of_job(spans: Sequence[Span], job_id: str) -> Sequence[Span]:
    """Return the spans of the traces that a job is in, but for those of other jobs."""
    traces = {one.trace_id for one in spans if one.facts.get(JOB_ID) == job_id}
    return [
        one for one in spans if one.trace_id in traces and one.facts.get(JOB_ID, job_id) == job_id
    ]


def _span(span: Message, service: str) -> Span:
    return Span(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        name=span.name,
        service=service,
        kind=Message.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        began_ns=span.start_time_unix_nano,
        ended_ns=span.end_time_unix_nano,
        facts=_facts(span.attributes),
        error=span.status.message if span.status.code == Status.STATUS_CODE_ERROR else "",
    )


def _facts(attributes: Iterable[KeyValue]) -> dict[str, str | int]:
    return {
        one.key: one.value.int_value
        if one.value.WhichOneof("value") == "int_value"
        else one.value.string_value
        for one in attributes
    }
