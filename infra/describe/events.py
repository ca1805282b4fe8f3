"""The AsyncAPI document, and the JSON Schemas of the job and of each event."""

from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec
from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.types import PubsubMessage

from infra.describe.base_files import FROM_CODE, WITHOUT_RESULT, read_base
from infra.describe.examples import example_jobs
from infra.describe.schemas import COMPONENTS, DIALECT, job_schemas
from relay.adapters.pubsub import JOB_SCHEMA, PubSubTopics
from relay.domain.catalogue import CATALOGUE
from relay.domain.catalogue.schema import Schema
from relay.domain.job import EventType

# By the names of the messages in asyncapi.base.yaml.
EVENTS: Final[Mapping[str, EventType]] = {
    "succeeded": EventType.SUCCEEDED,
    "failed": EventType.FAILED,
    "cancelled": EventType.CANCELLED,
    "lateResult": EventType.LATE_RESULT,
}


class _Recorder:
    """Stands for the publisher client and keeps the messages."""

    def __init__(self) -> None:
        self.published: list[PubsubMessage] = []

    def publish(self, *, messages: list[PubsubMessage], **_options: object) -> None:
        self.published += messages


def asyncapi() -> dict[str, Any]:
    """Return the whole AsyncAPI document."""
    document: dict[str, Any] = read_base("asyncapi.base.yaml")
    components = document["components"]
    components["messages"]["tick"]["examples"] = [
        {"name": account, "payload": _tick(account)} for account in CATALOGUE
    ]
    components["messages"] |= _event_messages(components["messages"])
    components["schemas"] = job_schemas(refs=COMPONENTS)
    return document


def job_schema() -> Schema:
    """Return the standalone schema that events name as that of their data."""
    schemas = job_schemas(refs="#/$defs/")
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
    messages = read_base("asyncapi.base.yaml")["components"]["messages"]
    return {
        _word(EVENTS[name]): _message_schema(one) for name, one in _event_messages(messages).items()
    }


def _event_messages(base: Mapping[str, Any]) -> dict[str, Any]:
    """Return the AsyncAPI message of each event.

    Raises:
        LookupError: The adapter sends other attributes than event.base.yaml describes.
    """
    return {name: _event(EVENTS[name], base[name]["summary"]) for name in EVENTS}


def _event(type: EventType, summary: str) -> dict[str, Any]:
    is_late = type is EventType.LATE_RESULT
    attributes, data, _ = _published(type)
    message: dict[str, Any] = read_base(
        "event.base.yaml",
        {
            **FROM_CODE,
            "type": type.value,
            "word": _word(type),
            "title": summary.partition(".")[0],
            "summary": summary,
            "event_statuses": WITHOUT_RESULT if is_late else [_word(type)],
            "example.attributes": attributes,
            "example.data": data,
        },
    )
    headers = message["headers"]["properties"]
    if headers.keys() != attributes.keys():
        raise LookupError(
            f"attributes: {sorted(headers.keys() ^ attributes.keys())} described or sent"
        )
    message["headers"]["required"] = list(headers)
    late: Schema = {"required": ["lateOutputs"]}
    message["payload"] |= late if is_late else {"not": late}
    return message


def _message_schema(message: Mapping[str, Any]) -> Schema:
    word, name = message["examples"][0]["name"], message["name"]
    attributes, data, ordering_key = _published(EventType(name))
    return {
        "$schema": DIALECT,
        "$id": f"urn:render-relay:schema:event:{word}:1",
        "title": name,
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


def _published(type: EventType) -> tuple[dict[str, str], Any, str]:
    """Return the attributes, data and ordering key that the relay's own adapter publishes."""
    recorder, topics = _topics()
    job = example_jobs()["late" if type is EventType.LATE_RESULT else _word(type)]
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


def _word(type: EventType) -> str:
    return type.rsplit(".", 1)[-1]
