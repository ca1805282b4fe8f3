"""What the API says of an open job beside its document: what it waits for, and until when."""

from dataclasses import replace

import pytest

from relay.domain.admission import Stop, TenantState
from relay.domain.job import Status
from tests.entrypoints.requests import BEARER, BODY, create, learn, listed
from tests.factories import (
    JOB_ID,
    NOON,
    a_hold,
    a_job,
    followed_job,
    job_id,
    job_in,
    later,
    processing_job,
)

PATH = f"/v1/jobs/{JOB_ID}"
HOLD = a_hold()
STOP = Stop(since=NOON, probe_at=later(30), gap_s=30.0)
LATE = later(10**6)


def read(api, path=PATH):
    answer = api.get(path, headers=BEARER)
    assert answer.status_code == 200
    return answer.json


def hold(world):
    world.accounts.put(replace(world.accounts.account(), hold=HOLD))


def test_a_new_job_waits_for_its_turn(api):
    created = create(api, BODY)

    assert (created.json["waitingFor"], created.json["expectedAt"]) == ("turn", None)
    assert read(api, created.headers["Location"])["waitingFor"] == "turn"


@pytest.mark.parametrize(
    ("call_at", "is_held", "waits_for"),
    [
        (None, False, "turn"),
        (NOON, False, "turn"),
        (later(5), False, "retry"),
        (None, True, "account_hold"),
        (later(5), True, "retry"),
    ],
)
def test_a_queued_job_says_what_it_waits_for(api, world, call_at, is_held, waits_for):
    world.jobs.put(a_job(call_at=call_at))
    if is_held:
        hold(world)

    assert read(api)["waitingFor"] == waits_for


@pytest.mark.parametrize(
    ("stopped", "waits_for"),
    [
        ({"pause": STOP}, "provider_pause"),
        ({"outage": STOP}, "provider_pause"),
        ({"tenants": (TenantState(tenant="demo", stop=STOP),)}, "provider_pause"),
        ({"tenants": (TenantState(tenant="other", stop=STOP),)}, "turn"),
        ({"pause": STOP, "hold": HOLD}, "account_hold"),
    ],
    ids=["paused", "down", "down for this tenant", "down for another tenant", "held and paused"],
)
def test_a_queued_job_says_that_its_provider_is_not_called_now(api, world, stopped, waits_for):
    world.jobs.put(a_job())
    world.accounts.put(replace(world.accounts.account(), **stopped))

    assert read(api)["waitingFor"] == waits_for


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.QUEUED}))
def test_no_other_job_waits_for_anything_and_no_account_is_read_for_it(api, world, status):
    world.jobs.put(job_in(status))
    hold(world)

    assert read(api)["waitingFor"] is None
    assert world.accounts.calls == []


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.PROCESSING}))
def test_only_a_render_that_is_under_way_is_expected(api, world, status):
    world.jobs.put(job_in(status))

    assert read(api)["expectedAt"] is None
    assert world.durations.calls == []


def test_a_render_is_expected_at_the_median_then_at_nine_tenths_then_not(api, world):
    learn(world, "redesign", *[20.0, 20.0, 60.0] * 60)
    world.jobs.put(processing_job(call_at=LATE, deadline_at=LATE))

    shown = []
    for _ in range(100):
        shown.append(read(api)["expectedAt"])
        world.clock.advance(1)

    median, ninth = dict.fromkeys(one for one in shown if one)
    assert "2026-01-02T12:00:18" < median < "2026-01-02T12:00:25"
    assert "2026-01-02T12:00:55" < ninth < "2026-01-02T12:01:15"
    assert shown == sorted(shown, key=lambda one: one or "3")
    assert shown[-1] is None


def test_before_anything_was_learnt_a_render_is_expected_by_the_catalogue(api, world):
    world.jobs.put(processing_job())

    assert NOON.isoformat()[:16] <= read(api)["expectedAt"] <= later(120).isoformat()[:16]


def test_each_operation_has_its_own_durations(api, world):
    learn(world, "furnish", *[100.0] * 200)
    world.jobs.put(processing_job(), processing_job(id=job_id(2), operation="furnish"))

    redesign, furnish = read(api), read(api, f"/v1/jobs/{job_id(2)}")

    assert furnish["expectedAt"] > redesign["expectedAt"]


def test_a_render_that_was_submitted_elsewhere_is_not_expected(api, world):
    world.jobs.put(followed_job(), processing_job(id=job_id(2), operation="not in the catalogue"))

    assert read(api)["expectedAt"] is None
    assert read(api, f"/v1/jobs/{job_id(2)}")["expectedAt"] is None


def test_an_account_is_read_once_a_second_and_durations_once_a_minute(api, world):
    world.jobs.put(a_job(), processing_job(id=job_id(2), call_at=LATE, deadline_at=LATE))

    for _ in range(600):
        read(api)
        read(api, f"/v1/jobs/{job_id(2)}")
        world.clock.advance(0.1)

    assert world.accounts.calls == ["read"] * 60
    assert world.durations.calls == ["read"]


def test_a_page_reads_the_account_once_and_shows_each_job_as_it_is_alone(api, world):
    world.jobs.put(*[a_job(id=job_id(n), created_at=later(n)) for n in range(30)])
    world.jobs.put(processing_job())

    jobs = listed(api, "pageSize=100")["jobs"]

    assert len(jobs) == 30
    assert world.accounts.calls == ["read"]
    assert all(job == read(api, f"/v1/jobs/{job['id']}") for job in jobs)


def test_a_hold_that_begins_is_seen_within_a_second(api, world):
    world.jobs.put(a_job(call_at=None))
    assert read(api)["waitingFor"] == "turn"
    hold(world)
    world.clock.advance(1)

    assert read(api)["waitingFor"] == "account_hold"


def test_where_the_accounts_cannot_be_read_a_job_still_can(api, world):
    world.jobs.put(a_job(call_at=None), processing_job(id=job_id(2)))
    hold(world)
    assert read(api)["waitingFor"] == "account_hold"
    world.clock.advance(1)
    world.accounts.is_down = world.durations.is_down = True

    assert read(api)["waitingFor"] == "account_hold"
    assert read(api, f"/v1/jobs/{job_id(2)}")["expectedAt"]


def test_events_say_nothing_of_it(api, world):
    world.jobs.put(processing_job())

    api.post(f"{PATH}/cancel", headers=BEARER)

    (event,) = world.topics.events
    assert b"expectedAt" not in event.data
    assert b"waitingFor" not in event.data
