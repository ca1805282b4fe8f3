"""The jobs as a table that changes in place, with a progress bar over all of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from infra.demo import words
from infra.demo.following import Followed
from infra.demo.jobs import GEPETTO
from infra.demo.screen import View

_STATE_STYLES = {
    words.NOT_SENT: "dim",
    "queued": "yellow",
    "submitting": "bright_yellow",
    "unconfirmed": "bold magenta",
    "processing": "cyan",
    "succeeded": "green",
    "failed": "bold red",
    "cancelled": "red",
}
_PROVIDER_STYLES = {GEPETTO: "bright_blue"}
_OTHER_PROVIDER = "bright_magenta"
_ROOMY = 104
"""Columns that the whole table takes."""
_BAR_WIDTH = 32


class LiveScreen:
    """Redraws the table whenever there is something to show."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, view: View) -> None:
        """See `Screen`."""
        is_roomy = self._live.console.width >= _ROOMY
        self._live.update(drawn(view, is_roomy=is_roomy), refresh=True)


@contextmanager
def live_screen(console: Console) -> Iterator[LiveScreen]:
    """Keep the bottom of the terminal for the table; its last state stays."""
    with Live(console=console, auto_refresh=False, transient=False) as live:
        yield LiveScreen(live)


def drawn(view: View, *, is_roomy: bool) -> RenderableType:
    """Return the table and the bar.

    Args:
        is_roomy: There is place for columns that a narrow terminal does without.
    """
    return Group(Text(), _table(view, is_roomy=is_roomy), Text(), _progress(view))


def _table(view: View, *, is_roomy: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    if is_roomy:
        table.add_column("job", no_wrap=True, min_width=6)
        table.add_column("provider", no_wrap=True)
    table.add_column("operation", no_wrap=True)
    table.add_column("made difficult by" if is_roomy else "difficulty", no_wrap=True)
    table.add_column("state", no_wrap=True, min_width=10)
    table.add_column("age", no_wrap=True, min_width=4, justify="right")
    table.add_column("ended by", no_wrap=True, min_width=19)
    table.add_column("announced" if is_roomy else "told", no_wrap=True)
    for provider, group in groupby(view.followed, key=lambda one: one.job.provider):
        if not is_roomy:
            table.add_row(Text(provider, style=f"bold {_provider_style(provider)}"))
        for one in group:
            table.add_row(*_cells(one, view, is_roomy=is_roomy))
    return table


def _cells(one: Followed, view: View, *, is_roomy: bool) -> list[Text]:
    provider = Text(one.job.provider, style=_provider_style(one.job.provider))
    state = words.state(one)
    age = f"{one.report.age_s(now=view.now):.0f} s" if one.report is not None else ""
    cells = [Text(words.short_id(one), style="dim"), provider] if is_roomy else []
    return [
        *cells,
        Text(one.job.operation),
        Text(one.job.trouble or "-", style="yellow" if one.job.trouble else "dim"),
        Text(state, style=_STATE_STYLES.get(state, "")),
        Text(age, style="dim" if one.is_final else ""),
        Text(words.ending(one), style=_STATE_STYLES.get(state, "")),
        Text("yes", style="green") if one.is_announced else Text("no", style="dim"),
    ]


def _provider_style(provider: str) -> str:
    return _PROVIDER_STYLES.get(provider, _OTHER_PROVIDER)


def _progress(view: View) -> Table:
    total = len(view.followed)
    over = sum(one.is_over for one in view.followed)
    final = sum(one.is_final for one in view.followed)
    announced = sum(one.is_announced for one in view.followed)
    line = Table.grid(padding=(0, 1))
    bar = ProgressBar(
        total=total,
        completed=over,
        width=_BAR_WIDTH,
        complete_style="cyan",
        finished_style="green",
    )
    figures = f"{final} of {total} final, {announced} announced, {view.elapsed_s:.0f} s"
    line.add_row(bar, Text(figures))
    return line
