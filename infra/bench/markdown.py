"""Words and tables, for a page and for a terminal."""

from collections.abc import Iterable, Sequence

Row = Sequence[str]


def prose(text: str) -> str:
    """Return the text on one line, as Markdown wraps it anyway."""
    return " ".join(text.split())


def markdown_table(head: Row, rows: Iterable[Row]) -> list[str]:
    """Return a table whose columns of figures are aligned to the right."""
    body = list(rows)
    rule = ["---:" if _is_figure(cell) else "---" for cell in body[0]]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *body)]


def terminal_table(head: Row, rows: Iterable[Row]) -> list[str]:
    """Return the same table as lines for a terminal."""
    body = list(rows)
    table = [head, *body]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    lines = [
        "  ".join(
            cell.rjust(width) if _is_figure(body[0][column]) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]


def _is_figure(cell: str) -> bool:
    return cell.strip("*$+-~")[:1].isdigit()
