"""What a run reads of its account's queue, and whom it sends next."""

from datetime import timedelta

import pytest

from relay.application.ports import Queued, Stored, Unreadable
from relay.application.submission_queue import (
    FIRST_LOOK_WITHIN,
    MAX_UNLIKELY,
    Floors,
    SubmissionQueue,
)
from relay.domain.due import WRITTEN_WITHIN
from relay.domain.job import ErrorCode, Priority
from relay.domain.queue import Span, keys_of, queue_key
from tests.factories import NOON, a_job, job_id, later

DAY = later(86_400)
LEAST_S, MOSTLY_S = 5.0, 50.0


def a_queue(*, floors=None, weights=None, calls_per_s=1.9):
    return SubmissionQueue(
        weights=weights or {},
        starts={},
        floors=floors or {},
        calls_per_s=calls_per_s,
        duration_range_s=lambda _: (LEAST_S, MOSTLY_S),
        now=NOON,
    )


def queued(number, *, version=1, **changes):
    job = a_job(
        **({"id": job_id(number), "created_at": later(-900 + number), "deadline_at": DAY} | changes)
    )
    key = queue_key(job)
    assert key is not None
    return Queued(key, Stored(job, version))


def look(queue, *found, at=NOON):
    """Make the next look, which finds this; return it."""
    (read,) = [one for one in queue.next_reads(now=at, looks=True) if one.tenant is None]
    queue.take_page(read, list(found)[: read.limit], now=at)
    return read


def first(queue, tenant="demo", *, at=NOON, suspects=True, avoid=()):
    found = queue.first(tenant, now=at, suspects=suspects, avoid=avoid)
    return None if found is None else found.job.id


def test_the_first_look_is_for_everything_as_many_as_go_out_in_two_seconds():
    queue = a_queue()

    read = look(queue)

    assert (read.spans, read.limit) == ([Span("", "\x7f")], 4)
    assert queue.has_looked


def test_a_look_among_many_tenants_is_for_two_jobs():
    queue = a_queue()
    found = [queued(number, tenant=f"tenant-{number}") for number in range(4)]
    look(queue, *found)

    assert look(queue).limit == 2


def test_a_look_that_filled_its_page_goes_on_beside_the_tenants_that_it_found():
    queue = a_queue()

    look(queue, *(queued(number, tenant="a") for number in range(4)))

    assert not queue.has_looked
    assert look(queue).spans == [Span(keys_of("a").before, "\x7f")]
    assert queue.has_looked


def test_calls_wait_for_the_first_look_for_at_most_a_second():
    queue = a_queue()

    assert not queue.can_serve(now=NOON + FIRST_LOOK_WITHIN - timedelta(microseconds=1))
    assert queue.can_serve(now=NOON + FIRST_LOOK_WITHIN)

    look(queue)

    assert queue.can_serve(now=NOON)


def test_a_line_is_read_on_when_half_of_what_goes_out_in_two_seconds_is_left():
    queue = a_queue()
    look(queue, *(queued(number) for number in range(4)))
    look(queue)

    reads = []
    for number in range(4):
        reads.append([one.tenant for one in queue.next_reads(now=NOON, looks=False)])
        queue.check_out(queued(number).item)

    assert reads == [[], [], ["demo"], []]


def test_a_job_that_was_read_is_not_looked_for_again():
    queue = a_queue()
    jobs = [queued(0, tenant="a"), queued(1, tenant="b")]

    look(queue, *jobs)

    spans = look(queue, at=later(5)).spans
    for job in jobs:
        assert not any(span.after < job.key < span.before for span in spans)


def test_normal_jobs_are_looked_for_before_the_low_ones_that_are_known():
    queue = a_queue()
    look(queue, queued(0, priority=Priority.LOW))
    late = queued(5, created_at=later(1))

    spans = look(queue, late, at=later(2)).spans

    assert any(span.after < late.key < span.before for span in spans)
    assert first(queue) == job_id(5)


def test_normal_jobs_are_looked_for_between_the_normal_and_the_low_ones_that_are_known():
    queue = a_queue()
    known = [queued(0), queued(1, priority=Priority.LOW)]
    look(queue, *known)
    late = queued(5, created_at=later(1))

    spans = look(queue, late, at=later(2)).spans

    assert any(span.after < late.key < span.before for span in spans)
    for job in known:
        assert not any(span.after < job.key < span.before for span in spans)


def test_a_job_that_is_being_sent_and_found_again_is_not_sent_twice():
    queue = a_queue()
    job = queued(0)
    look(queue, job)
    queue.check_out(job.item)

    queue.take_page(
        next(queue.next_reads(now=later(2), looks=True)), [queued(0, version=2)], now=later(2)
    )

    assert first(queue) is None


def test_a_job_that_comes_back_goes_first():
    queue = a_queue()
    look(queue, *(queued(number) for number in range(2)))
    returned = queued(9, tries=1)

    queue.put(returned.item)

    assert first(queue) == job_id(9)


def test_a_job_that_was_stopped_last_is_avoided_if_there_is_another():
    queue = a_queue()
    look(queue, *(queued(number) for number in range(2)))

    assert first(queue, avoid=[job_id(0)]) == job_id(1)
    queue.check_out(queued(1).item)
    assert first(queue, avoid=[job_id(0)]) == job_id(0)


def test_suspects_go_first_where_they_may_be_tried_and_wait_where_not():
    queue = a_queue()
    look(queue, queued(0))
    suspect = Stored(a_job(id=job_id(7), call_at=NOON, refusal=ErrorCode.PROVIDER_AUTH), 1)

    queue.put_suspect(suspect)

    assert first(queue) == job_id(7)
    assert first(queue, suspects=False) == job_id(0)


def test_the_oldest_suspect_of_a_tenant_is_tried_first():
    queue = a_queue()
    refused = {"call_at": NOON, "refusal": ErrorCode.PROVIDER_AUTH}
    for number, age_s in enumerate([10, 30, 20]):
        job = a_job(id=job_id(number), created_at=later(-age_s), **refused)
        queue.put_suspect(Stored(job, 1))

    assert first(queue) == job_id(1)


def test_a_suspect_is_told_of_until_what_came_of_its_try_is_known():
    queue = a_queue()
    suspect = Stored(a_job(id=job_id(7), call_at=NOON, refusal=ErrorCode.PROVIDER_AUTH), 1)
    queue.put_suspect(suspect)

    queue.check_out(suspect)

    assert queue.suspects() == [suspect]
    queue.check_in(suspect.job)
    assert queue.suspects() == []


def test_a_suspect_whose_deadline_has_passed_is_handed_out_once():
    queue = a_queue()
    past, waiting = (
        Stored(
            a_job(id=job_id(number), refusal=ErrorCode.PROVIDER_AUTH, deadline_at=later(at_s)), 1
        )
        for number, at_s in ((1, 60), (2, 60.001))
    )
    for suspect in (past, waiting):
        queue.put_suspect(suspect)

    assert queue.suspects_past_deadline(now=later(59.999)) == []
    assert queue.suspects_past_deadline(now=later(60)) == [past]
    assert queue.suspects_past_deadline(now=later(60)) == []
    assert queue.suspects() == [waiting]


def test_a_job_that_is_being_ended_waits_no_more():
    queue = a_queue()
    suspect = Stored(a_job(id=job_id(7), refusal=ErrorCode.PROVIDER_AUTH), 1)
    unlikely, head = queued(0, deadline_at=later(MOSTLY_S - 1)), queued(1)
    look(queue, unlikely, head)
    queue.put_suspect(suspect)
    assert first(queue, suspects=False) == job_id(1)

    for job in (unlikely.item.job, head.item.job):
        queue.remove(job)
    assert (len(queue), queue.suspects()) == (1, [suspect])
    queue.remove(suspect.job)

    assert (len(queue), queue.tenants(), queue.suspects()) == (0, [], [])


def test_what_comes_too_late_is_given_up_and_what_is_unlikely_yields():
    queue = a_queue()
    too_late = queued(0, deadline_at=later(LEAST_S - 1))
    unlikely = queued(1, deadline_at=later(MOSTLY_S - 1))
    look(queue, too_late, unlikely, queued(2))

    assert first(queue) == job_id(2)
    assert queue.infeasible == [too_late.item]

    queue.check_out(queued(2).item)

    assert first(queue) == job_id(1)


def test_a_document_that_does_not_parse_is_handed_out_once():
    queue = a_queue()
    poison = Queued(queued(0).key, Unreadable(job_id(0), "no field"))

    (read,) = queue.next_reads(now=NOON, looks=True)

    assert queue.take_page(read, [poison], now=NOON) == [poison.item]
    assert look(queue, at=later(2)).spans is not None
    assert first(queue) is None


def test_there_is_one_look_at_a_time_however_long_it_takes():
    queue = a_queue()
    (read,) = queue.next_reads(now=NOON, looks=True)

    assert list(queue.next_reads(now=later(5), looks=True)) == []

    queue.take_page(read, [], now=later(5))
    assert len(list(queue.next_reads(now=later(6), looks=True))) == 1


def test_four_lines_are_read_on_at_a_time():
    queue = a_queue()
    for line in range(6):
        look(queue, *(queued(10 * line + one, tenant=f"tenant-{line}") for one in range(4)))
    for line in range(6):
        while (stored := queue.first(f"tenant-{line}", now=NOON, suspects=True)) is not None:
            queue.check_out(stored)

    assert len(list(queue.next_reads(now=NOON, looks=False))) == 4


def test_a_look_that_failed_is_made_again_a_second_later():
    queue = a_queue()
    (read,) = queue.next_reads(now=NOON, looks=True)

    queue.read_failed(read, now=NOON)

    assert list(queue.next_reads(now=later(0.9), looks=True)) == []
    assert len(list(queue.next_reads(now=later(1), looks=True))) == 1


def test_the_floor_of_a_tenant_is_its_oldest_job_or_what_may_still_be_written():
    queue = a_queue(floors={"gone": Floors(normal=later(-5000), low=None)})
    assert queue.floors() == {"gone": Floors(normal=later(-5000), low=None)}

    oldest = queued(0)
    low = queued(700, priority=Priority.LOW)
    look(queue, oldest, queued(1), low)

    empty_until = NOON - WRITTEN_WITHIN
    floors = queue.floors()
    assert floors["gone"] == Floors(normal=empty_until, low=empty_until)
    assert floors["demo"] == Floors(normal=oldest.item.job.created_at, low=low.item.job.created_at)

    queue.check_out(oldest.item)
    assert queue.floors()["demo"].normal == oldest.item.job.created_at
    queue.check_in(oldest.item.job)
    assert queue.floors()["demo"].normal == queued(1).item.job.created_at


@pytest.mark.parametrize("priority", Priority)
def test_a_floor_does_not_pass_jobs_that_were_not_read_yet(priority):
    queue = a_queue()
    page = [queued(number, priority=priority) for number in range(4)]
    look(queue, *page)
    look(queue)
    for one in page:
        queue.check_out(one.item)
        queue.check_in(one.item.job)

    # The next job may have been created at the same moment as the last that was read.
    last = page[-1].item.job.created_at
    floors = queue.floors()["demo"]
    assert (floors.normal if priority is Priority.NORMAL else floors.low) == last


def test_a_floor_stays_where_it_was_until_fresh_jobs_are_read():
    before = Floors(normal=later(-1000), low=later(-999))
    queue = a_queue(floors={"demo": before})

    look(queue, *(queued(number, tries=1) for number in range(4)))
    look(queue)

    assert queue.floors()["demo"] == before


def test_a_floor_is_not_looked_below():
    queue = a_queue(floors={"demo": Floors(normal=later(-100), low=None)})
    before, after = queued(700), queued(900)

    spans = look(queue).spans

    assert not any(span.after < before.key < span.before for span in spans)
    assert any(span.after < after.key < span.before for span in spans)


def test_a_floor_is_not_looked_below_beside_the_low_jobs_that_are_known():
    queue = a_queue(floors={"demo": Floors(normal=later(-100), low=None)})
    look(queue, queued(900, priority=Priority.LOW))

    spans = look(queue, at=later(1)).spans

    below, above = queued(700).key, queued(850).key
    assert not any(one.after < below < one.before for one in spans)
    assert any(one.after < above < one.before for one in spans)


def test_what_is_read_ahead_shrinks_again_once_the_store_has_recovered():
    queue = a_queue()
    (slow,) = queue.next_reads(now=NOON, looks=True)
    queue.take_page(slow, [], now=later(4))

    limits = [look(queue, at=later(5 + second)).limit for second in range(4)]

    assert limits[0] == 4 * limits[-1] == 16


def test_more_unlikely_jobs_than_there_is_room_for_stay_in_the_queue():
    queue = a_queue()
    soon = {"deadline_at": later(MOSTLY_S - 1)}
    jobs = [queued(number, **soon) for number in range(1, MAX_UNLIKELY + 3)]
    for one in jobs:
        assert isinstance(one.item, Stored)
        queue.put(one.item)

    assert first(queue) == job_id(1)

    assert len(queue) == MAX_UNLIKELY
    assert queue.infeasible == []


def test_pages_grow_past_jobs_that_come_too_late():
    queue = a_queue()
    late = [queued(number, deadline_at=later(10)) for number in range(200)]
    look(queue, *late)
    limits, done = [], 4

    while queue.tenants_to_read() or first(queue) is None or done < len(late):
        reads = [one for one in queue.next_reads(now=NOON, looks=False) if one.tenant is not None]
        if not reads:
            break
        limits.append(reads[0].limit)
        queue.take_page(reads[0], late[done : done + reads[0].limit], now=NOON)
        done += reads[0].limit
        first(queue)

    assert done >= len(late)
    assert len(limits) <= 9


def test_pages_are_small_again_once_a_job_is_sent():
    queue = a_queue()
    found = [queued(number, deadline_at=later(10)) for number in range(8)]
    found += [queued(number) for number in range(8, 40)]
    look(queue, *found)
    done = 4
    while queue.first("demo", now=NOON, suspects=True) is None or done <= 8:
        (read,) = queue.next_reads(now=NOON, looks=False)
        queue.take_page(read, found[done : done + read.limit], now=NOON)
        done += read.limit

    limits = []
    for _ in range(done - 1, 30):
        stored = queue.first("demo", now=NOON, suspects=True)
        queue.check_out(stored)
        for read in queue.next_reads(now=NOON, looks=False):
            limits.append(read.limit)
            queue.take_page(read, found[done : done + read.limit], now=NOON)
            done += read.limit

    assert limits
    assert max(limits) <= 4


def test_a_look_that_failed_is_repeated_with_fewer_spans_until_one_succeeds():
    queue = a_queue()
    look(queue, *(queued(number, tenant=tenant) for number, tenant in enumerate("abc")))
    at, spans = later(1), []
    for _ in range(3):
        (read,) = queue.next_reads(now=at, looks=True)
        spans.append(read.spans)
        queue.read_failed(read, now=at)
        at += timedelta(seconds=1)

    after = [look(queue, at=at).spans for _ in range(3)]

    assert [len(one) for one in spans] == [4, 2, 1]
    assert [len(one) for one in after] == [1, 2, 1]
    assert [*after[0], *after[1], *after[2]] == list(spans[0])


def test_a_run_leaves_no_span_out_of_its_last_look_although_looks_failed():
    queue = a_queue()
    look(queue, *(queued(number, tenant=tenant) for number, tenant in enumerate("abc")))
    (read,) = queue.next_reads(now=later(1), looks=True)
    queue.read_failed(read, now=later(1))

    assert queue.unread_spans() == list(read.spans)


def serve_a_long_line(*, reads_take_s):
    """Send two jobs a second for a minute; return what each read asked for, and how many went."""
    queue = a_queue()
    look(queue, *(queued(number) for number in range(4)))
    limits, found, sent, at, under_way = [], 4, 0, NOON, None
    for _ in range(120):
        at += timedelta(seconds=0.5)
        if under_way is not None and (at - under_way.began_at).total_seconds() >= reads_take_s:
            page = [queued(number) for number in range(found, found + under_way.limit)]
            queue.take_page(under_way, page, now=at)
            found += under_way.limit
            under_way = None
        for read in queue.next_reads(now=at, looks=False):
            limits.append(read.limit)
            under_way = read
        stored = queue.first("demo", now=at, suspects=True)
        if stored is not None:
            queue.check_out(stored)
            sent += 1
    return limits, sent


def test_two_seconds_are_read_ahead_while_reads_are_quick():
    limits, sent = serve_a_long_line(reads_take_s=0.5)

    assert set(limits) == {4}
    assert sent == 120


def test_more_is_read_ahead_while_reads_are_slow_so_that_calls_do_not_wait():
    limits, sent = serve_a_long_line(reads_take_s=3)

    # Twice three seconds at 1.9 calls a second.
    assert (limits[0], limits[-1]) == (4, 12)
    assert sent >= 110


def test_no_more_is_read_ahead_than_for_eight_seconds():
    limits, _ = serve_a_long_line(reads_take_s=20)

    assert max(limits) == 16


def test_no_page_is_larger_than_the_store_answers_in_time():
    queue = a_queue(calls_per_s=10_000)

    assert look(queue).limit == 500


def test_each_unlikely_job_is_given_up_by_its_own_time_and_its_own_operations_shortest_render():
    ranges_s = {"redesign": (5.0, 50.0), "furnish": (20.0, 60.0)}
    queue = SubmissionQueue(
        weights={},
        starts={},
        floors={},
        calls_per_s=1.9,
        duration_range_s=ranges_s.__getitem__,
        now=NOON,
    )
    slow = queued(0, operation="furnish", deadline_at=later(30))
    look(queue, slow, queued(1, operation="redesign", deadline_at=later(40)))

    assert first(queue, at=later(9)) == job_id(0)
    assert first(queue, at=later(15)) == job_id(1)
    assert queue.infeasible == [slow.item]


def test_a_document_that_does_not_parse_is_no_new_job():
    assert not a_queue().is_new(Queued(queued(0).key, Unreadable(job_id(0), "no field")))
    assert a_queue().is_new(queued(0))


def test_a_job_that_was_changed_replaces_what_was_known_of_it():
    queue = a_queue()
    look(queue, queued(0))

    queue.put(queued(0, version=2).item)

    assert len(queue) == 1
    assert queue.first("demo", now=NOON, suspects=False).version == 2


def test_it_was_last_looked_at_when_the_last_complete_look_began():
    queue = a_queue()
    look(queue)
    assert queue.looked_at == NOON

    look(queue, *(queued(number, tenant="a") for number in range(4)), at=later(1))
    assert queue.looked_at == NOON
    look(queue, at=later(2))

    assert queue.looked_at == later(1)
