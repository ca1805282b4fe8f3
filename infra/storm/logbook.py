"""What the functions wrote into their logs: errors that nobody planned for, and a job's lines."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

EXPECTED = frozenset(
    {
        "tick for no account",
        *("account on hold", "account off hold"),
        *("provider throttled", "provider throttles no more"),
        *("provider down", "provider back"),
    }
)
"""Errors that the storm causes on purpose."""

_LONGEST_LINE = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of one process's log."""

    process: str
    text: str


def unexpected_errors(logs: Mapping[str, Path]) -> tuple[LogLine, ...]:
    """Return every line that wants a person, and the last line of every bare traceback."""
    found: list[LogLine] = []
    for process, path in logs.items():
        in_traceback = False
        for text in _lines(path):
            if in_traceback and text and not text.startswith((" ", "Traceback", "During", "The ")):
                found.append(LogLine(process=process, text=text))
                in_traceback = False
            elif text.startswith("Traceback"):
                in_traceback = True
            elif _is_unexpected(text):
                found.append(LogLine(process=process, text=text))
    return tuple(found)


def lines_about(job_id: str, logs: Mapping[str, Path]) -> tuple[LogLine, ...]:
    """Return every line that names a job."""
    return tuple(
        LogLine(process=process, text=text)
        for process, path in logs.items()
        for text in _lines(path)
        if job_id in text
    )


def _is_unexpected(text: str) -> bool:
    if not text.startswith("{"):
        return False
    try:
        entry = json.loads(text)
    except ValueError:
        # The process was killed in the middle of the line.
        return False
    return (
        isinstance(entry, dict)
        and entry.get("severity") in ("ERROR", "CRITICAL")
        and entry.get("message") not in EXPECTED
    )


def _lines(path: Path) -> Iterator[str]:
    if not path.exists():
        return
    with path.open(errors="replace") as file:
        for line in file:
            yield line.rstrip("\n")[:_LONGEST_LINE]
