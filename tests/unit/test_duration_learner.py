"""What an instance learns of durations: from which jobs, and how it shares it with others."""

from dataclasses import replace

import pytest

from relay.application.duration_learner import SYNC_EVERY_S, DurationLearner
from relay.domain.answers import Rendered, StillOpen
from relay.domain.catalogue import CATALOGUE
from relay.domain.durations import Durations
from relay.domain.job import Actor, Status
from relay.domain.poll_policy import planned_poll_at
from tests.factories import NOON, OUTPUT, finished_job, later, processing_job

DONE = Rendered(outputs=(OUTPUT,), provider_status="success")


def a_learner(world):
    """Return another instance's learning, on the same documents."""
    poll_policy = CATALOGUE["spacely"].poll_policy
    return DurationLearner(
        world.durations, account="gepetto", poll_policy=poll_policy, clock=world.clock
    )


def rendered(seconds, *, by=Actor.WEBHOOK, **changes):
    return replace(
        finished_job(Status.SUCCEEDED, finished_by=by), finished_at=later(seconds), **changes
    )


def known(world):
    return world.durations.read("gepetto")[0].get("redesign", Durations.unknown())


def first_poll_s(learner):
    plan = learner.plan("redesign")
    at = planned_poll_at(plan, submitted_at=NOON, now=NOON, polls=0, draw=0.5)
    return (at - NOON).total_seconds()


def test_what_was_seen_changes_when_the_next_ones_are_asked_about(world):
    learner = a_learner(world)
    before_s = first_poll_s(learner)

    for _ in range(50):
        learner.observe(rendered(60))
    world.clock.advance(5)

    assert first_poll_s(learner) > before_s * 3


@pytest.mark.parametrize(
    "job",
    [
        finished_job(Status.FAILED),
        finished_job(Status.CANCELLED),
        processing_job(),
        rendered(6, resubmissions=1),
        rendered(6, submitted_at=None),
        rendered(-1),
    ],
    ids=["failed", "cancelled", "open", "resubmitted", "followed", "clocks apart"],
)
def test_a_job_that_shows_no_duration_is_no_observation(world, job):
    learner = a_learner(world)

    learner.observe(job)
    learner.sync_if_due()

    assert known(world).observations == 0


def test_a_webhook_shows_a_moment_and_a_poll_an_interval(world):
    by_webhook, by_poll = a_learner(world), a_learner(world)
    by_webhook.observe(rendered(40))
    by_webhook.sync_if_due()
    exact = sum(1 for weight in known(world).weights if weight)
    by_poll.observe(rendered(40, by=Actor.POLL, not_ready_at=later(10)))
    by_poll.sync_if_due()

    spread = sum(1 for weight in known(world).weights if weight)
    assert (exact, known(world).observations) == (1, pytest.approx(2, abs=0.01))
    assert spread > 5


def test_it_is_written_at_most_once_a_minute(world):
    learner = a_learner(world)

    for _ in range(120):
        learner.observe(rendered(6))
        learner.sync_if_due()
        world.clock.advance(1)

    assert world.durations.calls.count("replace") == 2


def test_two_instances_add_to_one_history(world):
    one, other = a_learner(world), a_learner(world)

    for learner in (one, other):
        learner.observe(rendered(6))
        learner.sync_if_due()

    assert known(world).observations == pytest.approx(2, abs=0.01)


@pytest.mark.parametrize("fault", ["away", "beaten"])
def test_what_could_not_be_written_is_written_the_next_time(world, fault):
    learner, faster = a_learner(world), a_learner(world)
    learner.observe(rendered(6))
    if fault == "away":
        world.durations.lose_requests()
    else:
        faster.observe(rendered(6))
        world.durations.before_next_write(faster.sync_if_due)

    learner.sync_if_due()
    world.clock.advance(SYNC_EVERY_S)
    learner.sync_if_due()

    assert known(world).observations == pytest.approx(1 if fault == "away" else 2, abs=0.01)


def test_a_pump_learns_nothing_from_a_render_whose_webhook_came_during_its_poll(world):
    """Who took the webhook has learnt from it."""
    world.jobs.put(processing_job())

    def ended_meanwhile(job):
        world.jobs.put(rendered(6, id=job.id))
        return DONE

    world.provider.on_poll(ended_meanwhile)

    world.pump(window_s=5).run()
    world.clock.advance(SYNC_EVERY_S)
    world.learner.sync_if_due()

    assert world.jobs.job().finished_by is Actor.WEBHOOK
    assert known(world).observations == 0


def test_a_pump_learns_from_the_polls_that_find_results(world):
    world.jobs.put(processing_job(call_at=later(30)))
    world.provider.on_poll(StillOpen(provider_status="pending", is_known_word=True), DONE)

    world.pump(window_s=120).run()
    world.clock.advance(SYNC_EVERY_S)
    world.learner.sync_if_due()

    assert world.jobs.job().status is Status.SUCCEEDED
    assert world.jobs.job().not_ready_at == later(30)
    assert known(world).observations == pytest.approx(1, abs=0.01)


def test_an_idle_pump_reads_nothing_of_it(world):
    world.pump().run()

    assert world.durations.calls == []
