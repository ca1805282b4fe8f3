"""The command line: `python -m infra.local up` runs the whole system until Ctrl-C."""

import argparse
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from infra.local.errors import LocalStackError, Stopped
from infra.local.plan import FUNCTIONS_SOURCE, ROOT, StackDescription
from infra.local.processes import StopRequest
from infra.local.settings import with_strict_ids
from infra.local.stack import Stack, logs_directory, running_stack, traces_file

_CHECK_EVERY_S = 0.1
_ECHO_EVERY_S = 0.2


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
    up.add_argument(
        "--strict-ids",
        action="store_true",
        help="let the sandbox refuse ids that the provider's documentation does not print",
    )
    up.add_argument(
        "--traces",
        action="store_true",
        help="collect traces, for `python -m infra.traces show JOB_ID`",
    )
    return parser.parse_args()


def _up(arguments: argparse.Namespace, *, stop: StopRequest) -> None:
    began = time.monotonic()
    stack_file: Path = arguments.stack_file
    env = with_strict_ids(os.environ) if arguments.strict_ids else os.environ
    with ExitStack() as cleanup:
        stack = cleanup.enter_context(
            running_stack(
                stack_file=stack_file,
                env=env,
                functions=arguments.functions,
                collects_traces=arguments.traces,
                stop=stop,
            )
        )
        _announce(stack, stack_file=stack_file, after_s=time.monotonic() - began)
        if arguments.traces:
            print(f"  traces     {traces_file(stack_file)}", flush=True)
        if arguments.logs:
            logs = {name: stack.log(name) for name in stack.description.pids}
            cleanup.enter_context(LogEcho(logs))
        while not stop.made:
            stack.check()
            time.sleep(_CHECK_EVERY_S)
        print("stopping", flush=True)


def _announce(stack: Stack, *, stack_file: Path, after_s: float) -> None:
    at = stack.description
    pids = ", ".join(f"{name} {pid}" for name, pid in at.pids.items())
    print(
        f"Render Relay is up ({after_s:.1f} s). Ctrl-C stops it.\n"
        f"  API        {at.api_url}\n"
        f"  API key    {at.api_key} (tenant demo)\n"
        f"  console    {at.console_url}\n"
        f"  webhooks   {at.webhook_url}\n"
        f"  sandbox    {at.sandbox_url or 'none: no provider needs it'}\n"
        f"  Firestore  {at.firestore_emulator_host} (project {at.project})\n"
        f"  Pub/Sub    {at.pubsub_emulator_host} (completions: {at.completions_topic})\n"
        f"  outputs    {_outputs(at)}\n"
        f"  processes  {pids}\n"
        f"  addresses  {stack_file}\n"
        f"  logs       {logs_directory(stack_file)}",
        flush=True,
    )


def _outputs(at: StackDescription) -> str:
    if at.outputs_bucket is None:
        return "not kept: OUTPUTS_BUCKET is empty"
    return f"{at.storage_emulator_host} (bucket {at.outputs_bucket})"


class LogEcho:
    """Copies new lines of several logs to standard output, each with the name of its log."""

    def __init__(self, logs: Mapping[str, Path]) -> None:
        self._logs = logs
        self._seen = dict.fromkeys(logs, 0)
        self._width = max(map(len, logs), default=0)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-echo", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(_ECHO_EVERY_S):
            for name, log in self._logs.items():
                self._copy_new_lines(name, log)

    def _copy_new_lines(self, name: str, log: Path) -> None:
        with log.open("rb") as file:
            file.seek(self._seen[name])
            new = file.read()
        whole_lines = new[: new.rfind(b"\n") + 1]
        self._seen[name] += len(whole_lines)
        for line in whole_lines.decode(errors="replace").splitlines():
            sys.stdout.write(f"{name:<{self._width}} | {line}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
