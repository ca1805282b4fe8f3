"""`python -m infra.demo` shows the relay at work, in about half a minute."""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from rich.console import Console

from infra.demo.jobs import JOBS
from infra.demo.relay_api import DemoError
from infra.demo.run import LIMIT_S, LIMIT_WITH_KILLS_S, Outcome, run_demo
from infra.demo.screen import logging_to, say, short_path
from infra.local.errors import LocalStackError, Stopped
from infra.local.plan import ROOT
from infra.local.processes import StopRequest
from infra.local.settings import machine_environment
from infra.local.stack import Stack, logs_directory, running_stack

_INTERRUPTED = 130
_CHECK_EVERY_S = 0.2


def main() -> int:
    """Run the demo and return its exit status."""
    arguments = _arguments()
    console = Console()
    stop = StopRequest()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.make())
    try:
        with logging_to(console):
            return 0 if _run(arguments, console=console, stop=stop) else 1
    except Stopped:
        say(console, "Stopped; nothing is left running.")
        return _INTERRUPTED
    except (LocalStackError, DemoError) as error:
        console.file.flush()
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.demo", description=__doc__)
    parser.add_argument(
        "--output",
        type=Path,
        default=ROOT / "demo-output",
        metavar="DIRECTORY",
        help="where the pictures go (default: demo-output of this checkout)",
    )
    parser.add_argument(
        "--stack-file",
        type=Path,
        default=ROOT / ".local" / "demo" / "stack.json",
        metavar="PATH",
        help="where the stack writes its addresses (default: .local/demo/stack.json)",
    )
    parser.add_argument(
        "--kill",
        action="store_true",
        help="crash each of the five functions once while jobs are running (SIGKILL); "
        f"{LIMIT_WITH_KILLS_S:g} s are allowed then, else {LIMIT_S:g} s",
    )
    parser.add_argument(
        "--stay",
        action="store_true",
        help="leave everything running afterwards, for the console, until Ctrl-C",
    )
    return parser.parse_args()


def _run(arguments: argparse.Namespace, *, console: Console, stop: StopRequest) -> bool:
    say(console, _opening(with_kills=arguments.kill), style="bold")
    with running_stack(stack_file=arguments.stack_file, env=_environment(), stop=stop) as stack:
        logs = short_path(logs_directory(arguments.stack_file))
        up = f"  the stack is up at {stack.description.api_url}, logs in {logs}"
        say(console, up, style="dim")
        board = stack.description.console_url
        # Alone on its line, so that a terminal makes all of it a link.
        say(console, f"  watch the jobs at {board}", style="dim")
        outcome = run_demo(
            stack, console=console, output=arguments.output, with_kills=arguments.kill, stop=stop
        )
        _report(outcome, console=console)
        if arguments.stay:
            say(console, f"  console    {board}\n  Ctrl-C stops it.")
            _stay(stack, stop=stop)
    return outcome.is_good


def _stay(stack: Stack, *, stop: StopRequest) -> None:
    while not stop.made:
        stack.check()
        time.sleep(_CHECK_EVERY_S)


def _opening(*, with_kills: bool) -> str:
    crashes = ", while each of its functions is killed once" if with_kills else ""
    return (
        f"The whole of Render Relay starts on this machine, and {len(JOBS)} jobs, some made "
        f"difficult on purpose, go through it{crashes}: each must end, be announced once, and "
        "keep its pictures."
    )


def _environment() -> dict[str, str]:
    """Return an environment that makes all runs alike and calls no real provider."""
    machine = machine_environment(os.environ)
    return {name: value for name, value in machine.items() if not name.startswith("LOCAL_")}


def _report(outcome: Outcome, *, console: Console) -> None:
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


if __name__ == "__main__":
    sys.exit(main())
