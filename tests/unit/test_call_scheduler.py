"""Which job gets the next call: whose turn it is, who has had enough, and what a probe avoids."""

from datetime import datetime

import pytest

from relay.application.call_scheduler import CallScheduler
from relay.application.due_jobs import DueJob, DueJobs
from relay.application.ports import Stored
from relay.application.submission_queue import SubmissionQueue
from relay.domain.admission import (
    FAILURES_TO_OPEN,
    Admission,
    CallKind,
    CallReport,
    CallResult,
    Flight,
    Stop,
    TenantState,
)
from relay.domain.job import Job
from tests.factories import NOON, a_hold, a_job, job_id, later, processing_job

DAY = later(86_400)
# Queues serve even unread from now on.
NOW = later(5)
ANSWERED = CallReport(result=CallResult.ANSWERED, ended_s=0.0)


def queued(number: int, tenant: str) -> Job:
    return a_job(id=job_id(number), tenant=tenant, deadline_at=DAY)


def polled(number: int, tenant: str) -> Job:
    return processing_job(id=job_id(number), tenant=tenant, deadline_at=DAY)


def a_scheduler(
    *jobs: Job, admission: Admission | None = None, most_in_flight: int = 8
) -> CallScheduler:
    queue = SubmissionQueue(
        weights={},
        starts={},
        floors={},
        calls_per_s=1.9,
        duration_range_s=lambda _: (5.0, 50.0),
        now=NOON,
    )
    due_jobs = DueJobs()
    for job in jobs:
        if job.is_ready:
            queue.put(Stored(job, 1))
        else:
            due_jobs.put(DueJob.found(Stored(job, 1)), at=NOW)
    return CallScheduler(
        admission or Admission(60.0),
        account="gepetto",
        queue=queue,
        due_jobs=due_jobs,
        most_in_flight=most_in_flight,
        weights={},
        poll_starts={},
        last_kind=CallKind.POLL,
    )


def next_job(scheduler: CallScheduler) -> str | None:
    call = scheduler.next(NOW)
    return None if call is None else call.stored.job.id


def begin_next(scheduler: CallScheduler) -> Flight:
    call = scheduler.next(NOW)
    assert call is not None
    return scheduler.begin(call)


def a_stop(tenant: str, *, job: int = 9, probe_at: datetime = NOON) -> Stop:
    return Stop(since=NOON, probe_at=probe_at, gap_s=30.0, job_id=job_id(job), tenant=tenant)


def broken(tenant: str, *, probe_at: datetime = NOON) -> TenantState:
    """Return the state of a tenant whose own breaker is open."""
    stop = a_stop(tenant, probe_at=probe_at)
    return TenantState(tenant=tenant, failures=FAILURES_TO_OPEN, stop=stop, opened_at=NOON)


def in_flight(tenant: str, *, submissions: int, polls: int) -> Admission:
    admission = Admission(60.0)
    kinds = [CallKind.SUBMIT] * submissions + [CallKind.POLL] * polls
    for number, kind in enumerate(kinds):
        admission.begin(kind, queued(100 + number, tenant), is_suspect=False)
    return admission


@pytest.mark.parametrize(
    ("most", "submissions", "polls", "is_served"),
    [
        # Three quarters of all places, of both kinds together.
        (8, 3, 2, True),
        (8, 3, 3, False),
        # Of one kind, twice as many as are left free.
        (16, 10, 0, True),
        (16, 11, 0, False),
    ],
)
def test_hanging_calls_of_a_tenant_take_only_a_share_of_the_places(
    most, submissions, polls, is_served
):
    admission = in_flight("busy", submissions=submissions, polls=polls)

    alone = a_scheduler(queued(1, "busy"), admission=admission, most_in_flight=most)
    beside = a_scheduler(
        queued(1, "busy"), queued(2, "other"), admission=admission, most_in_flight=most
    )

    assert (next_job(alone) == job_id(1)) == is_served
    assert next_job(beside) == (job_id(1) if is_served else job_id(2))


@pytest.mark.parametrize("make", [queued, polled], ids=["submission", "poll"])
def test_a_probe_is_for_a_job_that_stopped_nothing_although_both_tenants_did(make):
    hold = a_hold(probe_at=NOON, job_id=job_id(1), tenant="a")
    admission = Admission(60.0, hold=hold, pause=a_stop("b", job=2))

    scheduler = a_scheduler(make(1, "a"), make(2, "b"), make(3, "b"), admission=admission)

    assert next_job(scheduler) == job_id(3)


def test_a_probe_is_for_a_tenant_that_stopped_nothing_rather_than_another_job_of_one_that_did():
    hold = a_hold(probe_at=NOON, job_id=job_id(1), tenant="a")
    jobs = [queued(1, "a"), queued(2, "a"), queued(3, "b")]

    assert next_job(a_scheduler(*jobs, admission=Admission(60.0, hold=hold))) == job_id(3)


def test_the_job_that_stopped_the_account_is_its_own_probe_if_there_is_no_other():
    hold = a_hold(probe_at=NOON, job_id=job_id(1), tenant="a")

    assert next_job(a_scheduler(queued(1, "a"), admission=Admission(60.0, hold=hold))) == job_id(1)


@pytest.mark.parametrize(
    ("result", "is_written"),
    [
        (CallResult.ACCEPTED, False),
        (CallResult.ANSWERED, False),
        (CallResult.UNKNOWN, False),
        (CallResult.REFUSED, True),
        (CallResult.THROTTLED, True),
    ],
)
def test_the_account_is_written_at_once_only_if_something_begins_or_ends(result, is_written):
    scheduler = a_scheduler(queued(1, "a"))
    flight = begin_next(scheduler)

    report = CallReport(result=result, ended_s=0.0, status=401)

    assert scheduler.end(flight, report, at=NOW) is is_written


def test_a_breaker_that_stays_open_is_one_line(caplog):
    admission = Admission(60.0, tenants={"a": broken("a")})
    scheduler = a_scheduler(queued(1, "a"), admission=admission)
    flight = begin_next(scheduler)

    is_written = scheduler.end(flight, CallReport(result=CallResult.UNKNOWN, ended_s=0.0), at=NOW)

    assert is_written
    assert caplog.messages == []


def test_an_outage_is_probed_for_a_tenant_whose_own_breaker_is_closed():
    states = {"a": broken("a"), "b": TenantState(tenant="b", failures=1)}
    admission = Admission(60.0, outage=a_stop("c"), tenants=states)

    assert next_job(a_scheduler(queued(1, "a"), queued(2, "b"), admission=admission)) == job_id(2)


def test_an_outage_is_probed_for_whom_it_hit_if_nobody_else_waits():
    state = broken("a", probe_at=later(600))
    admission = Admission(60.0, outage=a_stop("b"), tenants={"a": state})

    assert next_job(a_scheduler(queued(1, "a"), admission=admission)) == job_id(1)


def test_a_tenant_whose_calls_took_its_share_of_places_catches_up_on_polls():
    jobs = [polled(1, "slow"), polled(2, "unhurt")]
    scheduler = a_scheduler(*jobs, admission=in_flight("slow", submissions=0, polls=5))
    hanging = begin_next(scheduler)
    for _ in range(3):
        answered = begin_next(scheduler)
        scheduler.end(answered, ANSWERED, at=NOW)

    scheduler.end(hanging, ANSWERED, at=NOW)
    tenants = [hanging.tenant, answered.tenant]
    for _ in range(2):
        flight = begin_next(scheduler)
        scheduler.end(flight, ANSWERED, at=NOW)
        tenants.append(flight.tenant)

    assert tenants == ["slow", "unhurt", "slow", "slow"]


def test_when_an_outage_may_be_probed_a_poll_goes_first_after_a_submission():
    outage = a_stop("gone")
    jobs = [queued(1, "one"), polled(2, "two")]
    scheduler = a_scheduler(
        *jobs, admission=Admission(60.0, outage=outage, tenants={"one": broken("one")})
    )

    assert next_job(scheduler) == job_id(1)
    scheduler.last_kind = CallKind.SUBMIT
    assert next_job(scheduler) == job_id(2)
