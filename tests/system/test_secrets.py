"""What the functions log while they work, searched for what must never be there."""

import re
from collections import Counter

import pytest

from tests.system.conftest import Relay, call, until

pytestmark = pytest.mark.thorough

JOBS = 5
WANTED = {"job created": 1, "job finished": 1, "event published": 2}
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
    # On a slow machine a step may be repeated, and says so.
    for _ in range(JOBS):
        job_id = relay.final(relay.redesign("render-s=1"))["id"]
        # The job is final before its events are out.
        until(lambda: messages_of(relay, job_id)["event published"] >= 2)  # noqa: B023
        messages = messages_of(relay, job_id)
        is_calm = all('"severity": "INFO"' in line for line in story_of(relay, job_id))
        # The other event tells of the copies.
        if is_calm and all(messages[name] == times for name, times in WANTED.items()):
            return
    pytest.fail(f"of {JOBS} jobs none had {WANTED}, the last one {messages}")


def messages_of(relay: Relay, job_id: str) -> Counter[str]:
    """Return how often each message names the job."""
    lines = story_of(relay, job_id)
    return Counter(re.search(r'"message": "([^"]*)"', line)[1] for line in lines)


def story_of(relay: Relay, job_id: str) -> list[str]:
    """Return the lines that name the job, in all logs."""
    return [
        line
        for function in relay.stack.description.pids
        for line in relay.stack.log(function).read_text().splitlines()
        if f'"job_id": "{job_id}"' in line
    ]
