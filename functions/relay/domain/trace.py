"""The place of a job in its caller's trace, as W3C Trace Context writes it."""

import hashlib
import re
from dataclasses import dataclass

# All zeros are no id, and version ff is none; later versions may say more (W3C Trace Context, 3.2).
_TRACEPARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<span>(?!0{16})[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
_TRACESTATE = re.compile(r"[\x20-\x7e]{1,512}")
_SAMPLED = 1


@dataclass(frozen=True, slots=True)
class TraceContext:
    """One span, as those who continue its trace need it.

    Attributes:
        traceparent: Of version 00, and so 55 characters long.
        tracestate: What tracing systems noted, at most 512 characters; empty if nothing.
    """

    traceparent: str
    tracestate: str = ""

    @property
    def trace_id(self) -> str:
        """The trace's id, 32 hex digits."""
        return self.traceparent[3:35]

    @property
    def span_id(self) -> str:
        """The span's id, 16 hex digits."""
        return self.traceparent[36:52]

    @property
    def is_sampled(self) -> bool:
        """Whether the trace is recorded."""
        return bool(int(self.traceparent[53:], 16) & _SAMPLED)

    @property
    def headers(self) -> dict[str, str]:
        """The names and values that carry it, in HTTP headers as in CloudEvents."""
        headers = {"traceparent": self.traceparent}
        return headers | {"tracestate": self.tracestate} if self.tracestate else headers


def trace_context(
    trace_id: str, span_id: str, *, is_sampled: bool, tracestate: str = ""
) -> TraceContext:
    """Return the context of a span; ids are hex digits."""
    return TraceContext(f"00-{trace_id}-{span_id}-{int(is_sampled):02x}", tracestate)


def read_trace_context(traceparent: str, tracestate: str) -> TraceContext | None:
    """Return what two headers say; None if the first is malformed (a malformed second is empty)."""
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None or (match["version"] == "00" and match["more"] is not None):
        return None
    return trace_context(
        match["trace"],
        match["span"],
        is_sampled=bool(int(match["flags"], 16) & _SAMPLED),
        tracestate=tracestate if _TRACESTATE.fullmatch(tracestate) else "",
    )


def event_trace(trace: TraceContext | None, event_id: str) -> TraceContext | None:
    """Return the span in which an event of a job is published; None for a job without a trace.

    A function of the job's trace and the event's id, so that every copy of the event names the same
    span, and a delivery finds it without having been told.
    """
    if trace is None:
        return None
    digest = hashlib.sha256(f"{trace.trace_id}/{event_id}".encode()).hexdigest()[:16]
    return trace_context(
        trace.trace_id, digest, is_sampled=trace.is_sampled, tracestate=trace.tracestate
    )
