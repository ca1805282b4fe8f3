"""Draws throughput against the floor, costs, and growth."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from infra.bench.accounts import Pumped
from infra.bench.bills import elsewhere
from infra.bench.chart import FIXED_COLOUR, GRID, INK, MUTED, RELAY_COLOUR
from infra.bench.costs import relay_costs
from infra.bench.duel import SENDERS, Duel
from infra.bench.growth import Ticked
from infra.bench.operations import Cost

THROUGHPUT = "charts/bench_throughput.png"
COST = "charts/bench_cost.png"
GROWTH = "charts/bench_growth.png"
TARGET = 0.8


def draw_throughput(webhooks: Sequence[Duel], creates: Sequence[Duel], *, to: Path) -> None:
    """Draw both sides' throughput by senders, for callbacks and for creates."""
    with _page("Throughput against a bare function on the same emulators", to=to) as figure:
        for axes, what, duels in zip(
            figure.subplots(1, 2), ("callbacks", "creates"), (webhooks, creates), strict=True
        ):
            _frame(axes, f"{what} a second")
            for colour, label, sides in (
                (FIXED_COLOUR, "floor", [one.floor for one in duels]),
                (RELAY_COLOUR, "relay", [one.relay for one in duels]),
            ):
                heights = [one.median_per_s for one in sides]
                axes.plot(SENDERS, heights, "o-", color=colour, lw=2, label=label)
            for one in duels:
                axes.annotate(
                    f"{one.ratio:.2f}", (one.senders, one.relay.median_per_s), xytext=(0, -16),
                    textcoords="offset points", ha="center", color=RELAY_COLOUR,
                )  # fmt: skip
            axes.set_xscale("log")
            axes.set_ylim(bottom=0)
            _ticks(axes, SENDERS)
            axes.set_xlabel("concurrent senders", color=MUTED)
        axes.legend(frameon=False, loc="lower right")


def draw_cost(costs: Sequence[Cost], *, to: Path) -> None:
    """Draw what a million jobs cost, kind by kind, here and elsewhere."""
    with _page("A million jobs in thirty days, US dollars (logarithmic)", to=to) as figure:
        panels = figure.subplots(1, 2, sharex=True)
        for axes, cost in zip(panels, (costs[0], costs[2]), strict=True):
            _frame(axes, cost.kind.name)
            bars = [
                ("relay", sum(relay_costs(cost.busy).values())),
                *((one.name.partition(" (")[0], one.usd) for one in elsewhere(cost)),
            ]
            names, heights = zip(*reversed(bars), strict=True)
            colours = [RELAY_COLOUR if name == "relay" else FIXED_COLOUR for name in names]
            axes.barh(names, heights, color=colours, height=0.6)
            axes.set_xscale("log")
            axes.set_xlim(10, max(heights) * 6)
            axes.tick_params(axis="y", colors=INK)
            for row, usd in enumerate(heights):
                axes.annotate(f"${usd:,.0f}", (usd, row), xytext=(5, -4),
                              textcoords="offset points", color=INK)  # fmt: skip
        figure.subplots_adjust(wspace=0.45, left=0.14)


def draw_growth(ticked: Sequence[Ticked], pumped: Sequence[Pumped], *, to: Path) -> None:
    """Draw what a tick reads by what is stored, and calls a second by accounts."""
    with _page("What grows, and what does not", to=to) as figure:
        left, right = figure.subplots(1, 2)
        _frame(left, "documents read by a tick, 100 jobs due")
        stored = [one.stored for one in ticked]
        left.plot(stored, [one.documents_read for one in ticked], "o-", color=RELAY_COLOUR, lw=2)
        left.set_xscale("log")
        left.set_ylim(0, 2 * max(one.documents_read for one in ticked))
        _ticks(left, stored)
        left.set_xlabel("other open jobs stored", color=MUTED)
        _frame(right, "provider calls a second, a pump an account")
        accounts = [one.accounts for one in pumped]
        first = pumped[0].calls_per_s
        right.plot(accounts, [first * one for one in accounts], "--", color=MUTED, label="linear")
        right.plot(accounts, [one.calls_per_s for one in pumped], "o-", color=RELAY_COLOUR, lw=2,
                   label="measured, all on two cores")  # fmt: skip
        _ticks(right, accounts)
        right.set_xlabel("accounts", color=MUTED)
        right.legend(frameon=False)


@contextmanager
def _page(title: str, *, to: Path) -> Iterator[Figure]:
    with mpl.rc_context({"font.family": "DejaVu Sans", "font.size": 10, "text.color": INK}):
        figure = Figure(figsize=(11.5, 4.6), dpi=130, facecolor="white")
        figure.subplots_adjust(left=0.06, right=0.98, top=0.8, bottom=0.14, wspace=0.18)
        yield figure
        figure.suptitle(title, x=0.06, y=0.96, ha="left", fontsize=15, fontweight="bold")
        to.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(to, metadata={"Software": None})


def _frame(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=11.5, color=INK)
    axes.grid(color=GRID, lw=1)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, colors=MUTED)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _ticks(axes: Axes, values: Sequence[int]) -> None:
    axes.xaxis.set_major_locator(FixedLocator(values))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
