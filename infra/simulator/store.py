"""The simulated store: its history, and every way in which a call to it fails."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from infra.memory_store import MemoryAccounts, MemoryDurations, MemoryJobs, MemoryLists
from infra.simulator.callbacks import CALLS
from infra.simulator.environment import Environment
from infra.simulator.instances import CallFaults, Instance
from infra.simulator.profile import Profile
from infra.verification.history import Outage, Trouble, Version, moment, seconds
from relay.adapters.document import ACCOUNT, WAKE_AT
from relay.application.ports import DuePage, Queued, Stored, StoredAccount
from relay.domain.account import Account
from relay.domain.callback import Callback
from relay.domain.delivery_queue import due_at
from relay.domain.due import wake_at
from relay.domain.durations import Durations
from relay.domain.job import Job
from relay.domain.provider_list import ListRequest, ProviderList
from relay.domain.queue import Span
from relay.errors import StoreUnavailable

T = TypeVar("T")

# As the real adapter's.
CALL_TIMEOUT_S = 6.0
SHORT_CALL_TIMEOUT_S = 2.0
# Every so many writes, the real document is checked to hold all that was written.
CHECK_EVERY = 50


def store_faults(profile: Profile) -> CallFaults:
    """Return what goes wrong with calls of the store."""
    return CallFaults.of_service(
        "store",
        profile,
        lost_request=profile.store_lost_request,
        lost_reply=profile.store_lost_reply,
        late=profile.store_late,
    )


class RecordedJobs(MemoryJobs):
    """All job documents, with every version noted in the history."""

    def __init__(self, env: Environment) -> None:
        super().__init__(check_every=CHECK_EVERY)
        self._env = env

    def create(self, job: Job) -> int:
        """See `JobDocuments`."""
        return self._record(job.id, super().create(_with_callback(job)))

    def replace(self, job: Job, *, version: object) -> int:
        """See `JobDocuments`."""
        return self._record(job.id, super().replace(job, version=version))

    def set_aside(self, job_id: str, *, until: datetime) -> None:
        """See `JobDocuments`."""
        super().set_aside(job_id, until=until)
        self._env.history.set_aside[job_id] = self._env.now_s

    def put_poison(self, job_id: str, account: str) -> None:
        """Write a document that is due and does not parse."""
        self.put_document(job_id, {ACCOUNT: account, WAKE_AT: moment(self._env.now_s)})
        self._env.history.poison.append(job_id)
        self._env.note("store", f"{job_id} does not parse")

    def next_delivery_s(self) -> float | None:
        """Return when the next callback is due; None if there is nothing to deliver."""
        return min((seconds(due_at(key)) for key in self.delivery_keys), default=None)

    def next_wake_s(self, account: str) -> float | None:
        """Return when a document of an account is due next, but for those that do not parse."""
        poison = self._env.history.poison
        due = (at for at, job_id in self.due_of(account) if job_id not in poison)
        return next(map(seconds, due), None)

    def is_quiet(self) -> bool:
        """Return whether no document waits for anything, but for those that do not parse."""
        return set(self.waking) <= set(self._env.history.poison)

    def _record(self, job_id: str, number: int) -> int:
        job = self.read(job_id).job
        version = Version(at_s=self._env.now_s, number=number, job=job, wake_at=wake_at(job))
        self._env.history.versions.setdefault(job_id, []).append(version)
        return number


class Database:
    """The whole store, and the times in which it cannot be reached."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self.jobs = RecordedJobs(env)
        self.accounts = MemoryAccounts(lambda: env.now_s, check_every=CHECK_EVERY)
        self.durations = MemoryDurations()
        self.lists = MemoryLists()

    def plan_outage(self, from_s: float, to_s: float) -> None:
        """Be unreachable for a while, and note it in the history."""
        history = self._env.history
        history.outages.append(Outage(at_s=from_s, until_s=to_s))
        for troubles in (history.troubles, history.callback_troubles):
            troubles.append(Trouble(at_s=from_s, what="store outage", until_s=to_s))

    def note_given_back(self, holder: str | None) -> None:
        """Note that the holder of a lease has given it back."""
        if holder is not None:
            self._env.history.given_back[holder] = self._env.now_s

    def be_reachable(self) -> None:
        """Raise `StoreUnavailable` during an outage."""
        now_s = self._env.now_s
        for outage in self._env.history.outages:
            if outage.at_s <= now_s < outage.until_s:
                raise StoreUnavailable("outage")


class _Client:
    """One instance's connection to the store."""

    timeout_s = CALL_TIMEOUT_S

    def __init__(self, database: Database, instance: Instance, faults: CallFaults) -> None:
        self._database = database
        self._instance = instance
        self._faults = faults

    def _call(self, label: str, effect: Callable[[], T]) -> T:
        def arrive() -> T:
            self._database.be_reachable()
            return effect()

        return self._instance.remote(
            label,
            arrive,
            faults=self._faults,
            timeout_s=self.timeout_s,
            failure=lambda: StoreUnavailable("simulated"),
        )


class SimulatedJobs(_Client):
    """The `JobDocuments` of one instance.

    Args:
        slow_pages: Chance that a page of a query takes seconds.
    """

    def __init__(
        self, database: Database, instance: Instance, faults: CallFaults, *, slow_pages: float
    ) -> None:
        super().__init__(database, instance, faults)
        self._jobs = database.jobs
        self._slow_pages = slow_pages

    def create(self, job: Job) -> object:
        """See `JobDocuments`."""
        return self._call(f"create {job.id}", partial(self._jobs.create, job))

    def read(self, job_id: str) -> Stored:
        """See `JobDocuments`."""
        return self._call(f"read {job_id}", partial(self._jobs.read, job_id))

    def replace(self, job: Job, *, version: object) -> object:
        """See `JobDocuments`."""
        label = f"write {job.id} {_in_short(job)}"
        return self._call(label, partial(self._jobs.replace, job, version=version))

    def due(self, account: str, *, after: datetime | None, until: datetime, limit: int) -> DuePage:
        """See `JobDocuments`."""
        self._wait_for_page()
        due = partial(self._jobs.due, account, after=after, until=until, limit=limit)
        return self._call(f"due {account}", due)

    def queued(self, account: str, *, spans: Sequence[Span], limit: int) -> Sequence[Queued]:
        """See `JobDocuments`."""
        self._wait_for_page()
        queued = partial(self._jobs.queued, account, spans=spans, limit=limit)
        return self._call(f"queue {account}", queued)

    def deliveries(self, *, span: Span, limit: int) -> Sequence[Queued]:
        """See `JobDocuments`."""
        self._wait_for_page()
        return self._call("deliveries", partial(self._jobs.deliveries, span=span, limit=limit))

    def set_aside(self, job_id: str, *, until: datetime) -> None:
        """See `JobDocuments`."""
        self._call(f"set aside {job_id}", partial(self._jobs.set_aside, job_id, until=until))

    def is_anothers(self, job: Job) -> bool:
        """See `RenderOwners`: no render is followed by two tenants here."""
        del job
        return False

    def _wait_for_page(self) -> None:
        env = self._instance.env
        if env.injects("slow_pages", self._slow_pages):
            self._instance.sleep(env.rng.choice((3.5, env.rng.uniform(1.0, 3.5))))


class SimulatedAccounts(_Client):
    """The `Accounts` of one run of a pump.

    Attributes:
        holder: The last name under which the pump wrote a lease.
    """

    timeout_s = SHORT_CALL_TIMEOUT_S

    def __init__(self, database: Database, instance: Instance, faults: CallFaults) -> None:
        super().__init__(database, instance, faults)
        self._accounts = database.accounts
        self.holder: str | None = None

    def has_lease(self, name: str) -> bool:
        """Return whether the document says that the pump that writes here holds the lease."""
        return self._accounts.read(name).account.holder == self.holder

    def read(self, name: str) -> StoredAccount:
        """See `Accounts`."""
        return self._call(f"read lease {name}", partial(self._accounts.read, name))

    def replace(self, account: Account, *, version: object) -> object:
        """See `Accounts`."""
        if account.holder is not None:
            self.holder = account.holder
        holder = account.holder or "nobody"
        label = f"write lease {account.name} {holder} {len(account.calls_ago_s)}+{account.granted}"

        def write() -> object:
            written = self._accounts.replace(account, version=version)
            if account.holder is None:
                self._database.note_given_back(self.holder)
            return written

        return self._call(label, write)


class SimulatedDurations(_Client):
    """The `DurationsDocuments` of one instance."""

    timeout_s = SHORT_CALL_TIMEOUT_S

    def read(self, account: str) -> tuple[Mapping[str, Durations], object]:
        """See `DurationsDocuments`."""
        read = partial(self._database.durations.read, account)
        return self._call(f"read durations {account}", read)

    def replace(self, account: str, durations: Mapping[str, Durations], *, version: object) -> None:
        """See `DurationsDocuments`."""
        write = partial(self._database.durations.replace, account, durations, version=version)
        self._call(f"write durations {account}", write)


class SimulatedLists(_Client):
    """The `ListDocuments` of one instance."""

    timeout_s = SHORT_CALL_TIMEOUT_S

    def copy(self, account: str, name: str) -> ProviderList | None:
        """See `ListDocuments`."""
        return self._call(f"read {name}", partial(self._database.lists.copy, account, name))

    def keep(self, account: str, name: str, copy: ProviderList) -> None:
        """See `ListDocuments`."""
        self._call(f"keep {name}", partial(self._database.lists.keep, account, name, copy))

    def requests(self, account: str) -> tuple[Mapping[str, ListRequest], object]:
        """See `ListDocuments`."""
        read = partial(self._database.lists.requests, account)
        return self._call(f"read requests {account}", read)

    def replace_requests(
        self, account: str, requests: Mapping[str, ListRequest], *, version: object
    ) -> None:
        """See `ListDocuments`."""
        replace = self._database.lists.replace_requests
        write = partial(replace, account, requests, version=version)
        self._call(f"write requests {account}", write)


def _with_callback(job: Job) -> Job:
    url = job.metadata.get(CALLS)
    return job if url is None else replace(job, callback=Callback(url=url))


def _in_short(job: Job) -> str:
    parts = [job.status.value]
    if job.late_outputs:
        parts.append("late")
    if job.announcements:
        unpublished = len(job.unpublished)
        parts.append(f"{len(job.announcements) - unpublished}/{len(job.announcements)} out")
    if job.callback is not None and (current := job.callback.current) is not None:
        parts.append(f"callback {current.status} {current.attempts}")
    return " ".join(parts)
