"""What a scan reads, keeps, and passes on to the next one."""

from datetime import timedelta

import pytest

from relay.application.due_jobs import DueJob, Lane
from relay.application.due_scan import (
    MAX_IN_HAND,
    PAGE,
    RETRY_AFTER,
    SCAN_MARGIN,
    DueScan,
)
from relay.application.ports import DuePage, Stored, Unreadable
from relay.application.waker import WAKE_EVERY_S
from relay.domain.due import WRITTEN_WITHIN
from relay.domain.job import ErrorCode
from tests.factories import NOON, a_job, job_id, later, processing_job


def a_scan(*, floor=None, is_one_pass=False, take_suspect=None):
    return DueScan(floor=floor, is_one_pass=is_one_pass, take_suspect=take_suspect, now=NOON)


def stored(job, version=1):
    return Stored(job, version)


def read(scan, *items, at=NOON, more_after=None):
    due = scan.next_read(now=at)
    assert due is not None
    return scan.take_page(due, DuePage(items, more_after), now=at)


def test_the_first_look_begins_at_the_floor_and_the_next_a_second_later_where_it_ended():
    scan = a_scan(floor=later(-500))

    first = scan.next_read(now=NOON)
    assert (first.after, first.until) == (later(-500), later(1))
    assert scan.next_read(now=NOON) is None
    scan.take_page(first, DuePage([], None), now=NOON)

    assert scan.next_read(now=later(0.999)) is None
    second = scan.next_read(now=later(1))
    assert (second.after, second.until) == (NOON - SCAN_MARGIN, later(2))


def test_the_next_look_is_when_the_pump_would_leave_if_that_is_sooner():
    scan = a_scan()
    scan.stay(until=later(0.5))

    read(scan)

    assert scan.next_read(now=later(0.499)) is None
    assert scan.next_read(now=later(0.5)) is not None


def test_a_job_that_is_due_as_late_as_was_asked_for_is_where_it_belongs():
    scan = a_scan()

    # A look reads a second ahead.
    assert read(scan, stored(processing_job(call_at=later(1)))) == []
    assert len(read(scan, stored(processing_job(call_at=later(2.001))), at=later(1))) == 1


def test_a_full_page_is_read_on_from_at_once():
    scan = a_scan()

    read(scan, stored(processing_job()), more_after=later(-60))

    assert not scan.has_looked
    assert scan.next_read(now=NOON).after == later(-60)


def test_a_look_that_failed_is_made_again_a_second_later_from_the_same_place():
    scan = a_scan(floor=later(-500))

    scan.read_failed(scan.next_read(now=NOON), now=NOON)

    assert scan.next_read(now=later(0.5)) is None
    assert scan.next_read(now=later(1)).after == later(-500)
    assert not scan.has_looked


def test_one_pass_looks_once():
    scan = a_scan(is_one_pass=True)

    read(scan)

    assert scan.next_read(now=later(60)) is None


def test_documents_that_do_not_parse_are_handed_out_and_refused_jobs_become_suspects():
    suspects: list[Stored] = []
    scan = a_scan(take_suspect=suspects.append)
    refused = stored(a_job(call_at=NOON, refusal=ErrorCode.PROVIDER_AUTH))
    poison = Unreadable(job_id(9), "no field")

    assert read(scan, poison, refused) == [poison]
    assert suspects == [refused]
    assert len(scan.due_jobs) == 0


def read_polls(scan, number):
    """Read so many jobs to poll, each due a second after the one before."""
    jobs = [
        stored(processing_job(id=job_id(one), history=(), call_at=later(-2000 + one)))
        for one in range(number)
    ]
    read(scan, *jobs)


def make_room(scan):
    """Serve so many polls that those left behind are read."""
    for _ in range(MAX_IN_HAND // 2 + 1):
        scan.due_jobs.remove(scan.due_jobs.first(Lane.POLL, at=NOON, tenant="demo").job.id)


def test_more_polls_than_there_is_room_for_are_left_and_read_again_from_where_they_were():
    scan = a_scan()

    read_polls(scan, MAX_IN_HAND + PAGE)

    assert scan.due_jobs.count(Lane.POLL, "demo") == MAX_IN_HAND == 1000
    assert scan.is_behind
    make_room(scan)
    left = scan.next_read(now=later(0.1))
    assert left.after == later(-2000 + MAX_IN_HAND) - timedelta(microseconds=1)


def test_a_read_of_jobs_left_behind_that_failed_is_made_again_a_second_later():
    scan = a_scan()
    read_polls(scan, MAX_IN_HAND + 1)
    make_room(scan)
    left = scan.next_read(now=later(0.1))

    scan.read_failed(left, now=later(0.2))

    assert scan.next_read(now=later(1.1)) is None
    scan.take_page(scan.next_read(now=later(1.2)), DuePage([], None), now=later(1.2))
    assert scan.next_read(now=later(1.2)).after == left.after


def test_a_tenant_with_many_polls_leaves_room_for_those_of_another():
    scan = a_scan()
    many = [stored(processing_job(id=job_id(number), tenant="busy")) for number in range(1200)]

    read(scan, *many, stored(processing_job(id=job_id(5000), tenant="quiet")))

    assert scan.due_jobs.count(Lane.POLL, "quiet") == 1


@pytest.mark.parametrize(("tenants", "each"), [(10, MAX_IN_HAND // 10), (200, 10)])
def test_tenants_with_many_polls_share_the_room_with_ten_for_each_at_least(tenants, each):
    scan = a_scan()
    jobs = [
        stored(processing_job(id=job_id(number), tenant=f"tenant-{number % tenants}"))
        for number in range(3000)
    ]

    read(scan, *jobs)

    counts = {scan.due_jobs.count(Lane.POLL, f"tenant-{number}") for number in range(tenants)}
    assert counts == {each}


def test_a_pump_stays_half_a_second_longer_than_wake_ups_are_saved():
    scan = a_scan()

    read(scan, stored(processing_job()))

    assert scan.stay_until == later(WAKE_EVERY_S + 0.5)


def test_a_long_run_hands_over_the_floor_of_its_beginning():
    scan = a_scan()
    for second in range(60):
        read(scan, at=later(second))

    # A document that was written late during the run lies behind the cursor of its last scan.
    assert scan.floor(also=[]) <= NOON - WRITTEN_WITHIN


def test_a_job_that_changed_while_a_worker_had_it_is_looked_at_again():
    scan = a_scan()
    read(scan, stored(processing_job(), 1))
    held = scan.due_jobs.first(Lane.POLL, at=NOON, tenant="demo")
    scan.check_out(held)

    scan.offer(stored(processing_job(), 2), now=NOON)
    assert len(scan.due_jobs) == 0
    scan.check_in(held.job.id, now=NOON, due_job=None)

    assert scan.due_jobs.version_of(held.job.id) == 2


def test_a_job_whose_action_failed_is_served_again_a_second_later():
    scan = a_scan()
    read(scan, stored(processing_job()))
    held = scan.due_jobs.first(Lane.POLL, at=NOON, tenant="demo")
    scan.check_out(held)

    scan.retry_later(held, now=NOON)

    assert scan.is_behind
    scan.next_read(now=later(0.5))
    assert len(scan.due_jobs) == 0
    scan.next_read(now=later(1))
    assert len(scan.due_jobs) == 1


def test_the_floor_lies_before_everything_that_is_in_hand_or_may_still_be_written():
    scan = a_scan(floor=later(-5000))
    assert scan.floor(also=[]) == later(-5000)

    read(scan)
    tick = timedelta(microseconds=1)
    assert scan.floor(also=[]) == NOON - SCAN_MARGIN - WRITTEN_WITHIN - tick
    assert scan.floor(also=[later(-700)]) == later(-700) - tick

    read(scan, stored(processing_job(call_at=later(-900), history=())), at=later(1))
    held = scan.due_jobs.first(Lane.POLL, at=NOON, tenant="demo")
    before = later(-900) - tick
    assert scan.floor(also=[]) == before
    assert scan.floor(also=[later(-700), later(-800)]) == before
    scan.check_out(held)
    assert scan.floor(also=[]) == before
    scan.retry_later(held, now=NOON)
    assert scan.floor(also=[]) == before


def test_a_pump_stays_for_the_latest_of_its_reasons():
    scan = a_scan()

    scan.stay(until=later(10))
    scan.stay(until=later(5))

    assert scan.stay_until == later(10)


def test_the_next_read_is_for_the_earliest_retry_if_that_is_before_the_next_scan():
    scan = a_scan()
    job = stored(processing_job())
    read(scan, job)
    assert scan.next_read_at() == later(1)
    scan.check_out(DueJob.found(job))

    scan.retry_later(DueJob.found(job), now=later(-0.5))

    assert scan.next_read_at() == later(-0.5) + RETRY_AFTER


def test_a_job_that_a_worker_has_by_then_is_not_served_a_second_time_when_its_retry_is_due():
    scan, before = a_scan(), processing_job(call_at=NOON)
    read(scan, stored(before))
    scan.check_out(DueJob.found(stored(before)))
    scan.retry_later(DueJob.found(stored(before)), now=later(0.5))
    read(scan, stored(before, version=2), at=later(1))
    scan.check_out(DueJob.found(stored(before, version=2)))

    scan.next_read(now=later(0.5) + RETRY_AFTER)

    assert len(scan.due_jobs) == 0
