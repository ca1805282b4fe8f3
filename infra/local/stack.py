"""The running stack, for the command line, the tests, the demo and the storms.

with running_stack(stack_file=tmp_path / "stack.json", env=os.environ) as stack:
    requests.get(stack.description.api_url + "/healthz")
    old_pid = stack.kill("poll_tick")
    stack.wait_restarted("poll_tick", old_pid)
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from infra.local.emulators import Kind, find_emulator
from infra.local.plan import FUNCTIONS_SOURCE, TRACES_FILE, Plan, StackDescription, make_plan
from infra.local.processes import (
    RestartPolicy,
    StopRequest,
    Supervisor,
    check_port,
    start_on_free_ports,
    wait_until_answered,
)
from infra.local.reaper import Reaper
from infra.local.storage_emulator import create_bucket
from infra.local.topics import PubSubEmulator, Scheduler

__all__ = ["Stack", "logs_directory", "running_stack", "traces_file"]

START_WITHIN_S = 120.0

_DEFAULT_NAME = "stack.json"


class Stack:
    """One stack: its processes, its scheduler and its stack file."""

    def __init__(self, plan: Plan, *, stack_file: Path, reaper: Reaper, stop: StopRequest) -> None:
        self._plan = plan
        self._stack_file = stack_file
        self._stop = stop
        self._writing = threading.Lock()
        self._is_up = False
        self._supervisor = Supervisor(
            plan.services, reaper=reaper, on_restart=self._update_stack_file, policy=RestartPolicy()
        )
        self._pubsub = PubSubEmulator(
            host=plan.description.pubsub_emulator_host, project=plan.description.project
        )
        self._scheduler = Scheduler(
            pubsub=self._pubsub,
            topics=plan.topology.ticks_topics,
            every_s=plan.tick_every_s,
        )

    @property
    def description(self) -> StackDescription:
        """Where everything is, with the functions' current process ids."""
        pids = {name: self._supervisor.pid(name) for name in self._plan.functions}
        return replace(self._plan.description, pids=pids)

    def log(self, name: str) -> Path:
        """Return the log of a process."""
        return next(service.command.log for service in self._plan.services if service.name == name)

    def check(self) -> None:
        """Raise `LocalStackError` if the stack no longer runs."""
        self._supervisor.check()

    def pid(self, name: str) -> int:
        """Return the process id of a function, emulator or sandbox (see `Plan.services`)."""
        return self._supervisor.pid(name)

    def kill(self, name: str, *, timeout_s: float = 10.0) -> int:
        """Kill a function's instance with all its workers, and return the pid it had."""
        return self._supervisor.kill(name, timeout_s=timeout_s)

    def wait_restarted(self, name: str, old_pid: int, *, timeout_s: float = 30.0) -> int:
        """Wait until a function that had *old_pid* answers again; return its new pid.

        Raises:
            LocalStackError: The stack failed, or it took too long.
        """
        new_pid = self._supervisor.wait_restarted(name, old_pid, timeout_s=timeout_s)
        self._wait_for(name, timeout_s=timeout_s)
        return new_pid

    def start(self) -> None:
        """Start everything, wait until it all answers, write the stack file.

        Raises:
            LocalStackError: It did not come up, or was asked to stop.
        """
        self._supervisor.start()
        self._wait_for(self._plan.pubsub_service, timeout_s=START_WITHIN_S)
        self._pubsub.create(self._plan.topology, push_urls=self._plan.push_urls)
        names = [service.name for service in self._plan.services]
        self._wait_for(*names, timeout_s=START_WITHIN_S)
        at = self._plan.description
        if at.storage_emulator_host is not None and at.outputs_bucket is not None:
            create_bucket(at.storage_emulator_host, at.outputs_bucket)
        self._is_up = True
        self._update_stack_file()
        self._scheduler.start()

    def stop(self) -> None:
        """Stop everything, whatever state it is in."""
        self._scheduler.stop()
        self._supervisor.stop()
        if self._is_up:
            self._plan.description.remove(self._stack_file)

    def _wait_for(self, *names: str, timeout_s: float) -> None:
        probes = {
            service.name: service.probe for service in self._plan.services if service.name in names
        }
        wait_until_answered(probes, timeout_s=timeout_s, check=self._check_while_waiting)

    def _check_while_waiting(self) -> None:
        self._stop.check()
        if not self._is_up:
            for service in self._plan.services:
                check_port(service.command)
        self._supervisor.check()

    def _update_stack_file(self) -> None:
        with self._writing:
            if self._is_up:
                self.description.write(self._stack_file)


@contextmanager
def running_stack(
    *,
    stack_file: Path,
    env: Mapping[str, str],
    functions: Path = FUNCTIONS_SOURCE,
    instances: int = 1,
    collects_traces: bool = False,
    stop: StopRequest | None = None,
) -> Iterator[Stack]:
    """Run the whole system for the length of the block.

    Args:
        stack_file: Written once everything answers, removed at the end. Two stacks that
            run at the same time need two of them.
        env: The caller's environment; its variables win over the stack's defaults.
        functions: The directory that holds main.py.
        instances: How many processes serve each function. If several, each has a number in
            its name (`poll_tick-1`), and callers reach them through a front.
        collects_traces: Whether traces are collected, in `traces_file`.
        stop: Ends the start-up early when made.

    Raises:
        EmulatorsUnavailable: Says what to install.
        LocalStackError: It did not come up; says why.
    """
    asked = stop or StopRequest()
    logs = logs_directory(stack_file)
    logs.mkdir(parents=True, exist_ok=True)
    found = {kind: find_emulator(kind, env=env, stop=asked) for kind in Kind}

    def start(undo: ExitStack) -> Stack:
        plan = make_plan(
            env=env,
            found=found,
            source=functions.resolve(),
            logs=logs,
            instances_each=instances,
            collects_traces=collects_traces,
        )
        traces_file(stack_file).unlink(missing_ok=True)
        for service in plan.services:
            service.command.log.unlink(missing_ok=True)
        reaper = undo.enter_context(Reaper())
        stack = Stack(plan, stack_file=stack_file, reaper=reaper, stop=asked)
        undo.callback(stack.stop)
        stack.start()
        return stack

    with ExitStack() as cleanup:
        yield start_on_free_ports(start, cleanup=cleanup)


def traces_file(stack_file: Path) -> Path:
    """Return the file of the traces that a stack collects, or has collected."""
    return logs_directory(stack_file) / TRACES_FILE


def logs_directory(stack_file: Path) -> Path:
    """Return the directory of a stack's logs: beside its file, one for each stack."""
    name = "logs" if stack_file.name == _DEFAULT_NAME else f"{stack_file.stem}-logs"
    return stack_file.resolve().parent / name
