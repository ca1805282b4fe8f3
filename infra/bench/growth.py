"""What grows: a tick's work with the jobs stored, and calls a second with the accounts."""

import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from infra.bench import report
from infra.bench.report import MUTED, RELAY_COLOUR, Check
from infra.bench.store import (
    FOUND,
    OUTPUT,
    QUERY,
    READ,
    TIME_TO_LIVE,
    WRITE,
    CountingInterceptor,
    firestore_client,
    processing_job,
    queued_job,
    store,
    store_copies,
    total,
)
from relay.adapters.database import Database
from relay.adapters.firestore import (
    FirestoreAccounts,
    FirestoreDurations,
    FirestoreJobs,
    FirestoreLists,
)
from relay.adapters.runtime import SystemClock, WorkerThreads
from relay.application.pump import Pump
from relay.assembly import PUMP_PATIENCE_S, Adapters, Relay
from relay.domain.answers import Accepted, PollAnswer, Rendered
from relay.domain.catalogue import CATALOGUE
from relay.domain.job import Announcement, Job
from relay.domain.limits import Limit
from relay.domain.provider_list import ProviderList

DUE = 100
TARGET_SHARE = 0.10
NO_LIMIT = Limit(calls=1_000_000, window_s=1.0)

ACCOUNTS = (1, 4, 16)
ACCOUNT_LIMIT = Limit(calls=10, window_s=1.0)
CALL_S = 0.2
RAMP_S = 2.0


class FakeProvider:
    """A provider of a made-up account: accepts every job, and has every render ready.

    Attributes:
        submitted_s: When each submission began, on the monotonic clock.
    """

    def __init__(self, name: str, *, limit: Limit, call_s: float) -> None:
        self.name = name
        self.limit = limit
        self.poll_policy = CATALOGUE["gepetto"].poll_policy
        self.lists: Mapping[str, Callable[[], ProviderList]] = {}
        self.submitted_s: list[float] = []
        self._call_s = call_s

    def submit(self, job: Job) -> Accepted:
        """See `Provider`."""
        self.submitted_s.append(time.monotonic())
        time.sleep(self._call_s)
        return Accepted(provider_job_id=f"ref-{job.id}", provider_status="pending")

    def poll(self, job: Job) -> PollAnswer:
        """See `Provider`."""
        del job
        time.sleep(self._call_s)
        return Rendered(outputs=(OUTPUT,), provider_status="success")


class NoTopics:
    """Topics that drop everything."""

    def publish_event(self, job: Job, event: Announcement) -> None:
        """See `Topics`."""

    def publish_tick(self, account: str) -> None:
        """See `Topics`."""


def _pump(client: Database, provider: FakeProvider, *, window_s: float) -> Pump:
    adapters = Adapters(
        jobs=FirestoreJobs(client, time_to_live=TIME_TO_LIVE),
        accounts=FirestoreAccounts(client),
        durations=FirestoreDurations(client),
        lists=FirestoreLists(client),
        topics=NoTopics(),
        clock=SystemClock(),
        draw=random.random,
        random_bytes=secrets.token_bytes,
        open_workers=WorkerThreads,
        is_stopping=lambda: False,
    )
    relay = Relay(adapters, patience_s=PUMP_PATIENCE_S)
    return relay.pump(provider, window_s=window_s, weights={})


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledStore:
    """A project with so many open jobs of one account that are not due."""

    stored: int
    client: Database
    counting: CountingInterceptor


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """The median tick over so many other jobs."""

    stored: int
    took_s: float
    counts: Counter[tuple[str, str]]

    @property
    def documents_read(self) -> int:
        """Documents that were sent to the client, by name and by queries."""
        return total(self.counts, READ) + total(self.counts, FOUND)

    @property
    def queries(self) -> int:
        """Queries that were run."""
        return total(self.counts, QUERY)

    @property
    def writes(self) -> int:
        """Documents that were written."""
        return total(self.counts, WRITE)


def fill(host: str, *, stored: Sequence[int]) -> list[FilledStore]:
    """Store so many open jobs, each number in a project of its own.

    Args:
        host: The Firestore emulator's.
    """
    return [_filled(host, others=others) for others in stored]


def _filled(host: str, *, others: int) -> FilledStore:
    counting = CountingInterceptor()
    client = firestore_client(host, project=f"growth-{others}", interceptors=(counting,))
    now = datetime.now(UTC)
    apart_s = 12 * 3600 / max(others, 1)
    store_copies(
        client,
        processing_job(at=now, poll_at=now),
        (now + timedelta(hours=1, seconds=number * apart_s) for number in range(others)),
    )
    return FilledStore(stored=others, client=client, counting=counting)


def measure_ticks(stores: Sequence[FilledStore], *, ticks: int) -> list[Tick]:
    """Run ticks in each store, each with `DUE` jobs that are due."""
    return [_tick(one, ticks=ticks) for one in stores]


def _tick(filled: FilledStore, *, ticks: int) -> Tick:
    client, counting = filled.client, filled.counting
    provider = FakeProvider("gepetto", limit=NO_LIMIT, call_s=0.0)
    # The first tick creates the account's document; it is not counted.
    _pump(client, provider, window_s=0).run()
    took_s, counts = [], []
    for _ in range(ticks):
        at = datetime.now(UTC) - timedelta(minutes=1)
        due = (at + timedelta(microseconds=number) for number in range(DUE))
        store_copies(client, processing_job(at=at, poll_at=at), due)
        before, began_s = counting.counts.copy(), time.monotonic()
        _pump(client, provider, window_s=0).run()
        took_s.append(time.monotonic() - began_s)
        counts.append(counting.counts - before)
    return Tick(stored=filled.stored, took_s=median(took_s), counts=counts[len(counts) // 2])


@dataclass(frozen=True, slots=True, kw_only=True)
class BusyAccounts:
    """What so many pumps did side by side, once all were at work.

    Attributes:
        cores: How many cores this process used; all pumps share it here.
    """

    accounts: int
    calls_per_s: float
    cores: float


def measure_accounts(host: str, *, window_s: float) -> list[BusyAccounts]:
    """Run the pumps of 1, 4 and 16 accounts.

    Args:
        host: The Firestore emulator's.
    """
    return [_busy_accounts(host, accounts, window_s=window_s) for accounts in ACCOUNTS]


def _busy_accounts(host: str, accounts: int, *, window_s: float) -> BusyAccounts:
    project = f"accounts-{accounts}"
    providers = [
        FakeProvider(f"account-{number}", limit=ACCOUNT_LIMIT, call_s=CALL_S)
        for number in range(accounts)
    ]
    enough = int(ACCOUNT_LIMIT.calls * window_s) + ACCOUNT_LIMIT.calls
    now = datetime.now(UTC) - timedelta(seconds=10)
    store(
        firestore_client(host, project=project),
        (
            queued_job(at=now + timedelta(milliseconds=number), provider=one.name)
            for one in providers
            for number in range(enough)
        ),
    )
    # Each pump has a channel of its own, as it has in an instance of its own.
    pumps = [
        _pump(firestore_client(host, project=project), one, window_s=window_s) for one in providers
    ]
    threads = [threading.Thread(target=one.run) for one in pumps]
    began_s, cpu_s = time.monotonic(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cores = (time.process_time() - cpu_s) / (time.monotonic() - began_s)
    first_s, last_s = began_s + RAMP_S, began_s + window_s
    calls = sum(first_s <= at < last_s for one in providers for at in one.submitted_s)
    return BusyAccounts(accounts=accounts, calls_per_s=calls / (last_s - first_s), cores=cores)


def checks(ticks: Sequence[Tick]) -> Iterator[Check]:
    """Compare what a tick reads with few and with many jobs stored."""
    few, many = ticks[0], ticks[-1]
    yield Check(
        f"documents read by a tick, {few.stored:,} and {many.stored:,} jobs stored",
        f"within {TARGET_SHARE:.0%}",
        f"{few.documents_read} and {many.documents_read}",
        abs(many.documents_read / few.documents_read - 1) <= TARGET_SHARE,
    )


def draw_growth(ticks: Sequence[Tick], busy: Sequence[BusyAccounts], *, to: Path) -> None:
    """Draw what a tick reads by what is stored, and calls a second by accounts."""
    with report.chart("What grows, and what does not", to=to) as figure:
        left, right = figure.subplots(1, 2)
        left.set_title(f"documents read by a tick, {DUE} jobs due")
        stored, read = [one.stored for one in ticks], [one.documents_read for one in ticks]
        left.plot(stored, read, "o-", color=RELAY_COLOUR, lw=2)
        left.set_xscale("log")
        left.set_ylim(0, 2 * max(read))
        left.set_xlabel("other open jobs stored")
        report.set_x_ticks(left, stored)
        right.set_title("provider calls a second, a pump an account")
        accounts, calls_per_s = [one.accounts for one in busy], [one.calls_per_s for one in busy]
        linear = [calls_per_s[0] * one for one in accounts]
        right.plot(accounts, linear, "--", color=MUTED, label="linear")
        right.plot(accounts, calls_per_s, "o-", color=RELAY_COLOUR, lw=2,
                   label="measured, all on two cores")  # fmt: skip
        right.set_xlabel("accounts")
        report.set_x_ticks(right, accounts)
        right.legend()
