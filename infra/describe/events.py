"""The AsyncAPI document, and the JSON Schemas of the job and of each event."""

from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec
from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.types import PublishRequest, PubsubMessage

from infra.describe.base_files import FINAL, FROM_CODE, WITHOUT_RESULT, read_base
from infra.describe.examples import example_jobs
from infra.describe.schemas import COMPONENTS, DIALECT, struct_schemas
from relay.adapters.pubsub import JOB_SCHEMA, PubSubTopics
from relay.domain.catalogue import CATALOGUE
from relay.domain.catalogue.description import Schema
from relay.domain.job import EventType
from relay.job_view import JobView

# By the names of the messages in asyncapi.base.yaml.
EVENTS: Final[Mapping[str, EventType]] = {
    "succeeded": EventType.SUCCEEDED,
    "failed": EventType.FAILED,
    "cancelled": EventType.CANCELLED,
    "lateResult": EventType.LATE_RESULT,
    "outputsKept": EventType.OUTPUTS_KEPT,
}
# Attributes that only the events of traced jobs have.
OF_TRACED_JOBS = ("ce-traceparent", "ce-tracestate")


class _Recorder:
    """Stands for the publisher client and keeps the messages."""

    def __init__(self) -> None:
        self.published: list[PubsubMessage] = []

    def publish(self, *, request: PublishRequest, **_options: object) -> None:
        self.published += request.messages


def asyncapi() -> dict[str, Any]:
    """Return the whole AsyncAPI document.

    Raises:
        LookupError: The adapter sends other attributes than event.base.yaml describes.
    """
    document: dict[str, Any] = read_base("asyncapi.base.yaml")
    messages = document["components"]["messages"]
    messages["tick"]["examples"] = [{"name": one, "payload": _tick(one)} for one in CATALOGUE]
    messages |= {name: _message(kind, **messages[name]) for name, kind in EVENTS.items()}
    document["components"]["schemas"] = struct_schemas([JobView], refs=COMPONENTS)
    return document


def job_schema() -> Schema:
    """Return the standalone schema that events name as that of their data."""
    schemas = struct_schemas([JobView], refs="#/$defs/")
    job = schemas.pop("Job")
    return {
        "$schema": DIALECT,
        "$id": JOB_SCHEMA,
        **job,
        "description": "A render job as the events show it. The API shows more. Fields may be "
        "added. None is removed or changes its meaning under this $id.",
        "$defs": schemas,
    }


def event_schemas() -> dict[str, Schema]:
    """Return the schema of each type of event as a message, by the type's last word."""
    messages = asyncapi()["components"]["messages"]
    return {_word(kind): _message_schema(kind, messages[name]) for name, kind in EVENTS.items()}


def _message(kind: EventType, *, summary: str) -> dict[str, Any]:
    attributes, data, _ = _published(kind)
    message: dict[str, Any] = read_base(
        "event.base.yaml",
        {
            **FROM_CODE,
            "type": kind.value,
            "word": _word(kind),
            "title": summary.partition(".")[0],
            "summary": summary,
            "event_statuses": _statuses(kind),
            "example.attributes": attributes,
            "example.data": data,
        },
    )
    headers = message["headers"]["properties"]
    if headers.keys() != attributes.keys():
        raise LookupError(
            f"attributes: {sorted(headers.keys() ^ attributes.keys())} described or sent"
        )
    message["headers"]["required"] = [name for name in headers if name not in OF_TRACED_JOBS]
    message["payload"] |= _additions(kind)
    return message


def _statuses(kind: EventType) -> list[str]:
    if kind is EventType.OUTPUTS_KEPT:
        # A late result's job has ended in another way.
        return [*FINAL]
    return WITHOUT_RESULT if kind is EventType.LATE_RESULT else [_word(kind)]


def _additions(kind: EventType) -> Schema:
    """Return which of the fields that come after a job's end the event has."""
    late: Schema = {"required": ["lateOutputs"]}
    kept: Schema = {"required": ["keptOutputs"]}
    if kind is EventType.OUTPUTS_KEPT:
        return kept
    if kind is EventType.LATE_RESULT:
        return late | {"not": kept}
    return {"not": {"anyOf": [late, kept]}}


def _message_schema(kind: EventType, message: Mapping[str, Any]) -> Schema:
    attributes, data, ordering_key = _published(kind)
    return {
        "$schema": DIALECT,
        "$id": f"urn:render-relay:schema:event:{_word(kind)}:1",
        "title": kind.value,
        "description": f"{message['summary']} This is the message as it is received: its "
        "attributes, its parsed data and its ordering key.",
        "type": "object",
        "properties": {
            "attributes": message["headers"],
            "data": {**message["payload"], "allOf": [{"$ref": JOB_SCHEMA}]},
            "orderingKey": {
                "type": "string",
                "pattern": message["bindings"]["googlepubsub"]["orderingKey"],
            },
        },
        "required": ["attributes", "data"],
        "examples": [{"attributes": attributes, "data": data, "orderingKey": ordering_key}],
    }


def _published(kind: EventType) -> tuple[dict[str, str], Any, str]:
    """Return the attributes, data and ordering key that the relay's own adapter publishes."""
    recorder, topics = _topics()
    job = example_jobs()["late" if kind is EventType.LATE_RESULT else _word(kind)]
    topics.publish_event(job, job.announcements[-1])
    message = recorder.published[0]
    # Protocol buffers' maps come in any order.
    attributes = dict(sorted(message.attributes.items()))
    return attributes, msgspec.json.decode(message.data), message.ordering_key


def _tick(account: str) -> Any:
    """Return the data of a tick that the relay's own adapter publishes."""
    recorder, topics = _topics()
    topics.publish_tick(account)
    return msgspec.json.decode(recorder.published[0].data)


def _topics() -> tuple[_Recorder, PubSubTopics]:
    recorder = _Recorder()
    client = cast(PublisherClient, recorder)
    return recorder, PubSubTopics(
        client, project="my-project", completions_topic="", ticks_topic=""
    )


def _word(kind: EventType) -> str:
    return kind.rsplit(".", 1)[-1]
