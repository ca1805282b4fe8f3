"""The AsyncAPI document: the topic of completion events, and the topics of ticks."""

from typing import Any

from infra.describe.event_schemas import (
    SUMMARIES,
    attributes_schema,
    data_schema,
    example_event,
    example_tick,
    word,
)
from infra.describe.fields import JOB_ID
from infra.describe.job_schema import job_schemas
from infra.describe.prose import ASYNCAPI_DESCRIPTION, COMPLETIONS, TICKS, VERSION, WAKING
from relay.domain.catalogue import CATALOGUE
from relay.domain.catalogue.description import Schema
from relay.domain.job import EventType

SCHEMAS = "#/components/schemas/"
BINDING = "0.2.0"


def asyncapi() -> dict[str, Any]:
    """Return the whole document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Render Relay events",
            "version": VERSION,
            "description": ASYNCAPI_DESCRIPTION,
        },
        "defaultContentType": "application/json",
        "servers": {
            "pubsub": {
                "host": "pubsub.googleapis.com",
                "protocol": "googlepubsub",
                "description": "Google Cloud Pub/Sub, in the project of the relay.",
            }
        },
        "channels": {"completions": _completions(), "ticks": _ticks()},
        "operations": {
            "announce": _operation(
                "send", "completions", [_name(one) for one in EventType], COMPLETIONS
            ),
            "tick": _operation("receive", "ticks", ["tick"], TICKS),
            "wake": _operation("send", "ticks", ["tick"], WAKING),
        },
        "components": {
            "messages": {_name(one): _event(one) for one in EventType} | {"tick": _tick()},
            "schemas": job_schemas(refs=SCHEMAS),
        },
    }


def _completions() -> dict[str, Any]:
    return {
        "address": "job-completions",
        "title": "Completion events",
        "description": COMPLETIONS,
        "servers": [{"$ref": "#/servers/pubsub"}],
        "messages": {_name(one): _component(_name(one)) for one in EventType},
    }


def _ticks() -> dict[str, Any]:
    return {
        "address": "poll-ticks-{account}",
        "title": "Ticks",
        "description": TICKS,
        "servers": [{"$ref": "#/servers/pubsub"}],
        "parameters": {
            "account": {
                "enum": list(CATALOGUE),
                "description": "The provider account whose pump is to run.",
            }
        },
        "messages": {"tick": _component("tick")},
    }


def _operation(action: str, channel: str, messages: list[str], summary: str) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary.partition("\n")[0],
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
    }


def _event(type: EventType) -> dict[str, Any]:
    example = example_event(type)
    headers = attributes_schema(type)
    return {
        "name": type.value,
        "title": SUMMARIES[type].partition(".")[0],
        "summary": SUMMARIES[type],
        "contentType": "application/json",
        "headers": headers,
        "payload": data_schema(type, job=f"{SCHEMAS}Job"),
        "correlationId": {
            "description": "The job's id, which is also the ordering key.",
            "location": "$message.header#/ce-subject",
        },
        "bindings": {
            "googlepubsub": {
                "bindingVersion": BINDING,
                "attributes": dict(headers["properties"]),
                "orderingKey": JOB_ID["pattern"],
            }
        },
        "examples": [
            {
                "name": word(type),
                "headers": dict(example.attributes),
                "payload": example.data,
            }
        ],
    }


def _tick() -> dict[str, Any]:
    payload: Schema = {
        "type": "object",
        "properties": {"account": {"type": "string", "enum": list(CATALOGUE)}},
        "required": ["account"],
    }
    return {
        "name": "tick",
        "title": "Something may be due",
        "summary": "Has the pump of one account look for what is due.",
        "contentType": "application/json",
        "payload": payload,
        "bindings": {"googlepubsub": {"bindingVersion": BINDING}},
        "examples": [{"name": account, "payload": example_tick(account)} for account in CATALOGUE],
    }


def _component(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/messages/{name}"}


def _name(type: EventType) -> str:
    first, *others = word(type).split("_")
    return first + "".join(one.capitalize() for one in others)
