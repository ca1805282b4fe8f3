"""The running stack as benchmarks see it from outside: create jobs, and see when they are sent."""

import json
import time
from collections.abc import Mapping, Sequence
from datetime import datetime

import requests

from infra.bench.rig import firestore_client
from infra.local.stack import Stack
from infra.local.topics import PubSubEmulator
from relay.adapters.firestore import FirestoreAccounts

IDLE_WITHIN_S = 30.0
SENT_WITHIN_S = 120.0
LOOK_EVERY_S = 0.2


class RunningRelay:
    """The running stack, from outside."""

    def __init__(self, stack: Stack) -> None:
        self.where = stack.description
        self.firestore = firestore_client(
            self.where.firestore_emulator_host, project=self.where.project
        )
        self._accounts = FirestoreAccounts(self.firestore)
        self._created = 0

    def wait_until_idle(self, account: str) -> None:
        """Return once no pump has the account's lease."""
        give_up_at = time.monotonic() + IDLE_WITHIN_S
        while self._accounts.read(account).account.holder is not None:
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"the pump of {account} works on")
            time.sleep(LOOK_EVERY_S)

    def create(self, account: str, *, wish: str = "") -> tuple[str, float]:
        """Create a job; return its picture's URL, and when it was created."""
        self._created += 1
        picture = self.picture(f"created-{self._created}", wish)
        answer = requests.post(
            f"{self.where.api_url}/v1/jobs",
            json=job_body(account, picture),
            headers={"X-API-KEY": self.where.api_key},
            timeout=30,
        )
        answer.raise_for_status()
        created_at = datetime.fromisoformat(answer.json()["createdAt"])
        return picture, created_at.timestamp()

    def picture(self, name: str, wish: str) -> str:
        """Return the URL of a picture of that name."""
        return f"{self.where.sandbox_url}/rooms/living.jpg?n={name}&sandbox={wish}"

    def calls(self) -> list[Mapping[str, object]]:
        """Return what the providers were called for so far."""
        answer = requests.get(f"{self.where.sandbox_url}/sandbox/calls", timeout=60)
        return list(answer.json()["calls"])

    def sent(self) -> Mapping[str, float]:
        """Return when the providers got jobs so far, by their pictures."""
        return {
            str(call["input"]): float(str(call["at"]))
            for call in self.calls()
            if call["kind"] == "submit"
        }

    def sent_at(self, pictures: Sequence[str]) -> Mapping[str, float]:
        """Return when the providers got the jobs of these pictures; waits for all of them."""
        give_up_at = time.monotonic() + SENT_WITHIN_S
        while True:
            sent = self.sent()
            if all(picture in sent for picture in pictures):
                return sent
            if time.monotonic() > give_up_at:
                raise TimeoutError("jobs were not sent")
            time.sleep(LOOK_EVERY_S)

    def wake(self, account: str) -> None:
        """Publish a tick."""
        pubsub = PubSubEmulator(host=self.where.pubsub_emulator_host, project=self.where.project)
        pubsub.publish(self.where.ticks_topics[account], json.dumps({"account": account}).encode())


def job_body(account: str, picture: str) -> dict[str, object]:
    """Return what a caller posts to have a picture rendered."""
    if account == "gepetto":
        given = {"url": picture, "styleId": "modern", "roomId": "living_room", "creativity": 9}
        return {"provider": account, "operation": "redesign", "input": given}
    given = {"model": "spacely-v1", "imageUrl": picture, "renovateType": "residential"}
    return {"provider": account, "operation": "advance", "input": given}
