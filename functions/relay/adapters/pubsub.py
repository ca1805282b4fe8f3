"""Completion events and ticks on Pub/Sub.

Messages go out by the API's own publish call, one at a time and awaited: nothing is batched, so
nothing waits for a batch, and a call that fails has ended when we say so. The batching client
would go on publishing in the background: with ordering switched on it retries without end.
"""

import os
from collections.abc import Mapping
from typing import Any

import grpc
import msgspec
from google.api_core import exceptions as google
from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.types import PublishRequest, PubsubMessage

from relay.domain.job import Announcement, Job
from relay.domain.trace import event_trace
from relay.errors import PublishFailed
from relay.job_view import event_json

PUBLISH_TIMEOUT_S = 5.0
EMULATOR_HOST = "PUBSUB_EMULATOR_HOST"
# A name, not an address: the schema travels with the source.
JOB_SCHEMA = "urn:render-relay:schema:job:1"


def publisher(env: Mapping[str, str] = os.environ) -> PublisherClient:
    """Return a client of the service, or of the emulator if the environment names one."""
    emulator = env.get(EMULATOR_HOST)
    if not emulator:
        return PublisherClient()
    return PublisherClient(
        transport=PublisherGrpcTransport(channel=grpc.insecure_channel(emulator))
    )


class PubSubTopics:
    """The topics of one deployment.

    Args:
        completions_topic: Name of the topic for events.
        ticks_topic: The part of the tick topics' names before ``-{account}``.
    """

    def __init__(
        self,
        client: PublisherClient,
        *,
        project: str,
        completions_topic: str,
        ticks_topic: str,
    ) -> None:
        self._client = client
        self._project = project
        self._completions_topic = completions_topic
        self._ticks_topic = ticks_topic

    def publish_event(self, job: Job, event: Announcement) -> None:
        """See `Topics`; a CloudEvent in binary mode, ordered by job."""
        attributes = {
            "ce-specversion": "1.0",
            "ce-id": event.id,
            "ce-source": f"//render-relay/{self._project}",
            "ce-type": event.type.value,
            "ce-subject": job.id,
            "ce-time": event.at.isoformat().replace("+00:00", "Z"),
            "ce-dataschema": JOB_SCHEMA,
            "content-type": "application/json",
            "tenant": job.tenant,
            "provider": job.provider,
            "operation": job.operation,
            "status": job.status.value,
        }
        trace = event_trace(job.trace, event.id)
        if trace is not None:
            # CloudEvents' distributed tracing extension.
            attributes |= {f"ce-{name}": value for name, value in trace.headers.items()}
        data = event_json(job, event)
        self._publish(
            self._completions_topic,
            PubsubMessage.pb()(data=data, attributes=attributes, ordering_key=job.id),
        )

    def publish_tick(self, account: str) -> None:
        """See `Topics`."""
        data = msgspec.json.encode({"account": account})
        self._publish(f"{self._ticks_topic}-{account}", PubsubMessage.pb()(data=data))

    def _publish(self, topic: str, message: Any) -> None:
        path = f"projects/{self._project}/topics/{topic}"
        request = PublishRequest.wrap(PublishRequest.pb()(topic=path, messages=[message]))
        try:
            self._client.publish(request=request, retry=None, timeout=PUBLISH_TIMEOUT_S)
        except (google.GoogleAPICallError, google.RetryError) as error:
            raise PublishFailed(f"{topic}: {type(error).__name__}") from error
