"""The last lines: what holds, what does not, where the pictures are, what to do next."""

from rich.console import Console

from infra.demo.run import Outcome
from infra.demo.screen import say, short_path


def tell(outcome: Outcome, *, console: Console) -> None:
    """Print the outcome, one line for each check."""
    is_utf8 = console.encoding.startswith("utf")
    tick, cross = ("✓", "✗") if is_utf8 else ("ok", "NOT OK")
    say(console, "")
    if not outcome.is_in_time:
        say(console, f"{cross} time was up after {outcome.took_s:.0f} s", style="bold red")
        for name in outcome.unfinished:
            say(console, f"    {name}", style="red")
    for check in outcome.checks:
        mark, style = (tick, "green") if check.holds else (cross, "bold red")
        say(console, f"{mark} {check.line}", style=style)
    broken = sum(not check.holds for check in outcome.checks) + (not outcome.is_in_time)
    say(console, "")
    if outcome.is_good:
        say(console, f"Everything holds. It took {outcome.took_s:.0f} s.", style="bold")
    else:
        say(console, f"{broken} of these lines do not hold.", style="bold red")
    say(console, f"  pictures   {short_path(outcome.sheet.parent)}/")
    say(console, f"  all in one {short_path(outcome.sheet)}")
    say(
        console, "  next       make up keeps the same system running; README.md shows how to use it"
    )
