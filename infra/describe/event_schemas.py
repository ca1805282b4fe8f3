"""The events: the message of each type, with its attributes, as JSON Schema."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec
from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.types import PubsubMessage

from infra.describe.example_jobs import example_jobs
from infra.describe.fields import JOB_ID, PROVIDER, TIME
from infra.describe.job_schema import DIALECT, WITHOUT_RESULT
from relay.adapters.pubsub import JOB_SCHEMA, PubSubTopics
from relay.domain.catalogue.description import Schema
from relay.domain.job import EventType, Status

SUMMARIES: Mapping[EventType, str] = {
    EventType.SUCCEEDED: "The job has outputs.",
    EventType.FAILED: "The job ended without a result; `error` says why.",
    EventType.CANCELLED: "Its caller gave the job up.",
    EventType.LATE_RESULT: "A result came for a job that had failed or was cancelled: it was paid "
    "for and is in `lateOutputs`. At most once a job.",
}
STATUSES: Mapping[EventType, list[str]] = {
    EventType.SUCCEEDED: [Status.SUCCEEDED.value],
    EventType.FAILED: [Status.FAILED.value],
    EventType.CANCELLED: [Status.CANCELLED.value],
    EventType.LATE_RESULT: WITHOUT_RESULT,
}
# The job whose last announcement is the example.
EXAMPLES: Mapping[EventType, str] = {
    EventType.SUCCEEDED: "succeeded",
    EventType.FAILED: "failed",
    EventType.CANCELLED: "cancelled",
    EventType.LATE_RESULT: "late",
}
PROJECT = "my-project"


@dataclass(frozen=True, slots=True)
class Message:
    """A message as its consumer receives it."""

    attributes: Mapping[str, str]
    data: Any
    ordering_key: str


class _Recorder:
    """Stands for the publishing client and keeps the message."""

    def __init__(self) -> None:
        self.published: list[PubsubMessage] = []

    def publish(self, *, messages: list[PubsubMessage], **_options: object) -> None:
        self.published += messages


def word(type: EventType) -> str:
    """Return the last word of an event's type."""
    return type.rsplit(".", 1)[-1]


def event_schemas() -> dict[str, Schema]:
    """Return a schema for each type of event, by its last word."""
    return {word(one): _message_schema(one) for one in EventType}


def example_event(type: EventType) -> Message:
    """Return an event as the relay's own adapter sends it."""
    job = example_jobs()[EXAMPLES[type]]
    recorder = _Recorder()
    topics = PubSubTopics(
        cast(PublisherClient, recorder), project=PROJECT, completions_topic="", ticks_topic=""
    )
    topics.publish_event(job, job.announcements[-1])
    message = recorder.published[0]
    # Protocol buffers' maps come in any order.
    return Message(
        dict(sorted(message.attributes.items())),
        msgspec.json.decode(message.data),
        message.ordering_key,
    )


def example_tick(account: str) -> Any:
    """Return the data of a tick as the relay's own adapter sends it."""
    recorder = _Recorder()
    topics = PubSubTopics(
        cast(PublisherClient, recorder), project=PROJECT, completions_topic="", ticks_topic=""
    )
    topics.publish_tick(account)
    return msgspec.json.decode(recorder.published[0].data)


def attributes_schema(type: EventType) -> Schema:
    """Return the schema of an event's attributes: those of CloudEvents, and four to filter by.

    Raises:
        LookupError: The adapter sends others than are described.
    """
    properties: dict[str, Schema] = {
        "ce-specversion": {"const": "1.0"},
        "ce-id": {
            "pattern": f"^job_[0-9a-z]{{26}}\\.{word(type)}$",
            "description": "The same in every copy of the event: what to remove duplicates by.",
        },
        "ce-source": {"pattern": "^//render-relay/.+$"},
        "ce-type": {"const": type.value},
        "ce-subject": JOB_ID,
        "ce-time": {**TIME, "description": _moment(type)},
        "ce-dataschema": {"const": JOB_SCHEMA},
        "content-type": {"const": "application/json"},
        "tenant": {"minLength": 1},
        "provider": PROVIDER,
        "operation": {"minLength": 1},
        "status": {"enum": STATUSES[type]},
    }
    sent = example_event(type).attributes
    if sent.keys() != properties.keys():
        raise LookupError(f"attributes {sorted(sent.keys() ^ properties.keys())} described or sent")
    return {
        "type": "object",
        "properties": {name: {"type": "string", **one} for name, one in properties.items()},
        "required": list(properties),
    }


def data_schema(type: EventType, *, job: str) -> Schema:
    """Return the schema of an event's data.

    Args:
        job: Reference to the schema of a job.
    """
    is_late = type is EventType.LATE_RESULT
    late: Schema = {"required": ["lateOutputs"]}
    return {
        "allOf": [{"$ref": job}],
        "properties": {"status": {"enum": STATUSES[type]}},
        **(late if is_late else {"not": late}),
    }


def _message_schema(type: EventType) -> Schema:
    return {
        "$schema": DIALECT,
        "$id": f"urn:render-relay:schema:event:{word(type)}:1",
        "title": type.value,
        "description": f"{SUMMARIES[type]} This is the message as it is received: its "
        "attributes, its data parsed, and its ordering key.",
        "type": "object",
        "properties": {
            "attributes": attributes_schema(type),
            "data": data_schema(type, job=JOB_SCHEMA),
            "orderingKey": JOB_ID,
        },
        "required": ["attributes", "data"],
        "examples": list(_examples(type)),
    }


def _examples(type: EventType) -> Iterator[Schema]:
    event = example_event(type)
    yield {
        "attributes": dict(event.attributes),
        "data": event.data,
        "orderingKey": event.ordering_key,
    }


def _moment(type: EventType) -> str:
    if type is EventType.LATE_RESULT:
        return "When the result came."
    return "The job's `finishedAt`."
