"""Figure 6: calls a second that one pump sustains, and how soon a new job is sent."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.bench.figure import Check, Figure, Table
from infra.bench.jobs import queued_job, store
from infra.bench.relay import RunningRelay, job_body
from infra.bench.spread import Spread
from infra.local.stack import running_stack

LATENCY_S = 0.2
TARGET_PER_S = 100
TARGET_IDLE_S, TARGET_BUSY_S = 1.0, 1.5
BUSY_PER_S = 10
BUSY = "spacely"
# What the first and last moments of a run do not count for.
RAMP_S = 1.0
NEVER_READY = "render-s=3600"

ENV = {
    "LOCAL_TICK_EVERY_S": "3600",
    "LOCAL_SANDBOX_ARGS": "--no-download --render-s 0.3 --gepetto-calls-per-minute 0 "
    f"--spacely-calls-per-second 0 --latency-s {LATENCY_S}",
    "GEPETTO_CALLS_PER_MINUTE": "1000000",
    "SPACELY_CALLS_PER_SECOND": "100000",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pumped:
    """What was measured.

    Attributes:
        idle_s: From the creation of jobs to the provider's taking note of them, no pump at work.
        busy_s: The same while the account's pump is at work.
        per_s: Calls a second, while more jobs waited than could be sent.
        calls: How many that were.
    """

    idle_s: tuple[float, ...]
    busy_s: tuple[float, ...]
    per_s: float
    calls: int


def measure(
    *, idle: int, busy: int, queued: int, say: Callable[[str], None] = lambda _: None
) -> Pumped:
    """Run the whole stack, and measure.

    Args:
        idle: Jobs created at each account, one by one, whenever no pump works for it.
        busy: Jobs created at one account while its pump works, `BUSY_PER_S` a second.
        queued: Jobs that wait when the sustained calls are measured.
    """
    with TemporaryDirectory() as directory:
        stack_file = Path(directory) / "stack.json"
        with running_stack(stack_file=stack_file, env={**os.environ, **ENV}) as stack:
            relay = RunningRelay(stack)
            _warm_up(relay)
            idle_s = _idle(relay, idle)
            say(f"{len(idle_s)} jobs sent by idle pumps")
            busy_s = _busy(relay, busy)
            say(f"{len(busy_s)} jobs sent by a busy pump")
            calls, over_s = _sustained(relay, queued)
    return Pumped(idle_s=idle_s, busy_s=busy_s, per_s=calls / over_s, calls=calls)


def _warm_up(relay: RunningRelay) -> None:
    relay.sent_at([relay.create(account)[0] for account in ("gepetto", "spacely")])


def _idle(relay: RunningRelay, times: int) -> tuple[float, ...]:
    created: dict[str, float] = {}
    for _ in range(times):
        for account in ("gepetto", "spacely"):
            relay.wait_until_idle(account)
            picture, at = relay.create(account)
            created[picture] = at
            # Until its pump is at work, the account would look idle to the next job.
            relay.sent_at([picture])
    return _waited(relay, created)


def _busy(relay: RunningRelay, jobs: int) -> tuple[float, ...]:
    created: dict[str, float] = {}
    # Its pump works from the first one on, and for as long as there is something to poll.
    relay.sent_at([relay.create(BUSY, wish=NEVER_READY)[0]])
    began_s = time.monotonic()
    for number in range(jobs):
        time.sleep(max(0.0, began_s + number / BUSY_PER_S - time.monotonic()))
        picture, at = relay.create(BUSY, wish=NEVER_READY)
        created[picture] = at
    return _waited(relay, created)


def _waited(relay: RunningRelay, created: Mapping[str, float]) -> tuple[float, ...]:
    sent = relay.sent_at(list(created))
    return tuple(sent[picture] - at for picture, at in created.items())


def _sustained(relay: RunningRelay, jobs: int) -> tuple[int, float]:
    """Return how many calls the pump made while there were more to make, and in how long."""
    # A pump at work looks for what has come due since its last look.
    now = datetime.now(UTC)
    pictures = [relay.picture(f"queued-{number}", NEVER_READY) for number in range(jobs)]
    store(
        relay.firestore,
        (
            queued_job(
                at=now + timedelta(milliseconds=number), provider=BUSY, operation="advance",
                given=job_body(BUSY, picture)["input"],
            )
            for number, picture in enumerate(pictures)
        ),
    )  # fmt: skip
    relay.wake(BUSY)
    time.sleep(jobs / (2 * TARGET_PER_S))
    sent = relay.sent_at(pictures)
    times = [sent[picture] for picture in pictures]
    first, last = min(times) + RAMP_S, max(times) - RAMP_S
    calls = sum(
        call["provider"] == BUSY and first <= float(str(call["at"])) < last
        for call in relay.calls()
    )
    return calls, last - first


def figure(pumped: Pumped) -> Figure:
    """Say what was measured."""
    idle, busy = Spread.of(pumped.idle_s), Spread.of(pumped.busy_s)
    return Figure(
        title="Pump",
        notes=(
            f"""
            The whole stack with the sandbox of both providers, their limits switched off and
            the relay's own set far above what can be reached; every call takes the provider
            {LATENCY_S * 1000:.0f} ms. Sustained calls are those of one account's pump while
            more jobs are queued than it can send: each submission is two writes, and jobs that
            were sent are polled in between. The sandbox, the emulators and the pump share two
            cores.
            """,
            f"""
            From the job's `createdAt` to the moment at which the provider notes its call. Idle:
            no pump has the account's lease; a job is created at either account in turn, and its
            wake-up travels over Pub/Sub and push. Busy: {BUSY_PER_S} jobs a second are created
            while the pump works; it looks once a second. The scheduler does not help.
            """,
        ),
        tables=(
            Table(
                caption="One pump, sustained",
                head=("provider's latency", "calls", "calls/s"),
                rows=((f"{LATENCY_S * 1000:.0f} ms", str(pumped.calls), f"{pumped.per_s:.0f}"),),
            ),
            Table(
                caption="Job created to job sent, ms",
                head=("pump", "jobs", "p50", "p95", "p99"),
                rows=(
                    ("idle", str(len(pumped.idle_s)), *(one.split(".")[0] for one in idle.cells())),
                    ("busy", str(len(pumped.busy_s)), *(one.split(".")[0] for one in busy.cells())),
                ),
            ),
        ),
        checks=(
            Check(
                figure=f"one pump at {LATENCY_S * 1000:.0f} ms provider latency",
                target=f"at least {TARGET_PER_S} calls/s",
                measured=f"{pumped.per_s:.0f} calls/s",
                holds=pumped.per_s >= TARGET_PER_S,
            ),
            _soon("idle", idle, target_s=TARGET_IDLE_S),
            _soon("busy", busy, target_s=TARGET_BUSY_S),
        ),
    )


def _soon(pump: str, spread: Spread, *, target_s: float) -> Check:
    return Check(
        figure=f"job created to job sent, pump {pump}",
        target=f"p95 at most {target_s:.1f} s",
        measured=f"{spread.p95 / 1000:.2f} s",
        holds=spread.p95 <= target_s * 1000,
    )
