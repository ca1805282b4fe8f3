"""Whole runs of the pump: nothing that is wrong with one job, or for a moment, stops the rest."""

import logging
from itertools import pairwise

import pytest

from relay.application.job_actions import ActionResult, JobActions
from relay.application.pump_run import SET_ASIDE_FOR
from relay.domain.account import Account
from relay.domain.admission import TenantState
from relay.domain.answers import Rendered
from relay.domain.job import Claim, ErrorCode, EventType, Priority, Status
from relay.domain.limits import Limit
from relay.domain.queue import queue_key
from relay.errors import AccountRefused, StoreUnavailable
from tests.factories import (
    JOB_ID,
    NOON,
    OUTPUT,
    a_hold,
    a_job,
    finished_job,
    job_id,
    jobs_of,
    later,
    processing_job,
    submitting_job,
    unconfirmed_job,
)
from tests.fakes import ConcurrentWorkers, InlineWorkers

DONE = Rendered(outputs=(OUTPUT,), provider_status="success")
POISON = {"account": "gepetto", "wakeAt": NOON, "status": "no such status"}


class MachineWithAWanderingClock(InlineWorkers):
    """Workers on a machine whose clock steps back now and then."""

    def __init__(self, clock):
        super().__init__(clock)
        self._steps_left = 9

    def wait(self, timeout_s):
        done = super().wait(timeout_s)
        if done and self._steps_left:
            self._steps_left -= 1
            self._clock.set_back(0.5)
        return done


class StoppingServer(InlineWorkers):
    """Workers of a server that is stopped while they work: nothing ends until they are closed."""

    def __init__(self, world):
        super().__init__(world.clock)
        self._world = world

    def wait(self, timeout_s):
        if self._is_closed:
            return super().wait(timeout_s)
        self._world.is_stopping = True
        return []


def error_lines(caplog):
    return [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR]


def test_a_document_that_does_not_parse_is_set_aside_and_the_others_go_on(world, caplog):
    world.jobs.put_document(job_id(9), POISON)
    world.jobs.put(a_job())

    world.pump().run()

    assert world.jobs.job().status is Status.PROCESSING
    assert world.jobs.document(job_id(9)) == POISON | {"wakeAt": NOON + SET_ASIDE_FOR}
    assert error_lines(caplog) == ["job set aside"]


def test_a_document_that_is_found_broken_while_the_run_closes_is_left_to_the_next(world):
    world.jobs.put_document(job_id(9), POISON)

    world.pump(open_workers=lambda _: StoppingServer(world)).run()
    left = world.accounts.account()
    world.is_stopping = False
    world.clock.advance(300)
    world.pump(open_workers=lambda _: InlineWorkers(world.clock)).run()

    assert left.looked_back_at is None
    assert world.jobs.document(job_id(9))["wakeAt"] > NOON


def test_a_run_that_scanned_everything_says_when(world):
    world.pump().run()

    assert world.accounts.account().looked_back_at == NOON


def test_a_run_that_set_a_broken_document_aside_has_scanned_everything(world):
    world.jobs.put_document(job_id(9), POISON)

    world.pump().run()

    assert world.accounts.account().looked_back_at == NOON


def test_a_run_that_began_at_the_floors_leaves_the_time_of_the_last_full_scan(world):
    world.pump().run()
    world.clock.advance(300)
    world.pump().run()
    after_five_minutes = world.accounts.account().looked_back_at
    world.clock.advance(599 - world.seconds())
    world.pump().run()
    just_before_ten = world.accounts.account().looked_back_at
    world.clock.advance(1)
    world.pump().run()

    assert after_five_minutes == just_before_ten == NOON
    assert world.accounts.account().looked_back_at >= later(600)


def looks_at_the_queue(world):
    """Return a list that grows by the spans and the limit of every query of the queue."""
    looks, queued = [], world.jobs.queued

    def seen(account, *, spans, limit):
        looks.append((spans, limit))
        return queued(account, spans=spans, limit=limit)

    world.jobs.queued = seen
    return looks


def is_looked_for(looks, job):
    key = queue_key(job)
    return any(one.after < key < one.before for spans, _ in looks for one in spans)


@pytest.mark.parametrize("priority", Priority)
def test_a_run_does_not_look_below_the_floors_that_the_last_one_left(world, priority):
    left = TenantState(tenant="demo", normal_floor=later(-300), low_floor=later(-200))
    floor_s = {Priority.NORMAL: -300, Priority.LOW: -200}[priority]
    world.accounts.put(Account(name="gepetto", tenants=(left,), looked_back_at=NOON))
    looks = looks_at_the_queue(world)

    world.pump(window_s=0).run()

    assert is_looked_for(looks, a_job(priority=priority, created_at=later(floor_s + 1)))
    assert not is_looked_for(looks, a_job(priority=priority, created_at=later(floor_s - 1)))


def test_a_pump_reads_as_many_queued_jobs_at_first_as_go_out_in_two_seconds(world):
    world.provider.limit = Limit(calls=120, window_s=60.0)
    looks = looks_at_the_queue(world)

    world.pump(window_s=0).run()

    assert looks[0][1] == 4


def test_lines_of_the_pump_name_the_account(world, caplog):
    world.jobs.put(processing_job())
    world.provider.on_poll(ZeroDivisionError("a bug"))

    world.pump(window_s=0).run()

    (line,) = [one for one in caplog.records if one.message == "job set aside"]
    assert line.fields == {"account": "gepetto", "job_id": JOB_ID, "why": "ZeroDivisionError"}


@pytest.mark.parametrize(
    ("priority", "left"),
    [
        (Priority.NORMAL, TenantState(tenant="demo", normal_floor=later(-300))),
        (Priority.LOW, TenantState(tenant="demo", low_floor=later(-300))),
    ],
    ids=list(Priority),
)
def test_the_floor_of_one_priority_counts_without_the_others(world, priority, left):
    world.accounts.put(Account(name="gepetto", tenants=(left,), looked_back_at=NOON))
    looks = looks_at_the_queue(world)

    world.pump(window_s=0).run()

    assert not is_looked_for(looks, a_job(priority=priority, created_at=later(-301)))


def test_the_floor_of_due_jobs_passes_no_refused_job_that_waits_to_be_tried_again(world):
    hold = a_hold(probe_at=later(600))
    world.accounts.put(Account(name="gepetto", hold=hold))
    world.jobs.put(a_job(call_at=later(-700), refusal=ErrorCode.PROVIDER_AUTH, history=()))

    world.pump(window_s=0).run()

    assert world.accounts.account().due_floor < later(-700)


def test_the_floor_of_a_tenant_passes_the_jobs_that_were_sent(world):
    world.jobs.put(a_job(created_at=later(-300)))

    world.pump().run()

    (left,) = world.accounts.account().tenants
    assert left.normal_floor > later(-300)


def test_a_floor_passes_no_broken_document_that_is_being_set_aside(world, caplog):
    world.jobs.put_document(job_id(9), POISON)
    looked_back_at = []

    def set_aside(*_args, **_more):
        world.clock.advance(3)
        looked_back_at.append(world.accounts.account().looked_back_at)
        raise StoreUnavailable("simulated")

    world.jobs.set_aside = set_aside
    world.pump(open_workers=lambda _: ConcurrentWorkers(world.clock)).run()

    # The next pump would scan everything.
    assert set(looked_back_at) == {None}
    assert "left for later" in caplog.messages


def test_a_job_whose_step_breaks_is_set_aside_and_the_others_go_on(world, caplog):
    world.jobs.put(processing_job(), processing_job(id=job_id(2)))
    world.provider.on_poll(ZeroDivisionError("a bug"), DONE)

    world.pump().run()

    assert world.jobs.job(job_id(2)).status is Status.SUCCEEDED
    assert world.jobs.document(JOB_ID)["wakeAt"] == world.jobs.job().deadline_at
    assert error_lines(caplog) == ["job step broke", "job set aside"]
    assert caplog.records[-2].exc_info is not None


def test_the_floor_passes_a_job_that_was_set_aside_because_its_step_broke(world):
    world.jobs.put(processing_job(call_at=later(-700), history=()))
    world.provider.on_poll(ZeroDivisionError("a bug"))

    world.pump(window_s=0).run()

    assert world.accounts.account().due_floor > later(-700)


@pytest.mark.parametrize("deadline_at", [NOON, later(-1)])
def test_a_job_whose_every_step_breaks_is_set_aside_for_long_once_its_deadline_has_passed(
    world, deadline_at
):
    world.jobs.put(processing_job(deadline_at=deadline_at))
    world.provider.on_poll(ZeroDivisionError("a bug"))

    world.pump().run()

    assert world.jobs.document(JOB_ID)["wakeAt"] == NOON + SET_ASIDE_FOR


def test_a_document_that_is_gone_when_it_is_to_be_set_aside_stops_nobody(world):
    def vanish(job):
        world.jobs.remove(job.id)
        raise ZeroDivisionError

    world.jobs.put(processing_job(), processing_job(id=job_id(2)))
    world.provider.on_poll(vanish, DONE)

    world.pump().run()

    assert world.jobs.job(job_id(2)).status is Status.SUCCEEDED


def once_found_in_the_queue(world, happen):
    """Let this happen between the look that finds jobs and the first read of one by id."""
    queued = world.jobs.queued

    def interrupted(*args, **more):
        found = queued(*args, **more)
        if found:
            happen()
        return found

    world.jobs.queued = interrupted


def test_a_job_that_is_gone_when_it_is_to_be_sent_is_no_error(world, caplog):
    world.jobs.put(a_job())
    once_found_in_the_queue(world, lambda: world.jobs.remove(JOB_ID))

    world.pump(window_s=0).run()

    assert world.provider.calls == []
    assert error_lines(caplog) == []


def test_a_job_whose_deadline_passes_before_it_is_read_is_ended_and_not_claimed(world, caplog):
    world.jobs.put(a_job(deadline_at=later(30)))
    read = world.jobs.read

    def frozen(job_id):
        world.jobs.read = read
        world.clock.advance(40)
        return read(job_id)

    world.jobs.read = frozen

    world.pump().run()

    job = world.jobs.job()
    assert world.provider.calls == []
    assert (job.status, job.tries) == (Status.FAILED, 0)
    assert job.finished_at < later(45)
    assert error_lines(caplog) == []


def test_a_job_that_was_removed_and_created_anew_for_another_provider_is_not_sent(world, caplog):
    world.jobs.put(a_job())

    def created_anew():
        world.jobs.remove(JOB_ID)
        world.jobs.put(a_job(provider="spacely", operation="standard"))

    once_found_in_the_queue(world, created_anew)

    world.pump(window_s=0).run()

    assert world.provider.calls == []
    assert world.jobs.job().status is Status.QUEUED
    assert error_lines(caplog) == []


def test_a_job_whose_input_does_not_parse_is_set_aside_once(world, caplog):
    """Its queue is read without inputs."""
    world.jobs.put(a_job())
    world.jobs.put_document(JOB_ID, {**world.jobs.document(JOB_ID), "input": "[]"})

    world.pump(window_s=0).run()

    assert world.provider.calls == []
    assert error_lines(caplog) == ["job set aside"]


def test_a_whole_page_of_poison_does_not_hide_the_jobs_behind_it(world):
    for number in range(400):
        world.jobs.put_document(job_id(1000 + number), POISON)
    world.jobs.put(a_job(call_at=later(1)))

    world.pump().run()

    assert world.jobs.job().status is Status.PROCESSING


def test_a_store_that_is_away_has_the_tick_delivered_again(world):
    world.jobs.is_down = True

    with pytest.raises(StoreUnavailable):
        world.pump().run()


def test_an_account_that_cannot_be_read_has_the_tick_delivered_again(world):
    world.accounts.is_down = True

    with pytest.raises(StoreUnavailable):
        world.pump().run()


@pytest.mark.parametrize(("look", "call"), [("due", "poll"), ("queued", "submit")])
def test_a_single_pass_looks_again_if_a_look_failed(world, look, call):
    world.jobs.put(a_job() if call == "submit" else processing_job())
    found = getattr(world.jobs, look)

    def away_once(*args, **more):
        setattr(world.jobs, look, found)
        raise StoreUnavailable("simulated")

    setattr(world.jobs, look, away_once)

    world.pump(window_s=0).run()

    assert world.provider.called(call) == [JOB_ID]


def test_a_look_at_the_queue_that_failed_is_made_again_a_second_later_by_the_same_run(world):
    world.jobs.put(a_job())
    found = world.jobs.queued

    def slow_and_away_once(*_, **__):
        world.jobs.queued = found
        world.clock.sleep(0.6)
        raise StoreUnavailable("simulated")

    world.jobs.queued = slow_and_away_once

    world.pump(window_s=10, open_workers=lambda _: ConcurrentWorkers(world.clock)).run()

    (call,) = world.provider.calls
    assert (call.at - NOON).total_seconds() == pytest.approx(1.6, abs=0.05)


def test_a_queued_job_that_could_not_be_read_is_sent_before_the_next_look(world):
    world.jobs.put(a_job())
    read = world.store.read

    def away_once(job_id):
        world.store.read = read
        raise StoreUnavailable(job_id)

    world.store.read = away_once

    world.pump(window_s=10).run()

    (call,) = world.provider.calls
    assert (call.at - NOON).total_seconds() < 0.5


def test_no_more_events_are_published_at_a_time_than_there_are_workers(world):
    world.jobs.put(*(processing_job(id=job_id(number)) for number in range(12)))
    world.provider.on_poll(*[DONE] * 12)
    publish, at_once = world.topics.publish_event, []

    def slowly(job, event):
        at_once.append(1)
        most.append(len(at_once))
        world.clock.advance(1)
        at_once.pop()
        publish(job, event)

    most: list[int] = []
    world.topics.publish_event = slowly

    world.pump(workers=4, open_workers=lambda _: ConcurrentWorkers(world.clock)).run()

    assert len(world.topics.events) == 12
    assert max(most) == 4


def test_a_lease_whose_reply_was_lost_is_recognised(world):
    world.jobs.put(a_job())
    world.accounts.lose_replies()

    world.pump(window_s=0).run()

    assert len(world.provider.calls) == 1


def test_an_event_that_is_not_out_is_published_by_the_pump(world):
    world.jobs.put(finished_job(Status.SUCCEEDED))
    world.clock.advance(20)

    world.pump().run()

    assert [event.id for event in world.topics.events] == [f"{JOB_ID}.succeeded"]
    assert world.jobs.job().unpublished == ()
    assert world.provider.calls == []


def test_an_event_that_the_topic_does_not_take_is_tried_again_with_the_same_content(world):
    world.jobs.put(processing_job())
    world.provider.on_poll(DONE)
    world.topics.fail(times=2)

    world.pump().run()

    (event,) = world.topics.events
    assert (event.id, event.announcement.at) == (f"{JOB_ID}.succeeded", NOON)
    assert world.jobs.job().announcements[0].failures == 1
    assert 40 <= world.seconds() < 43


def test_an_event_whose_mark_was_lost_is_published_again_as_the_same(world):
    world.jobs.put(finished_job(Status.FAILED))
    world.clock.advance(20)
    world.topics.publish_event(world.jobs.job(), world.jobs.job().announcements[0])

    world.pump().run()

    first, second = world.topics.events
    assert (first.announcement, first.data) == (second.announcement, second.data)
    assert first.announcement.type is EventType.FAILED


def test_a_pump_with_nothing_to_do_leaves_at_once(world):
    world.pump().run()

    assert world.seconds() == 0
    assert world.jobs.calls == ["due", "queued", "due", "due", "queued"]


def test_a_pump_leaves_when_nothing_more_falls_due_in_its_window(world):
    world.jobs.put(a_job(deadline_at=later(5000)))
    world.provider.on_submit(lambda _: None)

    world.pump(window_s=20).run()

    assert world.seconds() < 3
    assert later(25) <= world.jobs.job().call_at <= later(28)


def test_a_pump_stays_for_what_falls_due_in_its_window(world):
    world.jobs.put(processing_job(call_at=later(40)))

    world.pump().run()

    assert world.provider.calls[0].at == later(40)


def test_a_pump_that_stayed_for_a_job_does_it_without_leaving_in_between(world):
    world.jobs.put(processing_job(call_at=later(40.5)))

    world.pump(window_s=45).run()

    assert [call.at for call in world.provider.calls] == [later(40.5)]
    assert world.accounts.calls.count("read") == 1


def test_a_pump_finds_a_job_that_is_created_while_it_works(world):
    world.jobs.put(processing_job(call_at=later(50)))
    world.clock.after(20, lambda: world.jobs.put(a_job(id=job_id(2), call_at=later(20))))

    world.pump().run()

    submitted = [call.at for call in world.provider.calls if call.kind == "submit"]
    assert later(20) <= submitted[0] <= later(21)


def test_a_window_of_zero_makes_one_pass_over_everything_that_is_due(world):
    world.jobs.put(
        *(
            processing_job(id=job_id(number), call_at=later(-number), history=())
            for number in range(350)
        )
    )
    world.provider.limit = Limit(calls=10_000, window_s=60.0)

    world.pump(window_s=0, workers=32).run()

    assert len(set(world.provider.called("poll"))) == len(world.provider.calls) == 350
    assert world.seconds() == 0


def test_a_single_pass_ends_the_jobs_whose_last_poll_waits_for_one_that_hangs(world):
    world.jobs.put(
        *(processing_job(id=job_id(one), deadline_at=later(-1), history=()) for one in range(3))
    )
    world.provider.takes_s = 25.0

    world.pump(window_s=0, workers=1, open_workers=lambda _: ConcurrentWorkers(world.clock)).run()

    ended = sorted((world.jobs.job(job_id(one)).finished_at - NOON).seconds for one in range(3))
    assert ended == [19, 19, 25]


def test_jobs_of_other_accounts_are_left_alone(world):
    world.jobs.put(a_job(provider="spacely", operation="standard"))

    world.pump().run()

    assert world.provider.calls == []


def test_a_slow_provider_does_not_break_the_limit(world):
    world.jobs.put(*(a_job(id=job_id(number)) for number in range(30)))
    world.provider.limit = Limit(calls=10, window_s=60.0)
    world.provider.takes_s = 7.0

    world.pump(window_s=300).run()

    moments = [(call.at - NOON).total_seconds() for call in world.provider.calls]
    assert len(moments) > 20
    assert max(sum(1 for one in moments if a <= one < a + 60) for a in moments) <= 9


def test_a_clock_that_steps_back_does_not_get_a_job_past_the_hold(world):
    world.jobs.put(a_job())
    world.provider.on_submit(*[AccountRefused(401)] * 9)

    world.pump(window_s=20, open_workers=lambda _: MachineWithAWanderingClock(world.clock)).run()

    assert len(world.provider.calls) == 1
    assert isinstance(world.accounts.account(), Account)


@pytest.mark.parametrize(("found_at_s", "ticks"), [(7.0, []), (9.0, ["gepetto"])])
def test_a_pump_that_cannot_stay_after_what_it_found_last_wakes_the_next_one(
    world, found_at_s, ticks
):
    """The wake-up of a job that came a moment later was suppressed because of it."""
    world.jobs.put(processing_job(call_at=later(found_at_s + 0.5)))
    world.clock.after(found_at_s, lambda: world.jobs.put(a_job(id=job_id(2))))

    world.pump(window_s=10).run()

    assert world.provider.called("submit") == [job_id(2)]
    assert world.topics.ticks == ticks


def test_a_run_that_waits_sleeps(world):
    waits_s = []

    class Watched(InlineWorkers):
        def wait(self, timeout_s):
            waits_s.append(timeout_s)
            return super().wait(timeout_s)

    world.jobs.put(processing_job(call_at=later(9)))

    world.pump(window_s=10, open_workers=lambda _: Watched(world.clock)).run()

    assert len(waits_s) < 60


def test_a_pump_whose_window_ends_before_its_work_wakes_the_next_one(world):
    world.jobs.put(*(processing_job(id=job_id(number)) for number in range(20)))
    world.provider.takes_s = 1.0

    world.pump(window_s=5, workers=1).run()

    assert len(world.provider.calls) < 20
    assert world.topics.ticks == ["gepetto"]


def test_a_pump_whose_window_ends_before_its_queue_was_read_wakes_the_next_one(world):
    world.jobs.put(*jobs_of("demo", range(50)))
    queued = world.jobs.queued

    def only_the_first_page(account, *, spans, limit):
        if world.provider.calls and limit > 1:
            raise StoreUnavailable(account)
        return queued(account, spans=spans, limit=limit)

    world.jobs.queued = only_the_first_page

    world.pump(window_s=5).run()

    assert len(world.provider.called("submit")) < 50
    assert world.topics.ticks == ["gepetto"]


def test_a_single_pass_wakes_nobody_for_jobs_that_wait_for_the_limit(world):
    world.provider.limit = Limit(calls=4, window_s=60.0)
    world.jobs.put(*(a_job(id=job_id(number)) for number in range(9)))

    world.pump(window_s=0).run()

    assert len(world.provider.calls) == world.provider.limit.used_calls
    assert world.topics.ticks == []
    assert world.seconds() < 5


def test_a_claim_that_expired_after_the_deadline_ends_its_job_in_one_write(world):
    world.jobs.put(submitting_job(deadline_at=later(10)))
    world.clock.advance(60)

    world.pump(window_s=0).run()

    job = world.jobs.job()
    assert job.error.code is ErrorCode.SUBMIT_UNCONFIRMED
    assert [entry.status for entry in job.history[-2:]] == [Status.UNCONFIRMED, Status.FAILED]
    # The end, and the mark that its event is out.
    assert world.jobs.writes == 2


def test_a_claim_that_still_holds_outlives_the_deadline(world):
    world.jobs.put(submitting_job(deadline_at=later(10)))
    world.clock.advance(20)

    world.pump(window_s=0).run()

    assert world.jobs.job().status is Status.SUBMITTING


def test_a_due_job_that_needs_nothing_holds_up_nobody(world):
    """By hand, or by a later version: no move of ours leaves a job so."""
    world.jobs.put(
        unconfirmed_job(call_at=NOON, claim=None),
        submitting_job(id=job_id(2), claim=Claim(token="dead", expires_at=later(1))),
    )

    world.pump(window_s=5).run()

    assert world.jobs.job().status is Status.UNCONFIRMED
    assert world.jobs.job(job_id(2)).status is Status.UNCONFIRMED


def test_a_due_job_that_a_step_leaves_as_it_is_is_tried_again_once_a_second(world, monkeypatch):
    tried = []

    def nothing(self, action, stored):
        tried.append(world.clock.now())
        return ActionResult(stored=stored)

    monkeypatch.setattr(JobActions, "change", nothing)
    world.jobs.put(submitting_job(deadline_at=later(1)))
    world.clock.advance(60)

    world.pump(window_s=5).run()

    assert 4 <= len(tried) <= 7
    assert all((after - before).total_seconds() >= 0.9 for before, after in pairwise(tried))
