"""The Pub/Sub emulator over REST: create topics and push subscriptions, publish ticks.

Not the client library: importing it costs half a second, and its gRPC threads do not go
well with a process whose work is to start others.
"""

import base64
import http.client
import json
from collections.abc import Mapping

from infra.local.errors import StackFailed
from infra.local.topology import Topology

_TIMEOUT_S = 10.0


class PubSubEmulator:
    """One project in a running Pub/Sub emulator."""

    def __init__(self, *, host: str, project: str) -> None:
        self._host = host
        self._project = f"projects/{project}"

    def create(self, topology: Topology, *, push_urls: Mapping[str, str]) -> None:
        """Create every topic and push subscription.

        Args:
            push_urls: The URL of each function that a subscription names.

        Raises:
            StackFailed: The emulator did not take one of them.
        """
        for topic in topology.topics:
            self._call("PUT", self._topic(topic), {})
        for subscription in topology.push_subscriptions:
            self._call(
                "PUT",
                f"{self._project}/subscriptions/{subscription.name}",
                {
                    "topic": self._topic(subscription.topic),
                    "ackDeadlineSeconds": subscription.ack_deadline_s,
                    "pushConfig": {"pushEndpoint": push_urls[subscription.function]},
                },
            )

    def publish(self, topic: str, data: bytes) -> None:
        """Publish one message.

        Raises:
            StackFailed: The emulator did not take it.
        """
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
