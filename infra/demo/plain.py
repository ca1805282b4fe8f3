"""The jobs as lines of text, one for each change: for logs, pipes and simple terminals."""

from rich.console import Console

from infra.demo import words
from infra.demo.following import Followed
from infra.demo.screen import View, say


class PlainScreen:
    """Prints a line for whatever has changed since the moment before."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: dict[int, tuple[str, bool]] = {}

    def show(self, view: View) -> None:
        """See `Screen`."""
        for one in view.followed:
            seen = (words.state(one), one.is_announced)
            if one.report is None or self._shown.get(one.job.number) == seen:
                continue
            self._shown[one.job.number] = seen
            say(self._console, _line(one, view))


def _line(one: Followed, view: View) -> str:
    trouble = f"[{one.job.trouble}]" if one.job.trouble else ""
    how = ", ".join(
        part
        for part in (
            words.state(one),
            words.ending(one),
            "announced" if one.is_announced else "",
        )
        if part
    )
    return (
        f"{view.elapsed_s:6.1f} s  {words.short_id(one)}  {one.job.provider:<7}  "
        f"{one.job.operation:<16}  {trouble:<18}  {how}"
    )
