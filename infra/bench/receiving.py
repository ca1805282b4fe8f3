"""Takes events off a topic, and notes when each came."""

import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import grpc
from google.api_core.exceptions import GoogleAPICallError
from google.pubsub_v1 import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

MOST_AT_ONCE = 1000
PULL_TIMEOUT_S = 5.0


class Receiver:
    """A consumer of one topic.

    By plain pulls: the streaming client would take a good part of the cores that are measured.
    """

    def __init__(self, host: str, *, project: str, topic: str) -> None:
        channel = grpc.insecure_channel(host)
        self._client = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        self._path = f"projects/{project}/subscriptions/bench-{topic}"
        self._client.create_subscription(
            name=self._path, topic=f"projects/{project}/topics/{topic}", timeout=10.0
        )
        self._received_at: dict[str, float] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"receiver-{topic}", daemon=True)

    @property
    def received_at(self) -> Mapping[str, float]:
        """When the first event of each subject came, on the monotonic clock."""
        return self._received_at

    def wait_for(self, count: int, *, within_s: float) -> None:
        """Return once events of so many subjects came.

        Raises:
            TimeoutError: They did not.
        """
        give_up_at = time.monotonic() + within_s
        while len(self._received_at) < count:
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"{len(self._received_at)} of {count} events came")
            time.sleep(0.01)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                pulled = self._client.pull(
                    subscription=self._path, max_messages=MOST_AT_ONCE, timeout=PULL_TIMEOUT_S
                )
            except GoogleAPICallError:
                continue
            now_s = time.monotonic()
            for one in pulled.received_messages:
                self._received_at.setdefault(one.message.attributes["ce-subject"], now_s)
            if pulled.received_messages:
                self._client.acknowledge(
                    subscription=self._path,
                    ack_ids=[one.ack_id for one in pulled.received_messages],
                    timeout=PULL_TIMEOUT_S,
                )
