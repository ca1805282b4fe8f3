"""What a command found or did, for a person and for a program."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of a command.

    Attributes:
        lines: For a person.
        data: For a program: what JSON can hold, keys in camelCase, moments as RFC 3339 has them.
        is_complete: Whether nothing of it has failed.
    """

    lines: Sequence[str]
    data: Mapping[str, Any]
    is_complete: bool = True


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield lines with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def plural(count: int, word: str) -> str:
    """Return a count with its word, such as ``1 job`` or ``2 jobs``."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def span_text(span: timedelta | float) -> str:
    """Return a length of time in words, such as ``3 min``; seconds if it is a number."""
    seconds = span.total_seconds() if isinstance(span, timedelta) else span
    for unit, length_s in (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def when_text(moment: datetime, *, now: datetime) -> str:
    """Return how far away a moment is, such as ``in 12 s`` or ``5 min ago``."""
    if moment > now:
        return f"in {span_text(moment - now)}"
    return f"{span_text(now - moment)} ago"


def moment_json(moment: datetime | None) -> str | None:
    """Return a moment as RFC 3339 has it."""
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
