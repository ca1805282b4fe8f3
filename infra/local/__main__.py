"""The command line: `python -m infra.local up` runs the whole system until Ctrl-C."""

import argparse
import logging
import os
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from infra.local.echo import LogEcho
from infra.local.errors import LocalStackError, Stopped
from infra.local.plan import FUNCTIONS_SOURCE, ROOT
from infra.local.stack import Stack, logs_directory, running_stack
from infra.local.stopping import StopRequest

_LOOK_EVERY_S = 0.1


def main() -> int:
    """Run one command and return its exit code."""
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    stop = StopRequest()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.make())
    try:
        _up(arguments, stop=stop)
    except Stopped:
        return 0
    except LocalStackError as error:
        sys.stdout.flush()
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.local", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="run the whole system until Ctrl-C")
    up.add_argument(
        "--stack-file",
        type=Path,
        default=ROOT / ".local" / "stack.json",
        metavar="PATH",
        help="where to write the addresses (default: .local/stack.json of this checkout)",
    )
    up.add_argument(
        "--functions",
        type=Path,
        default=FUNCTIONS_SOURCE,
        metavar="DIRECTORY",
        help="the directory that holds main.py (default: functions/ of this checkout)",
    )
    up.add_argument("--logs", action="store_true", help="show the functions' logs here too")
    return parser.parse_args()


def _up(arguments: argparse.Namespace, *, stop: StopRequest) -> None:
    began = time.monotonic()
    stack_file: Path = arguments.stack_file
    with ExitStack() as cleanup:
        stack = cleanup.enter_context(
            running_stack(
                stack_file=stack_file, env=os.environ, functions=arguments.functions, stop=stop
            )
        )
        _announce(stack, stack_file=stack_file, after_s=time.monotonic() - began)
        if arguments.logs:
            logs = {name: stack.log(name) for name in stack.description.pids}
            cleanup.enter_context(LogEcho(logs))
        while not stop.made:
            stack.check()
            time.sleep(_LOOK_EVERY_S)
        print("stopping", flush=True)


def _announce(stack: Stack, *, stack_file: Path, after_s: float) -> None:
    at = stack.description
    pids = ", ".join(f"{name} {pid}" for name, pid in at.pids.items())
    print(
        f"Render Relay is up ({after_s:.1f} s). Ctrl-C stops it.\n"
        f"  API        {at.api_url}\n"
        f"  API key    {at.api_key} (tenant demo)\n"
        f"  webhooks   {at.webhook_url}\n"
        f"  sandbox    {at.sandbox_url or 'none: no provider needs it'}\n"
        f"  Firestore  {at.firestore_emulator_host} (project {at.project})\n"
        f"  Pub/Sub    {at.pubsub_emulator_host} (completions: {at.completions_topic})\n"
        f"  processes  {pids}\n"
        f"  addresses  {stack_file}\n"
        f"  logs       {logs_directory(stack_file)}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
