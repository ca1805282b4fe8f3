"""The checker of P8 and P9 on histories made by hand, one for each way to break them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from infra.simulator.history import Call, History, Throttled, Verdict, Version, moment
from infra.simulator.sharing import sharing
from relay.domain.due import wake_at
from relay.domain.job import Actor, Claim, Entry, ErrorCode, OnUnconfirmed, Status
from relay.domain.limits import Limit
from relay.domain.transitions import accepted, claimed, requeued, resubmitted, unconfirmed
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


class Told:
    """A history that is told event by event."""

    def __init__(self):
        self.history = History(limits={"gepetto": LIMIT}, at_once=1, is_steady=True, is_prompt=True)

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
        claim = Claim(token=f"c{at_s}", expires_at=moment(at_s + 40))
        job = self.write(at_s, claimed(replace(job, call_at=None), claim=claim, at=moment(at_s)))
        self.call(at_s, job, Verdict.ACCOUNT_REFUSED)
        return self.write(
            at_s + 0.1,
            requeued(
                job,
                claim=claim,
                call_at=moment(at_s + 0.1),
                note="403",
                refusal=ErrorCode.PROVIDER_AUTH,
                at=moment(at_s + 0.1),
            ),
        )

    @property
    def broken(self):
        return sorted({promise for promise, _, _ in sharing(self.history)})


@pytest.fixture
def told():
    return Told()


def test_two_tenants_in_turn_keep_both_promises(told):
    jobs = [told.create(number, "ab"[number % 2]) for number in range(40)]

    for number, job in enumerate(jobs):
        told.send(job, 10.0 + number)

    assert told.broken == []


def test_a_tenant_whose_jobs_all_go_last_has_not_had_its_share(told):
    jobs = [told.create(number, "a" if number < 30 else "b") for number in range(60)]

    for number, job in enumerate(jobs):
        told.send(job, 10.0 + number * 0.5)

    assert told.broken == ["P8"]


def test_weights_are_part_of_the_share(told):
    told.history.weights = {"a": 3}
    ours = [told.create(number, "a") for number in range(45)]
    theirs = [told.create(100 + number, "b") for number in range(15)]

    at_s = 10.0
    while ours:
        for _ in range(3):
            told.send(ours.pop(0), at_s)
            at_s += 0.5
        told.send(theirs.pop(0), at_s)
        at_s += 0.5

    assert told.broken == []


def test_submissions_go_before_a_poll_that_is_due(told):
    waits = told.send(told.create(500, "b"), 1.0, poll_at_s=20.0)
    jobs = [told.create(number, "a") for number in range(20)]

    for number, job in enumerate(jobs):
        told.send(job, 27.0 + number)
    told.call(60.0, waits, None)

    assert told.broken == ["P8"]


def test_the_polls_of_one_tenant_go_before_anothers(told):
    waits = told.send(told.create(500, "b"), 1.0, poll_at_s=20.0)
    others = [told.send(told.create(number, "a"), 2.0 + number / 9) for number in range(20)]

    for number, job in enumerate(others):
        told.call(27.0 + number, job, None)
    told.call(60.0, waits, None)

    assert told.broken == ["P8"]


def test_a_younger_job_of_the_same_tenant_goes_first(told):
    told.create(1, "a", deadline_s=1800.0)
    younger = [told.create(10 + number, "a", at_s=1.0 + number) for number in range(40)]

    for number, job in enumerate(younger):
        told.send(job, 10.0 + number * 10)

    assert told.broken == ["P8"]


def test_a_tenant_without_trouble_is_left_alone(told):
    told.create(1, "a")
    told.send(told.create(2, "b"), 10.0)

    assert told.broken == ["P8"]


def test_a_refused_job_is_the_probe_twice_while_another_tenant_has_one(told):
    refused = told.create(1, "a")
    told.create(2, "b")

    told.refuse(told.refuse(refused, 10.0), 41.0)

    assert told.broken == ["P8"]


def test_a_provider_that_said_slow_down_is_called(told):
    job = told.create(1, "a")
    claim = Claim(token="c", expires_at=moment(50))
    sent = told.write(10.0, claimed(job, claim=claim, at=moment(10)))
    told.call(10.0, sent, Verdict.BUSY)
    told.history.throttled.append(
        Throttled(at_s=10.2, provider="gepetto", job_id=job.id, retry_after_s=40.0)
    )
    told.send(told.create(2, "b", at_s=20.0), 25.0)

    assert told.broken == ["P8"]


@pytest.mark.parametrize(("times", "broken"), [(3, []), (4, ["P9"])])
def test_a_job_is_submitted_three_times_at_most(told, times, broken):
    told.history.is_steady = False
    job = told.create(1, "a", on_unconfirmed=OnUnconfirmed.RESUBMIT)

    for number in range(times):
        told.call(10.0 + number * 200, job, Verdict.UNCLEAR)

    assert told.broken == broken


def test_a_job_is_sent_again_too_soon(told):
    told.history.is_steady = False
    job = told.create(1, "a", on_unconfirmed=OnUnconfirmed.RESUBMIT)
    claim = Claim(token="c", expires_at=moment(50))
    job = told.write(10.0, claimed(job, claim=claim, at=moment(10)))
    job = told.write(11.0, unconfirmed(job, claim=claim, note="timeout", at=moment(11)))

    told.write(41.0, resubmitted(job, at=moment(41)))

    assert told.broken == ["P9"]


def test_a_job_is_sent_that_cannot_be_in_time(told):
    told.history.is_steady = False
    job = told.create(1, "a")

    told.call(905.0 + timedelta(seconds=3).total_seconds(), job, Verdict.ACCEPTED)

    assert told.broken == ["P9"]
