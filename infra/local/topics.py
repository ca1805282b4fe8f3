"""Topics, push subscriptions and scheduled ticks, laid out as in terraform/.

The Pub/Sub emulator is called over REST: importing the client library takes half a second,
and its gRPC threads do not go well with a process that starts others.
"""

import base64
import http.client
import json
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infra.local.errors import StackFailed

PUMP_FUNCTION = "poll_tick"
CALLBACKS_FUNCTION = "deliver_callbacks"
COPIES_FUNCTION = "keep_outputs"
# Callbacks have ticks as an account has them.
CALLBACKS = "callbacks"
# On a push subscription this is the request's timeout, and a pump uses its whole window.
ACK_DEADLINE_S = 600

# A cold emulator on a busy machine takes its time over the first call.
_TIMEOUT_S = 60.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSubscription:
    """A subscription that pushes a topic's messages to a function."""

    name: str
    topic: str
    function: str
    ack_deadline_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """The topics and push subscriptions of one deployment.

    Attributes:
        ticks_topics: By what their ticks name: the accounts, and `CALLBACKS`.
    """

    completions_topic: str
    ticks_topics: dict[str, str]
    push_subscriptions: tuple[PushSubscription, ...]

    @property
    def topics(self) -> tuple[str, ...]:
        """The names of all topics."""
        return (self.completions_topic, *self.ticks_topics.values())


def topology(
    *, completions_topic: str, ticks_topic: str, accounts: Sequence[str], keeps_outputs: bool = True
) -> Topology:
    """Lay out the topics for completions and ticks, and what is pushed.

    Args:
        ticks_topic: The part of the tick topics' names before `-{account}`.
        keeps_outputs: Whether completions are pushed to `keep_outputs`.
    """
    ticks_topics = {name: f"{ticks_topic}-{name}" for name in (*accounts, CALLBACKS)}
    pushed = [
        (topic, f"{topic}-push", CALLBACKS_FUNCTION if name == CALLBACKS else PUMP_FUNCTION)
        for name, topic in ticks_topics.items()
    ]
    if keeps_outputs:
        pushed.append((completions_topic, f"{completions_topic}-keep", COPIES_FUNCTION))
    return Topology(
        completions_topic=completions_topic,
        ticks_topics=ticks_topics,
        push_subscriptions=tuple(
            PushSubscription(
                name=name, topic=topic, function=function, ack_deadline_s=ACK_DEADLINE_S
            )
            for topic, name, function in pushed
        ),
    )


class PubSubEmulator:
    """One project in a running Pub/Sub emulator; every method may raise `StackFailed`."""

    def __init__(self, *, host: str, project: str) -> None:
        self._host = host
        self._project = f"projects/{project}"

    def create(self, topology: Topology, *, push_urls: Mapping[str, str]) -> None:
        """Create every topic and push subscription.

        Args:
            push_urls: The URL of each function that a subscription names.
        """
        for topic in topology.topics:
            self._call("PUT", self._topic(topic), {})
        for subscription in topology.push_subscriptions:
            self.subscribe(subscription, push_url=push_urls[subscription.function])

    def subscribe(self, subscription: PushSubscription, *, push_url: str) -> None:
        """Create one push subscription."""
        self._call(
            "PUT",
            f"{self._project}/subscriptions/{subscription.name}",
            {
                "topic": self._topic(subscription.topic),
                "ackDeadlineSeconds": subscription.ack_deadline_s,
                "pushConfig": {"pushEndpoint": push_url},
            },
        )

    def publish(self, topic: str, data: bytes) -> None:
        """Publish one message."""
        message = {"data": base64.b64encode(data).decode()}
        self._call("POST", f"{self._topic(topic)}:publish", {"messages": [message]})

    def _topic(self, name: str) -> str:
        return f"{self._project}/topics/{name}"

    def _call(self, method: str, path: str, body: Mapping[str, object]) -> None:
        connection = http.client.HTTPConnection(self._host, timeout=_TIMEOUT_S)
        headers = {"Content-Type": "application/json"}
        try:
            connection.request(method, f"/v1/{path}", json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise StackFailed(f"Pub/Sub emulator: {method} {path}: {error!r}") from error
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise StackFailed(f"Pub/Sub emulator: {method} {path}: {response.status} {text}")


class Scheduler:
    """Publishes a tick to every topic from a thread of its own, as Cloud Scheduler does.

    Args:
        topics: By the account that their ticks name.
    """

    def __init__(
        self, *, pubsub: PubSubEmulator, topics: Mapping[str, str], every_s: float
    ) -> None:
        self._pubsub = pubsub
        self._topics = topics
        self._every_s = every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)

    def start(self) -> None:
        """Publish the first ticks right away, then more at regular intervals."""
        self._thread.start()

    def stop(self) -> None:
        """Stop publishing."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            for account, topic in self._topics.items():
                try:
                    self._pubsub.publish(topic, json.dumps({"account": account}).encode())
                except StackFailed as error:
                    log.warning("tick for %s not published: %s", account, error)
            self._stopping.wait(self._every_s)
