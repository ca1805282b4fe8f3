"""Function processes that are killed while jobs are under way lose nothing."""

import pytest

from tests.system.conftest import Relay, as_announced, call, until

pytestmark = pytest.mark.thorough

FUNCTIONS = ("jobs_api", "provider_webhook", "poll_tick", "deliver_callbacks", "keep_outputs")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_killed_function_loses_no_job(relay: Relay, function: str) -> None:
    wish = f"render-s=3,odd-status={function}"  # tells the pictures of the tests apart
    receiver = relay.receiver()
    ids = [relay.redesign(wish, number=number, callbackUrl=receiver) for number in range(3)]
    ids += [relay.advance(wish, number=number) for number in range(3)]
    until(lambda: all(relay.job(job_id)["providerJobId"] for job_id in ids))

    old_pid = relay.stack.kill(function)
    new_pid = relay.stack.wait_restarted(function, old_pid)

    assert new_pid != old_pid
    for job_id in ids:
        job = relay.final(job_id)
        assert job["status"] == "succeeded"
        assert len(relay.provider_jobs(job_id)) == 1
        (event,) = relay.events(job_id, count=1)
        assert event.job == as_announced(job)
        kept = relay.kept(job_id)
        assert all("sha256" in one for one in kept["keptOutputs"])


def test_a_create_whose_answer_was_lost_is_repeated_without_a_second_job(relay: Relay) -> None:
    body = {
        "provider": "spacely",
        "operation": "advance",
        "input": {
            "model": "spacely-v1",
            "imageUrl": relay.room("render-s=1", number=99),
            "renovateType": "residential",
        },
    }
    headers = {**relay.headers, "Idempotency-Key": "repeated-create"}

    first, second = (
        call("POST", f"{relay.api_url}/v1/jobs", json=body, headers=headers) for _ in range(2)
    )

    # The first one may itself have been repeated, after a 503.
    assert first.status_code in (200, 201)
    assert second.status_code == 200
    assert first.json()["id"] == second.json()["id"]
    relay.final(first.json()["id"])
    assert len(relay.provider_jobs(first.json()["id"])) == 1
