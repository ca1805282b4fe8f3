"""Every delivery of an event, received as any consumer would: a pull subscription of our own."""

import threading
from datetime import UTC, datetime
from typing import Self

import grpc
from google.api_core import exceptions as google
from google.pubsub_v1 import ReceivedMessage, SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from infra.storm.deliveries import Delivery

_PULL_TIMEOUT_S = 1.0
_CALL_TIMEOUT_S = 10.0
_PAUSE_S = 0.2
_MOST_AT_ONCE = 200
_SUBSCRIPTION = "storm-completions"


class Inbox:
    """Receives from a thread of its own, from the moment it is opened until it is closed.

    Args:
        host: Where the Pub/Sub emulator is.
    """

    def __init__(self, *, host: str, project: str, topic: str) -> None:
        # The client library's way of finding an emulator, a variable in our own environment,
        # would also tell every process that we start.
        self._channel = grpc.insecure_channel(host, options=[("grpc.enable_http_proxy", 0)])
        self._client = SubscriberClient(transport=SubscriberGrpcTransport(channel=self._channel))
        self._topic = f"projects/{project}/topics/{topic}"
        self._subscription = f"projects/{project}/subscriptions/{_SUBSCRIPTION}"
        self._deliveries: list[Delivery] = []
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._receive, name="inbox", daemon=True)

    def __enter__(self) -> Self:
        self._client.create_subscription(
            name=self._subscription, topic=self._topic, timeout=_CALL_TIMEOUT_S
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()
        self._channel.close()

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """Everything received so far, in the order of arrival."""
        return tuple(self._deliveries)

    def _receive(self) -> None:
        while not self._closing.is_set():
            try:
                self._pull()
            except (google.DeadlineExceeded, google.RetryError):
                continue
            except google.GoogleAPICallError:
                self._closing.wait(_PAUSE_S)

    def _pull(self) -> None:
        answer = self._client.pull(
            subscription=self._subscription,
            max_messages=_MOST_AT_ONCE,
            retry=None,
            timeout=_PULL_TIMEOUT_S,
        )
        messages = list(answer.received_messages)
        if not messages:
            return
        self._deliveries += [_delivery(message) for message in messages]
        self._client.acknowledge(
            subscription=self._subscription,
            ack_ids=[message.ack_id for message in messages],
            timeout=_CALL_TIMEOUT_S,
        )


def _delivery(received: ReceivedMessage) -> Delivery:
    message = received.message
    return Delivery(
        message_id=message.message_id,
        published_at=datetime.fromtimestamp(message.publish_time.timestamp(), UTC),
        ordering_key=message.ordering_key,
        attributes=dict(message.attributes),
        data=bytes(message.data),
    )
