"""The command line: `python -m infra.storm` kills processes while jobs go through the relay."""

import argparse
import logging
import os
import re
import signal
import sys
from pathlib import Path

from infra.local.errors import LocalStackError, Stopped
from infra.local.plan import FUNCTIONS_SOURCE, ROOT
from infra.local.processes import StopRequest
from infra.storm.faults import KillEvery
from infra.storm.observation import NoEvidence
from infra.storm.report import markdown_report, text_report
from infra.storm.run import StormSettings, run_storm

_INTERRUPTED = 130


def main() -> int:
    """Run a storm; the exit status is 1 if there is any violation."""
    arguments = _arguments()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    stop = StopRequest()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.make())
    try:
        result = run_storm(
            _settings(arguments),
            stack_file=arguments.stack_file,
            functions=arguments.functions,
            env=os.environ,
            say=_say,
            stop=stop,
        )
    except Stopped:
        _say("Stopped; nothing is left running.")
        return _INTERRUPTED
    except (LocalStackError, NoEvidence) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    for line in text_report(result):
        _say(line)
    if arguments.report is not None:
        arguments.report.write_text(markdown_report(result, command=_command(arguments)))
    return 1 if result.violations else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.storm", description=__doc__)
    add = parser.add_argument
    add("--jobs", type=int, default=1000, help="how many (default: %(default)s)")
    add("--hostile", type=int, default=300, metavar="N",
        help="jobs of a second tenant that are answered 403, 429, 500 or never, and are to be "
        "sent again (default: %(default)s)")  # fmt: skip
    add("--seed", type=int, default=1, help="of all that is drawn (default: %(default)s)")
    add("--kill-every", type=_kill_every, default="2-5", metavar="SECONDS-SECONDS",
        help="time between two kills (default: %(default)s)")  # fmt: skip
    add("--report", type=Path, metavar="FILE", help="write the outcome there, in Markdown")
    add("--gepetto-calls-per-minute", type=int, default=360, metavar="N",
        help="the limit that relay and sandbox are given (default: %(default)s; at the "
        "documented 120 most of 1,000 jobs would wait for it until their deadline)")  # fmt: skip
    add("--spacely-calls-per-second", type=int, default=100, metavar="N",
        help="likewise (default: %(default)s, the documented one)")  # fmt: skip
    add("--functions", type=Path, default=FUNCTIONS_SOURCE, metavar="DIRECTORY",
        help="the directory that holds main.py (default: functions/ of this checkout)")  # fmt: skip
    add("--stack-file", type=Path, default=ROOT / ".local" / "storm" / "stack.json",
        metavar="PATH", help="where the stack writes its addresses, and logs beside it "
        "(default: .local/storm/stack.json)")  # fmt: skip
    return parser.parse_args()


def _settings(arguments: argparse.Namespace) -> StormSettings:
    return StormSettings(
        jobs=arguments.jobs,
        hostile=arguments.hostile,
        seed=arguments.seed,
        kill_every=arguments.kill_every,
        gepetto_calls_per_minute=arguments.gepetto_calls_per_minute,
        spacely_calls_per_second=arguments.spacely_calls_per_second,
    )


def _kill_every(text: str) -> KillEvery:
    found = re.fullmatch(r"([\d.]+)-([\d.]+)", text)
    if found is None or not 0 < float(found[1]) <= float(found[2]):
        raise argparse.ArgumentTypeError(f"not SECONDS-SECONDS: {text!r}")
    return KillEvery(shortest_s=float(found[1]), longest_s=float(found[2]))


def _command(arguments: argparse.Namespace) -> str:
    """Return the command line of the same storm."""
    every: KillEvery = arguments.kill_every
    return (
        f"python -m infra.storm --jobs {arguments.jobs} --hostile {arguments.hostile} "
        f"--seed {arguments.seed} "
        f"--kill-every {every.shortest_s:g}-{every.longest_s:g} "
        f"--gepetto-calls-per-minute {arguments.gepetto_calls_per_minute} "
        f"--spacely-calls-per-second {arguments.spacely_calls_per_second}"
    )


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
