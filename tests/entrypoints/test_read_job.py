"""`GET /v1/jobs/{id}` and the paths around it."""

import pytest

from relay.domain.job import Actor, Status
from relay.domain.transitions import succeeded
from tests.entrypoints.requests import BEARER, OTHER
from tests.factories import (
    JOB_ID,
    LATE_OUTPUT,
    OUTPUT,
    a_job,
    finished_job,
    job_id,
    processing_job,
)

PATH = f"/v1/jobs/{JOB_ID}"


@pytest.mark.parametrize("headers", [BEARER, {"X-API-KEY": "key-of-demo"}], ids=["bearer", "key"])
def test_a_tenants_own_job_is_200(api, world, headers):
    world.jobs.put(finished_job(Status.SUCCEEDED))

    answer = api.get(PATH, headers=headers)

    assert answer.status_code == 200
    assert answer.json["outputs"] == [{"url": OUTPUT}]
    assert "lateOutputs" not in answer.json
    assert answer.json["finishedBy"] == "poll"


def test_a_failed_job_shows_its_error_and_what_came_too_late(api, world):
    world.jobs.put(finished_job(Status.FAILED, late_outputs=(LATE_OUTPUT,)))

    job = api.get(PATH, headers=BEARER).json

    assert job["error"] == {"code": "render_failed", "message": "it failed", "retryable": False}
    assert job["lateOutputs"] == [{"url": LATE_OUTPUT}]


def test_nothing_of_how_the_relay_works_is_shown(api, world):
    world.jobs.put(processing_job(resubmissions=1))

    job = api.get(PATH, headers=BEARER).json

    assert not {"claim", "tenant", "announcements", "bodyDigest", "callAt", "polls"} & set(job)


@pytest.mark.parametrize(
    ("path", "headers"),
    [(PATH, OTHER), (f"/v1/jobs/{job_id(2)}", BEARER), ("/v1/jobs/nonsense", BEARER)],
    ids=["another tenant's", "unknown", "no id of ours"],
)
def test_a_job_that_is_not_the_tenants_is_404_the_same_answer_for_all(api, world, path, headers):
    world.jobs.put(a_job())

    answer = api.get(path, headers=headers)

    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
    assert answer.json == {
        "title": "Not Found",
        "status": 404,
        "code": "job_not_found",
        "detail": "there is no such job",
    }


def test_without_a_key_a_job_is_401_whether_there_is_one_or_not(api, world):
    world.jobs.put(a_job())

    there, not_there = api.get(PATH), api.get(f"/v1/jobs/{job_id(2)}")

    assert there.status_code == not_there.status_code == 401
    assert there.data == not_there.data
    assert world.jobs.calls == []


def test_a_caller_who_wants_to_wait_is_answered_as_soon_as_the_job_is_final(api, world):
    world.jobs.put(processing_job())
    done = succeeded(processing_job(), outputs=[OUTPUT], by=Actor.WEBHOOK, at=world.clock.now())
    world.clock.after(3.5, lambda: world.jobs.put(done))

    answer = api.get(PATH, headers=BEARER | {"Prefer": "wait=30"})

    assert answer.json["status"] == "succeeded"
    assert answer.headers["Preference-Applied"] == "wait=30"
    assert world.seconds() == 4
    assert world.jobs.calls == ["read"] * 5


@pytest.mark.parametrize(
    ("prefer", "waited_s"),
    [
        ("wait=5", 5),
        ("respond-async, wait=5", 5),
        ('wait="5"; foo', 5),
        ("WAIT = 5", 5),
        ("wait=100", 60),
        ("wait=999999", 60),
        ("wait=0", 0),
        ("wait=-5", 0),
        ("wait=", 0),
        ("wait=5s", 0),
        ("await=5", 0),
        ("wait=" + "9" * 5000, 0),
    ],
    ids=lambda one: str(one)[:22],
)
def test_the_wait_is_what_was_asked_for_up_to_a_minute(api, world, prefer, waited_s):
    world.jobs.put(processing_job())

    answer = api.get(PATH, headers=BEARER | {"Prefer": prefer})

    assert (answer.status_code, answer.json["status"]) == (200, "processing")
    assert world.seconds() == waited_s


def test_a_store_that_is_away_is_503(api, world):
    world.jobs.is_down = True

    answer = api.get(PATH, headers=BEARER)

    assert (answer.status_code, answer.json["code"]) == (503, "store_unavailable")


def test_a_document_that_does_not_parse_is_503_and_shows_nothing(api, world):
    world.jobs.put_document(JOB_ID, {"status": "a secret"})

    answer = api.get(PATH, headers=BEARER)

    assert answer.status_code == 503
    assert b"secret" not in answer.data


def test_health_needs_no_key_and_no_store(api, world):
    world.jobs.is_down = True

    answer = api.get("/healthz")

    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/jobs", "POST"),
        ("DELETE", PATH, "GET"),
        ("POST", PATH, "GET"),
        ("POST", "/healthz", "GET"),
        ("OPTIONS", "/healthz", "GET"),
    ],
)
def test_a_method_that_a_path_does_not_know_is_405_and_says_which_it_does(
    api, method, path, allowed
):
    answer = api.open(path, method=method, headers=BEARER)

    assert (answer.status_code, answer.json["code"]) == (405, "method_not_allowed")
    assert allowed in answer.headers["Allow"].split(", ")


@pytest.mark.parametrize(
    "path",
    ["/", "/v1", "/v2/jobs", "/v1/jobs/a/b", "//v1/jobs", "/v1/jobs/", "/v1//jobs/x"],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_path_that_leads_nowhere_is_404(api, path, method):
    answer = api.open(path, method=method, headers=BEARER)

    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
