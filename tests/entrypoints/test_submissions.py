"""Submissions in the providers' own shapes: code written for a provider finds what it expects."""

import json

import pytest

from relay.domain.callback import Callback, CallbackShape
from relay.domain.catalogue import CATALOGUE, RAW
from relay.domain.catalogue.operation import MAX_INPUT_VALUES
from relay.domain.job import OnUnconfirmed, Priority, Status
from tests.entrypoints.requests import BEARER, KEY, OTHER, create
from tests.factories import NOON, a_job, job_id
from tests.payloads.inputs import SAMPLES, sample_input

PREFIXES = {"gepetto": "/v1", "spacely": "/api/v1/generate"}
STANDARD = "/api/v1/generate/standard"
FURNISH = "/v1/furnish"
WEBHOOK = "https://example.com/hook"
OF_SPACELY = [one for one in SAMPLES if (one.provider, one.path) == ("spacely", None)]
OF_GEPETTO = [one for one in SAMPLES if (one.provider, one.path) == ("gepetto", None)]


@pytest.fixture
def api(make_api):
    return make_api(accounts=CATALOGUE)


def submit(api, path, body, headers=BEARER, **more):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return api.post(
        path, data=content, headers=headers, **({"content_type": "application/json"} | more)
    )


def path_of(sample):
    return f"{PREFIXES[sample.provider]}/{sample.operation}"


def assert_nothing_created(world):
    assert world.jobs.ids == []
    assert world.topics.ticks == []


@pytest.mark.parametrize("provider", CATALOGUE)
def test_there_is_a_sample_of_every_operation_with_a_path(provider):
    tried = {one.operation for one in [*OF_SPACELY, *OF_GEPETTO] if one.provider == provider}

    assert tried == CATALOGUE[provider].operations.keys() - {RAW}


@pytest.mark.parametrize("sample", OF_SPACELY, ids=str)
def test_spacelys_submission_is_answered_with_our_id_and_makes_an_ordinary_job(api, world, sample):
    answer = submit(api, path_of(sample), sample.input)

    (made,) = world.jobs.ids
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.json == {"data": made}
    job = world.jobs.job(made)
    assert (job.tenant, job.provider, job.operation) == ("demo", "spacely", sample.operation)
    assert (job.status, job.input, job.credits) == (Status.QUEUED, sample.input, sample.credits)
    assert (job.on_unconfirmed, job.priority) == (OnUnconfirmed.WAIT, Priority.NORMAL)
    assert (job.deadline_at - NOON).total_seconds() == 900
    assert world.topics.ticks == ["spacely"]


def test_a_submitted_job_is_read_in_every_way_that_there_is(api):
    ref = submit(api, STANDARD, sample_input("spacely", "standard")).json["data"]

    polled = api.get("/api/v1/generate/poll-result", query_string={"refId": ref}, headers=BEARER)
    read = api.get(f"/v1/jobs/{ref}", headers=BEARER)
    listed = api.get("/v1/jobs?provider=spacely&operation=standard", headers=BEARER)

    assert polled.json == {"data": {"status": "processing", "result": []}}
    assert (read.json["status"], read.json["waitingFor"]) == ("queued", "turn")
    assert [job["id"] for job in listed.json["jobs"]] == [ref]


def test_a_create_with_the_same_key_and_input_meets_the_submitted_job(api, world):
    given = sample_input("spacely", "standard")
    body = {"provider": "spacely", "operation": "standard", "input": given}

    submitted = submit(api, STANDARD, given, BEARER | KEY)
    world.clock.advance(5)
    created = create(api, body, BEARER | KEY)

    assert (created.status_code, created.json["id"]) == (200, submitted.json["data"])
    assert len(world.jobs.ids) == 1


def test_the_same_key_with_the_same_body_is_the_same_id(api, world):
    first = submit(api, STANDARD, sample_input("spacely", "standard"), BEARER | KEY)
    world.clock.advance(5)

    second = submit(api, STANDARD, sample_input("spacely", "standard"), BEARER | KEY)

    assert (first.status_code, second.status_code) == (200, 200)
    assert second.json == first.json
    assert world.jobs.ids == [first.json["data"]]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (STANDARD, sample_input("spacely", "standard", spaceType="kitchen")),
        ("/api/v1/generate/advance", sample_input("spacely", "advance")),
    ],
    ids=["another field", "another operation"],
)
def test_the_same_key_with_another_body_is_409(api, world, path, body):
    submit(api, STANDARD, sample_input("spacely", "standard"), BEARER | KEY)
    world.clock.advance(5)

    answer = submit(api, path, body, BEARER | KEY)

    assert (answer.status_code, answer.json["code"]) == (409, "idempotency_key_reused")
    assert len(world.jobs.ids) == 1


def test_without_a_key_each_submission_is_a_job_of_its_own(api, world):
    ids = {
        submit(api, STANDARD, sample_input("spacely", "standard")).json["data"] for _ in range(2)
    }

    assert set(world.jobs.ids) == ids
    assert len(ids) == 2


@pytest.mark.parametrize("path", [STANDARD, FURNISH])
@pytest.mark.parametrize("key", ["", "x" * 256, "naïve"], ids=repr)
def test_an_idempotency_key_that_is_none_is_400(api, world, path, key):
    answer = submit(api, path, {}, BEARER | {"Idempotency-Key": key})

    assert (answer.status_code, answer.json["code"]) == (400, "invalid_idempotency_key")
    assert_nothing_created(world)


@pytest.mark.parametrize("headers", [BEARER, {"X-API-KEY": "key-of-demo"}], ids=["bearer", "key"])
def test_either_providers_way_to_give_a_key_is_good_at_both(api, headers):
    gepetto = submit(api, FURNISH, sample_input("gepetto", "furnish", webhook=WEBHOOK), headers)
    spacely = submit(api, STANDARD, sample_input("spacely", "standard"), headers)

    assert (gepetto.status_code, spacely.status_code) == (200, 200)


@pytest.mark.parametrize("sample", [*OF_SPACELY, *OF_GEPETTO], ids=str)
@pytest.mark.parametrize("headers", [{}, {"X-API-KEY": "wrong"}], ids=["none", "wrong"])
def test_without_a_good_key_it_is_401(api, world, sample, headers):
    answer = submit(api, path_of(sample), sample.input, headers)

    assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")
    assert world.jobs.calls == []


def test_another_tenant_does_not_see_what_was_submitted(api):
    ref = submit(api, STANDARD, sample_input("spacely", "standard")).json["data"]

    polled = api.get("/api/v1/generate/poll-result", query_string={"refId": ref}, headers=OTHER)

    assert polled.status_code == 400


WRONG = {
    "no model": (STANDARD, {"model": None}, "/model", "model must be a string"),
    "an unknown field": (STANDARD, {"style": "x"}, "/style", "style is not a field"),
    "an unknown field named input": (STANDARD, {"input": {}}, "/input", "input is not a field"),
    "a webhook for Spacely": (
        STANDARD, {"webhook": WEBHOOK}, "/webhook", "webhook must not be given",
    ),
    "an image that is none": (STANDARD, {"imageUrl": "x"}, "/imageUrl", "imageUrl must be an"),
    "an image at home": (
        STANDARD, {"imageUrl": "https://localhost/a.jpg"}, "/imageUrl",
        "imageUrl must have a public host",
    ),
    "a word that is none": (
        STANDARD, {"renovateType": "garden"}, "/renovateType",
        "renovateType must be one of ",
    ),
    "an element of a list": (STANDARD, {"materialsIds": [1]}, "/materialsIds", "materialsIds["),
    "NUL": (STANDARD, {"spaceStyle": "a\0"}, "/spaceStyle", "spaceStyle has the character"),
    "NUL in a field named input": (STANDARD, {"input": "\0"}, "/input", "input has the character"),
    "too deep": (
        STANDARD, {"model": json.loads("[" * 40 + "]" * 40)}, "/model", "model must not be nested",
    ),
    "too many values": (
        STANDARD, {"materialsIds": ["a"] * MAX_INPUT_VALUES}, "",
        "the body may have at most 10,000 JSON values",
    ),
    "both of two": (
        FURNISH, {"furnitureId": "sofa"}, "", "the body must have exactly one of roomId and",
    ),
    "a value that goes with another": (
        "/v1/refresh", {"value": "parquet"}, "/value", "value must be one of white, egg shell",
    ),
    "too creative": (
        "/v1/redesign", {"creativity": 31}, "/creativity", "creativity must be a number <= 30",
    ),
    "a webhook that is no URL": (FURNISH, {"webhook": "soon"}, "/webhook", "webhook must be an"),
    "a webhook that is null": (FURNISH, {"webhook": None}, "/webhook", "webhook must be a URL"),
    "a webhook by http": (
        FURNISH, {"webhook": "http://hooks.example.com/a"}, "/webhook", "webhook must be an https",
    ),
    "a webhook at home": (
        FURNISH, {"webhook": "https://10.0.0.1/a"}, "/webhook", "webhook must have a public host",
    ),
    "a webhook on another port": (
        FURNISH, {"webhook": "https://example.com:8443/a"}, "/webhook", "webhook must be on port",
    ),
    "no field of Gepetto's": (
        FURNISH, {"webhookUrl": WEBHOOK}, "/webhookUrl", "webhookUrl must not be given",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("path", "changes", "pointer", "begins"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_body_is_the_providers_400_and_names_the_field_of_the_body(
    api, world, path, changes, pointer, begins
):
    provider = "spacely" if path == STANDARD else "gepetto"
    good = sample_input(provider, path.rpartition("/")[2])

    answer = submit(api, path, good | changes)

    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
    problem = answer.json
    assert (problem["status"], problem["code"]) == (400, "invalid_request")
    assert problem["pointer"] == pointer
    assert problem["detail"].startswith(begins), problem["detail"]
    assert_nothing_created(world)


@pytest.mark.parametrize("sample", [*OF_SPACELY, *OF_GEPETTO], ids=str)
def test_every_operation_tells_of_a_required_field_that_is_missing(api, world, sample):
    answer = submit(api, path_of(sample), {})

    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    assert answer.json["pointer"].strip("/") in sample.input
    assert answer.json["errors"][0]["detail"].endswith(" is required")
    assert {one["pointer"].strip("/") for one in answer.json["errors"]} <= {"", *sample.input}
    assert_nothing_created(world)


@pytest.mark.parametrize("body", [[], [{}], None, "a", 1], ids=repr)
@pytest.mark.parametrize("path", [STANDARD, FURNISH])
def test_a_body_that_is_no_object_is_400(api, world, path, body):
    answer = submit(api, path, body)

    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    assert (answer.json["pointer"], answer.json["detail"]) == ("", "the body must be an object")
    assert_nothing_created(world)


@pytest.mark.parametrize("sample", OF_GEPETTO, ids=str)
def test_where_callbacks_are_off_a_submission_with_a_webhook_is_501_and_makes_nothing(
    make_api, world, sample
):
    api = make_api(accounts=CATALOGUE, callback_keys=())

    answer = submit(api, path_of(sample), {**sample.input, "webhook": WEBHOOK}, BEARER | KEY)

    assert (answer.status_code, answer.mimetype) == (501, "application/problem+json")
    assert (answer.json["code"], answer.json["pointer"]) == ("webhook_not_supported", "/webhook")
    assert "callbacks are not switched on here" in answer.json["detail"]
    assert WEBHOOK not in answer.text
    assert_nothing_created(world)


def test_where_callbacks_are_off_a_wrong_body_is_told_first(make_api, world):
    api = make_api(accounts=CATALOGUE, callback_keys=())

    answer = submit(api, FURNISH, {"webhook": WEBHOOK})

    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    assert_nothing_created(world)


@pytest.mark.parametrize("sample", OF_GEPETTO, ids=str)
def test_gepettos_submission_with_a_webhook_is_acknowledged_as_gepetto_does(api, world, sample):
    answer = submit(api, path_of(sample), {**sample.input, "webhook": WEBHOOK})

    (made,) = world.jobs.ids
    job = world.jobs.job(made)
    echoed = ("styleId", "roomId", "creativity", "skyId")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.json == {
        "status": "pending",
        "id": made,
        "mode": sample.operation,
        **{name: sample.input[name] for name in echoed if name in sample.input},
    }
    assert (job.tenant, job.provider, job.operation) == ("demo", "gepetto", sample.operation)
    assert (job.status, job.input) == (Status.QUEUED, sample.input)
    assert job.callback == Callback(url=WEBHOOK, shape=CallbackShape.GEPETTO)
    assert world.topics.ticks == ["gepetto"]


def test_the_acknowledgement_echoes_what_redesign_was_asked_for(api):
    given = {"styleId": "modern", "roomId": "kitchen", "creativity": 14}
    body = sample_input("gepetto", "redesign", **given)

    answer = submit(api, "/v1/redesign", {**body, "webhook": WEBHOOK})

    assert {name: answer.json[name] for name in given} == given
    assert type(answer.json["creativity"]) is int


def test_the_same_key_with_the_same_webhook_is_the_same_job_and_with_another_409(api, world):
    body = sample_input("gepetto", "furnish", webhook=WEBHOOK)
    first = submit(api, FURNISH, body, BEARER | KEY)
    world.clock.advance(5)

    second = submit(api, FURNISH, body, BEARER | KEY)
    third = submit(api, FURNISH, body | {"webhook": f"{WEBHOOK}/2"}, BEARER | KEY)

    assert (second.status_code, second.json) == (200, first.json)
    assert (third.status_code, third.json["code"]) == (409, "idempotency_key_reused")
    assert len(world.jobs.ids) == 1


def test_a_wrong_webhook_is_named_beside_what_else_is_wrong(api, world):
    body = sample_input("gepetto", "redesign", creativity=31, webhook="http://localhost/hook")

    answer = submit(api, "/v1/redesign", body)

    assert answer.status_code == 400
    assert {one["pointer"] for one in answer.json["errors"]} == {"/creativity", "/webhook"}
    assert_nothing_created(world)


@pytest.mark.parametrize(
    ("account", "path", "sample"),
    [("spacely", FURNISH, ("gepetto", "furnish")), ("gepetto", STANDARD, ("spacely", "standard"))],
)
def test_a_provider_that_is_switched_off_is_said_to_be(make_api, world, account, path, sample):
    api = make_api(accounts={account})

    answer = submit(api, path, sample_input(*sample))

    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")
    assert answer.json["detail"] == f"provider {sample[0]} is not switched on here"
    assert "pointer" not in answer.json
    assert_nothing_created(world)


@pytest.mark.parametrize("allow_raw", [True, False])
@pytest.mark.parametrize("path", ["/v1/raw", "/api/v1/raw", "/api/v1/generate/raw"])
def test_raw_has_no_path_of_its_own(make_api, world, path, allow_raw):
    api = make_api(accounts=CATALOGUE, allow_raw=allow_raw)

    answer = submit(api, path, {"prompt": "a sofa"})

    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert_nothing_created(world)


def test_where_raw_jobs_are_not_taken_other_operations_still_are(make_api):
    api = make_api(accounts=CATALOGUE, allow_raw=False)

    assert submit(api, STANDARD, sample_input("spacely", "standard")).status_code == 200


def test_a_submission_beyond_the_quota_is_429_and_says_when_to_come_again(make_api, world):
    api = make_api(accounts=CATALOGUE, max_open_jobs=1)
    world.jobs.put(a_job(id=job_id(1), provider="spacely"))

    answer = submit(api, STANDARD, sample_input("spacely", "standard"))

    assert (answer.status_code, answer.json["code"]) == (429, "too_many_open_jobs")
    assert answer.headers["Retry-After"] == "5"
    assert world.jobs.ids == [job_id(1)]


def test_a_store_that_is_away_is_503_and_says_when_to_come_again(api, world):
    world.jobs.is_down = True

    answer = submit(api, STANDARD, sample_input("spacely", "standard"))

    assert (answer.status_code, answer.json["code"]) == (503, "store_unavailable")
    assert answer.headers["Retry-After"] == "2"


@pytest.mark.parametrize("path", [STANDARD, FURNISH])
def test_a_body_of_another_media_type_is_415(api, world, path):
    answer = submit(api, path, b"a=b", content_type="application/x-www-form-urlencoded")

    assert (answer.status_code, answer.json["code"]) == (415, "unsupported_media_type")
    assert_nothing_created(world)


@pytest.mark.parametrize("path", [STANDARD, FURNISH, "/v1/jobs"])
def test_a_path_of_a_submission_is_for_posts(api, path):
    answer = api.put(path, headers=BEARER)

    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


def test_no_field_of_a_body_is_logged(api, caplog):
    caplog.set_level("DEBUG")

    submit(api, STANDARD, sample_input("spacely", "standard", spaceStyle="a style of my own"))
    submit(api, STANDARD, sample_input("spacely", "standard", model=1, spaceStyle="a style of my"))

    logged = "".join(f"{record.getMessage()}{record.__dict__}" for record in caplog.records)
    assert "job created" in logged
    assert "a style of my" not in logged
