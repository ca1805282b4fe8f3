"""GET /v1/providers: the catalogue, and how the accounts stand."""

from dataclasses import replace
from datetime import datetime

import pytest

from relay.domain.admission import Stop, TenantState
from relay.domain.catalogue import CATALOGUE
from relay.domain.job import Status
from tests.entrypoints.requests import learn
from tests.factories import (
    JOB_ID,
    NOON,
    a_hold,
    a_job,
    busy_account,
    job_id,
    job_in,
    later,
    processing_job,
)

DEMO = {"X-API-KEY": "key-of-demo"}
OTHER = {"Authorization": "Bearer key-of-other"}
STOP = Stop(since=NOON, probe_at=later(5), gap_s=5.0)
LONGER = Stop(since=NOON, probe_at=later(60), gap_s=60.0)


def gepetto(answer):
    return next(one for one in answer.json["providers"] if one["name"] == "gepetto")


def test_the_whole_catalogue_is_shown(api):
    answer = api.get("/v1/providers", headers=DEMO)

    shown = {
        one["name"]: [operation["name"] for operation in one["catalogue"]["operations"]]
        for one in answer.json["providers"]
    }
    assert answer.status_code == 200
    assert shown == {name: list(facts.operations) for name, facts in CATALOGUE.items()}


def test_without_a_key_there_is_nothing_to_see(api):
    assert api.get("/v1/providers").status_code == 401


def test_an_account_that_is_not_switched_on_is_null(api):
    accounts = {
        one["name"]: one["account"]
        for one in api.get("/v1/providers", headers=DEMO).json["providers"]
    }

    assert accounts["spacely"] is None
    assert accounts["gepetto"] == {
        "limit": {"calls": 120, "windowSeconds": 60.0},
        "hold": None,
        "pause": None,
        "queuedJobs": 0,
        "openJobs": 0,
    }


def test_a_tenant_sees_its_own_jobs_counted_and_nobody_elses(api, world):
    world.jobs.put(a_job())
    for number, status in enumerate(Status, start=10):
        world.jobs.put(job_in(status, id=job_id(number)))
    world.jobs.put(a_job(id=job_id(99), tenant="other"))

    demo = gepetto(api.get("/v1/providers", headers=DEMO))["account"]
    other = gepetto(api.get("/v1/providers", headers=OTHER))["account"]

    assert (demo["queuedJobs"], demo["openJobs"]) == (2, 5)
    assert (other["queuedJobs"], other["openJobs"]) == (1, 1)


def test_a_hold_is_shown_with_its_reason_and_the_next_probe(api, world):
    account = world.accounts.account()
    hold = a_hold()
    world.accounts.put(replace(account, hold=hold))

    shown = gepetto(api.get("/v1/providers", headers=DEMO))["account"]

    assert shown["hold"] == {
        "code": "provider_auth",
        "httpStatus": 401,
        "since": "2026-01-02T12:00:00Z",
        "nextProbeAt": "2026-01-02T12:00:30Z",
    }


@pytest.mark.parametrize(
    ("stopped", "reason"),
    [
        ({"pause": STOP}, "throttled"),
        ({"outage": STOP}, "outage"),
        ({"tenants": (TenantState(tenant="demo", stop=STOP),)}, "unanswered"),
        ({"pause": STOP, "outage": LONGER}, "outage"),
    ],
    ids=["throttled", "down", "down for this tenant", "throttled and down for longer"],
)
def test_a_pause_is_shown_to_whose_jobs_it_holds_up(api, world, stopped, reason):
    world.accounts.put(replace(world.accounts.account(), **stopped))
    world.jobs.put(a_job())

    shown = gepetto(api.get("/v1/providers", headers=DEMO))["account"]["pause"]

    stop = LONGER if LONGER in stopped.values() else STOP
    assert shown["reason"] == reason
    assert datetime.fromisoformat(shown["since"]) == stop.since
    assert datetime.fromisoformat(shown["nextProbeAt"]) == stop.probe_at


@pytest.mark.parametrize(
    "stopped",
    [
        {"pause": STOP},
        {"outage": STOP},
        {"tenants": (TenantState(tenant="other", stop=STOP),)},
    ],
    ids=["throttled", "down", "down for another tenant"],
)
def test_a_pause_is_not_shown_to_a_tenant_whose_jobs_do_not_wait(api, world, stopped):
    world.accounts.put(replace(world.accounts.account(), **stopped))
    world.jobs.put(processing_job(), a_job(id=job_id(7), tenant="other"))

    assert gepetto(api.get("/v1/providers", headers=DEMO))["account"]["pause"] is None


def test_nothing_that_is_shown_moves_with_the_traffic_of_other_tenants(api, world):
    before = api.get("/v1/providers", headers=DEMO).json

    world.jobs.put(
        *[job_in(status, id=job_id(n), tenant="other") for n, status in enumerate(Status)]
    )
    world.accounts.put(busy_account(calls_ago_s=(5.0, 1.0, 0.5)))

    assert api.get("/v1/providers", headers=DEMO).json == before


def test_a_store_that_is_away_is_503(api, world):
    world.accounts.is_down = True

    assert api.get("/v1/providers", headers=DEMO).status_code == 503


def operations(answer, name="gepetto"):
    (provider,) = [one for one in answer.json["providers"] if one["name"] == name]
    return {one["name"]: one for one in provider["catalogue"]["operations"]}


def test_a_render_is_expected_to_take_as_long_as_was_learnt_where_anything_was(api, world):
    learn(world, "redesign", *[100.0] * 60)

    answer = api.get("/v1/providers", headers=DEMO)

    learnt, guessed = operations(answer)["redesign"], operations(answer)["furnish"]
    assert 95 < learnt["expected"]["seconds"] < 115
    assert learnt["expected"]["source"] == "median of this relay's own renders"
    assert guessed["expected"]["seconds"] == 30
    assert operations(answer, "spacely")["standard"]["expected"]["seconds"] == 30


def test_what_a_render_is_expected_to_take_is_what_a_job_is_expected_by(api, world):
    learn(world, "redesign", *[100.0] * 60)
    world.jobs.put(processing_job())

    seconds = operations(api.get("/v1/providers", headers=DEMO))["redesign"]["expected"]["seconds"]
    expected_at = api.get(f"/v1/jobs/{JOB_ID}", headers=DEMO).json["expectedAt"]

    took = datetime.fromisoformat(expected_at) - processing_job().submitted_at
    assert took.total_seconds() == pytest.approx(seconds, abs=0.1)


def test_where_durations_cannot_be_read_the_catalogue_is_shown_as_it_is(api, world):
    learn(world, "redesign", *[100.0] * 60)
    world.durations.is_down = True

    answer = api.get("/v1/providers", headers=DEMO)

    assert answer.status_code == 200
    assert operations(answer)["redesign"]["expected"]["seconds"] == 30


def test_ids_that_the_providers_pages_name_are_shown_with_their_fields(api):
    answer = api.get("/v1/providers", headers=DEMO)

    def known(name, operation):
        fields = operations(answer, name)[operation]["fields"]
        return {one["name"]: one["knownValues"] for one in fields if one["knownValues"]}

    redesign, standard = known("gepetto", "redesign"), known("spacely", "standard")
    assert redesign.keys() == {"styleId", "roomId"}
    assert redesign["styleId"] == ["modern", "demeures"]
    assert {"kitchen", "gaming_room"} <= set(redesign["roomId"])
    assert standard.keys() == {"model", "spaceType", "spaceStyle", "spaceColor", "materialsIds"}
    assert {"modern", "scandinavian"} <= set(standard["spaceStyle"])
    assert known("gepetto", "declutter") == {}
