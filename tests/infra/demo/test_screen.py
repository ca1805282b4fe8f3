"""The demo's live table and its plain lines."""

import io

import pytest
from rich.console import Console

from infra.demo.screen import WIDE, PlainScreen, jobs_table
from tests.infra.demo.factories import NOON, followed


def test_plain_lines_come_once_for_each_change():
    file = io.StringIO()
    screen = PlainScreen(Console(file=file, width=40))

    screen.show(followed("", ""), elapsed_s=3.0)
    screen.show(followed("queued", "processing"), elapsed_s=3.0)
    screen.show(followed("queued", "succeeded"), elapsed_s=3.0)
    screen.show(followed("queued", "succeeded"), elapsed_s=3.0)
    screen.show(followed("queued", "failed", announced=True)[1:], elapsed_s=3.0)

    assert [" ".join(line.split()) for line in file.getvalue().splitlines()] == [
        "3.0 s 000001 gepetto redesign queued",
        "3.0 s 000002 gepetto redesign [webhook lost] processing",
        "3.0 s 000002 gepetto redesign [webhook lost] succeeded, poll: 1 picture",
        "3.0 s 000002 gepetto redesign [webhook lost] failed, poll: render_failed, event",
    ]


@pytest.mark.parametrize("width", [80, WIDE])
def test_the_live_table_fits_its_terminal(width: int):
    file = io.StringIO()
    console = Console(file=file, width=width, height=24, force_terminal=True, color_system=None)
    rows = followed(*("processing", "succeeded", "failed") * 4, announced=True)

    console.print(jobs_table(rows, elapsed_s=3.0, now=NOON, is_wide=width >= WIDE))

    lines = file.getvalue().splitlines()
    assert len(lines) <= 22
    assert "…" not in file.getvalue()
    assert any("webhook lost" in line and "poll: 1 picture" in line for line in lines)
    assert "8 of 12 final, 12 announced, 3 s" in lines[-1]
