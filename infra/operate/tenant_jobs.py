"""List a tenant's jobs, cancel them, and have their callbacks delivered again.

Jobs change as they do for their tenant: by compare-and-set, with their events. The pump publishes
those within half a minute, with the deployment's own settings.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Protocol

from infra.operate.deployment import Deployment
from infra.operate.outcome import Outcome, moment_json, plural, table, when_text
from relay.application.job_controls import with_redelivery
from relay.application.ports import JobFilter, Stored
from relay.domain.callback import CALLBACKS, DeliveryStatus
from relay.domain.job import OPEN, Job, Status
from relay.domain.transitions import cancelled
from relay.errors import JobNotFound, StoreUnavailable, UnreadableJob

PAGE = 100
PAGE_BYTES = 4 * 2**20
AT_ONCE = 8
# A job may move past the list that is being read; the next pass finds it.
PASSES = 3


class Step(Protocol):
    """A change of a job at a moment; see `JobStore.change`."""

    def __call__(self, job: Job, *, at: datetime) -> Job:
        """Return the job after it."""


def list_jobs(
    deployment: Deployment, tenant: str, wanted: JobFilter, *, most: int, now: datetime
) -> Outcome:
    """List a tenant's latest jobs, without what is in them."""
    found: list[Job] = []
    for job in _jobs(deployment, tenant, wanted):
        if len(found) == most:
            break
        found.append(job)
    rows: list[tuple[str, ...]] = [
        ("id", "status", "provider", "operation", "created", "ended", "why")
    ]
    rows += [_row(job, now) for job in found]
    lines = list(table(rows)) if found else [_none(deployment, tenant)]
    if len(found) == most:
        lines.append(f"These are the latest {most}; more with --limit.")
    return Outcome(lines=lines, data={"tenant": tenant, "jobs": list(map(_job_json, found))})


def cancel_jobs(
    deployment: Deployment, tenant: str, statuses: Sequence[Status], *, dry_run: bool
) -> Outcome:
    """Cancel all of a tenant's jobs that are in one of these states.

    A job that leaves these states before its turn is left alone.

    Args:
        statuses: Open ones.
    """
    wanted = JobFilter(statuses=tuple(statuses))
    before: Counter[Status] = Counter()
    accounts: Counter[str] = Counter()
    maybe_paid, failed = 0, set[str]()
    step = partial(_cancelled_if, statuses=frozenset(statuses))
    for _ in range(1 if dry_run else PASSES):
        changed = 0
        for job, after in _changed(deployment, tenant, wanted, None if dry_run else step):
            if after is None:
                failed.add(job.id)
                continue
            failed.discard(job.id)
            if dry_run or after.status is Status.CANCELLED:
                changed += 1
                before[job.status] += 1
                accounts[job.account] += 1
                maybe_paid += _may_be_paid(job)
        if not changed:
            break
    if not dry_run:
        for account in accounts:
            deployment.relay.waker.wake(account)
    count = before.total()
    data = {
        "tenant": tenant,
        "statuses": [status.value for status in statuses],
        "cancelled": 0 if dry_run else count,
        "wouldCancel": count if dry_run else 0,
        "byStatus": {status.value: number for status, number in before.items()},
        "byAccount": dict(accounts),
        "maybePaidFor": maybe_paid,
        "failed": sorted(failed),
    }
    did = "Would cancel" if dry_run else "Cancelled"
    lines = [f"{did} {plural(count, 'job')} of {tenant}."]
    if count:
        states = ", ".join(f"{number:,} {status}" for status, number in before.items())
        lines.append(f"They were: {states}. Up to {maybe_paid:,} may be paid for already.")
    elif not failed:
        lines = [_none(deployment, tenant, f"{tenant} has no job that is {_any_of(statuses)}.")]
    if failed:
        lines.append(f"Not cancelled, the store did not answer: {' '.join(sorted(failed))}")
    return Outcome(lines=lines, data=data, is_complete=not failed)


def redeliver_callbacks(
    deployment: Deployment,
    tenant: str,
    *,
    since: datetime,
    delivered_too: bool,
    dry_run: bool,
) -> Outcome:
    """Have the callbacks of a tenant's jobs that ended since a moment delivered again.

    Args:
        delivered_too: Also of jobs whose receiver has acknowledged every event.
    """

    def is_wanted(job: Job) -> bool:
        deliveries = job.callback.deliveries if job.callback else ()
        missing = any(one.status is not DeliveryStatus.DELIVERED for one in deliveries)
        return bool(deliveries) and (delivered_too or missing)

    def again(job: Job, *, at: datetime) -> Job:
        return with_redelivery(job, at=at) if is_wanted(job) else job

    ended, again_ids, failed = 0, list[str](), list[str]()
    wanted = JobFilter(ended_after=since)
    for job, after in _changed(deployment, tenant, wanted, None if dry_run else again, is_wanted):
        ended += 1
        if not is_wanted(job):
            continue
        (failed if after is None else again_ids).append(job.id)
    if again_ids and not dry_run:
        deployment.relay.waker.wake(CALLBACKS)
    did = "Would deliver" if dry_run else "Delivering"
    which = f"{plural(len(again_ids), 'job')} of {tenant}"
    moment = f"{since:%Y-%m-%d %H:%M:%S} UTC"
    lines = [f"{did} the callbacks of {which} again, of {ended:,} that ended since {moment}."]
    if not ended:
        lines = [_none(deployment, tenant, f"No job of {tenant} has ended since then.")]
    if failed:
        lines.append(f"Not done, the store did not answer: {' '.join(failed)}")
    data = {
        "tenant": tenant,
        "since": moment_json(since),
        "ended": ended,
        "redelivered": [] if dry_run else again_ids,
        "wouldRedeliver": again_ids if dry_run else [],
        "failed": failed,
    }
    return Outcome(lines=lines, data=data, is_complete=not failed)


def _jobs(deployment: Deployment, tenant: str, wanted: JobFilter) -> Iterator[Job]:
    for page in _pages(deployment, tenant, wanted):
        yield from page


def _pages(deployment: Deployment, tenant: str, wanted: JobFilter) -> Iterator[Sequence[Job]]:
    listings, end = deployment.adapters.jobs, None
    while True:
        page = listings.page(tenant, wanted, after=end, size=PAGE, max_bytes=PAGE_BYTES)
        yield page.jobs
        end = page.end
        if end is None:
            return


def _changed(
    deployment: Deployment,
    tenant: str,
    wanted: JobFilter,
    step: Step | None,
    needs: Callable[[Job], bool] = lambda _: True,
) -> Iterator[tuple[Job, Job | None]]:
    """Take one step with each job of a list, several at a time.

    Args:
        step: None to change nothing. It gets the moment of the change: a job that claimed to have
            ended minutes ago would be missed by callers who read on from where they were.
        needs: Which jobs it is for.

    Yields:
        Each job as listed, and after the step; None if the store did not answer.
    """
    store, clock = deployment.relay.store, deployment.adapters.clock

    def change(job: Job) -> Job | None:
        if step is None or not needs(job):
            return job
        try:
            stored: Stored = store.read_own(tenant, job.id)
            return store.change(stored, partial(step, at=clock.now())).job
        except (JobNotFound, UnreadableJob):
            return job
        except StoreUnavailable:
            return None

    with ThreadPoolExecutor(AT_ONCE) as workers:
        for page in _pages(deployment, tenant, wanted):
            yield from zip(page, workers.map(change, page), strict=True)


def _cancelled_if(job: Job, *, statuses: frozenset[Status], at: datetime) -> Job:
    return cancelled(job, at=at) if job.status in statuses else job


def _may_be_paid(job: Job) -> bool:
    return job.status is not Status.QUEUED or job.submitted_at is not None or job.is_resubmitted


def _any_of(statuses: Sequence[Status]) -> str:
    return "open" if set(statuses) == set(OPEN) else " or ".join(statuses)


def _none(deployment: Deployment, tenant: str, otherwise: str = "No job matches.") -> str:
    """Return why there is nothing: the tenant's name may be misspelt."""
    if any(True for _ in _jobs(deployment, tenant, JobFilter())):
        return otherwise
    return f"There is no job of a tenant {tenant!r} at all. Is the name right?"


def _row(job: Job, now: datetime) -> tuple[str, ...]:
    ended = "" if job.finished_at is None else when_text(job.finished_at, now=now)
    return (
        job.id,
        job.status.value,
        job.provider,
        job.operation,
        when_text(job.created_at, now=now),
        ended or f"deadline {when_text(job.deadline_at, now=now)}",
        "" if job.error is None else job.error.code.value,
    )


def _job_json(job: Job) -> dict[str, object]:
    return {
        "id": job.id,
        "status": job.status.value,
        "provider": job.provider,
        "operation": job.operation,
        "createdAt": moment_json(job.created_at),
        "submittedAt": moment_json(job.submitted_at),
        "deadlineAt": moment_json(job.deadline_at),
        "finishedAt": moment_json(job.finished_at),
        "providerJobId": job.provider_job_id,
        "error": None if job.error is None else job.error.code.value,
        "callback": None if job.callback is None else job.callback.status.value,
    }
