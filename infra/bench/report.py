"""What benchmarks report: percentiles, checks, charts, and pages rendered from templates."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TextIO

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from rich.console import Console
from rich.markdown import Markdown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, GRID = "#22272e", "#6b7480", "#e7eaee"
RELAY_COLOUR, OTHER_COLOUR = "#d1495b", "#3d6fb4"
_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.titlelocation": "left",
    "axes.titlesize": 11.5,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 1,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
}
# Where there is no terminal to fit into.
FILE_WIDTH = 240

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """Percentiles of measured times, in milliseconds."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, times_s: Sequence[float]) -> Self:
        """Compute them from times in seconds."""
        p50, p95, p99 = (float(one) for one in np.percentile(times_s, (50, 95, 99)) * 1000)
        return cls(p50=p50, p95=p95, p99=p99)

    def __sub__(self, other: "Percentiles") -> "Percentiles":
        return Percentiles(
            p50=self.p50 - other.p50, p95=self.p95 - other.p95, p99=self.p99 - other.p99
        )

    def cells(self, digits: int = 1) -> str:
        """Return the three as cells of a Markdown table."""
        return f"{self.p50:.{digits}f} | {self.p95:.{digits}f} | {self.p99:.{digits}f}"


@dataclass(frozen=True, slots=True)
class Check:
    """A measured figure and its target."""

    figure: str
    target: str
    measured: str
    holds: bool


def render(template: str, values: Mapping[str, object]) -> str:
    """Render a page from a template in this directory."""
    return _templates.get_template(template).render(values)


def show(page: str, *, to: TextIO | None = None) -> None:
    """Print a page, its Markdown laid out for a terminal."""
    to = to or sys.stdout
    console = Console(file=to, width=None if to.isatty() else FILE_WIDTH)
    console.print(Markdown(page))


@contextmanager
def chart(title: str, *, to: Path, height: float = 4.6) -> Iterator["Figure"]:
    """Give a figure to draw on; it is saved as a PNG afterwards."""
    # Only where something is drawn: it takes longer to import than all else here.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(11.5, height), dpi=130, facecolor="white")
        figure.subplots_adjust(left=0.06, right=0.98, top=0.8, bottom=0.14, wspace=0.18)
        yield figure
        for axes in figure.axes:
            axes.tick_params(length=0, which="both")
            axes.spines[:].set_visible(False)
        figure.suptitle(title, x=0.06, y=0.97, ha="left", fontsize=15, fontweight="bold")
        to.parent.mkdir(parents=True, exist_ok=True)
        # Without the library's version in it, the same figures give the same file.
        figure.savefig(to, metadata={"Software": None})


def set_x_ticks(axes: "Axes", values: Sequence[int]) -> None:
    """Put ticks at these values, as plain numbers on any scale."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.xaxis.set_major_locator(FixedLocator(values))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
