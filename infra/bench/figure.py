"""What a benchmark hands over: tables, words, and whether its targets hold."""

from dataclasses import dataclass

from infra.bench.markdown import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One figure against its target."""

    figure: str
    target: str
    measured: str
    holds: bool

    @property
    def verdict(self) -> str:
        """In a word."""
        return "holds" if self.holds else "FAILS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under a head, and what they show."""

    caption: str
    head: Row
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One benchmark's outcome.

    Attributes:
        notes: What was measured, how, and what it does not say; a paragraph each.
        chart: Its file below docs/, if there is one.
    """

    title: str
    notes: tuple[str, ...]
    tables: tuple[Table, ...]
    checks: tuple[Check, ...] = ()
    chart: str | None = None
