"""What docs/operations.md has people run against the API does what it says."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import requests

from tests.system.conftest import Relay

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "operations.md").read_text()
CANCEL_ALL, REDELIVER = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def cancel_all(relay: Relay, statuses: str) -> str:
    return run(relay, CANCEL_ALL, STATUSES=statuses)


def run(relay: Relay, script: str, **more: str) -> str:
    known = {"API": relay.api_url, "KEY": relay.stack.description.api_key}
    env = {**os.environ, **known, **more}
    command = [sys.executable, "-c", script]
    return subprocess.run(
        command, env=env, check=True, capture_output=True, text=True, timeout=120
    ).stdout


def test_every_open_job_of_a_tenant_is_cancelled(relay: Relay) -> None:
    ids = [relay.redesign("render-s=60", number=900 + number) for number in range(5)]

    said = cancel_all(relay, "queued,unconfirmed,submitting,processing")

    # A job may move from one state to the next between two lists.
    said += cancel_all(relay, "queued,submitting,processing")
    assert [relay.job(job_id)["status"] for job_id in ids] == ["cancelled"] * 5, said


def test_a_job_that_was_cancelled_so_is_announced(relay: Relay) -> None:
    job_id = relay.redesign("render-s=60", number=910)

    cancel_all(relay, "processing,submitting,queued")
    cancel_all(relay, "processing,submitting,queued")

    (event,) = relay.events(job_id, count=1)
    assert event.attributes["ce-type"] == "com.renderrelay.job.cancelled"


def test_what_a_receiver_has_missed_is_posted_to_it_again(relay: Relay) -> None:
    receiver = f"{relay.sandbox_url}/callbacks/was-down"
    # A receiver that was down for three days is too slow for a test: this one says "gone".
    job_id = relay.redesign(
        "render-s=1", number=920, callbackUrl=f"{receiver}?sandbox=callback-status=410"
    )
    job = relay.final(job_id, within_s=30)
    wait_for(lambda: relay.job(job_id)["callback"]["status"] == "failed")

    said = run(relay, REDELIVER, SINCE=job["createdAt"])

    assert re.fullmatch(r"[1-9]\d* jobs are delivered again\n", said)
    wait_for(lambda: posted(relay, job_id) == [f"{job_id}.succeeded"] * 2)


def posted(relay: Relay, job_id: str) -> list[str]:
    """Return the ids of the callbacks of a job that have arrived."""
    url = f"{relay.sandbox_url}/sandbox/callbacks"
    taken = requests.get(url, params={"receiver": "was-down"}, timeout=10).json()["callbacks"]
    return [one["id"] for one in taken if one["id"].startswith(f"{job_id}.succeeded")]


def wait_for(is_so: Callable[[], bool]) -> None:
    give_up_at_s = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < give_up_at_s
        time.sleep(0.1)
