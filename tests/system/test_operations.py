"""What docs/operations.md has people run against the API does what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.system.conftest import Relay

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "operations.md").read_text()
CANCEL_ALL, _REDELIVER = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def cancel_all(relay: Relay, statuses: str) -> str:
    env = {
        **os.environ,
        "API": relay.api_url,
        "KEY": relay.stack.description.api_key,
        "STATUSES": statuses,
    }
    command = [sys.executable, "-c", CANCEL_ALL]
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
