"""Jobs from callers: the same call twice is one job."""

import re
from typing import Any

import pytest

from relay.application.job_creator import NewJob, body_digest, job_id
from relay.assembly import CreatePolicy
from relay.domain.job import OnUnconfirmed, Priority, Status
from relay.errors import InvalidRequest, KeyReused, StoreUnavailable
from tests.factories import INPUT, later


@pytest.fixture
def creator(world):
    return world.relay.creator(CreatePolicy(accounts={"gepetto"}))


def a_new_job(**changes):
    fields: dict[str, Any] = {
        "provider": "gepetto",
        "operation": "redesign",
        "input": INPUT,
        "metadata": {"a": "1", "b": "2"},
        "deadline_s": 900,
        "on_unconfirmed": OnUnconfirmed.WAIT,
    }
    return NewJob(**(fields | changes))


def test_a_new_job_waits_to_be_submitted_and_its_pump_is_woken(creator, world):
    created = creator.create("demo", a_new_job(), idempotency_key=None)

    assert created.is_new
    assert created.job == world.jobs.job(created.job.id)
    assert (created.job.status, created.job.tenant) == (Status.QUEUED, "demo")
    assert (created.job.is_ready, created.job.deadline_at) == (True, later(900))
    assert world.topics.ticks == ["gepetto"]


def test_two_creates_without_a_key_are_two_jobs(creator, world):
    creator.create("demo", a_new_job(), idempotency_key=None)
    creator.create("demo", a_new_job(), idempotency_key=None)

    assert len(world.jobs.ids) == 2


def test_the_same_key_and_body_meet_the_first_job(creator, world):
    first = creator.create("demo", a_new_job(), idempotency_key="k")
    world.clock.advance(5)
    swapped = a_new_job(metadata={"b": "2", "a": "1"}, input=dict(reversed(INPUT.items())))

    second = creator.create("demo", swapped, idempotency_key="k")

    assert (second.job, second.is_new) == (first.job, False)
    assert world.topics.ticks == ["gepetto", "gepetto"]


@pytest.mark.parametrize(
    "changes",
    [
        {"operation": "furnish", "input": {k: v for k, v in INPUT.items() if k != "creativity"}},
        {"input": INPUT | {"creativity": 13}},
        {"metadata": {}},
        {"deadline_s": 901},
        {"on_unconfirmed": OnUnconfirmed.RESUBMIT},
        {"priority": Priority.LOW},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_the_same_key_with_another_body_is_refused(creator, world, changes):
    creator.create("demo", a_new_job(), idempotency_key="k")
    world.clock.advance(5)

    with pytest.raises(KeyReused):
        creator.create("demo", a_new_job(**changes), idempotency_key="k")


def test_a_digest_from_before_there_were_priorities_still_says_the_same():
    before = "149a924e8dc9fe2f62b1ec6fcb20a883b08b8d839c85ee9466708718094288ea"

    assert body_digest(a_new_job()) == before
    assert body_digest(a_new_job(priority=Priority.NORMAL)) == before


def test_a_raw_job_keeps_its_path(creator, world):
    new = a_new_job(operation="raw", path="/upscale", input={"any": [{"thing": None}]})

    job = creator.create("demo", new, idempotency_key=None).job

    assert (job.operation, job.path, job.credits) == ("raw", "/upscale", None)
    assert world.jobs.job(job.id).input == {"any": [{"thing": None}]}


def test_the_same_key_with_another_path_is_refused(creator, world):
    raw = {"operation": "raw", "input": {"url": "x"}}
    first = creator.create("demo", a_new_job(path="/upscale", **raw), idempotency_key="k")
    world.clock.advance(5)

    again = creator.create("demo", a_new_job(path="/upscale", **raw), idempotency_key="k")
    with pytest.raises(KeyReused):
        creator.create("demo", a_new_job(path="/enhance", **raw), idempotency_key="k")

    assert (again.job, again.is_new) == (first.job, False)


@pytest.mark.parametrize(("mask", "credits"), [({}, 2), ({"mask": INPUT["url"]}, 1)], ids=repr)
def test_a_job_costs_what_its_input_costs(creator, mask, credits):
    new = a_new_job(operation="declutter", input={"url": INPUT["url"]} | mask)

    assert creator.create("demo", new, idempotency_key=None).job.credits == credits


def test_the_same_key_of_another_tenant_is_another_job(creator):
    first = creator.create("demo", a_new_job(), idempotency_key="k")

    second = creator.create("other", a_new_job(), idempotency_key="k")

    assert second.is_new
    assert second.job.id != first.job.id


def test_tenant_and_key_cannot_be_shifted_against_each_other(creator):
    first = creator.create("demo", a_new_job(), idempotency_key='x", "y')

    second = creator.create('demo", "x', a_new_job(), idempotency_key="y")

    assert second.job.id != first.job.id


def test_a_create_whose_reply_was_lost_counts_as_new(creator, world):
    world.jobs.lose_replies()

    created = creator.create("demo", a_new_job(), idempotency_key="k")

    assert created.is_new
    assert len(world.jobs.ids) == 1


def test_a_store_that_stays_away_is_said_so_and_nobody_is_woken(creator, world):
    world.jobs.is_down = True

    with pytest.raises(StoreUnavailable):
        creator.create("demo", a_new_job(), idempotency_key=None)

    assert world.topics.ticks == []


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"provider": "dalle"}, "/provider"),
        ({"provider": "spacely", "operation": "standard"}, "/provider"),
        ({"operation": "paint"}, "/operation"),
        ({"input": {}}, "/input/url"),
        ({"operation": "raw", "input": {}}, "/path"),
        ({"operation": "raw", "input": {}, "path": "/upscale\n"}, "/path"),
        ({"path": "/redesign"}, "/path"),
    ],
    ids=[
        "unknown provider",
        "provider that is off",
        "unknown operation",
        "wrong input",
        "raw without a path",
        "raw with a wrong path",
        "a path of its own",
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(creator, world, changes, pointer):
    with pytest.raises(InvalidRequest) as caught:
        creator.create("demo", a_new_job(**changes), idempotency_key=None)

    assert caught.value.pointer == pointer
    assert world.jobs.calls == []


@pytest.mark.parametrize("seed", [bytes(20), b"\xff" * 20, bytes(range(20))], ids=repr)
def test_an_id_is_job_and_26_characters_of_one_case(seed):
    assert re.fullmatch(r"job_[0-9a-hjkmnp-tv-z]{26}", job_id(seed))


def test_ids_differ_with_each_of_their_130_bits():
    seeds = [(1 << 159 >> bit).to_bytes(20, "big") for bit in range(130)]

    assert len({job_id(seed) for seed in seeds}) == 130


def test_a_digest_does_not_tell_orders_of_names_apart():
    assert body_digest(a_new_job(metadata={"a": "1", "b": "2"})) == body_digest(
        a_new_job(metadata={"b": "2", "a": "1"})
    )


def test_a_digest_of_an_operation_that_is_known_is_as_it_was_before_there_were_paths():
    assert body_digest(a_new_job()) == (
        "149a924e8dc9fe2f62b1ec6fcb20a883b08b8d839c85ee9466708718094288ea"
    )


def test_a_digest_tells_paths_apart():
    paths = [None, "/a", "/b", "/a/b"]

    assert len({body_digest(a_new_job(path=path)) for path in paths}) == len(paths)
