"""A trace as an indented tree, with times."""

from collections.abc import Iterator, Mapping, Sequence

from infra.traces.spans import JOB_ID, Span

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
# In the first line, or of no use beside the name.
_LEFT_OUT = (JOB_ID, "renderrelay.tenant", "renderrelay.account", "renderrelay.operation")


def lines(spans: Sequence[Span]) -> Iterator[str]:
    """Return the lines of one trace or several; times count from its first span's beginning."""
    for trace_id in dict.fromkeys(one.trace_id for one in spans):
        yield from _trace([one for one in spans if one.trace_id == trace_id])


def _trace(spans: Sequence[Span]) -> Iterator[str]:
    children: dict[str, list[Span]] = {}
    known = {one.span_id for one in spans}
    for one in sorted(spans, key=lambda span: span.began_ns):
        children.setdefault(one.parent_id if one.parent_id in known else "", []).append(one)
    first = children[""][0]
    yield f"trace {first.trace_id}{_caller(first)}"
    yield f"  {'at':>8}  {'took':>8}"
    for root in children[""]:
        yield from _branch(root, children, first.began_ns, depth=0)


def _caller(first: Span) -> str:
    return f", within the caller's span {first.parent_id}" if first.parent_id else ""


def _branch(
    span: Span, children: Mapping[str, Sequence[Span]], zero_ns: int, *, depth: int
) -> Iterator[str]:
    at_s = (span.began_ns - zero_ns) / NS_PER_S
    took_ms = (span.ended_ns - span.began_ns) / NS_PER_MS
    facts = "  ".join(
        f"{name.rpartition('.')[2]}={value}"
        for name, value in span.facts.items()
        if name not in _LEFT_OUT
    )
    error = f"  ERROR {span.error}" if span.error else ""
    name = f"{'  ' * depth}{span.name}"
    yield f"  {at_s:6.3f} s  {took_ms:5.0f} ms  {name:<26} {span.service:<18}{facts}{error}"
    for child in children.get(span.span_id, []):
        yield from _branch(child, children, zero_ns, depth=depth + 1)
