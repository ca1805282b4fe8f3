"""Figure 4, second half: throughput with the number of accounts, a pump each."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from infra.bench.figure import Figure, Table
from infra.bench.growth import DUE, Ticked, check
from infra.bench.growth import table as ticks_table
from infra.bench.jobs import queued_job, store
from infra.bench.pumps import PatientProvider, pump
from infra.bench.rig import firestore_client
from relay.domain.limits import Limit

ACCOUNTS = (1, 4, 16)
LIMIT = Limit(calls=10, window_s=1.0)
TAKES_S = 0.2
WINDOW_S = 8.0
RAMP_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pumped:
    """What so many pumps did side by side, once all were at work.

    Attributes:
        cores: How much of the machine's cores this process had: all pumps share it here.
    """

    accounts: int
    calls_per_s: float
    cores: float


def measure(host: str, *, window_s: float = WINDOW_S) -> tuple[Pumped, ...]:
    """Run the pumps of 1, 4 and 16 accounts.

    Args:
        host: The Firestore emulator's.
    """
    return tuple(_pumped(host, accounts, window_s=window_s) for accounts in ACCOUNTS)


def _pumped(host: str, accounts: int, *, window_s: float) -> Pumped:
    project = f"accounts-{accounts}"
    providers = [
        PatientProvider(f"account-{number}", limit=LIMIT, takes_s=TAKES_S)
        for number in range(accounts)
    ]
    enough = int(LIMIT.calls * window_s) + LIMIT.calls
    client = firestore_client(host, project=project)
    now = datetime.now(UTC) - timedelta(seconds=10)
    store(
        client,
        (
            queued_job(at=now + timedelta(milliseconds=number), provider=one.name)
            for one in providers
            for number in range(enough)
        ),
    )
    # A channel for each, as each pump has in an instance of its own.
    pumps = [
        pump(firestore_client(host, project=project), one, window_s=window_s) for one in providers
    ]
    threads = [threading.Thread(target=one.run) for one in pumps]
    began_s, cpu_s = time.monotonic(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cores = (time.process_time() - cpu_s) / (time.monotonic() - began_s)
    first_s, last_s = began_s + RAMP_S, began_s + window_s
    calls = sum(first_s <= at < last_s for one in providers for at in one.submitted)
    return Pumped(accounts=accounts, calls_per_s=calls / (last_s - first_s), cores=cores)


def figure(ticked: Sequence[Ticked], pumped: Sequence[Pumped], *, chart: str) -> Figure:
    """Say what was measured, of ticks and of accounts."""
    one = pumped[0].calls_per_s
    busiest = pumped[-1]
    a_core = busiest.calls_per_s / max(busiest.cores, 0.01)
    return Figure(
        title="Growth",
        notes=(
            f"""
            A tick of one pass (`TICK_WINDOW_S=0`), the product's pump on the real client and
            the emulator, a provider in this process that answers at once. Beside the {DUE} jobs
            that are due the store holds other open jobs of the same account, whose turn comes
            within the next 13 hours. Times are the emulator's and say nothing of the service's;
            what is promised are the documents.
            """,
            f"""
            Accounts share nothing but the machine: each has its own lease, limit and pump, here
            with made-up accounts, all in one process, {LIMIT.calls} calls a second allowed to
            each (of which {LIMIT.used_calls} are used) and {TAKES_S * 1000:.0f} ms a call: a
            place is free again one window after its call has ended, which leaves
            {LIMIT.used_calls / (LIMIT.window_s + TAKES_S):.1f} calls a second. Each call is a
            submission with two writes, the dearest there is. Beyond what is shown the
            arithmetic is {one:.1f} calls a second for each account; of this work one core does
            {a_core:.0f} calls a second, and in a deployment each pump has an instance, with a
            core, of its own.
            """,
        ),
        tables=(
            ticks_table(ticked),
            Table(
                caption="Accounts with a pump each, all of them busy",
                head=("accounts", "calls/s", "of the first's, times", "cores used"),
                rows=tuple(
                    (
                        str(some.accounts),
                        f"{some.calls_per_s:.1f}",
                        f"{some.calls_per_s / one:.1f}",
                        f"{some.cores:.2f}",
                    )
                    for some in pumped
                ),
            ),
        ),
        checks=(check(ticked),),
        chart=chart,
    )
