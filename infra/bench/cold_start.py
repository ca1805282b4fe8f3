"""Figure 5: from starting a process to its first answer, against a bare function."""

import compileall
import http.client
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from infra.bench import usage
from infra.bench.figure import Check, Figure, Table
from infra.bench.rig import FLOOR_SOURCE, Rig
from infra.local.plan import FUNCTIONS_SOURCE
from infra.local.processes import HOST, Process, free_ports
from infra.local.reaper import Reaper

TARGET = 1.15
BARE = "floor_bare"
WAIT_S = 0.002
GIVE_UP_S = 30.0
_JSON = {"Content-Type": "application/json"}
# Acknowledged, because no account of that name is switched on.
_TICK = json.dumps(
    {
        "message": {"data": "eyJhY2NvdW50IjogIm5vYm9keSJ9", "messageId": "1"},
        "subscription": "projects/p/subscriptions/s",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstCall:
    """What a function is asked first: something that has it build all that it needs."""

    method: str
    path: str
    body: str | None
    status: int


FIRST_CALLS: Mapping[str, FirstCall] = {
    BARE: FirstCall(method="GET", path="/", body=None, status=200),
    "jobs_api": FirstCall(method="GET", path="/healthz", body=None, status=200),
    "provider_webhook": FirstCall(method="POST", path="/gepetto/x/y", body="{}", status=404),
    "poll_tick": FirstCall(method="POST", path="/", body=_TICK, status=200),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One start.

    Attributes:
        answered_s: From starting the process to its first answer.
        cpu_s: What that took of the processors, the server's parent and worker together.
        memory_mib: Resident then, parent and worker together, what they share counted once.
    """

    answered_s: float
    cpu_s: float
    memory_mib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Starts:
    """All starts of one function, in the order in which they took turns with the others'."""

    target: str
    starts: tuple[Start, ...]

    def median(self, name: str) -> float:
        """Return the median of one attribute."""
        return float(median(getattr(one, name) for one in self.starts))

    def ratio(self, bare: "Starts", name: str) -> float:
        """Return the median's share of the bare function's."""
        return self.median(name) / bare.median(name)


def measure(rig: Rig, *, times: int) -> tuple[Starts, ...]:
    """Start every function so many times, in turns; the first turn is not counted."""
    # As a deployment's build does; where nobody may write bytecode it would be made every time.
    for source in (FUNCTIONS_SOURCE, FLOOR_SOURCE.parent):
        compileall.compile_dir(source, quiet=1)
    found: dict[str, list[Start]] = {target: [] for target in FIRST_CALLS}
    for turn in range(times + 1):
        for target in FIRST_CALLS:
            start = _started(rig, target)
            if turn:
                found[target].append(start)
    return tuple(Starts(target=target, starts=tuple(some)) for target, some in found.items())


def _started(rig: Rig, target: str) -> Start:
    with ExitStack() as undo:
        logs = Path(undo.enter_context(TemporaryDirectory()))
        reaper = undo.enter_context(Reaper())
        (port,) = free_ports(1)
        command = rig.service(target, port=port, logs=logs).command
        began_s = time.monotonic()
        process = Process(command, reaper=reaper)
        undo.callback(process.kill)
        _ask(port, FIRST_CALLS[target])
        answered_s = time.monotonic() - began_s
        memory_mib = usage.memory_mib(process.pid)
        cpu_s = usage.cpu_s(process.pid)
    return Start(answered_s=answered_s, cpu_s=cpu_s, memory_mib=memory_mib)


def _ask(port: int, call: FirstCall) -> None:
    give_up_at = time.monotonic() + GIVE_UP_S
    while True:
        connection = http.client.HTTPConnection(HOST, port, timeout=GIVE_UP_S)
        try:
            connection.request(call.method, call.path, call.body, _JSON)
            status = connection.getresponse().status
        except OSError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(WAIT_S)
            continue
        finally:
            connection.close()
        if status != call.status:
            raise RuntimeError(f"{call.method} {call.path} was answered {status}")
        return


def figure(starts: Sequence[Starts]) -> Figure:
    """Say what was measured."""
    bare = next(one for one in starts if one.target == BARE)
    ours = [one for one in starts if one is not bare]
    return Figure(
        title="Cold start",
        notes=(
            """
            From starting the process, the functions framework as a deployment starts it, to the
            first answer, which has the function read its settings and build its clients and all
            the rest. The bare function imports the Firestore client, the Pub/Sub publisher and
            requests, as the relay does, builds the same clients and answers. All take turns;
            medians are compared. What is imported has been compiled before, as a deployment's
            build does. Memory is that of the server's parent and worker together after the
            first answer.
            """,
        ),
        tables=(
            Table(
                caption=f"Medians of {len(bare.starts)} starts each",
                head=("function", "first answer, ms", "ratio", "CPU, ms", "ratio", "memory, MiB"),
                rows=tuple(
                    (
                        one.target,
                        f"{one.median('answered_s') * 1000:.0f}",
                        f"{one.ratio(bare, 'answered_s'):.2f}",
                        f"{one.median('cpu_s') * 1000:.0f}",
                        f"{one.ratio(bare, 'cpu_s'):.2f}",
                        f"{one.median('memory_mib'):.0f}",
                    )
                    for one in starts
                ),
            ),
        ),
        checks=tuple(
            Check(
                figure=f"cold start, {one.target}",
                target=f"at most {TARGET:g} of the bare function",
                measured=f"{one.ratio(bare, 'answered_s'):.2f}",
                holds=one.ratio(bare, "answered_s") <= TARGET,
            )
            for one in ours
        ),
    )
