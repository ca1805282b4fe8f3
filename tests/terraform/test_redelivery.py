"""The script of docs/operations.md that has a tenant's missed callbacks delivered again."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from tests.terraform.running import ROOT

TEXT = (ROOT / "docs" / "operations.md").read_text()
(SCRIPT,) = re.findall(
    r"Save this as `redeliver.py`.*?^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL
)
PAGES: dict[str | None, list[str | None]] = {
    None: ["failed", "delivered", None],
    "second": ["pending", "waiting"],
}


@dataclass
class StandInRelay:
    """Lists five jobs on two pages, and remembers what it was asked."""

    asked: list[str] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)

    def answer(self, request: Request) -> Response:
        """Answer one call."""
        self.asked.append(f"{request.method} {unquote(request.full_path).rstrip('?')}")
        self.keys.add(request.headers["X-API-KEY"])
        if request.method == "POST":
            return Response(status=202)
        page = request.args.get("pageToken")
        jobs = [
            {"id": f"job_{page}_{status}", "callback": status and {"status": status}}
            for status in PAGES[page]
        ]
        token = "second" if page is None else None
        return Response(json.dumps({"jobs": jobs, "nextPageToken": token}))


@pytest.fixture
def relay() -> Iterator[tuple[str, StandInRelay]]:
    stand_in = StandInRelay()
    server = make_server("127.0.0.1", 0, Request.application(stand_in.answer))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}", stand_in
    server.shutdown()
    thread.join()


def test_whatever_has_not_arrived_since_the_outage_is_delivered_again(
    relay: tuple[str, StandInRelay],
) -> None:
    url, stand_in = relay
    env = {**os.environ, "API": url, "KEY": "a-key", "SINCE": "2026-11-22T08:00:00Z"}

    said = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=env, check=True, capture_output=True, text=True
    ).stdout

    listing = "GET /v1/jobs?endedAfter=2026-11-22T08:00:00Z&pageSize=100"
    assert stand_in.asked == [
        listing,
        "POST /v1/jobs/job_None_failed/redeliver",
        f"{listing}&pageToken=second",
        "POST /v1/jobs/job_second_pending/redeliver",
    ]
    assert stand_in.keys == {"a-key"}
    assert said == "2 jobs are delivered again\n"
