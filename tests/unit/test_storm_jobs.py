"""What a storm draws from its seed: jobs, kills and pauses."""

from itertools import pairwise

import pytest

from infra.sandbox.behaviours import parse
from infra.storm.callers import all_sends
from infra.storm.crashes import STORE, drawn_kills, drawn_pauses
from infra.storm.jobs import (
    GEPETTO,
    LONGEST_DEADLINE_S,
    SHORTEST_DEADLINE_S,
    WEBHOOKS,
    StormJob,
    drawn_jobs,
    number_in,
    wished,
)
from infra.storm.settings import KillEvery, StormSettings
from relay.domain.catalogue import CATALOGUE

SANDBOX = "http://127.0.0.1:8080"
NAMES = ("jobs_api-1", "jobs_api-2", "poll_tick-1")


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

    for wish, share in WEBHOOKS.items():
        assert wished(drawn)[wish] / with_webhook == pytest.approx(share, abs=0.03)


def test_every_wish_is_one_that_the_sandbox_knows():
    for job in jobs():
        assert len(parse(",".join(job.wishes))) == len(job.wishes)


def test_every_job_is_one_that_the_relay_takes():
    for job in jobs(100):
        body = job.body(SANDBOX)
        operation = CATALOGUE[str(body["provider"])].operations[str(body["operation"])]
        operation.check(body["input"], allow_local_urls=True)  # type: ignore[arg-type]


def test_a_job_is_known_again_by_its_picture():
    job = jobs(30)[-1]
    url = next(value for value in job.body(SANDBOX)["input"].values() if "/rooms/" in str(value))

    assert number_in(url) == 30


@pytest.mark.parametrize("url", ["", f"{SANDBOX}/rooms/loft.jpg", "http://x/?n=", "http://x/?n=a"])
def test_another_picture_is_of_no_job(url):
    assert number_in(url) is None


def test_a_repeated_job_is_sent_twice_not_before_its_first_time():
    drawn = jobs()
    repeated = [job for job in drawn if job.repeat_at_s is not None]

    assert len(all_sends(drawn)) == 1000 + len(repeated)
    assert 0.05 < len(repeated) / 1000 < 0.15
    assert all((job.repeat_at_s or 0.0) >= job.send_at_s for job in repeated)


def test_kills_come_as_often_as_they_are_wanted_and_hit_everybody():
    every = KillEvery(shortest_s=2.0, longest_s=5.0)

    kills = drawn_kills(NAMES, seed=1, every=every, storm_s=300.0)

    times = [0.0, *(kill.at_s for kill in kills)]
    gaps = [after - before for before, after in pairwise(times)]
    assert all(2.0 <= gap <= 5.0 for gap in gaps)
    assert times[-1] > 295.0
    assert {kill.name for kill in kills} == set(NAMES)
    assert kills == drawn_kills(NAMES, seed=1, every=every, storm_s=300.0)


def test_the_store_is_paused_twice_within_the_storm():
    pauses = [one for one in drawn_pauses(seed=3, storm_s=60.0) if one.name == STORE]

    assert [one.for_s for one in pauses] == [5.0, 5.0]
    assert all(0.0 < one.at_s < 60.0 for one in pauses)


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
