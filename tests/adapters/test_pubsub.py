"""Events and ticks as they arrive through a real subscription on the Pub/Sub emulator."""

import json
import time
import uuid
from collections.abc import Iterator

import pytest
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from google.pubsub_v1.types import ReceivedMessage, Subscription
from grpc import insecure_channel

from relay.adapters.pubsub import PubSubTopics, publisher
from relay.domain.job import Actor, EventType, Status
from relay.domain.trace import TraceContext, event_trace
from relay.domain.transitions import succeeded
from relay.errors import PublishFailed
from tests.factories import JOB_ID, LATE_OUTPUT, OUTPUT, finished_job, later

pytestmark = pytest.mark.emulator


class Project:
    """A project on the emulator that no other test uses."""

    def __init__(self, host: str) -> None:
        self.name = f"test-{uuid.uuid4().hex[:12]}"
        self.publisher = publisher({"PUBSUB_EMULATOR_HOST": host})
        self._channel = insecure_channel(host)
        self._subscriber = SubscriberClient(
            transport=SubscriberGrpcTransport(channel=self._channel)
        )

    def subscribe(self, topic: str) -> None:
        path = f"projects/{self.name}/topics/{topic}"
        self.publisher.create_topic(name=path)
        self._subscriber.create_subscription(
            Subscription(name=self._subscription(topic), topic=path, enable_message_ordering=True)
        )

    def received(self, topic: str, *, count: int) -> list[ReceivedMessage]:
        messages: list[ReceivedMessage] = []
        give_up_at = time.monotonic() + 10
        while len(messages) < count and time.monotonic() < give_up_at:
            path = self._subscription(topic)
            answer = self._subscriber.pull(subscription=path, max_messages=10, timeout=5.0)
            messages += answer.received_messages
            if answer.received_messages:
                ids = [one.ack_id for one in answer.received_messages]
                self._subscriber.acknowledge(subscription=path, ack_ids=ids)
        return messages

    def topics(self) -> PubSubTopics:
        return PubSubTopics(
            self.publisher,
            project=self.name,
            completions_topic="job-completions",
            ticks_topic="poll-ticks",
        )

    def close(self) -> None:
        self._channel.close()
        self.publisher.transport.close()

    def _subscription(self, topic: str) -> str:
        return f"projects/{self.name}/subscriptions/{topic}-test"


@pytest.fixture
def project(pubsub_emulator: str) -> Iterator[Project]:
    project = Project(pubsub_emulator)
    yield project
    project.close()


def test_an_event_arrives_with_its_attributes_its_ordering_key_and_the_job(project):
    project.subscribe("job-completions")
    job = finished_job(Status.SUCCEEDED)

    project.topics().publish_event(job, job.announcements[0])

    (received,) = project.received("job-completions", count=1)
    assert dict(received.message.attributes) == {
        "ce-specversion": "1.0",
        "ce-id": f"{JOB_ID}.succeeded",
        "ce-source": f"//render-relay/{project.name}",
        "ce-type": "com.renderrelay.job.succeeded",
        "ce-subject": JOB_ID,
        "ce-time": "2026-01-02T12:00:00Z",
        "ce-dataschema": "urn:render-relay:schema:job:1",
        "content-type": "application/json",
        "tenant": "demo",
        "provider": "gepetto",
        "operation": "redesign",
        "status": "succeeded",
    }
    assert received.message.ordering_key == JOB_ID
    data = json.loads(received.message.data)
    assert (data["id"], data["status"], data["outputs"]) == (JOB_ID, "succeeded", [{"url": OUTPUT}])


def test_an_event_of_a_traced_job_carries_its_trace(project):
    project.subscribe("job-completions")
    trace = TraceContext(f"00-{'1' * 32}-{'2' * 16}-01", "congo=t61rcWkgMzE")
    job = finished_job(Status.SUCCEEDED, trace=trace)

    project.topics().publish_event(job, job.announcements[0])

    (received,) = project.received("job-completions", count=1)
    event = event_trace(trace, f"{JOB_ID}.succeeded")
    assert event is not None
    assert received.message.attributes["ce-traceparent"] == event.traceparent
    assert received.message.attributes["ce-tracestate"] == "congo=t61rcWkgMzE"
    assert event.trace_id == "1" * 32


def test_two_copies_of_an_event_are_alike_and_a_late_result_is_another(project):
    project.subscribe("job-completions")
    failed = finished_job(Status.FAILED)
    late = succeeded(failed, outputs=[LATE_OUTPUT], by=Actor.WEBHOOK, at=later(1.5))
    topics = project.topics()

    topics.publish_event(failed, failed.announcements[0])
    for event in late.announcements:
        topics.publish_event(late, event)

    first, copy, result = (one.message for one in project.received("job-completions", count=3))
    assert (dict(first.attributes), first.data) == (dict(copy.attributes), copy.data)
    assert result.attributes["ce-id"] == f"{JOB_ID}.late_result"
    assert result.attributes["ce-type"] == EventType.LATE_RESULT
    assert result.attributes["ce-time"] == "2026-01-02T12:00:01.500000Z"
    assert result.attributes["status"] == "failed"
    assert json.loads(result.data)["lateOutputs"] == [{"url": LATE_OUTPUT}]


def test_a_tick_arrives_on_its_accounts_own_topic(project):
    project.subscribe("poll-ticks-spacely")

    project.topics().publish_tick("spacely")

    (received,) = project.received("poll-ticks-spacely", count=1)
    assert json.loads(received.message.data) == {"account": "spacely"}


def test_a_topic_that_does_not_exist_takes_nothing(project):
    job = finished_job(Status.SUCCEEDED)

    with pytest.raises(PublishFailed):
        project.topics().publish_event(job, job.announcements[0])
    with pytest.raises(PublishFailed):
        project.topics().publish_tick("gepetto")


def test_a_service_that_nobody_answers_for_takes_nothing():
    client: PublisherClient = publisher({"PUBSUB_EMULATOR_HOST": "127.0.0.1:1"})
    topics = PubSubTopics(
        client, project="p", completions_topic="job-completions", ticks_topic="poll-ticks"
    )

    with pytest.raises(PublishFailed):
        topics.publish_tick("gepetto")
