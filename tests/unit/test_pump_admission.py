"""Whole runs of the pump: what it sends in time, what it stops, and what the next pump knows."""

from functools import partial
from itertools import count

import pytest

from relay.application.callback_receiver import apply_callback
from relay.domain.account import Account
from relay.domain.admission import FAILURES_TO_OPEN, FIRST_GAP_S, Stop, TenantState
from relay.domain.answers import ProviderCallback, Rendered
from relay.domain.durations import Durations
from relay.domain.job import ErrorCode, OnUnconfirmed, Status
from relay.domain.limits import Limit
from relay.errors import AccountRefused, NoAnswer, NotAccepted, PerhapsAccepted
from tests.factories import JOB_ID, NOON, OUTPUT, a_job, job_id, later, processing_job
from tests.fakes import ConcurrentWorkers

DAY = later(86_400)
RESUBMIT = OnUnconfirmed.RESUBMIT


def jobs(numbers, **changes):
    return [a_job(**({"id": job_id(number), "deadline_at": DAY} | changes)) for number in numbers]


def seconds(world, kind=None):
    return [
        (one.at - NOON).total_seconds() for one in world.provider.calls if kind in (None, one.kind)
    ]


def answer_submissions(world, answer):
    """Have every submission answered by what a function says of its job; None accepts it."""
    submit = world.provider.submit

    def answered(job):
        said = answer(job)
        if said is not None:
            world.provider.on_submit(said)
        return submit(job)

    world.provider.submit = answered


# Deadlines


def test_a_job_that_cannot_be_rendered_in_time_fails_at_once_and_nothing_is_sent(world):
    world.jobs.put(a_job(deadline_at=later(2)))

    world.pump(window_s=5).run()

    job = world.jobs.job()
    assert world.provider.calls == []
    assert (job.status, job.error.code) == (Status.FAILED, ErrorCode.NOT_SENT_IN_TIME)
    assert job.finished_at < later(2)
    assert [one.id for one in world.topics.events] == [f"{JOB_ID}.failed"]


@pytest.mark.parametrize(("left_s", "sent"), [(3.0, [JOB_ID]), (2.999, [])])
def test_a_job_is_sent_until_just_the_shortest_usual_render_time_is_left(world, left_s, sent):
    # A tenth of what the catalogue expects of an operation that was never seen.
    assert world.learner.duration_range_s("redesign")[0] == 3.0
    world.jobs.put(a_job(deadline_at=later(left_s)))

    world.pump(window_s=0).run()

    assert world.provider.called("submit") == sent


def test_a_job_for_which_it_is_too_late_once_it_was_read_is_not_sent(world):
    world.jobs.put(a_job(deadline_at=later(3.5)))
    world.jobs.takes_s = {"read": 1.0}

    world.pump(window_s=5).run()

    assert world.provider.calls == []
    assert world.jobs.job().error.code is ErrorCode.NOT_SENT_IN_TIME


def test_what_was_learnt_of_renders_says_what_is_too_late(world):
    durations = Durations.unknown()
    for _ in range(20):
        durations = durations.with_render(after_s=60, by_s=60, expected_s=30)
    world.durations.replace("gepetto", {"redesign": durations}, version=None)
    world.learner.sync_if_due()
    world.jobs.put(a_job(deadline_at=later(30)), a_job(id=job_id(2), deadline_at=later(200)))

    world.pump(window_s=5).run()

    assert world.provider.called("submit") == [job_id(2)]
    assert world.jobs.job().error.code is ErrorCode.NOT_SENT_IN_TIME


def test_jobs_that_would_probably_come_too_late_yield_to_those_that_can_be_in_time(world):
    expected_s = world.learner.duration_range_s("redesign")[1]
    close = jobs(range(5), created_at=later(-60), deadline_at=later(expected_s * 0.9))
    world.jobs.put(*close, *jobs(range(10, 15)))

    world.pump(window_s=0, workers=1).run()

    assert world.provider.called("submit")[:5] == [job_id(number) for number in range(10, 15)]


def test_a_job_with_little_time_is_sent_if_nobody_else_waits(world):
    expected_s = world.learner.duration_range_s("redesign")[1]
    world.jobs.put(a_job(deadline_at=later(expected_s * 0.9)))

    world.pump(window_s=0).run()

    assert world.provider.called("submit") == [JOB_ID]


# Sending again


def test_a_job_of_unknown_fate_is_sent_three_times_in_all(world):
    world.jobs.put(a_job(on_unconfirmed=RESUBMIT, deadline_at=later(2000)))
    world.provider.on_submit(*[PerhapsAccepted("HTTP 500")] * 99)

    world.pump(window_s=1000).run()

    assert seconds(world) == pytest.approx([0, 60, 180], abs=1)
    assert world.jobs.job().status is Status.UNCONFIRMED


def test_a_job_is_not_sent_again_if_its_render_would_come_too_late(world):
    world.jobs.put(a_job(on_unconfirmed=RESUBMIT, deadline_at=later(61)))
    world.provider.on_submit(*[PerhapsAccepted("HTTP 500")] * 99)

    world.pump(window_s=70).run()

    assert len(world.provider.calls) == 1
    assert world.jobs.job().error.code is ErrorCode.SUBMIT_UNCONFIRMED


# Holds


def test_a_hold_ends_by_another_jobs_probe_and_the_refused_job_fails_after_one_more_try(world):
    world.jobs.put(*jobs([1], tenant="bad"), *jobs([10, 11], tenant="good"))
    answer_submissions(world, lambda job: AccountRefused(403) if job.tenant == "bad" else None)

    world.pump(window_s=50, workers=1).run()

    bad = world.jobs.job(job_id(1))
    assert world.provider.called("submit")[:2] == [job_id(1), job_id(10)]
    assert world.provider.called("submit").count(job_id(1)) == 2
    assert (bad.status, bad.error.code) == (Status.FAILED, ErrorCode.PROVIDER_REJECTED)
    assert world.accounts.account().hold is None


def test_a_refused_job_alone_is_its_own_probe_and_waits(world):
    world.jobs.put(*jobs([1]))
    world.provider.on_submit(AccountRefused(402))

    world.pump(window_s=40).run()

    assert seconds(world, "submit") == pytest.approx([0, 30], abs=0.6)
    assert world.jobs.job(job_id(1)).status is Status.PROCESSING


def test_a_probe_is_for_a_queued_job_if_the_only_poll_is_the_one_that_was_refused(world):
    world.jobs.put(processing_job(id=job_id(9), deadline_at=DAY))
    world.provider.on_poll(*[AccountRefused(401)] * 9)
    world.clock.after(1, lambda: world.jobs.put(*jobs([1], created_at=later(1))))

    world.pump(window_s=45, workers=1).run()

    assert [one.job_id for one in world.provider.calls[:2]] == [job_id(9), job_id(1)]


def test_a_hold_is_written_at_once(world):
    """A pump that dies right after must not have its successor try the account again."""
    world.jobs.put(*jobs([1]))
    world.provider.on_submit(*[AccountRefused(401)] * 9)
    written = []
    world.clock.after(0.2, lambda: written.append(world.accounts.account().hold))

    world.pump(window_s=10).run()

    assert written[0] is not None
    assert written[0].since == NOON


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, ErrorCode.PROVIDER_AUTH), (402, ErrorCode.PROVIDER_OUT_OF_CREDITS)],
)
def test_a_job_at_its_deadline_on_a_held_account_says_why_even_if_it_was_never_sent(
    world, status, code
):
    never_sent = a_job(id=job_id(2), tenant="other", deadline_at=later(25))
    world.jobs.put(a_job(), never_sent, processing_job(id=job_id(3), call_at=later(90)))
    world.provider.on_submit(*[AccountRefused(status)] * 9)

    world.pump(window_s=29, workers=1).run()

    ended = world.jobs.job(job_id(2))
    assert ended.tries == 0
    assert ended.error.code is code


# Pauses


def test_a_429_pauses_the_account_and_the_next_call_is_for_another_job(world):
    world.jobs.put(*jobs(range(3)))
    world.provider.on_submit(NotAccepted("HTTP 429", 20.0, is_throttled=True))

    world.pump(window_s=30, workers=1).run()

    assert seconds(world)[:2] == pytest.approx([0, 20], abs=0.6)
    first, second = world.provider.called("submit")[:2]
    assert first != second


def test_a_pause_is_kept_by_the_next_pump(world):
    world.jobs.put(*jobs(range(3)))
    world.provider.on_submit(NotAccepted("HTTP 429", None, is_throttled=True))

    world.pump(window_s=0, workers=1).run()
    world.clock.advance(30)
    world.pump(window_s=10, workers=1).run()

    assert len(world.provider.calls) == 1
    assert world.accounts.account().pause.probe_at == later(60)

    world.clock.advance(31)
    world.pump(window_s=5, workers=1).run()

    assert len(world.provider.calls) > 1


def test_a_pause_that_becomes_longer_is_logged_again(world, caplog):
    world.jobs.put(*jobs(range(2)))
    answers = [NotAccepted("HTTP 429", wait_s, is_throttled=True) for wait_s in (5.0, 60.0)]
    world.provider.on_submit(*answers)

    world.pump(window_s=10, workers=1).run()

    assert len(world.provider.calls) == 2
    assert caplog.messages.count("provider throttled") == 2


@pytest.mark.parametrize("kind", ["submit", "poll"])
def test_a_job_that_alone_is_answered_429_pauses_the_account_once(world, kind, caplog):
    bad = {"id": job_id(1), "tenant": "bad", "deadline_at": later(86_400)}
    world.jobs.put(a_job(**bad) if kind == "submit" else processing_job(**bad))
    # Others are answered every few seconds.
    world.jobs.put(
        *(
            processing_job(id=job_id(number), tenant="good", deadline_at=later(86_400))
            for number in range(10, 30)
        )
    )
    call = getattr(world.provider, kind)

    def throttled(job):
        if job.id == job_id(1):
            raise {"submit": NotAccepted, "poll": NoAnswer}[kind]("HTTP 429", is_throttled=True)
        return call(job)

    setattr(world.provider, kind, throttled)

    world.pump(window_s=200, workers=1).run()

    assert caplog.messages.count("provider throttled") == 1
    assert world.jobs.job(job_id(1)).throttled_at > later(100)


def test_a_429_to_a_poll_pauses_submissions_too_and_is_one_line(world, caplog):
    world.jobs.put(processing_job(id=job_id(9)))
    world.provider.on_poll(NoAnswer("HTTP 429", 20.0, is_throttled=True))
    world.clock.after(1, lambda: world.jobs.put(*jobs([1], created_at=later(1))))

    world.pump(window_s=25, workers=1).run()

    assert seconds(world, "submit")[0] >= 20
    assert caplog.messages.count("provider throttled") == 1


# Breakers


def test_an_outage_makes_a_handful_of_jobs_unconfirmed_and_not_the_whole_queue(world):
    tenants = ["a", "b", "c"]
    for index, tenant in enumerate(tenants):
        numbers = range(100 * index, 100 * index + 50)
        world.jobs.put_unchecked(jobs(numbers, tenant=tenant))
    answer_submissions(world, lambda _: PerhapsAccepted("HTTP 502"))

    world.pump(window_s=300, workers=32).run()

    assert len(world.provider.calls) <= 3 * 5 + 5


def test_a_run_stays_for_the_probe_of_a_breaker_that_falls_into_its_window(world):
    world.jobs.put(*jobs(range(8)))
    answer_submissions(world, lambda _: PerhapsAccepted("HTTP 502"))

    world.pump(window_s=50, workers=1).run()

    assert len(world.provider.called("submit")) == FAILURES_TO_OPEN + 1
    assert seconds(world)[-1] == pytest.approx(FIRST_GAP_S, abs=3)


def test_jobs_that_always_break_pause_nobody_but_their_own_tenant(world):
    world.jobs.put_unchecked(
        [*jobs(range(100), tenant="breaks"), *jobs(range(200, 230), tenant="fine")]
    )
    answer_submissions(
        world, lambda job: PerhapsAccepted("HTTP 500") if job.tenant == "breaks" else None
    )

    world.pump(window_s=55, workers=32).run()

    sent = [world.jobs.job(one).tenant for one in world.provider.called("submit")]
    assert sent.count("fine") == 30
    assert sent.count("breaks") <= 7


@pytest.mark.parametrize(
    "outputs", [(OUTPUT,), ()], ids=["its callback ends it", "its callback tells its id"]
)
def test_a_submission_whose_callback_came_before_the_answer_that_did_not_opens_no_breaker(
    world, outputs
):
    world.jobs.put_unchecked(jobs(range(20)))
    numbers = count()

    def called_back(job):
        callback = ProviderCallback(provider_job_id=f"p-{next(numbers)}", outputs=outputs)
        apply = partial(apply_callback, callback=callback, at=world.clock.now())
        world.store.change(world.jobs.stored(job.id), apply)
        return PerhapsAccepted("read timeout")

    answer_submissions(world, called_back)

    world.pump(window_s=30, workers=1).run()

    assert len(world.provider.called("submit")) == 20


def test_a_callback_that_came_before_the_answer_that_did_not_ends_no_row_of_failures(world):
    world.jobs.put_unchecked(jobs(range(20)))

    def called_back_once(job):
        if len(world.provider.called("submit")) == 4:
            callback = ProviderCallback(provider_job_id="p-1", outputs=(OUTPUT,))
            apply = partial(apply_callback, callback=callback, at=world.clock.now())
            world.store.change(world.jobs.stored(job.id), apply)
        return PerhapsAccepted("HTTP 502")

    answer_submissions(world, called_back_once)

    world.pump(window_s=20, workers=1).run()

    assert len(world.provider.called("submit")) == FAILURES_TO_OPEN + 1


def test_a_breaker_is_kept_by_the_next_pump(world):
    world.jobs.put_unchecked(jobs(range(20)))
    answer_submissions(world, lambda _: PerhapsAccepted("HTTP 500"))

    world.pump(window_s=10, workers=1).run()
    world.pump(window_s=10, workers=1).run()

    assert len(world.provider.calls) == 5


@pytest.mark.parametrize("tenants", [1, 3], ids=["of one tenant", "of all tenants"])
def test_polls_go_on_while_the_provider_takes_no_submission(world, tenants):
    for number in range(20):
        world.jobs.put_unchecked(jobs([number], tenant=f"tenant-{number % tenants}"))
    world.jobs.put(processing_job(id=job_id(99), call_at=later(20)))
    answer_submissions(world, lambda _: PerhapsAccepted("HTTP 500"))

    world.pump(window_s=25, workers=1).run()

    assert seconds(world, "poll")[0] == pytest.approx(20, abs=1)


def test_polls_go_on_while_an_outage_waits_for_a_job_to_probe_it(world):
    outage = Stop(since=later(-60), probe_at=later(-30), gap_s=30.0)
    world.accounts.put(Account(name="gepetto", outage=outage))
    world.jobs.put(*(processing_job(id=job_id(number)) for number in range(5)))
    world.provider.on_poll(*[Rendered(outputs=(OUTPUT,), provider_status="success")] * 5)

    world.pump(window_s=10).run()

    assert len(world.provider.called("poll")) == 5
    assert world.accounts.account().outage == outage


def test_a_run_stays_for_a_tenant_that_may_probe_an_outage_early(world, caplog):
    caplog.set_level("INFO")
    outage = Stop(since=later(-60), probe_at=later(600), gap_s=300.0)
    broke = TenantState(tenant="broke", failures=1)
    # No call may start in the next three seconds.
    ago_s = (57.0,) * world.provider.limit.used_calls
    world.accounts.put(Account(name="gepetto", outage=outage, tenants=(broke,), calls_ago_s=ago_s))
    world.jobs.put(*jobs([1], tenant="broke"), *jobs([2], tenant="sound"))

    world.pump(window_s=20).run()

    assert world.provider.called("submit")[0] == job_id(2)
    assert world.accounts.account().outage is None
    assert caplog.messages.count("pump done") == 1


def test_a_pump_that_takes_over_knows_that_jobs_were_accepted_before_it(world):
    world.accounts.put(Account(name="gepetto", accepted_at=later(-5)))
    world.jobs.put(
        a_job(call_at=NOON, refusal=ErrorCode.PROVIDER_AUTH, refused_at=later(-10), tries=1)
    )
    world.provider.on_submit(AccountRefused(403))

    world.pump(window_s=0).run()

    assert world.jobs.job().error.code is ErrorCode.PROVIDER_REJECTED
    assert world.accounts.account().hold is None


def test_in_an_outage_the_probe_takes_turns_with_polls(world):
    world.provider.limit = Limit(calls=20, window_s=10.0)
    for number in range(20):
        world.jobs.put_unchecked(jobs([number], tenant=f"tenant-{number % 3}"))
    renders = [processing_job(id=job_id(100 + number), call_at=later(5)) for number in range(150)]
    world.jobs.put(*renders)
    answer_submissions(world, lambda _: PerhapsAccepted("HTTP 500"))

    world.pump(window_s=55, workers=1).run()

    stopped_at, probed_at = seconds(world, "submit")[-2:]
    # There are polls left, and the probe waits for no more than one of them.
    assert seconds(world, "poll")[-1] > probed_at + 10
    assert probed_at == pytest.approx(stopped_at + FIRST_GAP_S, abs=1)


# Stopping


def test_a_pump_whose_server_stops_calls_no_more_and_wakes_the_next(world):
    world.jobs.put_unchecked(jobs(range(100)))
    world.clock.after(5, lambda: setattr(world, "is_stopping", True))

    world.pump(window_s=55, workers=4).run()

    assert max(seconds(world)) <= 5.5
    assert world.accounts.account().holder is None
    assert world.topics.ticks == ["gepetto"]


def test_a_pump_that_waits_notices_within_half_a_second_that_its_server_stops(world):
    world.jobs.put(processing_job(call_at=later(30)))
    world.clock.after(10.05, lambda: setattr(world, "is_stopping", True))

    world.pump().run()

    assert 10.05 <= world.seconds() <= 10.6


def test_a_pump_whose_server_stops_waits_some_seconds_for_the_calls_in_flight(world):
    world.jobs.put(*jobs(range(2)))
    world.provider.takes_s = 6.0
    world.clock.after(1, lambda: setattr(world, "is_stopping", True))

    world.pump(window_s=55, open_workers=lambda _: ConcurrentWorkers(world.clock)).run()

    assert {world.jobs.job(one).status for one in world.jobs.ids} == {Status.PROCESSING}
    assert world.seconds() < 9


def test_calls_that_a_stopping_pump_does_not_wait_for_are_counted_at_the_hand_over(world):
    world.jobs.put(*jobs(range(2)))
    world.provider.takes_s = 30.0
    world.clock.after(1, lambda: setattr(world, "is_stopping", True))

    world.pump(window_s=55, open_workers=lambda _: ConcurrentWorkers(world.clock)).run()

    assert world.seconds() < 10
    assert len(world.accounts.account().calls_ago_s) == 2
