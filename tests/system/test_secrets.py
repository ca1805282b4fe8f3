"""What the functions log while they work, searched for what must never be there."""

import re
import time

import pytest

from tests.system.conftest import Relay, call

pytestmark = pytest.mark.thorough

SANDBOX_KEYS = ("sandbox-gepetto-key", "sandbox-spacely-key")


def test_no_key_token_body_or_query_is_logged(relay: Relay) -> None:
    relay.final(relay.redesign("render-s=1", metadata={"secret": "metadata-of-mine"}))
    relay.final(relay.advance("failed,render-s=1"))
    relay.final(relay.advance("submit-400,html-errors"))
    called = relay.redesign("render-s=1", callbackUrl=relay.receiver("callback-fails=1"))
    relay.kept(called)
    signing = call("GET", f"{relay.api_url}/v1/callback-secrets", headers=relay.headers).json()[
        "secrets"
    ]
    seen = call("GET", f"{relay.sandbox_url}/sandbox/jobs").json()["jobs"]
    tokens = [one["webhookUrl"].rpartition("/")[2] for one in seen if one["webhookUrl"]]
    assert tokens

    logged = "".join(
        relay.stack.log(function).read_text() for function in relay.stack.description.pids
    )

    assert logged.count('"job finished"') >= 3
    for secret in (*SANDBOX_KEYS, relay.stack.description.api_key, *tokens, *signing):
        assert secret not in logged
    assert "metadata-of-mine" not in logged
    assert "living_room" not in logged
    assert not re.search(r"https?://[^\s\"]*\?", logged)


def test_every_line_of_a_job_can_be_found_by_its_id(relay: Relay) -> None:
    job_id = relay.final(relay.redesign("render-s=1"))["id"]

    # The job is final before its events are out.
    give_up_at_s = time.monotonic() + 30
    while sum("event published" in line for line in story_of(relay, job_id)) < 2:
        assert time.monotonic() < give_up_at_s
        time.sleep(0.1)
    story = story_of(relay, job_id)

    messages = [re.search(r'"message": "([^"]*)"', line)[1] for line in story]
    assert messages.count("job created") == 1
    assert messages.count("job finished") == 1
    # The other one tells of the copies.
    assert messages.count("event published") == 2
    assert all('"severity": "INFO"' in line for line in story)


def story_of(relay: Relay, job_id: str) -> list[str]:
    """Return the lines that name the job, in all logs."""
    return [
        line
        for function in relay.stack.description.pids
        for line in relay.stack.log(function).read_text().splitlines()
        if f'"job_id": "{job_id}"' in line
    ]
