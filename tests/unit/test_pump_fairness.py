"""Whole runs of the pump for many tenants: nobody waits for another's work beyond its share."""

from collections import Counter

import pytest

from relay.domain.account import Account
from relay.domain.admission import TenantState
from relay.domain.answers import Rendered
from relay.domain.catalogue import CATALOGUE
from relay.domain.job import ErrorCode, Priority, Status
from relay.domain.limits import Limit
from relay.errors import AccountRefused
from tests.factories import NOON, OUTPUT, a_job, job_id, jobs_of, later, processing_job
from tests.fakes import ConcurrentWorkers, large_world

BUSY, QUIET = "busy", "quiet"
DAY = later(86_400)


@pytest.fixture
def world():
    return large_world()


def polls_of(tenant, numbers, **changes):
    changes = {"deadline_at": DAY, "history": ()} | changes
    return [processing_job(id=job_id(number), tenant=tenant, **changes) for number in numbers]


def tenants_sent(world):
    return [world.jobs.job(one).tenant for one in world.provider.called("submit")]


def at_spacely(world):
    world.provider.limit = CATALOGUE["spacely"].limit


def test_three_jobs_do_not_wait_for_the_thousand_of_another_tenant(world):
    world.jobs.put_unchecked(jobs_of(BUSY, range(1000)))
    world.jobs.put(*jobs_of(QUIET, range(5000, 5003)))

    world.pump(window_s=8, workers=32).run()

    assert tenants_sent(world)[:7].count(QUIET) == 3


def test_a_tenant_that_comes_while_another_is_busy_is_sent_within_six_seconds(world):
    world.jobs.put_unchecked(jobs_of(BUSY, range(1000)))
    late = [
        a_job(id=job_id(number), tenant=QUIET, created_at=later(20), deadline_at=DAY)
        for number in range(5000, 5003)
    ]
    world.clock.after(20, lambda: world.jobs.put(*late))

    world.pump(window_s=30, workers=32).run()

    sent = [one.at for one in world.provider.calls if one.job_id >= job_id(5000)]
    submitted = sent[:3]
    assert max(submitted) <= later(26)


def test_tenants_get_places_by_their_weights(world):
    world.jobs.put_unchecked([*jobs_of("one", range(300)), *jobs_of("three", range(500, 800))])

    world.pump(window_s=50, workers=32, weights={"three": 3}).run()

    counts = Counter(tenants_sent(world))
    assert counts["one"] + counts["three"] > 40
    assert abs(counts["three"] - 3 * counts["one"]) <= 4


def test_jobs_of_low_priority_are_sent_after_the_normal_ones_of_their_tenant(world):
    world.jobs.put(*jobs_of(QUIET, range(3), priority=Priority.LOW), *jobs_of(QUIET, range(3, 6)))

    world.pump(window_s=10, workers=1).run()

    assert world.provider.called("submit") == [job_id(one) for one in (3, 4, 5, 0, 1, 2)]


def test_low_priority_counts_only_within_a_tenant(world):
    world.jobs.put(*jobs_of(BUSY, range(3)), *jobs_of(QUIET, range(10, 13), priority=Priority.LOW))

    world.pump(window_s=10, workers=1).run()

    assert tenants_sent(world) == [BUSY, QUIET] * 3


def test_a_normal_job_that_comes_while_low_ones_are_sent_goes_before_them(world):
    world.jobs.put_unchecked(jobs_of(QUIET, range(200), priority=Priority.LOW))
    late = a_job(id=job_id(900), tenant=QUIET, created_at=later(10), deadline_at=DAY)
    world.clock.after(10, lambda: world.jobs.put(late))

    world.pump(window_s=20, workers=32).run()

    sent = [one.at for one in world.provider.calls if one.job_id == job_id(900)]
    assert sent[0] <= later(12)


def test_turns_are_passed_on_to_the_next_pump(world):
    world.jobs.put_unchecked([*jobs_of("a", range(100)), *jobs_of("b", range(200, 300))])
    world.provider.limit = Limit(calls=2, window_s=60.0)

    for _ in range(12):
        world.pump(window_s=0).run()
        world.clock.advance(61)

    assert tenants_sent(world)[:6] == ["a", "b"] * 3


def test_polls_take_turns_by_tenant(world):
    world.jobs.put(*polls_of(BUSY, range(5000), call_at=later(-60)))
    world.jobs.put(*polls_of(QUIET, [9000], call_at=NOON))
    world.provider.takes_s = 0.2
    workers = ConcurrentWorkers(world.clock)

    world.pump(window_s=8, workers=32, open_workers=lambda _: workers).run()

    polled = [one.at for one in world.provider.calls if one.job_id == job_id(9000)]
    assert polled[0] <= later(5)


def test_a_tenant_that_submits_much_gets_no_fewer_polls_for_it(world):
    at_spacely(world)
    world.provider.takes_s = 0.2
    world.jobs.put_unchecked(jobs_of(BUSY, range(1000)))
    world.jobs.put(*polls_of(BUSY, range(2000, 2100)), *polls_of(QUIET, range(3000, 3100)))
    workers = ConcurrentWorkers(world.clock)

    world.pump(window_s=5, workers=4, open_workers=lambda _: workers).run()

    polled = [world.jobs.job(one).tenant for one in world.provider.called("poll")][:20]
    assert 8 <= polled.count(BUSY) <= 12


def test_submissions_and_polls_get_half_of_the_places_each(world):
    world.jobs.put_unchecked(jobs_of(BUSY, range(500)))
    world.jobs.put(*polls_of(BUSY, range(1000, 1300)))

    world.pump(window_s=30, workers=32).run()

    kinds = Counter(one.kind for one in world.provider.calls)
    assert kinds.total() > 50
    assert abs(kinds["submit"] - kinds["poll"]) <= 2


@pytest.mark.parametrize(("provider", "within_s"), [("gepetto", 5), ("spacely", 1)])
@pytest.mark.parametrize("due_s", [1, 4.5, 7])
def test_a_poll_that_comes_due_while_jobs_are_queued_is_made_soon(world, provider, within_s, due_s):
    world.provider.limit = CATALOGUE[provider].limit
    world.jobs.put_unchecked(jobs_of(BUSY, range(200 if provider == "gepetto" else 2000)))
    world.jobs.put(*polls_of(QUIET, [9000], call_at=later(due_s)))

    world.pump(window_s=13, workers=32).run()

    polled = [one.at for one in world.provider.calls if one.job_id == job_id(9000)]
    # What is due is looked for once a second, at its own pace.
    assert later(due_s) <= polled[0] <= later(due_s + within_s + 0.01)


def test_a_finished_render_whose_webhook_was_lost_is_found_behind_500_queued_jobs(world):
    world.jobs.put_unchecked(jobs_of(BUSY, range(500)))
    world.jobs.put(*polls_of(QUIET, [9000], call_at=later(10)))
    world.provider.on_poll(Rendered(outputs=(OUTPUT,), provider_status="success"))

    world.pump(window_s=20, workers=32).run()

    job = world.jobs.job(job_id(9000))
    assert job.status is Status.SUCCEEDED
    assert job.finished_at <= later(15)


def test_jobs_that_the_provider_refuses_hold_up_only_their_tenant(world):
    """One tenant's refused job is never the only probe of a hold."""
    bad = jobs_of(BUSY, [1])[0]
    world.jobs.put(bad, *jobs_of(QUIET, range(10, 20)))
    submit = world.provider.submit

    def refusing(job):
        if job.id == bad.id:
            world.provider.on_submit(AccountRefused(403))
        return submit(job)

    world.provider.submit = refusing

    for _ in range(3):
        world.pump(window_s=55, workers=1).run()

    statuses = {world.jobs.job(job_id(number)).status for number in range(10, 20)}
    assert statuses == {Status.PROCESSING}
    job = world.jobs.job(bad.id)
    assert (job.status, job.error.code) == (Status.FAILED, ErrorCode.PROVIDER_REJECTED)
    assert world.provider.called("submit").count(bad.id) == 2


@pytest.mark.parametrize(("polled_last", "first"), [(True, "submit"), (False, "poll")])
def test_submissions_and_polls_take_turns_from_pump_to_pump(world, polled_last, first):
    world.accounts.put(Account(name="gepetto", polled_last=polled_last))
    world.jobs.put(*jobs_of("a", [1]), *polls_of("a", [2]))

    world.pump(window_s=0, workers=1).run()

    assert world.provider.calls[0].kind == first
    assert world.accounts.account().polled_last == (first == "submit")


def test_a_tenant_without_polls_is_handed_over_as_neither_ahead_nor_behind(world):
    world.jobs.put(*jobs_of("a", [1]))

    world.pump(window_s=0).run()

    (left,) = world.accounts.account().tenants
    assert (left.turn, left.poll_turn) == (0, 0)


def test_turns_of_polls_are_handed_over_as_they_stand_at_the_end(world):
    ahead = TenantState(tenant="a", answered_at=NOON, poll_turn=3.0)
    world.accounts.put(Account(name="gepetto", tenants=(ahead,)))
    world.jobs.put(*polls_of("a", [1]), *polls_of("b", [2]))

    world.pump(window_s=60).run()

    assert len(world.provider.called("poll")) >= 6
    left = {one.tenant: one.poll_turn for one in world.accounts.account().tenants}
    assert left["a"] < 1
