"""The operating tools of docs/operations.md do what they say to a running relay."""

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import Relay, call, run_program, until

pytestmark = pytest.mark.thorough

Operate = Callable[..., dict[str, Any]]


@pytest.fixture
def operate(relay: Relay, tmp_path: Path) -> Operate:
    """Run one command as an operator does, and return what it prints as JSON."""
    stack_file = tmp_path / "stack.json"
    relay.stack.description.write(stack_file)

    def run(*words: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "infra.operate", *words]
        command += ["--stack-file", str(stack_file), "--json"]

        def done() -> subprocess.CompletedProcess[str] | None:
            ran = run_program(command)
            # As an operator would, of a command that says that the store was too slow.
            return None if ran.returncode and "StoreUnavailable" in ran.stderr else ran

        ended = until(done)
        assert ended.returncode == 0, ended.stderr
        return dict(json.loads(ended.stdout))

    return run


def test_every_open_job_of_a_tenant_is_cancelled_and_announced(
    relay: Relay, operate: Operate
) -> None:
    ids = [relay.redesign("render-s=600", number=900 + number) for number in range(5)]
    listed = operate("jobs", "demo", "--status", "open")

    planned = operate("cancel", "demo", "--status", "open", "--dry-run")
    assert not any(relay.job(job_id)["finishedAt"] for job_id in ids)
    told = operate("cancel", "demo", "--status", "open")

    assert set(ids) <= {one["id"] for one in listed["jobs"]}
    assert min(planned["wouldCancel"], told["cancelled"]) >= 5
    assert [relay.job(job_id)["status"] for job_id in ids] == ["cancelled"] * 5
    (event,) = relay.events(ids[0], count=1)
    assert event.attributes["ce-type"] == "com.renderrelay.job.cancelled"


def is_held(relay: Relay) -> bool:
    """Return whether Gepetto's account is on hold."""
    answer = call("GET", f"{relay.api_url}/v1/providers", headers=relay.headers)
    (gepetto,) = (one for one in answer.json()["providers"] if one["name"] == "gepetto")
    return gepetto["account"]["hold"] is not None


def test_a_hold_is_released_by_a_probe_at_once(relay: Relay, operate: Operate) -> None:
    # On a slow machine a hold may have ended by itself before the command has started.
    for number in range(920, 925):
        job_id = relay.redesign("submit-402=1,render-s=1", number=number)
        until(lambda: is_held(relay) or relay.job(job_id)["providerJobId"])  # noqa: B023
        told = operate("release-hold", "gepetto")
        if told["released"]:
            break

    after = operate("account", "gepetto")["hold"]
    assert told["released"] is True
    assert after is None or after["probeAt"] < told["hold"]["probeAt"]
    assert relay.final(job_id)["status"] == "succeeded"
    assert operate("account", "gepetto")["hold"] is None


def test_callbacks_that_were_given_up_are_delivered_again(relay: Relay, operate: Operate) -> None:
    since = datetime.now(UTC).isoformat()
    # A render that fails has one event: no picture of it is kept.
    receiver = relay.receiver("callback-fails=1,callback-status=410")
    job_id = relay.advance("failed,render-s=1", number=930, callbackUrl=receiver)
    until(lambda: relay.job(job_id)["callback"]["status"] == "failed")

    told = operate("redeliver", "demo", "--since", since)

    assert job_id in told["redelivered"]
    until(lambda: relay.job(job_id)["callback"]["status"] == "delivered")


def test_dead_ticks_make_way_for_one_fresh_tick(relay: Relay, operate: Operate) -> None:
    at = relay.stack.description
    topic = f"projects/{at.project}/topics/{at.ticks_topics['gepetto']}-dead-letters"
    kept_in = f"projects/{at.project}/subscriptions/{at.ticks_topics['gepetto']}-dead-letters"
    api = f"http://{at.pubsub_emulator_host}/v1"
    tick = base64.b64encode(b'{"account": "gepetto"}').decode()
    for path, body in ((topic, {}), (kept_in, {"topic": topic, "ackDeadlineSeconds": 60})):
        call("PUT", f"{api}/{path}", json=body).raise_for_status()
    messages = {"messages": [{"data": tick}] * 3}
    call("POST", f"{api}/{topic}:publish", json=messages).raise_for_status()

    planned = operate("redrive", "gepetto", "--dry-run")
    told = operate("redrive", "gepetto")
    after = operate("redrive", "gepetto")

    assert [one["deadLetters"] for one in (planned, told, after)] == [3, 3, 0]
    assert [one["ticksPublished"] for one in (planned, told, after)] == [0, 1, 0]


def test_what_waits_for_callbacks_is_told(relay: Relay, operate: Operate) -> None:
    job_id = relay.redesign(
        "render-s=1", number=940, callbackUrl=relay.receiver("callback-fails=1")
    )
    until(lambda: relay.job(job_id)["callback"]["attempts"] >= 1)

    told = operate("account", "callbacks")

    assert told["lease"]["state"] in ("free", "held")
    until(lambda: relay.job(job_id)["callback"]["status"] == "delivered")
