"""`POST /v1/jobs:batch`: every job answered as if it had come alone."""

import json
from typing import Any

import pytest

from relay.application.batch_creator import BATCH_BUDGET_S
from relay.domain.job import Status
from relay.edges.api import MAX_BODY_BYTES
from relay.edges.batch import MAX_BATCH_BYTES, MAX_BATCH_VALUES
from tests.entrypoints.requests import BEARER, BODY, KEY, OTHER, EndlessBody, create, create_batch
from tests.factories import finished_job

RAW = {"provider": "gepetto", "operation": "raw", "path": "/a"}
WRONG: list[Any] = [
    {},
    [],
    None,
    "a job",
    BODY | {"surprise": 1},
    BODY | {"provider": "dalle"},
    BODY | {"provider": "spacely"},
    BODY | {"input": BODY["input"] | {"creativity": 99}},
    BODY | {"metadata": {"a": "\0"}},
    RAW | {"input": {"a": [0] * 10_000}},
]


def bodies(count):
    return [BODY | {"metadata": {"listing": str(number)}} for number in range(count)]


def results(answer):
    assert answer.status_code == 200, answer.text
    assert answer.mimetype == "application/json"
    return answer.json["results"]


def statuses(answer):
    return [one["status"] for one in results(answer)]


def refusal(answer):
    assert answer.mimetype == "application/problem+json", answer.text
    return answer.status_code, answer.json["code"]


@pytest.mark.parametrize("count", [1, 100])
def test_every_job_is_created_and_answered_in_order(api, world, count):
    answer = create_batch(api, bodies(count))

    jobs = [one["job"] for one in results(answer)]
    assert statuses(answer) == [201] * count
    assert [job["metadata"]["listing"] for job in jobs] == [str(one) for one in range(count)]
    assert sorted(job["id"] for job in jobs) == world.jobs.ids
    for job in jobs[:3]:
        assert api.get(f"/v1/jobs/{job['id']}", headers=BEARER).json == job


def test_jobs_of_a_batch_are_queued_in_its_order(api, world):
    world.jobs.takes_s["create"] = 0.01

    jobs = [one["job"] for one in results(create_batch(api, bodies(5)))]

    created = [world.jobs.job(job["id"]).created_at for job in jobs]
    assert created == sorted(set(created))


def test_a_batch_wakes_the_pump_once_and_after_its_last_job(api, world):
    world.jobs.takes_s["create"] = 0.3
    seen = []
    publish = world.topics.publish_tick

    def note(account):
        seen.append(len(world.jobs.ids))
        publish(account)

    world.topics.publish_tick = note

    create_batch(api, bodies(20))

    assert (seen, world.topics.ticks) == ([20], ["gepetto"])


def test_a_batch_that_creates_nothing_wakes_nobody(api, world):
    create_batch(api, WRONG)

    assert (world.topics.ticks, world.jobs.ids) == ([], [])


def test_each_wrong_job_gets_the_problem_that_it_would_get_alone(api, world):
    answer = create_batch(api, [BODY, *WRONG, BODY])

    first, *wrong, last = results(answer)
    assert (first["status"], last["status"]) == (201, 201)
    for body, one in zip(WRONG, wrong, strict=True):
        alone = create(api, body)
        assert alone.status_code >= 400
        assert one == {"status": alone.status_code, "problem": alone.json}
    assert len(world.jobs.ids) == 2


def test_a_job_with_a_name_twice_is_the_jobs_own_problem(api):
    job = json.dumps(BODY)
    twice = job[:-1] + ', "provider": "gepetto"}'

    answer = create_batch(api, f'{{"jobs": [{twice}, {job}]}}'.encode())

    assert statuses(answer) == [400, 201]
    assert results(answer)[0]["problem"]["code"] == "malformed_json"


@pytest.mark.parametrize("depth", [30, 500, 950, 980, 990, 995, 1000, 5000])
@pytest.mark.parametrize(("left", "right"), [("[", "]"), ('{"a":', "}")], ids=["lists", "objects"])
def test_a_job_that_is_nested_too_deeply_is_no_error_of_ours(api, depth, left, right):
    deep = left * depth + "1" + right * depth

    answer = create_batch(api, f'{{"jobs": [{{"input": {deep}}}]}}'.encode())

    assert answer.status_code == 400 or statuses(answer)[0] in (400, 422)


def test_a_job_of_more_than_256_kib_is_413_and_the_others_stand(api, world):
    large = RAW | {"input": {"a": "x" * MAX_BODY_BYTES}}
    fits = RAW | {"input": {"a": "x" * (MAX_BODY_BYTES - 1000)}}

    answer = create_batch(api, [fits, large, fits])

    assert statuses(answer) == [201, 413, 201]
    assert results(answer)[1]["problem"] == create(api, large).json


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", (400, "malformed_json")),
        (b"[", (400, "malformed_json")),
        (b'{"jobs": [NaN]}', (400, "malformed_json")),
        (b'{"jobs": [%s]}' % (b"1" * 5000), (400, "malformed_json")),
        (b'{"jobs": [], "jobs": []}', (400, "malformed_json")),
        (b'{"jobs": ' + b"[" * 100_000, (400, "malformed_json")),
        (b"[]", (422, "invalid_request")),
        (b"null", (422, "invalid_request")),
        (b"{}", (422, "invalid_request")),
        (b'{"jobs": null}', (422, "invalid_request")),
        (b'{"jobs": {}}', (422, "invalid_request")),
        (b'{"jobs": []}', (422, "invalid_request")),
        (json.dumps({"jobs": [BODY] * 101}).encode(), (422, "invalid_request")),
        (json.dumps({"jobs": [BODY], "job": 1}).encode(), (422, "invalid_request")),
        (b'{"jobs": [' + b"1," * MAX_BATCH_VALUES + b"1]}", (422, "invalid_request")),
        (b" " * (MAX_BATCH_BYTES + 1), (413, "body_too_large")),
    ],
    ids=lambda one: str(one)[:24],
)
def test_a_body_that_is_no_batch_is_refused_as_a_whole(api, world, body, expected):
    answer = create_batch(api, body)

    assert refusal(answer) == expected
    assert world.jobs.calls == []


def test_the_refusal_names_the_field(api):
    assert create_batch(api, []).json["pointer"] == "/jobs"
    assert "100" in create_batch(api, [BODY] * 101).json["detail"]
    assert create_batch(api, [BODY], surprise=1).json["pointer"] == "/surprise"


def test_without_a_key_a_batch_is_401_and_its_body_stays_unread(api, world):
    body = EndlessBody()

    answer = api.post("/v1/jobs:batch", input_stream=body, environ_base=body.environ)

    assert refusal(answer) == (401, "unauthenticated")
    assert (body.bytes_read, world.jobs.calls) == (0, [])


def test_a_batch_without_an_end_is_read_no_further_than_its_limit(api):
    body = EndlessBody()

    answer = api.post(
        "/v1/jobs:batch",
        input_stream=body,
        environ_base=body.environ,
        headers=BEARER,
        content_type="application/json",
    )

    assert refusal(answer) == (413, "body_too_large")
    assert body.bytes_read <= MAX_BATCH_BYTES + 1


def test_a_batch_of_another_media_type_is_415(api):
    answer = api.post("/v1/jobs:batch", data="a=b", headers=BEARER, content_type="text/plain")

    assert refusal(answer) == (415, "unsupported_media_type")


def test_the_same_key_with_the_same_batch_is_200_and_the_first_jobs(api, world):
    first = create_batch(api, bodies(5), BEARER | KEY)
    world.clock.advance(5)

    second = create_batch(api, bodies(5), BEARER | KEY)

    assert (statuses(first), statuses(second)) == ([201] * 5, [200] * 5)
    assert [one["job"] for one in results(second)] == [one["job"] for one in results(first)]
    assert len(world.jobs.ids) == 5


def test_the_same_key_with_another_job_is_409_for_that_one(api, world):
    create_batch(api, bodies(3), BEARER | KEY)
    world.clock.advance(5)
    changed = bodies(4)
    changed[1] = BODY | {"priority": "low"}

    answer = create_batch(api, changed, BEARER | KEY)

    assert statuses(answer) == [200, 409, 200, 201]
    assert results(answer)[1]["problem"]["code"] == "idempotency_key_reused"
    assert len(world.jobs.ids) == 4


def test_a_key_of_a_batch_is_none_of_a_single_create_nor_of_another_tenant(api, world):
    create_batch(api, [BODY, BODY], BEARER | KEY)

    assert create(api, BODY, BEARER | KEY).status_code == 201
    assert statuses(create_batch(api, [BODY], OTHER | KEY)) == [201]
    assert len(world.jobs.ids) == 4


def test_an_idempotency_key_that_is_none_is_400(api, world):
    answer = create_batch(api, [BODY], BEARER | {"Idempotency-Key": ""})

    assert refusal(answer) == (400, "invalid_idempotency_key")
    assert world.jobs.calls == []


def test_the_quota_counts_job_by_job(make_api, world):
    api = make_api(max_open_jobs=3)

    answer = create_batch(api, bodies(5), BEARER | KEY)

    assert statuses(answer) == [201, 201, 201, 429, 429]
    assert results(answer)[3]["problem"]["code"] == "too_many_open_jobs"
    world.clock.advance(6)
    assert statuses(create_batch(api, bodies(5), BEARER | KEY)) == [200, 200, 200, 429, 429]
    assert len(world.jobs.ids) == 3


def test_jobs_that_have_ended_wake_nobody_when_their_batch_is_repeated(api, world):
    ids = [one["job"]["id"] for one in results(create_batch(api, bodies(2), BEARER | KEY))]
    for job_id in ids:
        digest = world.jobs.job(job_id).body_digest
        world.jobs.put(finished_job(Status.SUCCEEDED, id=job_id, body_digest=digest))
    world.clock.advance(5)

    assert statuses(create_batch(api, bodies(2), BEARER | KEY)) == [200, 200]
    assert world.topics.ticks == ["gepetto"]


def test_what_was_written_before_the_store_failed_stands_and_a_repeat_completes_it(api, world):
    world.jobs.takes_s["create"] = 0.1
    world.clock.after(0.45, lambda: setattr(world.jobs, "is_down", True))

    first = create_batch(api, [*bodies(6), BODY | {"surprise": 1}], BEARER | KEY)
    took_s = world.seconds()
    world.jobs.is_down = False
    second = create_batch(api, [*bodies(6), BODY | {"surprise": 1}], BEARER | KEY)

    assert statuses(first) == [201] * 4 + [503] * 2 + [422]
    assert results(first)[4]["problem"]["code"] == "store_unavailable"
    assert took_s < 15
    assert statuses(second) == [200] * 4 + [201] * 2 + [422]
    assert len(world.jobs.ids) == 6


def test_a_lost_reply_in_the_middle_is_no_problem(api, world):
    world.jobs.before_next_write(lambda: None)
    world.jobs.before_next_write(world.jobs.lose_replies)

    answer = create_batch(api, bodies(4))

    assert statuses(answer) == [201] * 4
    assert len(world.jobs.ids) == 4


def test_a_store_that_is_slow_leaves_the_rest_for_a_repeat_before_the_platform_gives_up(api, world):
    world.jobs.takes_s["create"] = 5.0

    answer = create_batch(api, bodies(20), BEARER | KEY)

    written = int(BATCH_BUDGET_S / 5)
    assert statuses(answer) == [201] * written + [503] * (20 - written)
    assert world.seconds() < 90
    assert world.topics.ticks == ["gepetto"]


def test_only_so_many_large_batches_are_in_hand_at_a_time(api, world):
    large = [RAW | {"input": {"a": "x" * 200_000}}] * 2

    on_the_way = [create_batch(api, large) for _ in range(4)]
    refused = create_batch(api, large)
    small = create_batch(api, bodies(3))
    of_other = create_batch(api, large, OTHER)
    for answer in on_the_way:
        answer.close()
    again = create_batch(api, large)

    assert refusal(refused) == (429, "too_many_large_batches")
    assert refused.headers["Retry-After"] == "1"
    assert [statuses(one) for one in (small, of_other, again)] == [[201] * 3, [201] * 2, [201] * 2]


def test_a_batch_that_is_refused_gives_its_place_back(api):
    for _ in range(9):
        assert create_batch(api, b"x" * (MAX_BODY_BYTES + 1)).status_code == 400

    assert statuses(create_batch(api, [RAW | {"input": {"a": "x" * 200_000}}] * 2)) == [201] * 2


def test_a_batch_does_not_wait(api, world):
    answer = create_batch(api, [BODY], BEARER | {"Prefer": "wait=30"})

    assert statuses(answer) == [201]
    assert world.seconds() == 0
    assert "Preference-Applied" not in answer.headers


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_batch_is_posted(api, method):
    answer = api.open("/v1/jobs:batch", method=method, headers=BEARER)

    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
