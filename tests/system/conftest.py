"""One running stack for all system tests, and what its consumers received."""

import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from infra.local.errors import EmulatorsUnavailable
from infra.local.inbox import Delivery, Inbox
from infra.local.stack import Stack, running_stack
from tests.event_schemas import complaints

SUBSCRIPTION = "system-tests"
OUTPUTS_KEPT = "com.renderrelay.job.outputs_kept"
RECEIVER = "system-tests"
# However slow the machine is: a submission that got no answer in 15 s is made again after 60 s, and
# after 120 s more if that got none either.
PATIENCE_S = 600.0
# Of completion events and late results; copies are announced by an event of their own.
ONLY_IN_ANSWERS = {"callback", "expectedAt", "keptOutputs", "waitingFor"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One delivery of an event."""

    attributes: Mapping[str, str]
    job: Mapping[str, Any]
    ordering_key: str


class Consumer:
    """Takes every event of the completions topic, and holds each against its schema."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def of(self, job_id: str) -> list[Received]:
        """Return what came for this job so far, every delivery; fail if one is invalid."""
        mine = [one for one in self._inbox.deliveries if one.job_id == job_id]
        check(mine)
        return [
            Received(
                attributes=one.attributes,
                job=json.loads(one.data),
                ordering_key=one.ordering_key,
            )
            for one in mine
        ]

    def check_all(self) -> None:
        """Fail if an event was invalid, also one that no test has looked at."""
        check(self._inbox.deliveries)


def as_announced(job: dict[str, Any]) -> dict[str, Any]:
    """Return a job that the API has shown as an event shows it."""
    return {name: value for name, value in job.items() if name not in ONLY_IN_ANSWERS}


class Relay:
    """The running relay as its user sees it, and the sandbox behind it."""

    def __init__(self, stack: Stack, consumer: Consumer) -> None:
        self.stack = stack
        self.consumer = consumer
        self.api_url = stack.description.api_url
        self.webhook_url = stack.description.webhook_url
        self.headers = {"Authorization": f"Bearer {stack.description.api_key}"}
        assert stack.description.sandbox_url is not None
        self.sandbox_url = stack.description.sandbox_url
        signing = call("GET", f"{self.api_url}/v1/callback-secrets", headers=self.headers)
        call(
            "PUT",
            f"{self.sandbox_url}/sandbox/callbacks/{RECEIVER}/secrets",
            data=signing.content,
        ).raise_for_status()

    def room(self, wish: str = "", *, number: int = 0) -> str:
        """Return the URL of an input picture that asks the sandbox to misbehave."""
        return f"{self.sandbox_url}/rooms/living.jpg?n={number}&sandbox={wish}"

    def receiver(self, wish: str = "") -> str:
        """Return a callback URL at the sandbox, which checks signatures."""
        return f"{self.sandbox_url}/callbacks/{RECEIVER}?sandbox={wish}"

    def redesign(self, wish: str = "", *, number: int = 0, **more: Any) -> str:
        """Create a Gepetto job and return its id."""
        given = {
            "url": self.room(wish, number=number),
            "styleId": "modern",
            "roomId": "living_room",
            "creativity": 14,
        }
        return self._create("gepetto", "redesign", given, more)

    def advance(self, wish: str = "", *, number: int = 0, **more: Any) -> str:
        """Create a Spacely job and return its id."""
        given = {
            "model": "spacely-v1",
            "imageUrl": self.room(wish, number=number),
            "renovateType": "residential",
        }
        return self._create("spacely", "advance", given, more)

    def job(self, job_id: str) -> dict[str, Any]:
        """Return the job as the API shows it."""
        answer = call("GET", f"{self.api_url}/v1/jobs/{job_id}", headers=self.headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def final(self, job_id: str) -> dict[str, Any]:
        """Return the job once it is final."""
        return until(lambda: job if (job := self.job(job_id))["finishedAt"] else None)

    def kept(self, job_id: str) -> dict[str, Any]:
        """Return the job once it shows its copies, and after its callbacks were delivered."""

        def is_kept(job: dict[str, Any]) -> bool:
            callback = job["callback"]
            return "keptOutputs" in job and (callback is None or callback["status"] == "delivered")

        return until(lambda: job if is_kept(job := self.job(job_id)) else None)

    def events(self, job_id: str, *, count: int) -> list[Received]:
        """Return the job's distinct events, but that of its copies, in the order of arrival."""
        until(lambda: len(self._distinct(job_id)) >= count)
        return self._distinct(job_id)

    def copies_event(self, job_id: str) -> Received:
        """Return the event that tells of the job's copies."""
        return until(lambda: next(self._of_copies(job_id), None))

    def callbacks(self, job_id: str) -> list[dict[str, Any]]:
        """Return what the sandbox's receiver was sent for this job, each try."""
        answer = call("GET", f"{self.sandbox_url}/sandbox/callbacks")
        return [one for one in answer.json()["callbacks"] if one["id"].startswith(f"{job_id}.")]

    def provider_jobs(self, job_id: str) -> list[dict[str, Any]]:
        """Return every render that the sandbox took on for this job."""
        job = self.job(job_id)
        picture = job["input"].get("url") or job["input"].get("imageUrl")
        answer = call("GET", f"{self.sandbox_url}/sandbox/jobs")
        return [
            one
            for one in answer.json()["jobs"]
            if one["provider"] == job["provider"]
            and picture in (one["input"].get("url"), one["input"].get("imageUrl"))
        ]

    def render_of(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Return the render that the sandbox made for a job, whatever else has its picture."""
        renders = self.provider_jobs(job["id"])
        (render,) = (one for one in renders if one["providerJobId"] == job["providerJobId"])
        return render

    def _distinct(self, job_id: str) -> list[Received]:
        first: dict[str, Received] = {}
        for one in self.consumer.of(job_id):
            if one.attributes["ce-type"] != OUTPUTS_KEPT:
                first.setdefault(one.attributes["ce-id"], one)
        return list(first.values())

    def _of_copies(self, job_id: str) -> Iterator[Received]:
        return (
            one for one in self.consumer.of(job_id) if one.attributes["ce-type"] == OUTPUTS_KEPT
        )

    def _create(
        self, provider: str, operation: str, given: dict[str, Any], more: dict[str, Any]
    ) -> str:
        body = {"provider": provider, "operation": operation, "input": given, **more}
        headers = {**self.headers, "Idempotency-Key": secrets.token_hex(16)}
        answer = call("POST", f"{self.api_url}/v1/jobs", json=body, headers=headers)
        # 200 if `call` repeated it after a 503 whose job had been written.
        assert answer.status_code in (200, 201), answer.text
        return str(answer.json()["id"])


def check(deliveries: Sequence[Delivery]) -> None:
    """Fail if one of the events is not as docs/schemas/ says."""
    wrong = [f"{one.event_id}: {fault}" for one in deliveries for fault in complaints(one)]
    assert not wrong, "\n".join(wrong)


def call(method: str, url: str, **more: Any) -> requests.Response:
    """Send a request, and again as long as an emulator of a busy machine is too slow for it."""
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        answer = requests.request(method, url, timeout=PATIENCE_S, **more)
        if answer.status_code != requests.codes.unavailable or time.monotonic() > give_up_at:
            return answer
        time.sleep(0.2)


def run_program(
    command: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, and return what it said."""
    return subprocess.run(
        command,
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def until(found: Callable[[], Any]) -> Any:
    """Return the first answer that is true."""
    give_up_at = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up_at:
        if answer := found():
            return answer
        time.sleep(0.2)
    pytest.fail(f"did not come about within {PATIENCE_S:g} s")


@pytest.fixture(scope="session")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """Run the whole stack."""
    try:
        with running_stack(
            stack_file=tmp_path_factory.mktemp("stack") / "stack.json", env=os.environ
        ) as stack:
            where = stack.description
            inbox = Inbox(
                host=where.pubsub_emulator_host,
                project=where.project,
                topic=where.completions_topic,
                subscription=SUBSCRIPTION,
            )
            with inbox:
                consumer = Consumer(inbox)
                yield Relay(stack, consumer)
                consumer.check_all()
    except EmulatorsUnavailable as error:
        if os.environ.get("RELAY_REQUIRE_EMULATORS") == "1":
            raise
        pytest.skip(str(error))
