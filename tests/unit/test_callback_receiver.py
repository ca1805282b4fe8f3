"""What a callback is worth, for a job in any state."""

import pytest

from relay.application.callback_receiver import CallbackReceiver, apply_callback
from relay.domain.answers import ProviderCallback
from relay.domain.job import Status
from relay.domain.transitions import accepted
from relay.errors import JobNotFound
from tests.factories import (
    CLAIM,
    JOB_ID,
    LATE_OUTPUT,
    NOON,
    OUTPUT,
    PROVIDER_JOB_ID,
    finished_job,
    job_in,
    later,
    processing_job,
)

OUTPUTS = ProviderCallback(provider_job_id=PROVIDER_JOB_ID, outputs=(OUTPUT,))
OTHER_ID = ProviderCallback(provider_job_id="another", outputs=(OUTPUT,))
NO_USABLE_ID = ProviderCallback(provider_job_id=None, outputs=(OUTPUT,), has_unusable_id=True)
NO_ID = ProviderCallback(provider_job_id=None, outputs=(OUTPUT,))
ID_ONLY = ProviderCallback(provider_job_id=PROVIDER_JOB_ID, outputs=())
NONSENSE = ProviderCallback(provider_job_id=None, outputs=())


@pytest.fixture
def callbacks(world):
    return CallbackReceiver(
        store=world.store,
        announcer=world.announcer,
        waker=world.waker,
        clock=world.clock,
        readers={"gepetto": lambda body: body, "spacely": lambda body: body},
        learners={"gepetto": world.learner, "spacely": world.learner},
    )


@pytest.mark.parametrize(
    ("status", "callback", "after"),
    [
        (Status.QUEUED, OUTPUTS, Status.SUCCEEDED),
        (Status.QUEUED, ID_ONLY, Status.QUEUED),
        (Status.QUEUED, NONSENSE, Status.QUEUED),
        (Status.SUBMITTING, OUTPUTS, Status.SUCCEEDED),
        (Status.SUBMITTING, NO_ID, Status.SUCCEEDED),
        (Status.SUBMITTING, ID_ONLY, Status.PROCESSING),
        (Status.SUBMITTING, NONSENSE, Status.SUBMITTING),
        (Status.UNCONFIRMED, OUTPUTS, Status.SUCCEEDED),
        (Status.UNCONFIRMED, ID_ONLY, Status.PROCESSING),
        (Status.UNCONFIRMED, NONSENSE, Status.UNCONFIRMED),
        (Status.PROCESSING, OUTPUTS, Status.SUCCEEDED),
        (Status.PROCESSING, NO_ID, Status.SUCCEEDED),
        (Status.PROCESSING, OTHER_ID, Status.PROCESSING),
        (Status.PROCESSING, NO_USABLE_ID, Status.PROCESSING),
        (Status.UNCONFIRMED, NO_USABLE_ID, Status.SUCCEEDED),
        (Status.PROCESSING, ID_ONLY, Status.PROCESSING),
        (Status.PROCESSING, NONSENSE, Status.PROCESSING),
        (Status.SUCCEEDED, OTHER_ID, Status.SUCCEEDED),
        (Status.FAILED, OUTPUTS, Status.FAILED),
        (Status.CANCELLED, OUTPUTS, Status.CANCELLED),
    ],
)
def test_a_callback_moves_a_job_only_with_what_it_proves(status, callback, after):
    assert apply_callback(job_in(status), callback=callback, at=NOON).status is after


@pytest.mark.parametrize("callback", [OTHER_ID, NO_USABLE_ID], ids=["another", "unusable"])
def test_an_id_that_only_a_callback_brought_does_not_rule_out_another(callback):
    job = processing_job(is_acknowledged=False)

    assert apply_callback(job, callback=callback, at=NOON).status is Status.SUCCEEDED


def test_an_acknowledgement_after_a_callbacks_id_rules_out_another():
    """The callback told the id, the acknowledgement says that it is the one."""
    job = apply_callback(job_in(Status.SUBMITTING), callback=ID_ONLY, at=NOON)
    acknowledged = accepted(
        job,
        claim=CLAIM,
        provider_job_id=PROVIDER_JOB_ID,
        provider_status="pending",
        poll_at=later(30),
        at=later(1),
    )

    after = apply_callback(acknowledged, callback=OTHER_ID, at=later(2))

    assert after.status is Status.PROCESSING
    assert after.provider_job_id == PROVIDER_JOB_ID


@pytest.mark.parametrize("callback", [OTHER_ID, NO_USABLE_ID], ids=["another", "unusable"])
def test_an_id_other_than_the_acknowledged_one_has_the_job_polled_at_once(callback):
    job = processing_job(call_at=later(60))

    after = apply_callback(job, callback=callback, at=later(3))

    assert (after.provider_job_id, after.call_at) == (PROVIDER_JOB_ID, later(3))


@pytest.mark.parametrize("callback", [OTHER_ID, NO_USABLE_ID], ids=["another", "unusable"])
def test_after_a_resubmission_every_id_counts(callback):
    job = processing_job(resubmissions=1)

    assert apply_callback(job, callback=callback, at=NOON).status is Status.SUCCEEDED


def test_a_result_is_announced_and_wakes_nobody(callbacks, world):
    world.jobs.put(processing_job())

    callbacks.receive("gepetto", JOB_ID, OUTPUTS)

    assert [event.id for event in world.topics.events] == [f"{JOB_ID}.succeeded"]
    assert world.topics.ticks == []


def test_what_proves_nothing_wakes_the_pump(callbacks, world):
    world.jobs.put(processing_job(call_at=later(60)))

    callbacks.receive("gepetto", JOB_ID, NONSENSE)

    assert world.topics.ticks == ["gepetto"]


def test_a_doubled_callback_costs_a_read_and_nothing_more(callbacks, world):
    world.jobs.put(finished_job(Status.SUCCEEDED))

    callbacks.receive("gepetto", JOB_ID, OUTPUTS)

    assert world.jobs.calls == ["read"]
    assert world.topics.events == []


def test_two_callbacks_at_once_are_one_result(callbacks, world):
    world.jobs.put(processing_job())
    other = apply_callback(processing_job(), callback=OUTPUTS, at=NOON)
    world.jobs.before_next_write(lambda: world.jobs.put(other))

    callbacks.receive("gepetto", JOB_ID, NO_ID)

    assert world.jobs.job().history == other.history
    assert {event.id for event in world.topics.events} == {f"{JOB_ID}.succeeded"}


def test_a_late_result_is_kept_and_announced(callbacks, world):
    world.jobs.put(finished_job(Status.CANCELLED, announcements=()))

    callbacks.receive(
        "gepetto", JOB_ID, ProviderCallback(provider_job_id=None, outputs=(LATE_OUTPUT,))
    )

    assert world.jobs.job().late_outputs == (LATE_OUTPUT,)
    assert [event.id for event in world.topics.events] == [f"{JOB_ID}.late_result"]


def test_a_callback_for_another_providers_job_is_for_no_job(callbacks, world):
    world.jobs.put(processing_job())

    with pytest.raises(JobNotFound):
        callbacks.receive("spacely", JOB_ID, OUTPUTS)

    assert world.jobs.job() == processing_job()
