"""Builds a history by hand, event by event."""

from dataclasses import replace

from infra.verification.history import Call, History, Verdict, Version, moment
from relay.domain.due import wake_at
from relay.domain.job import Actor, Claim, Entry, ProviderReply, Status
from relay.domain.limits import Limit
from relay.domain.transitions import accepted, claimed, requeued
from tests.factories import a_job, job_id

LIMIT = Limit(calls=120, window_s=60.0)


def queued(number, tenant, *, at_s=0.0, deadline_s=900.0, **changes):
    created = moment(at_s)
    return a_job(
        id=job_id(number),
        tenant=tenant,
        created_at=created,
        deadline_at=moment(at_s + deadline_s),
        history=(Entry(at=created, status=Status.QUEUED, by=Actor.CALLER, note="created"),),
        **changes,
    )


class HistoryBuilder:
    """A steady and prompt history of one account."""

    def __init__(self):
        self.history = History(
            limits={"gepetto": LIMIT}, concurrency=1, is_steady=True, is_prompt=True
        )

    def write(self, at_s, job):
        versions = self.history.versions.setdefault(job.id, [])
        versions.append(Version(at_s=at_s, number=len(versions) + 1, job=job, wake_at=wake_at(job)))
        return job

    def call(self, at_s, job, verdict):
        self.history.calls.append(
            Call(at_s=at_s, provider="gepetto", job_id=job.id, verdict=verdict)
        )

    def create(self, number, tenant, **changes):
        job = queued(number, tenant, **changes)
        return self.write((job.created_at - moment(0)).total_seconds(), job)

    def send(self, job, at_s, *, poll_at_s=890.0):
        claim = Claim(token=f"c{at_s}", expires_at=moment(at_s + 40))
        job = self.write(at_s, claimed(job, claim=claim, at=moment(at_s)))
        self.call(at_s, job, Verdict.ACCEPTED)
        return self.write(
            at_s + 0.1,
            accepted(
                job,
                claim=claim,
                provider_job_id=f"p-{job.id}",
                provider_status="pending",
                poll_at=moment(poll_at_s),
                at=moment(at_s + 0.1),
            ),
        )

    def refuse(self, job, at_s):
        return self._tried(
            job,
            at_s,
            Verdict.ACCOUNT_REFUSED,
            note="403",
            refusal=ProviderReply(status=403, message=""),
        )

    def throttle(self, job, at_s):
        return self._tried(job, at_s, Verdict.BUSY, note="429", is_throttled=True)

    def _tried(self, job, at_s, verdict, **why):
        claim = Claim(token=f"c{at_s}", expires_at=moment(at_s + 40))
        job = self.write(at_s, claimed(replace(job, call_at=None), claim=claim, at=moment(at_s)))
        self.call(at_s, job, verdict)
        return self.write(
            at_s + 0.1,
            requeued(
                job,
                claim=claim,
                call_at=moment(at_s + 0.1),
                at=moment(at_s + 0.1),
                **why,
            ),
        )
