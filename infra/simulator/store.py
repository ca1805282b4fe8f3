"""The store: compare-and-set by version, the due query, and every way in which a call fails."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from infra.simulator.history import EPOCH, Outage, Trouble, Version
from infra.simulator.instances import Fate, Fates, Instance
from infra.simulator.profile import Profile
from infra.simulator.world import World
from relay.adapters.document import from_document, to_document
from relay.application.ports import (
    MOST_SPANS,
    DuePage,
    Queued,
    Stored,
    StoredAccount,
    Unreadable,
)
from relay.domain.account import Account
from relay.domain.due import wake_at
from relay.domain.durations import Durations
from relay.domain.job import UNREAD, Job
from relay.domain.queue import LAST, Span, queue_key
from relay.errors import JobExists, JobNotFound, LostRace, StoreUnavailable, UnreadableJob

T = TypeVar("T")

# As the real adapter's.
CALL_TIMEOUT_S = 6.0
SHORT_CALL_TIMEOUT_S = 2.0
TIME_TO_LIVE = timedelta(days=30)
# Every so many writes, that the real document holds all of the job is made sure of.
CHECK_EVERY = 50


def store_fates(profile: Profile) -> Fates:
    """Return what goes wrong with calls of the store."""
    return Fates(
        "store",
        {
            Fate.LOST_REQUEST: profile.store_lost_request,
            Fate.LOST_REPLY: profile.store_lost_reply,
            Fate.LATE: profile.store_late,
            Fate.CRASH_BEFORE: profile.crash_before,
            Fate.CRASH_AFTER: profile.crash_after,
            Fate.FREEZE_BEFORE: profile.freeze / 2,
            Fate.FREEZE_AFTER: profile.freeze / 2,
        },
    )


class Database:
    """All documents; what happens here happens at once, when a request gets here."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._jobs: dict[str, tuple[Job, int]] = {}
        self._wakes: dict[str, tuple[str, datetime]] = {}
        self._due: dict[str, list[tuple[datetime, str]]] = {}
        self._keys: dict[str, str] = {}
        self._queues: dict[str, list[tuple[str, str]]] = {}
        self.looked_at = 0
        self._durations: dict[str, tuple[Mapping[str, Durations], object]] = {}
        self._accounts: dict[str, tuple[Account, int, float]] = {}
        self._writes = 0
        self.poison: set[str] = set()

    def plan_outage(self, from_s: float, to_s: float) -> None:
        """Be unreachable for a while."""
        self._world.history.outages.append(Outage(at_s=from_s, until_s=to_s))
        self._world.history.troubles.append(Trouble(at_s=from_s, what="store outage", until_s=to_s))

    def be_reachable(self) -> None:
        """Raise `StoreUnavailable` during an outage."""
        now_s = self._world.now_s
        for outage in self._world.history.outages:
            if outage.at_s <= now_s < outage.until_s:
                raise StoreUnavailable("outage")

    def create(self, job: Job) -> tuple[int]:
        """Keep a new document."""
        if job.id in self._jobs:
            raise JobExists(job.id)
        return self._write(job)

    def read(self, job_id: str) -> Stored:
        """Return a document."""
        if job_id in self.poison:
            raise UnreadableJob(job_id)
        if job_id not in self._jobs:
            raise JobNotFound(job_id)
        job, version = self._jobs[job_id]
        return Stored(job, (version,))

    def replace(self, job: Job, version: object) -> tuple[int]:
        """Write over a version."""
        if job.id not in self._jobs:
            raise JobNotFound(job.id)
        known, number = self._jobs[job.id]
        if (number,) != version:
            raise LostRace(job.id)
        # What never changes is not written.
        return self._write(replace(job, input=known.input))

    def due(self, account: str, after: datetime | None, until: datetime, limit: int) -> DuePage:
        """Answer the query for due jobs."""
        due = self._due.get(account, [])
        start = 0 if after is None else bisect_right(due, (after, LAST))
        found = due[start : min(start + limit, bisect_right(due, (until, LAST)))]
        self.looked_at += len(found)
        items = [self._item(job_id) for _, job_id in found]
        if len(found) < limit:
            return DuePage(items, more_after=None)
        last = found[-1][0]
        before_last = last - timedelta(microseconds=1)
        is_progress = after is None or before_last > after
        return DuePage(items, more_after=before_last if is_progress else last)

    def queued(self, account: str, spans: Sequence[Span], limit: int) -> Sequence[Queued]:
        """Answer the query for the queue."""
        if not 0 < len(spans) <= MOST_SPANS:
            raise AssertionError(f"{len(spans)} spans")
        queue = self._queues.get(account, [])
        found: list[tuple[str, str]] = []
        for span in spans:
            start, end = bisect_right(queue, (span.after, LAST)), bisect_left(queue, (span.before,))
            found += queue[start : min(end, start + limit - len(found))]
        self.looked_at += len(found)
        return [Queued(key, self._item(job_id)) for key, job_id in found]

    def next_wake(self, account: str, after: datetime) -> datetime | None:
        """Return the next ``wakeAt``."""
        due = self._due.get(account, [])
        index = bisect_right(due, (after, LAST))
        return due[index][0] if index < len(due) else None

    def set_aside(self, job_id: str, until: datetime) -> None:
        """Write nothing but ``wakeAt``."""
        account, _ = self._wakes.get(job_id, ("", until))
        self._index(job_id, account, until, None)
        self._world.history.set_aside[job_id] = self._world.now_s
        if job_id in self._jobs:
            self._jobs[job_id] = (self._jobs[job_id][0], self._next_version())

    def put_poison(self, job_id: str, account: str) -> None:
        """Have a document that does not parse."""
        self.poison.add(job_id)
        self._index(job_id, account, EPOCH + timedelta(seconds=self._world.now_s), None)
        self._world.history.poison.append(job_id)
        self._world.note("store", f"{job_id} does not parse")

    def read_account(self, name: str) -> StoredAccount:
        """Return an account's document, and how old it is by the true time."""
        if name not in self._accounts:
            return StoredAccount(Account(name=name), None, 0.0)
        account, version, written_s = self._accounts[name]
        return StoredAccount(account, (version,), self._world.now_s - written_s)

    def replace_account(self, account: Account, version: object) -> tuple[int]:
        """Write over a version of an account's document; what changes nothing is no write."""
        held = self._accounts.get(account.name)
        if (None if held is None else (held[1],)) != version:
            raise LostRace(account.name)
        if held is not None and held[0] == account:
            return (held[1],)
        number = self._next_version()
        self._accounts[account.name] = (account, number, self._world.now_s)
        return (number,)

    def read_durations(self, account: str) -> tuple[Mapping[str, Durations], object]:
        """Return what was learnt."""
        return self._durations.get(account, ({}, None))

    def replace_durations(
        self, account: str, durations: Mapping[str, Durations], version: object
    ) -> None:
        """Write over a version of what was learnt."""
        if self.read_durations(account)[1] != version:
            raise LostRace(account)
        self._durations[account] = (durations, self._next_version())

    def jobs(self) -> list[Job]:
        """Return all jobs as they stand."""
        return [job for job, _ in self._jobs.values()]

    def is_quiet(self) -> bool:
        """Return whether no document waits for anything."""
        return not any(job_id not in self.poison for job_id in self._wakes)

    def _write(self, job: Job) -> tuple[int]:
        number = self._next_version()
        if number % CHECK_EVERY == 0:
            document = to_document(job, time_to_live=TIME_TO_LIVE)
            if from_document(job.id, document) != job:
                raise AssertionError(f"the document of {job.id} does not hold the job")
        wakes_at = wake_at(job)
        self._index(job.id, job.account, wakes_at, queue_key(job))
        self._jobs[job.id] = (job, number)
        version = Version(at_s=self._world.now_s, number=number, job=job, wake_at=wakes_at)
        self._world.history.versions.setdefault(job.id, []).append(version)
        return (number,)

    def _item(self, job_id: str) -> Stored | Unreadable:
        if job_id in self.poison:
            return Unreadable(job_id, "poison")
        stored = self.read(job_id)
        return Stored(replace(stored.job, input=UNREAD), stored.version)

    def _index(self, job_id: str, account: str, wakes_at: datetime | None, key: str | None) -> None:
        due, queue = self._due.setdefault(account, []), self._queues.setdefault(account, [])
        if job_id in self._wakes:
            due.remove((self._wakes.pop(job_id)[1], job_id))
        if wakes_at is not None:
            self._wakes[job_id] = (account, wakes_at)
            insort(due, (wakes_at, job_id))
        if job_id in self._keys:
            queue.remove((self._keys.pop(job_id), job_id))
        if key is not None:
            self._keys[job_id] = key
            insort(queue, (key, job_id))

    def _next_version(self) -> int:
        self._writes += 1
        return self._writes


class _Client:
    """One instance's connection to the store."""

    timeout_s = CALL_TIMEOUT_S

    def __init__(self, database: Database, instance: Instance, fates: Fates) -> None:
        self._database = database
        self._instance = instance
        self._fates = fates

    def _call(self, label: str, effect: Callable[[], T]) -> T:
        def arrive() -> T:
            self._database.be_reachable()
            return effect()

        return self._instance.remote(
            label,
            arrive,
            fates=self._fates,
            timeout_s=self.timeout_s,
            failure=lambda: StoreUnavailable("simulated"),
        )


class SimulatedJobs(_Client):
    """The `JobDocuments` of one instance.

    Args:
        slow_pages: Chance that a page of a query takes seconds.
    """

    def __init__(
        self, database: Database, instance: Instance, fates: Fates, *, slow_pages: float
    ) -> None:
        super().__init__(database, instance, fates)
        self._slow_pages = slow_pages

    def create(self, job: Job) -> object:
        """See `JobDocuments`."""
        return self._call(f"create {job.id}", lambda: self._database.create(job))

    def read(self, job_id: str) -> Stored:
        """See `JobDocuments`."""
        return self._call(f"read {job_id}", lambda: self._database.read(job_id))

    def replace(self, job: Job, *, version: object) -> object:
        """See `JobDocuments`."""
        label = f"write {job.id} {_in_short(job)}"
        return self._call(label, lambda: self._database.replace(job, version))

    def due(self, account: str, *, after: datetime | None, until: datetime, limit: int) -> DuePage:
        """See `JobDocuments`."""
        self._wait_for_page()
        return self._call(
            f"due {account}", lambda: self._database.due(account, after, until, limit)
        )

    def queued(self, account: str, *, spans: Sequence[Span], limit: int) -> Sequence[Queued]:
        """See `JobDocuments`."""
        self._wait_for_page()
        return self._call(f"queue {account}", lambda: self._database.queued(account, spans, limit))

    def next_wake(self, account: str, *, after: datetime) -> datetime | None:
        """See `JobDocuments`."""
        return self._call(f"next wake {account}", lambda: self._database.next_wake(account, after))

    def set_aside(self, job_id: str, *, until: datetime) -> None:
        """See `JobDocuments`."""
        self._call(f"set aside {job_id}", lambda: self._database.set_aside(job_id, until))

    def _wait_for_page(self) -> None:
        world = self._instance.world
        if world.strikes("slow_pages", self._slow_pages):
            self._instance.sleep(world.rng.uniform(1.0, 3.5))

    def is_anothers(self, job: Job) -> bool:
        """See `RenderOwners`: there is one tenant, and nobody follows."""
        del job
        return False


class SimulatedAccounts(_Client):
    """The `Accounts` of one run of a pump."""

    timeout_s = SHORT_CALL_TIMEOUT_S

    def __init__(self, database: Database, instance: Instance, fates: Fates) -> None:
        super().__init__(database, instance, fates)
        self._holder: str | None = None

    def has_lease(self, name: str) -> bool:
        """Return whether the document says that the pump that writes here holds the lease."""
        return self._database.read_account(name).account.holder == self._holder

    def read(self, name: str) -> StoredAccount:
        """See `Accounts`."""
        return self._call(f"read lease {name}", lambda: self._database.read_account(name))

    def replace(self, account: Account, *, version: object) -> object:
        """See `Accounts`."""
        if account.holder is not None:
            self._holder = account.holder
        holder = account.holder or "nobody"
        label = f"write lease {account.name} {holder} {len(account.calls_ago_s)}+{account.granted}"
        return self._call(label, lambda: self._database.replace_account(account, version))


class SimulatedDurations(_Client):
    """The `DurationsDocuments` of one instance."""

    timeout_s = SHORT_CALL_TIMEOUT_S

    def read(self, account: str) -> tuple[Mapping[str, Durations], object]:
        """See `DurationsDocuments`."""
        return self._call(
            f"read durations {account}", lambda: self._database.read_durations(account)
        )

    def replace(self, account: str, durations: Mapping[str, Durations], *, version: object) -> None:
        """See `DurationsDocuments`."""
        self._call(
            f"write durations {account}",
            lambda: self._database.replace_durations(account, durations, version),
        )


def _in_short(job: Job) -> str:
    parts = [job.status.value]
    if job.late_outputs:
        parts.append("late")
    if job.announcements:
        unpublished = len(job.unpublished)
        parts.append(f"{len(job.announcements) - unpublished}/{len(job.announcements)} out")
    return " ".join(parts)
