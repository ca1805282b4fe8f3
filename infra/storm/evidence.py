"""All that is known after a storm, as those outside of the relay saw it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from infra.local.inbox import Delivery
from infra.storm.callers import Created
from infra.storm.crashes import Crashed
from infra.storm.documents import Document
from infra.storm.jobs import StormJob, number_in
from infra.storm.logbook import LogLine
from infra.storm.sandbox import Counts, ProviderCall, Render
from relay.adapters.document import WAKE_AT, from_document
from relay.domain.job import Job
from relay.errors import UnreadableJob

UNKNOWN = "-"
"""Stands for the job where there is none that it could be about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobVersion:
    """One version of a job's document that was seen, and could be read."""

    at: datetime
    job: Job
    wake_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the checks look at.

    Attributes:
        versions: What the listener saw and the last read, oldest first, by job.
        unreadable: What is wrong with documents that are not those of a job.
        final: Ids of the documents that the last read found.
        holds: Every hold that an account was seen on.
        is_at_rest: Whether all had come to its end when the time was up.
    """

    jobs: tuple[StormJob, ...]
    created: tuple[Created, ...]
    crashes: tuple[Crashed, ...]
    versions: Mapping[str, tuple[JobVersion, ...]]
    unreadable: tuple[str, ...]
    final: frozenset[str]
    holds: tuple[str, ...]
    deliveries: tuple[Delivery, ...]
    calls: tuple[ProviderCall, ...]
    renders: tuple[Render, ...]
    counts: Mapping[str, Counts]
    errors: tuple[LogLine, ...]
    sandbox_url: str
    is_at_rest: bool

    @property
    def ids(self) -> dict[int, str]:
        """The relay's id of each job by its number, as the documents say it."""
        numbers = {job_id: job.metadata.get("storm", "") for job_id, job in self.last.items()}
        return {int(text): job_id for job_id, text in numbers.items() if text.isdecimal()}

    @property
    def honest(self) -> dict[str, Job]:
        """Each job of the honest tenant as it was in the end."""
        numbers = {job.number for job in self.jobs if not job.is_hostile}
        last = self.last
        return {job_id: last[job_id] for number, job_id in self.ids.items() if number in numbers}

    @property
    def waits_s(self) -> dict[str, float | None]:
        """How long each honest job waited to be sent, by id; None if it never was."""
        calls_of = self.calls_of
        return {
            job_id: min(
                (
                    call.at - job.created_at.timestamp()
                    for call in calls_of.get(job_id, ())
                    if call.kind == "submit"
                ),
                default=None,
            )
            for job_id, job in self.honest.items()
        }

    @property
    def last(self) -> dict[str, Job]:
        """Each job as it was in the end."""
        return {job_id: versions[-1].job for job_id, versions in self.versions.items()}

    @property
    def renders_of(self) -> dict[str, list[Render]]:
        """The renders that were bought for each job, by the relay's id."""
        found: dict[str, list[Render]] = {}
        ids = self.ids
        for render in self.renders:
            job_id = ids.get(number_in(render.image_url) or 0, UNKNOWN)
            found.setdefault(job_id, []).append(render)
        return found

    @property
    def calls_of(self) -> dict[str, list[ProviderCall]]:
        """The calls that were made for each job, by the relay's id."""
        found: dict[str, list[ProviderCall]] = {}
        ids = self.ids
        numbers = {one.provider_job_id: number_in(one.image_url) for one in self.renders}
        for call in self.calls:
            is_submit = call.kind == "submit"
            number = number_in(call.input or "") if is_submit else None
            number = number or numbers.get(call.provider_job_id or "") or 0
            found.setdefault(ids.get(number, UNKNOWN), []).append(call)
        return found

    @property
    def deliveries_of(self) -> dict[str, list[Delivery]]:
        """The deliveries about each job."""
        found: dict[str, list[Delivery]] = {}
        for delivery in self.deliveries:
            found.setdefault(delivery.job_id, []).append(delivery)
        return found


def read_versions(
    seen: Mapping[str, tuple[Document, ...]], last: tuple[Document, ...]
) -> tuple[dict[str, tuple[JobVersion, ...]], tuple[str, ...]]:
    """Return the versions of each job, and what is wrong with those that cannot be read."""
    documents: dict[str, dict[datetime, Document]] = {}
    for one in (*(each for versions in seen.values() for each in versions), *last):
        documents.setdefault(one.id, {})[one.at] = one
    versions: dict[str, tuple[JobVersion, ...]] = {}
    unreadable: list[str] = []
    for job_id, by_time in documents.items():
        read: list[JobVersion] = []
        for at in sorted(by_time):
            fields = by_time[at].fields
            if fields is None:
                unreadable.append(f"{job_id}: deleted at {at}")
                continue
            try:
                job = from_document(job_id, fields)
            except UnreadableJob as error:
                unreadable.append(str(error))
                continue
            read.append(JobVersion(at=at, job=job, wake_at=fields.get(WAKE_AT)))
        if read:
            versions[job_id] = tuple(read)
    return versions, tuple(unreadable)


def seen_holds(accounts: Mapping[str, tuple[Document, ...]]) -> tuple[str, ...]:
    """Return every hold that the accounts' documents have shown."""
    return tuple(
        f"{name}: {version.fields['hold']}"
        for name, versions in accounts.items()
        for version in versions
        if version.fields is not None and version.fields.get("hold") is not None
    )
