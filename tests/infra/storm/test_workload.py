"""The jobs that a storm draws from its seed."""

from typing import Any

import pytest

from infra.sandbox.behaviours import asked_by_callback, parse
from infra.storm.faults import KillEvery
from infra.storm.run import StormSettings
from infra.storm.workload import (
    CALLBACKS,
    GEPETTO,
    HOSTILE,
    HOSTILE_CALLBACK,
    LONGEST_DEADLINE_S,
    SHORTEST_DEADLINE_S,
    WEBHOOKS,
    StormJob,
    all_creates,
    drawn_jobs,
    fault_counts,
    hostile_jobs,
    number_in,
)
from relay.domain.catalogue import CATALOGUE

SANDBOX = "http://127.0.0.1:8080"


def jobs(count: int = 1000, *, seed: int = 1) -> tuple[StormJob, ...]:
    return drawn_jobs(count, seed=seed, create_s=180.0, horizon_s=245.0)


def test_the_same_seed_draws_the_same_jobs_and_another_one_others():
    assert jobs(50) == jobs(50)
    assert jobs(50) != jobs(50, seed=2)


def test_jobs_are_sent_in_the_order_of_their_numbers_and_none_ends_after_the_horizon():
    drawn = jobs()

    assert [job.number for job in drawn] == list(range(1, 1001))
    assert [job.send_at_s for job in drawn] == sorted(job.send_at_s for job in drawn)
    assert all(job.send_at_s + job.deadline_s <= 245.0 for job in drawn)
    assert all(SHORTEST_DEADLINE_S <= job.deadline_s <= LONGEST_DEADLINE_S for job in drawn)


def test_as_many_webhooks_misbehave_as_are_wanted():
    drawn = jobs(4000)
    with_webhook = sum(job.provider == GEPETTO for job in drawn)

    for fault, share in WEBHOOKS.items():
        assert fault_counts(drawn)[fault] / with_webhook == pytest.approx(share, abs=0.03)


def test_every_wish_is_one_that_the_sandbox_knows():
    for job in jobs():
        assert len(parse(",".join(job.faults))) == len(job.faults)


def test_every_wish_for_a_callback_is_one_that_a_receiver_knows():
    wishes = {job.callback for job in jobs()}

    assert wishes == {*CALLBACKS, "", None}
    for wish in (*CALLBACKS, HOSTILE_CALLBACK):
        assert asked_by_callback([wish])


def test_more_than_half_of_the_jobs_have_a_callback_to_their_tenants_receiver():
    urls = [str(job.body(SANDBOX).get("callbackUrl", "")) for job in jobs()]
    called = [url for url in urls if url]

    assert len(called) / 1000 == pytest.approx(0.6, abs=0.05)
    assert all(url.startswith(f"{SANDBOX}/callbacks/demo?n=") for url in called)
    assert all(number_in(url) == number for number, url in enumerate(urls, start=1) if url)


def test_the_hostile_receiver_has_an_endpoint_of_its_own():
    (job,) = hostile_jobs(1, seed=1, first_number=51, create_s=60.0, horizon_s=125.0)

    assert job.body(SANDBOX)["callbackUrl"] == (
        "http://localhost:8080/callbacks/hostile?n=51&sandbox=callback-hang"
    )


def test_every_job_is_one_that_the_relay_takes():
    for job in jobs(100):
        body: dict[str, Any] = job.body(SANDBOX)
        operation = CATALOGUE[body["provider"]].operations[body["operation"]]
        operation.check(body["input"], allow_local_urls=True)


def test_a_job_is_known_again_by_its_picture():
    job = jobs(30)[-1]
    body: dict[str, Any] = job.body(SANDBOX)
    url = next(value for value in body["input"].values() if "/rooms/" in str(value))

    assert number_in(url) == 30


@pytest.mark.parametrize("url", ["", f"{SANDBOX}/rooms/loft.jpg", "http://x/?n=", "http://x/?n=a"])
def test_another_picture_is_of_no_job(url):
    assert number_in(url) is None


def test_a_repeated_job_is_sent_twice_not_before_its_first_time():
    drawn = jobs()
    repeated = [job for job in drawn if job.repeat_at_s is not None]

    assert len(all_creates(drawn)) == 1000 + len(repeated)
    assert 0.05 < len(repeated) / 1000 < 0.15
    assert all((job.repeat_at_s or 0.0) >= job.send_at_s for job in repeated)


def test_a_hostile_tenant_floods_with_jobs_that_are_to_be_sent_again():
    jobs = hostile_jobs(100, seed=1, first_number=51, create_s=60.0, horizon_s=125.0)

    assert jobs == hostile_jobs(100, seed=1, first_number=51, create_s=60.0, horizon_s=125.0)
    assert [job.number for job in jobs] == list(range(51, 151))
    assert all(job.is_hostile and job.is_resubmitted and job.send_at_s < 30.0 for job in jobs)
    assert all(SHORTEST_DEADLINE_S <= job.deadline_s <= 125.0 - job.send_at_s for job in jobs)
    assert {fault for job in jobs for fault in job.faults} == set(HOSTILE)
    assert parse(",".join(HOSTILE))


def test_relay_and_sandbox_are_given_the_same_limits():
    settings = StormSettings(
        jobs=10,
        hostile=5,
        seed=7,
        kill_every=KillEvery(shortest_s=2.0, longest_s=5.0),
        gepetto_calls_per_minute=240,
        spacely_calls_per_second=50,
    )

    environment = settings.environment

    assert environment["GEPETTO_CALLS_PER_MINUTE"] == "240"
    assert environment["SPACELY_CALLS_PER_SECOND"] == "50"
    assert "--gepetto-calls-per-minute 240" in environment["LOCAL_SANDBOX_ARGS"]
    assert "--spacely-calls-per-second 50" in environment["LOCAL_SANDBOX_ARGS"]
