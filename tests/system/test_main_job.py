"""Whole jobs on the running stack: HTTP in, a provider's sandbox behind, Pub/Sub out.

All jobs are created at the start, because some of them take a minute: the tests look at how
each of them went.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from relay.domain.tokens import TOKEN_LENGTH
from tests.system.conftest import Relay, as_announced, call, until

Jobs = Mapping[str, str]

# The sandbox sends a webhook once, as a provider does: one that a slow store answers 503 is lost.
TRIES = 3


@pytest.fixture(scope="module")
def jobs(relay: Relay) -> Jobs:
    return {
        "webhook": relay.redesign("render-s=1", metadata={"order": "17"}),
        "poll": relay.advance("render-s=1"),
        "early": relay.redesign("webhook-early,render-s=1"),
        "doubled": relay.redesign("webhook-twice,render-s=1"),
        "late after a poll": relay.redesign("webhook-late=50,render-s=1"),
        "late after the deadline": relay.redesign("render-s=75", deadlineSeconds=60),
        "lost": relay.redesign("webhook-lost,render-s=1"),
        "failing at gepetto": relay.redesign("failed,webhook-no-output,render-s=1"),
        "failing at spacely": relay.advance("failed,render-s=1"),
        "no answer": relay.advance("accept-close,render-s=1", deadlineSeconds=60),
        "resubmitted": relay.advance("accept-close=1,render-s=1", onUnconfirmed="resubmit"),
        "busy": relay.advance("submit-503=1,render-s=1"),
        "refused": relay.advance("submit-400"),
    }


def webhooks_of(relay: Relay, job: Mapping[str, Any], *, count: int) -> list[dict[str, Any]]:
    """Return the webhooks that the sandbox sent for a job, once there are so many."""

    def sent() -> list[dict[str, Any]] | None:
        found = relay.render_of(job)["webhooks"]
        return found if len(found) >= count else None

    return until(sent)


def called_back(
    relay: Relay, job_id: str, wish: str, *, count: int = 1, **more: Any
) -> dict[str, Any]:
    """Return a job once it is final, or another one like it if a webhook of it was lost."""
    for number in range(1, TRIES + 1):
        job = relay.final(job_id)
        if all(one["status"] == 200 for one in webhooks_of(relay, job, count=count)):
            return job
        job_id = relay.redesign(wish, number=number, **more)
    pytest.fail(f"of {TRIES} jobs none had every webhook answered 200")


def test_a_webhook_ends_a_job_and_it_is_announced_once(relay: Relay, jobs: Jobs) -> None:
    job = called_back(relay, jobs["webhook"], "render-s=1", metadata={"order": "17"})

    (event,) = relay.events(job["id"], count=1)
    assert (job["status"], job["finishedBy"], len(job["outputs"])) == ("succeeded", "webhook", 1)
    assert event.job == as_announced(job)
    assert event.ordering_key == job["id"]
    assert event.attributes == {
        "ce-specversion": "1.0",
        "ce-id": f"{job['id']}.succeeded",
        "ce-source": f"//render-relay/{relay.stack.description.project}",
        "ce-type": "com.renderrelay.job.succeeded",
        "ce-subject": job["id"],
        "ce-time": job["finishedAt"],
        "ce-dataschema": event.attributes["ce-dataschema"],
        "content-type": "application/json",
        "tenant": "demo",
        "provider": "gepetto",
        "operation": "redesign",
        "status": "succeeded",
    }


def test_polling_ends_a_job_of_a_provider_without_webhooks(relay: Relay, jobs: Jobs) -> None:
    job = relay.final(jobs["poll"])

    (event,) = relay.events(job["id"], count=1)
    assert (job["status"], job["finishedBy"], len(job["outputs"])) == ("succeeded", "poll", 4)
    assert event.job == as_announced(job)


def test_the_outputs_are_pictures(relay: Relay, jobs: Jobs) -> None:
    job = relay.final(jobs["webhook"])

    answer = call("GET", job["outputs"][0]["url"])

    assert answer.headers["Content-Type"] == "image/png"
    assert answer.content.startswith(b"\x89PNG")


def test_a_webhook_may_beat_the_acknowledgement(relay: Relay, jobs: Jobs) -> None:
    job = called_back(relay, jobs["early"], "webhook-early,render-s=1")

    assert (job["status"], job["finishedBy"]) == ("succeeded", "webhook")
    assert "processing" not in [entry["status"] for entry in job["history"]]
    assert job["providerJobId"] == relay.provider_jobs(job["id"])[0]["providerJobId"]
    assert len(relay.events(job["id"], count=1)) == 1


def test_a_doubled_webhook_changes_nothing(relay: Relay, jobs: Jobs) -> None:
    job = called_back(relay, jobs["doubled"], "webhook-twice,render-s=1", count=2)

    assert len(webhooks_of(relay, job, count=2)) == 2
    assert as_announced(relay.job(job["id"])) == as_announced(job)
    assert len(relay.events(job["id"], count=1)) == 1


def test_a_lost_webhook_is_made_up_for_by_polling(relay: Relay, jobs: Jobs) -> None:
    job = relay.final(jobs["lost"])

    assert (job["status"], job["finishedBy"]) == ("succeeded", "poll")
    assert relay.provider_jobs(job["id"])[0]["webhooks"] == []
    assert len(relay.events(job["id"], count=1)) == 1


def test_a_webhook_that_comes_after_the_poll_changes_nothing(relay: Relay, jobs: Jobs) -> None:
    job = called_back(relay, jobs["late after a poll"], "webhook-late=50,render-s=1")

    assert (job["status"], job["finishedBy"]) == ("succeeded", "poll")
    assert as_announced(relay.job(job["id"])) == as_announced(job)
    assert len(relay.events(job["id"], count=1)) == 1


def test_a_render_that_fails_ends_its_job(relay: Relay, jobs: Jobs) -> None:
    for name in ("failing at gepetto", "failing at spacely"):
        job = relay.final(jobs[name])

        (event,) = relay.events(job["id"], count=1)
        assert (job["status"], job["error"]["code"]) == ("failed", "render_failed")
        assert event.attributes["ce-type"] == "com.renderrelay.job.failed"
        assert event.job == as_announced(job)


def test_a_refused_job_fails_at_once(relay: Relay, jobs: Jobs) -> None:
    job = relay.final(jobs["refused"])

    assert (job["error"]["code"], job["finishedBy"]) == ("provider_rejected", "submit")
    assert relay.provider_jobs(job["id"]) == []


def test_a_busy_provider_gets_the_job_again(relay: Relay, jobs: Jobs) -> None:
    job = relay.final(jobs["busy"])

    assert job["status"] == "succeeded"
    assert len(relay.provider_jobs(job["id"])) == 1
    # A slow store may let the lease end before the submission begins.
    unsent = ("the pump lost its lease", "claimed too late")
    queued = [one for one in job["history"] if one["status"] == "queued"]
    assert len([one for one in queued if one["note"] not in unsent]) == 2


def test_an_unconfirmed_job_is_sent_again_only_on_its_callers_word(
    relay: Relay, jobs: Jobs
) -> None:
    resubmitted = relay.final(jobs["resubmitted"])
    unconfirmed = relay.final(jobs["no answer"])

    assert resubmitted["status"] == "succeeded"
    assert len(relay.provider_jobs(resubmitted["id"])) == 2
    assert unconfirmed["error"]["code"] == "submit_unconfirmed"
    assert len(relay.provider_jobs(unconfirmed["id"])) == 1


def test_a_result_that_comes_after_the_deadline_is_kept_and_announced(
    relay: Relay, jobs: Jobs
) -> None:
    failed = called_back(relay, jobs["late after the deadline"], "render-s=75", deadlineSeconds=60)

    completion, late = relay.events(failed["id"], count=2)

    job = relay.job(failed["id"])
    assert (failed["status"], failed["error"]["code"]) == ("failed", "deadline_exceeded")
    assert (job["status"], len(job["lateOutputs"])) == ("failed", 1)
    assert completion.attributes["ce-id"] == f"{job['id']}.failed"
    assert "lateOutputs" not in completion.job
    assert late.attributes["ce-id"] == f"{job['id']}.late_result"
    assert late.attributes["ce-time"] != job["finishedAt"]
    assert late.job == as_announced(job)


def test_a_stranger_gets_the_same_answer_for_every_job(relay: Relay, jobs: Jobs) -> None:
    token = "A" * TOKEN_LENGTH
    answers = [
        call("POST", f"{relay.webhook_url}/gepetto/{job_id}/{token}", json={})
        for job_id in (jobs["webhook"], "job_" + "0" * 26)
    ]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content
