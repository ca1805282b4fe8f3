"""Shows the progress of the jobs: a live table in a terminal, lines of text elsewhere."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Protocol

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from infra.demo.following import NOT_SENT, Followed
from infra.demo.jobs import GEPETTO

_STATUS_STYLES = {
    NOT_SENT: "dim",
    "queued": "yellow",
    "submitting": "bright_yellow",
    "unconfirmed": "bold magenta",
    "processing": "cyan",
    "succeeded": "green",
    "failed": "bold red",
    "cancelled": "red",
}
WIDE = 104
"""Columns of a terminal that has room for the whole table."""


class Screen(Protocol):
    """Shows the progress of the jobs."""

    def show(self, followed: Sequence[Followed], *, elapsed_s: float) -> None:
        """Show the jobs as they are now."""
        ...


@contextmanager
def open_screen(console: Console) -> Iterator[Screen]:
    """Choose the screen that suits the console; the last state of a live table stays."""
    if console.is_terminal and not console.is_dumb_terminal:
        with Live(console=console, auto_refresh=False, transient=False) as live:
            yield LiveScreen(live)
    else:
        yield PlainScreen(console)


class PlainScreen:
    """Prints one line for each change: for logs, pipes and simple terminals."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: dict[int, tuple[str, str, str]] = {}

    def show(self, followed: Sequence[Followed], *, elapsed_s: float) -> None:
        """See `Screen`."""
        for one in followed:
            now = (one.status, one.ending, one.announcement)
            if one.report is None or self._shown.get(one.job.number) == now:
                continue
            self._shown[one.job.number] = now
            trouble = f"[{one.job.trouble}]" if one.job.trouble else ""
            progress = ", ".join(filter(None, now))
            say(
                self._console,
                f"{elapsed_s:6.1f} s  {one.short_id}  {one.job.provider:<7}  "
                f"{one.job.operation:<16}  {trouble:<18}  {progress}",
            )


class LiveScreen:
    """Redraws a table in place."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, followed: Sequence[Followed], *, elapsed_s: float) -> None:
        """See `Screen`."""
        is_wide = self._live.console.width >= WIDE
        table = jobs_table(followed, elapsed_s=elapsed_s, now=datetime.now(UTC), is_wide=is_wide)
        self._live.update(table, refresh=True)


def jobs_table(
    followed: Sequence[Followed], *, elapsed_s: float, now: datetime, is_wide: bool
) -> RenderableType:
    """Return the table of all jobs and a progress bar; a narrow one has fewer columns."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    if is_wide:
        table.add_column("job", no_wrap=True, min_width=6)
        table.add_column("provider", no_wrap=True)
    table.add_column("operation", no_wrap=True)
    table.add_column("made difficult by" if is_wide else "difficulty", no_wrap=True)
    table.add_column("state", no_wrap=True, min_width=10)
    table.add_column("age", no_wrap=True, min_width=4, justify="right")
    table.add_column("ended by", no_wrap=True, min_width=19)
    table.add_column("told by", no_wrap=True, min_width=8)
    for provider, group in groupby(followed, key=lambda one: one.job.provider):
        colour = "bright_blue" if provider == GEPETTO else "bright_magenta"
        if not is_wide:
            table.add_row(Text(provider, style=f"bold {colour}"))
        for one in group:
            wide = [Text(one.short_id, style="dim"), Text(provider, style=colour)]
            table.add_row(*(wide if is_wide else ()), *_cells(one, now))
    return Group(Text(), table, Text(), _progress(followed, elapsed_s))


def _cells(one: Followed, now: datetime) -> list[Text]:
    style = _STATUS_STYLES.get(one.status, "")
    age = f"{one.report.age_s(now=now):.0f} s" if one.report is not None else ""
    return [
        Text(one.job.operation),
        Text(one.job.trouble or "-", style="yellow" if one.job.trouble else "dim"),
        Text(one.status, style=style),
        Text(age, style="dim" if one.is_final else ""),
        Text(one.ending, style=style),
        Text(one.announcement or "-", style="green" if one.is_announced else "dim"),
    ]


def _progress(followed: Sequence[Followed], elapsed_s: float) -> Table:
    total = len(followed)
    over = sum(one.is_over for one in followed)
    final = sum(one.is_final for one in followed)
    announced = sum(one.is_announced for one in followed)
    bar = ProgressBar(
        total=total, completed=over, width=32, complete_style="cyan", finished_style="green"
    )
    line = Table.grid(padding=(0, 1))
    line.add_row(bar, Text(f"{final} of {total} final, {announced} announced, {elapsed_s:.0f} s"))
    return line


class ConsoleLog(logging.Handler):
    """Prints log records above the live table."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.INFO)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        say(self._console, f"  {record.getMessage()}", style="yellow")


@contextmanager
def logging_to(console: Console) -> Iterator[None]:
    """Print what infra/ logs for the length of the block."""
    handler, logger = ConsoleLog(console), logging.getLogger("infra")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def say(console: Console, line: str, *, style: str = "") -> None:
    """Print one line without interpreting markup; wrap it only in a terminal."""
    console.print(
        line,
        style=style or None,
        markup=False,
        highlight=False,
        soft_wrap=not console.is_terminal,
    )


def short_path(path: Path) -> Path:
    """Return the path relative to the working directory, if it lies below."""
    whole = path.resolve()
    return whole.relative_to(Path.cwd()) if whole.is_relative_to(Path.cwd()) else whole
