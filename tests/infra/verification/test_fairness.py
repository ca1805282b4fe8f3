"""The checks of P8 on histories built by hand, one for each way to break it."""

import pytest

from infra.verification.fairness import unfairness
from infra.verification.history import Run, Throttled, Verdict, moment
from relay.domain.job import Claim
from relay.domain.transitions import claimed
from tests.infra.verification.builder import HistoryBuilder


@pytest.fixture
def built():
    return HistoryBuilder()


@pytest.fixture
def timed(built):
    """A history in which polls must be made in time."""
    built.history.concurrency = 8
    built.history.runs = [Run(at_s=0.0, until_s=900.0, provider="gepetto")]
    return built


def broken(built):
    return sorted({violation.promise for violation in unfairness(built.history)})


def test_two_tenants_in_turn_keep_both_promises(built):
    jobs = [built.create(number, "ab"[number % 2]) for number in range(40)]

    for number, job in enumerate(jobs):
        built.send(job, 10.0 + number)

    assert broken(built) == []


def test_a_tenant_whose_jobs_all_go_last_has_not_had_its_share(built):
    jobs = [built.create(number, "a" if number < 30 else "b") for number in range(60)]

    for number, job in enumerate(jobs):
        built.send(job, 10.0 + number * 0.5)

    assert broken(built) == ["P8"]


def test_weights_are_part_of_the_share(built):
    built.history.weights = {"a": 3}
    ours = [built.create(number, "a") for number in range(45)]
    theirs = [built.create(100 + number, "b") for number in range(15)]

    at_s = 10.0
    while ours:
        for _ in range(3):
            built.send(ours.pop(0), at_s)
            at_s += 0.5
        built.send(theirs.pop(0), at_s)
        at_s += 0.5

    assert broken(built) == []


def test_submissions_go_before_a_poll_that_is_due(built):
    waits = built.send(built.create(500, "b"), 1.0, poll_at_s=20.0)
    jobs = [built.create(number, "a") for number in range(20)]

    for number, job in enumerate(jobs):
        built.send(job, 27.0 + number)
    built.call(60.0, waits, None)

    assert broken(built) == ["P8"]


def test_the_polls_of_one_tenant_go_before_anothers(built):
    waits = built.send(built.create(500, "b"), 1.0, poll_at_s=20.0)
    others = [built.send(built.create(number, "a"), 2.0 + number / 9) for number in range(20)]

    for number, job in enumerate(others):
        built.call(27.0 + number, job, None)
    built.call(60.0, waits, None)

    assert broken(built) == ["P8"]


def test_a_younger_job_of_the_same_tenant_goes_first(built):
    built.create(1, "a", deadline_s=1800.0)
    younger = [built.create(10 + number, "a", at_s=1.0 + number) for number in range(40)]

    for number, job in enumerate(younger):
        built.send(job, 10.0 + number * 10)

    assert broken(built) == ["P8"]


def test_a_tenant_without_trouble_is_left_alone(built):
    built.history.concurrency = 4
    built.history.runs = [Run(at_s=0.0, until_s=900.0, provider="gepetto")]
    built.create(1, "a")
    built.send(built.create(2, "b"), 10.0)

    assert broken(built) == ["P8"]


def test_a_tenant_waits_for_no_other_while_no_pump_comes(built):
    built.history.concurrency = 4
    built.history.runs = [Run(at_s=0.0, until_s=5.0, provider="gepetto")]
    built.create(1, "a")
    built.send(built.create(2, "b"), 4.0)

    assert broken(built) == []


def test_a_refused_job_is_the_probe_twice_while_another_tenant_has_one(built):
    refused = built.create(1, "a")
    built.create(2, "b")

    built.refuse(built.refuse(refused, 10.0), 41.0)

    assert broken(built) == ["P8"]


@pytest.mark.parametrize(
    ("answered_s", "breaks"), [(30.0, []), (13.0, ["P8"])], ids=["after", "in flight by then"]
)
def test_a_refused_job_takes_its_turns_once_anothers_answer_has_ended_the_hold(
    built, answered_s, breaks
):
    refused = built.create(1, "a")
    built.create(2, "b")
    other = built.create(3, "c")

    refused = built.refuse(built.throttle(refused, 5.0), 10.0)
    built.send(other, answered_s)
    built.throttle(built.throttle(refused, 41.0), 61.0)

    assert broken(built) == breaks


def test_a_provider_that_said_slow_down_is_called(built):
    job = built.create(1, "a")
    claim = Claim(token="c", expires_at=moment(50))
    sent = built.write(10.0, claimed(job, claim=claim, at=moment(10)))
    built.call(10.0, sent, Verdict.BUSY)
    built.history.throttled.append(
        Throttled(at_s=10.2, provider="gepetto", job_id=job.id, retry_after_s=40.0)
    )
    built.send(built.create(2, "b", at_s=20.0), 25.0)

    assert broken(built) == ["P8"]


@pytest.mark.parametrize(
    ("polled_s", "breaks"), [(104.9, []), (105.1, ["P8"])], ids=["in time", "late"]
)
def test_a_poll_comes_later_than_five_seconds_after_it_was_due(timed, polled_s, breaks):
    job = timed.send(timed.create(1, "a"), 10.0, poll_at_s=100.0)

    timed.history.first_polls[job.id] = polled_s

    assert broken(timed) == breaks


def test_a_poll_that_no_pump_can_make_is_not_late(timed):
    timed.history.runs = [Run(at_s=0.0, until_s=102.0, provider="gepetto")]

    timed.send(timed.create(1, "a"), 10.0, poll_at_s=100.0)

    assert broken(timed) == []


def test_polls_that_many_wait_for_share_their_half_of_the_places(timed):
    for number in range(10):
        timed.send(timed.create(number, "a"), 10.0 + number, poll_at_s=100.0)

    assert broken(timed) == []
