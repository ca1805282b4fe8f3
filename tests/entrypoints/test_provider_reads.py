"""The providers' own read endpoints: code written for a provider finds what it expects."""

import pytest

from relay.domain.job import Status
from tests.entrypoints.requests import BEARER, OTHER
from tests.factories import (
    JOB_ID,
    LATE_OUTPUT,
    OUTPUT,
    PROVIDER_JOB_ID,
    finished_job,
    followed_job,
    job_id,
    job_in,
    later,
    processing_job,
)

NO_SUCH_JOB = {
    "title": "Bad Request",
    "status": 400,
    "code": "job_not_found",
    "detail": "there is no such job",
}
GEPETTO_WORDS = {
    Status.QUEUED: "pending",
    Status.SUBMITTING: "pending",
    Status.UNCONFIRMED: "pending",
    Status.PROCESSING: "pending",
    Status.SUCCEEDED: "success",
    Status.FAILED: "failed",
    Status.CANCELLED: "failed",
}
SPACELY_WORDS = {
    status: "processing" if word == "pending" else word for status, word in GEPETTO_WORDS.items()
}
SPACELY = {"provider": "spacely", "operation": "advance"}
OUTPUTS = tuple(f"https://cdn.example.com/{number}.png" for number in range(4))


def as_gepetto(api, ref, headers=BEARER):
    return api.get(f"/v1/job/{ref}", headers=headers)


def as_spacely(api, ref, headers=BEARER):
    return api.get("/api/v1/generate/poll-result", query_string={"refId": ref}, headers=headers)


READS = [
    pytest.param(as_gepetto, {}, id="gepetto"),
    pytest.param(as_spacely, SPACELY, id="spacely"),
]
OTHERS_READS = [
    pytest.param(as_gepetto, SPACELY, id="gepetto"),
    pytest.param(as_spacely, {}, id="spacely"),
]


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("ref", [JOB_ID, PROVIDER_JOB_ID], ids=["our id", "gepetto's id"])
def test_gepettos_get_job_has_gepettos_shape_and_words(api, world, ref, status):
    job = job_in(status, created_at=later(0.0625), provider_job_id=PROVIDER_JOB_ID)
    world.jobs.put(job)

    answer = as_gepetto(api, ref)

    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.json == {
        "status": GEPETTO_WORDS[status],
        "output": OUTPUT if status is Status.SUCCEEDED else None,
        "mode": "redesign",
        "createdAt": "2026-01-02T12:00:00.062Z",
    }


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("ref", [JOB_ID, PROVIDER_JOB_ID], ids=["our id", "spacely's id"])
def test_spacelys_poll_has_spacelys_shape_and_words(api, world, ref, status):
    job = job_in(status, provider_job_id=PROVIDER_JOB_ID, **SPACELY)
    world.jobs.put(job)

    answer = as_spacely(api, ref)

    result = [OUTPUT] if status is Status.SUCCEEDED else []
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.json == {"data": {"status": SPACELY_WORDS[status], "result": result}}


def test_a_time_without_a_fraction_is_shown_with_milliseconds(api, world):
    world.jobs.put(processing_job())

    assert as_gepetto(api, JOB_ID).json["createdAt"] == "2026-01-02T12:00:00.000Z"


def test_of_several_outputs_gepetto_shows_the_first_and_spacely_all(api, world):
    world.jobs.put(
        finished_job(Status.SUCCEEDED, id=job_id(1), outputs=OUTPUTS),
        finished_job(Status.SUCCEEDED, id=job_id(2), outputs=OUTPUTS, **SPACELY),
    )

    assert as_gepetto(api, job_id(1)).json["output"] == OUTPUTS[0]
    assert as_spacely(api, job_id(2)).json["data"]["result"] == list(OUTPUTS)


def test_a_late_result_does_not_make_a_failed_job_look_like_a_success(api, world):
    late = {"late_outputs": (LATE_OUTPUT,)}
    world.jobs.put(
        finished_job(Status.FAILED, id=job_id(1), **late),
        finished_job(Status.CANCELLED, id=job_id(2), **late, **SPACELY),
    )

    gepetto, spacely = as_gepetto(api, job_id(1)), as_spacely(api, job_id(2))

    assert (gepetto.json["status"], gepetto.json["output"]) == ("failed", None)
    assert spacely.json == {"data": {"status": "failed", "result": []}}


@pytest.mark.parametrize(("read", "fields"), READS)
@pytest.mark.parametrize(
    "ref",
    ["x" * 500, "ü🛋" * 250, "a b+c", "?refId=b&#%41", "\x01"],
    ids=lambda one: repr(one)[:20],
)
def test_a_provider_may_name_a_render_as_it_likes(api, world, read, fields, ref):
    world.jobs.put(processing_job(provider_job_id=ref, **fields))
    quoted = ref if read is as_spacely else "".join(f"%{byte:02X}" for byte in ref.encode())

    assert read(api, quoted).status_code == 200


@pytest.mark.parametrize(("read", "fields"), READS)
def test_a_followed_job_is_found_by_both_of_its_ids(api, world, read, fields):
    world.jobs.put(followed_job(**fields))

    ours, theirs = read(api, JOB_ID), read(api, PROVIDER_JOB_ID)

    assert (ours.status_code, theirs.status_code) == (200, 200)
    assert ours.data == theirs.data


@pytest.mark.parametrize(("read", "fields"), READS)
@pytest.mark.parametrize("status", [Status.PROCESSING, Status.SUCCEEDED])
def test_another_tenants_job_and_one_that_is_not_there_are_the_same_400(
    api, world, read, fields, status
):
    world.jobs.put(job_in(status, **fields))

    answers = [
        read(api, ref, OTHER) for ref in (JOB_ID, PROVIDER_JOB_ID, job_id(2), "6512f0ff", "a" * 501)
    ]

    assert [answer.status_code for answer in answers] == [400] * 5
    assert [answer.json for answer in answers] == [NO_SUCH_JOB] * 5
    assert {answer.data for answer in answers} == {answers[0].data}
    assert {answer.mimetype for answer in answers} == {"application/problem+json"}


@pytest.mark.parametrize(("read", "fields"), OTHERS_READS)
@pytest.mark.parametrize("ref", [JOB_ID, PROVIDER_JOB_ID], ids=["our id", "the provider's id"])
def test_the_other_providers_job_is_400(api, world, read, fields, ref):
    world.jobs.put(processing_job(**fields))

    answer = read(api, ref)

    assert (answer.status_code, answer.json) == (400, NO_SUCH_JOB)


@pytest.mark.parametrize(("read", "fields"), READS)
def test_with_the_same_provider_id_each_tenant_sees_its_own(api, world, read, fields):
    world.jobs.put(
        finished_job(Status.SUCCEEDED, id=job_id(1), **fields),
        followed_job(id=job_id(2), tenant="other", created_at=later(1), **fields),
    )

    mine, others = read(api, PROVIDER_JOB_ID), read(api, PROVIDER_JOB_ID, OTHER)

    assert OUTPUT in mine.text
    assert others.status_code == 200
    assert OUTPUT not in others.text


@pytest.mark.parametrize(("read", "fields"), READS)
@pytest.mark.parametrize("headers", [{}, {"X-API-KEY": "wrong"}], ids=["none", "wrong"])
def test_without_a_good_key_it_is_401_whether_there_is_such_a_job_or_not(
    api, world, read, fields, headers
):
    world.jobs.put(processing_job(**fields))

    there, not_there = read(api, JOB_ID, headers), read(api, job_id(2), headers)

    assert (there.status_code, there.json["code"]) == (401, "unauthenticated")
    assert there.data == not_there.data
    assert world.jobs.calls == []


@pytest.mark.parametrize(("read", "fields"), READS)
@pytest.mark.parametrize("headers", [BEARER, {"X-API-KEY": "key-of-demo"}], ids=["bearer", "key"])
def test_either_providers_way_to_give_a_key_is_good_at_both(api, world, read, fields, headers):
    world.jobs.put(processing_job(**fields))

    assert read(api, JOB_ID, headers).status_code == 200


@pytest.mark.parametrize(
    "query", ["", "refId=", "refid=x", "ref_id=x", "refId[]=x"], ids=lambda one: one or "none"
)
def test_a_poll_that_names_no_job_is_400(api, world, query):
    world.jobs.put(processing_job(**SPACELY))

    answer = api.get(f"/api/v1/generate/poll-result?{query}", headers=BEARER)

    assert (answer.status_code, answer.json) == (400, NO_SUCH_JOB)


def test_of_a_repeated_ref_id_the_first_counts(api, world):
    world.jobs.put(processing_job(**SPACELY))
    path = "/api/v1/generate/poll-result"

    first = api.get(f"{path}?refId={JOB_ID}&refId=x", headers=BEARER)
    second = api.get(f"{path}?refId=x&refId={JOB_ID}", headers=BEARER)

    assert (first.status_code, second.status_code) == (200, 400)


def test_parameters_that_nobody_asked_for_change_nothing(api, world):
    world.jobs.put(processing_job(**SPACELY))

    answer = api.get(f"/api/v1/generate/poll-result?refId={JOB_ID}&_=1767355200", headers=BEARER)

    assert answer.status_code == 200


@pytest.mark.parametrize(("read", "fields"), READS)
def test_a_document_that_does_not_parse_shows_nothing(api, world, read, fields):
    world.jobs.put(processing_job(**fields))
    document = world.jobs.document(JOB_ID)
    world.jobs.put_document(JOB_ID, document | {"status": "a secret"})

    ours, theirs = read(api, JOB_ID), read(api, PROVIDER_JOB_ID)

    assert ours.status_code == 503
    assert (theirs.status_code, theirs.json) == (400, NO_SUCH_JOB)
    assert "secret" not in ours.text + theirs.text


@pytest.mark.parametrize(("read", "fields"), READS)
@pytest.mark.parametrize("ref", [JOB_ID, PROVIDER_JOB_ID], ids=["our id", "the provider's id"])
def test_a_store_that_is_away_is_503(api, world, read, fields, ref):
    world.jobs.is_down = True

    answer = read(api, ref)

    assert (answer.status_code, answer.json["code"]) == (503, "store_unavailable")
