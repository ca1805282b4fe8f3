"""What Cloud Scheduler does in a deployment: a tick for every account, over and over."""

import json
import logging
import threading
from collections.abc import Mapping

from infra.local.errors import StackFailed
from infra.local.pubsub import PubSubEmulator

log = logging.getLogger(__name__)


class Scheduler:
    """Publishes ticks from a thread of its own, the first ones right away."""

    def __init__(
        self, *, pubsub: PubSubEmulator, ticks_topics: Mapping[str, str], every_s: float
    ) -> None:
        self._pubsub = pubsub
        self._ticks_topics = ticks_topics
        self._every_s = every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)

    def start(self) -> None:
        """Begin to publish."""
        self._thread.start()

    def stop(self) -> None:
        """Publish no more."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            for account, topic in self._ticks_topics.items():
                self._tick(account, topic)
            self._stopping.wait(self._every_s)

    def _tick(self, account: str, topic: str) -> None:
        try:
            self._pubsub.publish(topic, json.dumps({"account": account}).encode())
        except StackFailed as error:
            log.warning("tick for %s not published: %s", account, error)
