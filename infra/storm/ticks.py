"""Ticks that nobody should send: garbage, and far too many good ones."""

import json
import threading
from collections.abc import Mapping
from random import Random
from typing import Self

from infra.local.errors import StackFailed
from infra.local.pubsub import PubSubEmulator

GARBAGE = (
    b"not JSON",
    b"\xff\xfe\x00",
    b"",
    b"[]",
    b'"gepetto"',
    b"{}",
    b'{"account": null}',
    b'{"account": "nobody"}',
    b'{"account": {"account": "gepetto"}}',
)
EVERY_S = (1.0, 4.0)
REPEATED = 6


class StrayTicks:
    """Publishes them from a thread of its own."""

    def __init__(self, *, pubsub: PubSubEmulator, topics: Mapping[str, str], seed: int) -> None:
        self._pubsub = pubsub
        self._topics = topics
        self._chance = Random(f"ticks of {seed}")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stray-ticks", daemon=True)
        self.garbage = 0
        self.repeated = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._chance.uniform(*EVERY_S)):
            account, topic = self._chance.choice(list(self._topics.items()))
            if self._chance.random() < 0.5:
                self.garbage += self._published(topic, self._chance.choice(GARBAGE))
                continue
            tick = json.dumps({"account": account}).encode()
            self.repeated += sum(self._published(topic, tick) for _ in range(REPEATED))

    def _published(self, topic: str, message: bytes) -> bool:
        try:
            self._pubsub.publish(topic, message)
        except StackFailed:
            return False
        return True
