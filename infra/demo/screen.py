"""Where the jobs are shown: a live table in a terminal, lines of text anywhere else."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from rich.console import Console

from infra.demo.following import Followed


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What there is to show at one moment.

    Attributes:
        elapsed_s: Since the jobs began to be sent.
    """

    followed: tuple[Followed, ...]
    elapsed_s: float
    now: datetime


class Screen(Protocol):
    """Shows how the jobs are getting on."""

    def show(self, view: View) -> None:
        """Show this moment in place of the last one."""
        ...


class ConsoleLog(logging.Handler):
    """Prints what the stack and the demo log above the live table, not through it."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.INFO)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        say(self._console, f"  {record.getMessage()}", style="yellow")


@contextmanager
def logging_to(console: Console) -> Iterator[None]:
    """Print what is logged in infra/ for the length of the block."""
    handler, logger = ConsoleLog(console), logging.getLogger("infra")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def say(console: Console, line: str, *, style: str = "") -> None:
    """Print one line as it is: no markup read into it, wrapped only in a terminal."""
    console.print(
        line,
        style=style or None,
        markup=False,
        highlight=False,
        soft_wrap=not console.is_terminal,
    )


def short_path(path: Path) -> Path:
    """Return the path as seen from where the demo was started, if it lies below."""
    whole = path.resolve()
    return whole.relative_to(Path.cwd()) if whole.is_relative_to(Path.cwd()) else whole
