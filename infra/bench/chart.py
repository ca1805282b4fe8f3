"""Draws what each way of asking costs."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from infra.bench.polling import RELAY, Contest, Outcome

INK, MUTED, GRID = "#22272e", "#6b7480", "#e7eaee"
RELAY_COLOUR, FIXED_COLOUR, BOUND_COLOUR = "#d1495b", "#3d6fb4", "#2a9d8f"
MOST_DELAY_S = 16.0
MOST_POLLS = 90
TICKS = (1, 2, 5, 10, 20, 50)
DELAY_TICKS = (0, 5, 10, 15)
TIMES = "\N{MULTIPLICATION SIGN}"


def draw(outcome: Outcome, *, to: Path) -> None:
    """Write the chart as a PNG: one panel a model, delay over polls."""
    with mpl.rc_context({"font.family": "DejaVu Sans", "font.size": 10, "text.color": INK}):
        figure = Figure(figsize=(11.5, 8.6), dpi=130, facecolor="white")
        panels = figure.subplots(2, 2, sharex=True, sharey=True)
        for axes, contest in zip(panels.flat, outcome.contests, strict=True):
            _draw_panel(axes, contest)
        for axes in panels[-1]:
            axes.set_xlabel("mean polls per job (logarithmic)", color=MUTED)
        for axes in panels[:, 0]:
            axes.set_ylabel("mean delay from ready to noticed, s", color=MUTED)
        figure.suptitle(
            "How soon a result is noticed, and how many polls that takes",
            x=0.065, y=0.975, ha="left", fontsize=16, fontweight="bold",
        )  # fmt: skip
        figure.text(
            0.065, 0.918, f"{outcome.jobs:,} simulated jobs per model. Further down and to the "
            "left is better. The arrow shows the mean delay\nof the relay as a share of that of "
            "the best fixed interval at the same number of polls.",
            color=MUTED, va="center", linespacing=1.4,
        )  # fmt: skip
        handles, labels = panels.flat[0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="lower center", ncol=len(labels), frameon=False,
            bbox_to_anchor=(0.5, 0.008), handletextpad=0.5, columnspacing=1.8,
        )  # fmt: skip
        figure.subplots_adjust(
            left=0.065, right=0.98, top=0.85, bottom=0.115, wspace=0.06, hspace=0.2
        )
        to.parent.mkdir(parents=True, exist_ok=True)
        # Without the version of the library in it, the same figures give the same file.
        figure.savefig(to, metadata={"Software": None})


def _draw_panel(axes: Axes, contest: Contest) -> None:
    _draw_frame(axes, contest.model.name)
    relay = contest.relay
    fixed = [one for one in contest.fixed if one.delay_s <= MOST_DELAY_S * 1.5]
    axes.plot(
        [one.polls for one in fixed], [one.delay_s for one in fixed],
        color=FIXED_COLOUR, lw=2, label="fixed interval, 0.5 to 60 s",
    )  # fmt: skip
    if contest.bound:
        axes.plot(
            [one.polls for one in contest.bound], [one.delay_s for one in contest.bound],
            color=BOUND_COLOUR, lw=1.6, ls=(0, (4, 2)),
            label="best for whoever knows the distribution",
        )  # fmt: skip
    for row in contest.rows:
        if row.way.startswith("every"):
            axes.plot(row.polls, row.mean_s, "o", ms=6, color=FIXED_COLOUR, zorder=3)
            axes.annotate(
                row.way.removeprefix("every "), (row.polls, row.mean_s), xytext=(3, 6),
                textcoords="offset points", color=FIXED_COLOUR, fontsize=9,
            )  # fmt: skip
    backoff = next(row for row in contest.rows if row.way.startswith("doubling"))
    axes.plot(
        backoff.polls, min(backoff.mean_s, MOST_DELAY_S - 0.6), "s", ms=7, color="#8a63b8",
        ls="none", label="exponential backoff",
    )  # fmt: skip
    if backoff.mean_s > MOST_DELAY_S:
        axes.annotate(
            f"at {backoff.mean_s:.0f} s ↑", (backoff.polls, MOST_DELAY_S - 0.6), xytext=(8, -3),
            textcoords="offset points", color="#8a63b8", fontsize=9,
        )  # fmt: skip
    axes.plot(1, 0, "D", ms=7, color=INK, ls="none", label="oracle", clip_on=False, zorder=4)
    top_s = min(contest.fixed_s, MOST_DELAY_S)
    axes.annotate(
        "", (relay.polls, relay.mean_s), xytext=(relay.polls, top_s),
        arrowprops={"arrowstyle": "-|>", "color": RELAY_COLOUR, "lw": 1.4, "shrinkB": 6},
    )  # fmt: skip
    axes.annotate(
        f"{TIMES} {contest.ratio:.2f}", (relay.polls, relay.mean_s), xytext=(2, -23),
        textcoords="offset points", color=RELAY_COLOUR, fontweight="bold", ha="right",
    )  # fmt: skip
    axes.plot(
        relay.polls, relay.mean_s, "o", ms=11, color=RELAY_COLOUR, mec="white", mew=1.4,
        ls="none", label=RELAY, zorder=6,
    )  # fmt: skip


def _draw_frame(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold", color=INK)
    axes.set_xscale("log")
    axes.set_xlim(0.9, MOST_POLLS)
    axes.set_ylim(-0.4, MOST_DELAY_S)
    axes.xaxis.set_major_locator(FixedLocator(TICKS))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_major_locator(FixedLocator(DELAY_TICKS))
    axes.grid(color=GRID, lw=1)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, colors=MUTED)
    for spine in axes.spines.values():
        spine.set_visible(False)
