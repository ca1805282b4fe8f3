"""`keep_outputs` as Pub/Sub meets it, and the copies as their tenant downloads them."""

import base64
import hashlib
import logging

import pytest

from relay.domain.job import EventType, Status
from relay.domain.kept_output import KeptOutput
from relay.domain.output_keeping import decided
from relay.errors import CallUnanswered
from tests.factories import JOB_ID, NOON, OUTPUT, finished_job, processing_job
from tests.fakes import PNG

DEMO = {"Authorization": "Bearer key-of-demo"}
OTHER = {"Authorization": "Bearer key-of-other"}
PATH = f"/v1/jobs/{JOB_ID}/outputs/0"
ETAG = f'"{hashlib.sha256(PNG).hexdigest()}"'


def push(keep, event_type=EventType.SUCCEEDED.value, job_id=JOB_ID, **attributes):
    """Send what the push subscription sends."""
    message = {
        "messageId": "1",
        "publishTime": "2026-01-02T12:00:00Z",
        "data": base64.b64encode(b"{}").decode(),
        "attributes": {"ce-type": event_type, "ce-subject": job_id, **attributes},
    }
    return keep.post("/", json={"message": message, "subscription": "projects/p/subscriptions/s"})


@pytest.fixture
def job(world):
    world.jobs.put(finished_job(Status.SUCCEEDED, outputs=(OUTPUT, f"{OUTPUT}?2")))
    return world.jobs.job()


def test_a_result_is_copied(keep, world, job):
    assert push(keep).status_code == 200

    assert len(world.jobs.job().kept_outputs) == 2


@pytest.mark.parametrize(
    "event_type", [EventType.FAILED, EventType.CANCELLED, EventType.OUTPUTS_KEPT]
)
def test_other_events_are_acknowledged_at_once(keep, world, job, event_type):
    assert push(keep, event_type.value).status_code == 200

    assert world.jobs.calls == []


@pytest.mark.parametrize(
    ("event_type", "job_id"),
    [
        ("", JOB_ID),
        ("com.example.other", JOB_ID),
        (EventType.SUCCEEDED.value, ""),
        (EventType.SUCCEEDED.value, "job_short"),
        (EventType.SUCCEEDED.value, "../../secrets"),
    ],
)
def test_a_malformed_message_is_logged_and_acknowledged(
    keep, world, job, caplog, event_type, job_id
):
    assert push(keep, event_type, job_id).status_code == 200

    assert world.jobs.calls == []
    assert [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR] == [
        "event about no result"
    ]


def test_a_message_without_attributes_is_acknowledged(keep, world):
    envelope = {"message": {"messageId": "1", "data": ""}, "subscription": "projects/p/s/s"}

    assert keep.post("/", json=envelope).status_code in (200, 400)
    assert world.jobs.calls == []


def test_a_host_that_is_away_is_503_so_that_the_message_comes_again(keep, world, job, caplog):
    world.downloads.script(OUTPUT, CallUnanswered("x"))

    assert push(keep).status_code == 503
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []
    assert [one.index for one in world.jobs.job().kept_outputs] == [1]


def test_a_bucket_or_a_store_that_is_away_is_500(keep, world, job):
    world.bucket.is_down = True
    assert push(keep).status_code == 500
    world.bucket.is_down = False
    world.jobs.is_down = True
    assert push(keep).status_code == 500


def test_without_a_bucket_nothing_is_kept(world, job):
    envelope = {"message": {"attributes": {"ce-type": EventType.SUCCEEDED, "ce-subject": JOB_ID}}}

    world.completions(is_kept=False).receive(envelope)

    assert world.jobs.calls == []
    assert world.downloads.gets == []


def test_the_job_shows_its_copies(api, keep, world, job):
    world.downloads.script(OUTPUT, 404)
    push(keep)

    shown = api.get(f"/v1/jobs/{JOB_ID}", headers=DEMO).get_json()["keptOutputs"]

    assert shown == [
        {"index": 0, "error": "its URL answered HTTP 404"},
        {
            "index": 1,
            "uri": f"gs://renders/jobs/{JOB_ID}/1.png",
            "contentType": "image/png",
            "bytes": len(PNG),
            "sha256": ETAG.strip('"'),
        },
    ]


def test_a_copy_is_served_to_its_tenant(api, keep, world, job):
    push(keep)

    answer = api.get(PATH, headers=DEMO)

    assert (answer.status_code, answer.data) == (200, PNG)
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Length"] == str(len(PNG))
    assert answer.headers["ETag"] == ETAG
    assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Request-Id"]


def test_a_copy_is_streamed_and_its_download_closed(api, keep, world, job):
    push(keep)

    answer = api.get(PATH, headers=DEMO, buffered=False)

    pieces = list(answer.response)
    assert len(pieces) == 3
    answer.close()
    assert [one.is_closed for one in world.bucket.streams] == [True]


@pytest.mark.parametrize("tag", [ETAG, f'"other", {ETAG}', f"W/{ETAG}", "*"])
def test_a_caller_that_has_the_copy_is_told_so(api, keep, world, job, tag):
    push(keep)

    answer = api.get(PATH, headers={**DEMO, "If-None-Match": tag})

    assert (answer.status_code, answer.data) == (304, b"")
    assert answer.headers["ETag"] == ETAG
    assert world.bucket.streams == []


def test_another_etag_gets_the_copy(api, keep, world, job):
    push(keep)

    assert api.get(PATH, headers={**DEMO, "If-None-Match": '"other"'}).data == PNG


def test_head_has_the_length_and_opens_nothing(api, keep, world, job):
    push(keep)

    answer = api.head(PATH, headers=DEMO)

    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(PNG))
    assert world.bucket.streams == []


def test_strangers_get_nothing(api, keep, world, job):
    push(keep)

    assert api.get(PATH).status_code == 401
    answer = api.get(PATH, headers=OTHER)
    assert (answer.status_code, answer.get_json()["code"]) == (404, "job_not_found")
    assert world.bucket.streams == []


def test_there_is_no_copy_yet(api, world, job):
    answer = api.get(PATH, headers=DEMO)

    assert answer.status_code == 404
    assert answer.get_json()["code"] == "output_not_kept"
    assert answer.get_json()["detail"] == "there is no copy of this output yet"


def test_a_copy_that_could_not_be_made_says_why(api, world, job):
    world.jobs.put(decided(job, KeptOutput(index=0, error="it is larger than 25 MiB"), at=NOON))

    answer = api.get(PATH, headers=DEMO)

    assert answer.status_code == 404
    assert answer.get_json()["detail"] == "this output was not kept: it is larger than 25 MiB"


@pytest.mark.parametrize("n", ["2", "-1", "01", "x", "1.5", "99999999999999999999", "%00", "٣"])
def test_a_number_of_no_output_is_404(api, keep, job, n):
    push(keep)

    answer = api.get(f"/v1/jobs/{JOB_ID}/outputs/{n}", headers=DEMO)

    assert (answer.status_code, answer.get_json()["code"]) == (404, "output_not_kept")


def test_an_open_job_has_no_outputs(api, world):
    world.jobs.put(processing_job())

    answer = api.get(PATH, headers=DEMO)

    assert answer.status_code == 404
    assert answer.get_json()["detail"] == "the job has no output 0; it has none yet"


def test_a_copy_that_has_gone_is_404(api, keep, world, job):
    push(keep)
    world.bucket.objects.clear()

    answer = api.get(PATH, headers=DEMO)

    assert (answer.status_code, answer.get_json()["code"]) == (404, "output_not_kept")


def test_a_bucket_that_is_away_is_503(api, keep, world, job):
    push(keep)
    world.bucket.is_down = True

    answer = api.get(PATH, headers=DEMO)

    assert (answer.status_code, answer.get_json()["code"]) == (503, "bucket_unavailable")
    assert answer.headers["Retry-After"]


def test_a_relay_without_a_bucket_serves_none(make_api, keep, job):
    push(keep)

    answer = make_api(has_bucket=False).get(PATH, headers=DEMO)

    assert (answer.status_code, answer.get_json()["code"]) == (404, "output_not_kept")
