"""`POST /v1/jobs` as a caller meets it."""

import pytest

from relay.domain.job import Status
from tests.entrypoints.requests import BEARER, BODY, OTHER, create
from tests.factories import NOON
from tests.payloads.inputs import SAMPLES


def test_a_new_job_is_201_with_the_job_and_where_it_is(api, world):
    answer = create(api, BODY)

    job = answer.json
    assert answer.status_code == 201
    assert answer.mimetype == "application/json"
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert job | {"id": "", "history": []} == {
        "id": "",
        "provider": "gepetto",
        "operation": "redesign",
        "input": BODY["input"],
        "status": "queued",
        "outputs": [],
        "error": None,
        "metadata": {"listing": "42"},
        "onUnconfirmed": "wait",
        "priority": "normal",
        "providerJobId": None,
        "providerStatus": None,
        "finishedBy": None,
        "credits": None,
        "expectedAt": None,
        "waitingFor": "turn",
        "callback": None,
        "createdAt": "2026-01-02T12:00:00Z",
        "submittedAt": None,
        "finishedAt": None,
        "deadlineAt": "2026-01-02T12:15:00Z",
        "history": [],
    }
    assert job["history"] == [
        {"at": "2026-01-02T12:00:00Z", "status": "queued", "by": "caller", "note": "created"}
    ]
    assert world.jobs.ids == [job["id"]]
    assert world.topics.ticks == ["gepetto"]


def test_what_the_caller_wishes_is_kept(api, world):
    body = BODY | {"deadlineSeconds": 60, "onUnconfirmed": "resubmit", "priority": "low"}

    job = create(api, body).json

    assert job["deadlineAt"] == "2026-01-02T12:01:00Z"
    assert (job["priority"], world.jobs.job(job["id"]).priority) == ("low", "low")
    assert world.jobs.job(job["id"]).on_unconfirmed == "resubmit"


def test_what_only_looks_like_a_nul_is_no_nul(api):
    answer = create(api, BODY | {"metadata": {"path": r"C:\u0000"}})

    assert (answer.status_code, answer.json["metadata"]) == (201, {"path": r"C:\u0000"})


@pytest.mark.parametrize("sample", [one for one in SAMPLES if one.provider == "gepetto"], ids=str)
def test_every_operation_of_the_catalogue_can_be_asked_for(api, sample):
    path = {} if sample.path is None else {"path": sample.path}
    body = {"provider": sample.provider, "operation": sample.operation, "input": sample.input}

    answer = create(api, body | path)

    job = answer.json
    assert answer.status_code == 201
    assert job is not None
    assert (job["input"], job["credits"], job.get("path")) == (
        sample.input,
        sample.credits,
        sample.path,
    )


RAW = {"provider": "gepetto", "operation": "raw", "path": "/new-thing", "input": {"a": 1}}


def test_where_raw_jobs_are_not_taken_they_are_422_for_everybody(make_api, world):
    api = make_api(allow_raw=False)

    for headers in (BEARER, OTHER):
        for body in (RAW, {"provider": "gepetto", "operation": "raw", "providerJobId": "x"}):
            answer = create(api, body, headers)

            assert (answer.status_code, answer.json["pointer"]) == (422, "/operation")
            assert "raw" not in answer.json["detail"]
    assert world.jobs.ids == []
    assert create(api, BODY).status_code == 201


def test_where_raw_jobs_are_not_taken_an_older_one_is_not_retried(make_api, world):
    old = create(make_api(), RAW).json["id"]
    api = make_api(allow_raw=False)
    api.post(f"/v1/jobs/{old}/cancel", headers=BEARER)

    answer = api.post(f"/v1/jobs/{old}/retry", headers=BEARER)

    assert (answer.status_code, answer.json["pointer"]) == (422, "/operation")
    assert world.jobs.ids == [old]


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer key-of-demo"},
        {"Authorization": "bearer  key-of-demo "},
        {"X-API-KEY": "key-of-demo"},
        {"x-api-key": "key-of-demo", "Authorization": "Basic abc"},
        {"X-API-KEY": "key-of-demo", "Authorization": "Bearer token-for-cloud-run"},
    ],
    ids=[
        "bearer",
        "bearer in lower case",
        "X-API-KEY",
        "X-API-KEY beside another scheme",
        "X-API-KEY beside a token that lets in",
    ],
)
def test_a_key_may_come_in_either_header(api, headers):
    assert create(api, BODY, headers).status_code == 201


MISSING = "there is no key: give one as `Authorization: Bearer KEY` or as `X-API-KEY: KEY`"
WRONG_BEARER = "the key in `Authorization` is wrong"
WRONG_HEADER = "the key in `X-API-KEY` is wrong"


@pytest.mark.parametrize(
    ("headers", "detail"),
    [
        ({}, MISSING),
        ({"Authorization": "Bearer"}, MISSING),
        ({"Authorization": "key-of-demo"}, MISSING),
        ({"Authorization": "Basic a2V5LW9mLWRlbW8="}, MISSING),
        ({"X-API-KEY": ""}, MISSING),
        ({"Authorization": "Bearer wrong"}, WRONG_BEARER),
        ({"X-API-KEY": "wrong"}, WRONG_HEADER),
        ({"X-API-KEY": "\xff\xfe"}, WRONG_HEADER),
        ({"Authorization": "Bearer key-of-demo", "X-API-KEY": "wrong"}, WRONG_HEADER),
    ],
    ids=[
        *("none", "no bearer", "no scheme", "another scheme", "empty"),
        *("wrong bearer", "wrong", "bytes", "two"),
    ],
)
def test_no_key_or_a_wrong_one_is_401_and_writes_nothing(api, world, headers, detail):
    answer = create(api, BODY, headers)

    assert answer.status_code == 401
    assert answer.mimetype == "application/problem+json"
    assert (answer.json["code"], answer.json["detail"]) == ("unauthenticated", detail)
    error = "" if detail == MISSING else ' error="invalid_token"'
    assert answer.headers["WWW-Authenticate"] == f"Bearer{error}"
    assert world.jobs.calls == []


def test_of_two_keys_the_one_in_x_api_key_counts(api):
    both = {"Authorization": "Bearer key-of-other", "X-API-KEY": "key-of-demo"}

    path = create(api, BODY, both).headers["Location"]

    assert api.get(path, headers=BEARER).status_code == 200
    assert api.get(path, headers=OTHER).status_code == 404


def test_the_same_key_with_the_same_body_is_200_and_the_first_job(api, world):
    first = create(api, BODY, BEARER | {"Idempotency-Key": "order-1"})
    world.clock.advance(5)

    second = create(api, BODY, BEARER | {"Idempotency-Key": "order-1"})

    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json == first.json
    assert second.headers["Location"] == first.headers["Location"]
    assert len(world.jobs.ids) == 1


def test_the_same_key_with_another_body_is_409(api, world):
    create(api, BODY, BEARER | {"Idempotency-Key": "order-1"})
    world.clock.advance(5)

    answer = create(api, BODY | {"metadata": {}}, BEARER | {"Idempotency-Key": "order-1"})

    assert answer.status_code == 409
    assert answer.mimetype == "application/problem+json"
    assert answer.json["code"] == "idempotency_key_reused"
    assert len(world.jobs.ids) == 1


def test_the_same_key_of_another_tenant_is_another_job(api, world):
    mine = create(api, BODY, BEARER | {"Idempotency-Key": "order-1"})

    theirs = create(api, BODY, OTHER | {"Idempotency-Key": "order-1"})

    assert theirs.status_code == 201
    assert theirs.json["id"] != mine.json["id"]


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "naïve", "a\tb"], ids=repr)
def test_an_idempotency_key_that_is_none_is_400(api, world, key):
    answer = create(api, BODY, BEARER | {"Idempotency-Key": key})

    assert (answer.status_code, answer.json["code"]) == (400, "invalid_idempotency_key")
    assert world.jobs.ids == []


def test_a_create_whose_reply_from_the_store_was_lost_is_201_once(api, world):
    world.jobs.lose_replies()

    answer = create(api, BODY)

    assert answer.status_code == 201
    assert world.jobs.ids == [answer.json["id"]]


def test_a_store_that_is_away_is_503_and_says_when_to_come_again(api, world):
    world.jobs.is_down = True

    answer = create(api, BODY)

    assert (answer.status_code, answer.json["code"]) == (503, "store_unavailable")
    assert answer.headers["Retry-After"] == "2"
    assert (world.clock.now() - NOON).total_seconds() < 10


def test_a_topic_that_is_away_does_not_spoil_a_create(api, world):
    world.topics.is_down = True

    answer = create(api, BODY)

    assert answer.status_code == 201
    assert world.jobs.job(answer.json["id"]).status is Status.QUEUED


def test_a_body_of_another_media_type_is_415(api, world):
    answer = api.post("/v1/jobs", data="a=b", headers=BEARER, content_type="text/plain")

    assert (answer.status_code, answer.json["code"]) == (415, "unsupported_media_type")
    assert world.jobs.ids == []


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/x+json", ""])
def test_json_by_any_of_its_names_is_taken(api, kind):
    assert create(api, BODY, content_type=kind).status_code == 201
