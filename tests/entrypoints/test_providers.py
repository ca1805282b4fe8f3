"""GET /v1/providers: the catalogue, and how the accounts stand."""

from dataclasses import replace

from relay.domain.catalogue import CATALOGUE
from relay.domain.job import Status
from tests.factories import a_hold, a_job, busy_account, job_id, job_in

DEMO = {"X-API-KEY": "key-of-demo"}
OTHER = {"Authorization": "Bearer key-of-other"}


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
