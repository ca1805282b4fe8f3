"""What follows the end of a job on the running stack: callbacks and kept copies."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.system.conftest import Relay, as_announced, call, until

pytestmark = pytest.mark.thorough

Jobs = Mapping[str, str]


@pytest.fixture(scope="module")
def jobs(relay: Relay) -> Jobs:
    def called(wish: str) -> str:
        return relay.redesign("render-s=1", callbackUrl=relay.receiver(wish))

    return {
        "called": called(""),
        "failing at first": called("callback-fails=1"),
        "redirecting at first": called("callback-fails=1,callback-status=307"),
        "gone": called("callback-status=410"),
        "failing render": relay.advance("failed,render-s=1", callbackUrl=relay.receiver()),
        "four pictures": relay.advance("render-s=1"),
    }


def callbacks(relay: Relay, job_id: str, *, count: int) -> list[tuple[str, str, int]]:
    """Return the last word of each event that was sent, its signature, and the answer.

    Without repetitions: a delivery whose mark could not be written in time is posted again.

    Args:
        count: How many to wait for.
    """

    def sent() -> list[tuple[str, str, int]] | None:
        posts = relay.callbacks(job_id)
        told = [(one["id"].rpartition(".")[2], one["signature"], one["status"]) for one in posts]
        found = list(dict.fromkeys(told))
        return found if len(found) >= count and all(one["status"] for one in posts) else None

    return until(sent)


def callback_of(relay: Relay, job_id: str, *, status: str) -> dict[str, Any]:
    """Return the job's callback once it has this status."""
    return until(
        lambda: (
            callback if (callback := relay.job(job_id)["callback"])["status"] == status else None
        ),
    )


def test_each_event_of_a_job_is_posted_to_its_callback_and_signed(relay, jobs) -> None:
    job = relay.kept(jobs["called"])

    (event,) = relay.events(job["id"], count=1)
    assert callbacks(relay, job["id"], count=2) == [
        ("succeeded", "good", 204),
        ("outputs_kept", "good", 204),
    ]
    posted = {one["id"]: one["body"] for one in relay.callbacks(job["id"])}
    completion, copies = posted.values()
    assert completion == {
        "type": "com.renderrelay.job.succeeded",
        "timestamp": event.attributes["ce-time"],
        "data": as_announced(job),
    }
    assert copies["data"] == relay.copies_event(job["id"]).job
    assert job["callback"]["attempts"] >= 1
    assert job["callback"]["lastStatus"] == 204


@pytest.mark.parametrize(
    ("name", "status"), [("failing at first", 500), ("redirecting at first", 307)]
)
def test_a_receiver_that_does_not_take_it_is_asked_again(relay, jobs, name, status) -> None:
    job_id = relay.kept(jobs[name])["id"]

    assert callbacks(relay, job_id, count=4) == [
        ("succeeded", "good", status),
        ("succeeded", "good", 204),
        ("outputs_kept", "good", status),
        ("outputs_kept", "good", 204),
    ]
    assert callback_of(relay, job_id, status="delivered")["attempts"] >= 2


def test_a_receiver_that_is_gone_is_left_alone(relay, jobs) -> None:
    relay.final(jobs["gone"])

    callback = callback_of(relay, jobs["gone"], status="failed")
    # The event of its copies comes later, and is not sent.
    relay.copies_event(jobs["gone"])

    assert callback["nextAt"] is None
    assert callbacks(relay, jobs["gone"], count=1) == [("succeeded", "good", 410)]


def test_a_failed_job_is_called_back_and_keeps_nothing(relay, jobs) -> None:
    job_id = relay.final(jobs["failing render"])["id"]

    callback_of(relay, job_id, status="delivered")

    assert callbacks(relay, job_id, count=1) == [("failed", "good", 204)]
    assert "keptOutputs" not in relay.job(job_id)


def test_every_picture_is_served_as_it_was_rendered(relay, jobs) -> None:
    job = relay.kept(jobs["four pictures"])

    for number, output in enumerate(job["outputs"]):
        address = f"{relay.api_url}/v1/jobs/{job['id']}/outputs/{number}"
        answer = call("GET", address, headers=relay.headers)
        assert answer.content == call("GET", output["url"]).content
        assert answer.headers["Content-Type"] == "image/png"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    bucket = relay.stack.description.outputs_bucket
    assert [one["uri"] for one in job["keptOutputs"]] == [
        f"gs://{bucket}/jobs/{job['id']}/{number}.png" for number in range(4)
    ]


def test_copies_are_for_their_tenant_alone(relay, jobs) -> None:
    job = relay.kept(jobs["four pictures"])
    address = f"{relay.api_url}/v1/jobs/{job['id']}/outputs"

    assert call("GET", f"{address}/0").status_code == 401
    assert call("GET", f"{address}/4", headers=relay.headers).status_code == 404
