"""Every delivery of an event, received as any consumer would: a pull subscription of our own."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

import grpc
from google.api_core import exceptions as google
from google.pubsub_v1 import ReceivedMessage, SubscriberClient, Subscription
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

_PULL_TIMEOUT_S = 1.0
_CALL_TIMEOUT_S = 60.0
_PAUSE_S = 0.2
_MOST_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One delivery of one copy of an event, as a consumer of the topic sees it.

    Attributes:
        message_id: The topic's; a copy that was published again has another.
        published_at: When the topic took it.
    """

    message_id: str
    published_at: datetime
    ordering_key: str
    attributes: Mapping[str, str]
    data: bytes

    @property
    def event_id(self) -> str:
        """The event's CloudEvents id."""
        return self.attributes.get("ce-id", "")

    @property
    def job_id(self) -> str:
        """The job that the event is about."""
        return self.attributes.get("ce-subject", "")

    @property
    def last_word(self) -> str:
        """The last word of the event's type."""
        return self.attributes.get("ce-type", "").rpartition(".")[2]

    @property
    def content(self) -> tuple[Mapping[str, str], bytes]:
        """What is the same in every copy of the event."""
        return self.attributes, self.data


class Inbox:
    """Receives from a thread of its own, from the moment it is opened until it is closed.

    Args:
        host: Where the Pub/Sub emulator is.
        subscription: Its name; it is created when the inbox is opened.
    """

    def __init__(self, *, host: str, project: str, topic: str, subscription: str) -> None:
        # The client library's way of finding an emulator, a variable in our own environment,
        # would also tell every process that we start.
        self._channel = grpc.insecure_channel(host, options=[("grpc.enable_http_proxy", 0)])
        self._client = SubscriberClient(transport=SubscriberGrpcTransport(channel=self._channel))
        self._topic = f"projects/{project}/topics/{topic}"
        self._subscription = f"projects/{project}/subscriptions/{subscription}"
        self._deliveries: list[Delivery] = []
        self._first_received_s: dict[str, float] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._receive, name="inbox", daemon=True)

    def __enter__(self) -> Self:
        # Not ordered: the emulator would run a thread for every job, thousands in a benchmark.
        self._client.create_subscription(
            Subscription(name=self._subscription, topic=self._topic), timeout=_CALL_TIMEOUT_S
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

    @property
    def first_received_s(self) -> Mapping[str, float]:
        """When the first event of each job was received, on the monotonic clock in seconds."""
        return self._first_received_s

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
        now_s = time.monotonic()
        received = [_delivery(message) for message in messages]
        self._deliveries += received
        for one in received:
            self._first_received_s.setdefault(one.job_id, now_s)
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
