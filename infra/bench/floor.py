"""The floor: bare functions that do only what no crash-safe design can leave out.

Served, configured and connected as the relay's own functions are. They import nothing of the relay,
not even its codec of documents: a floor that paid for the relay's imports would flatter it.
"""

import functools
import json
import os
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import flask
import functions_framework
import grpc
import requests
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport
from google.cloud.firestore_v1.types import CommitRequest, Document
from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.types import PublishRequest, PubsubMessage

TOPIC = "floor-completions"
COLLECTION = "floor"
# An emulator may stall for longer than the relay would wait; nobody calls the floor a second time.
PATIENCE_S = 50.0

_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Clients:
    """The clients of one function."""

    firestore: FirestoreClient
    database: str
    publisher: PublisherClient
    http: requests.Session
    topic: str


@functools.cache
def _connected() -> Clients:
    project = os.environ["GOOGLE_CLOUD_PROJECT"]
    documents = grpc.insecure_channel(os.environ["FIRESTORE_EMULATOR_HOST"])
    topics = grpc.insecure_channel(os.environ["PUBSUB_EMULATOR_HOST"])
    return Clients(
        FirestoreClient(transport=FirestoreGrpcTransport(channel=documents)),
        f"projects/{project}/databases/(default)",
        PublisherClient(transport=PublisherGrpcTransport(channel=topics)),
        requests.Session(),
        f"projects/{project}/topics/{TOPIC}",
    )


def _clients() -> Clients:
    with _lock:
        return _connected()


@functions_framework.http
def floor_webhook(request: flask.Request) -> flask.Response:
    """Read a document, change it if nobody else did, publish it, mark it as published."""
    if request.method != "POST":
        return flask.Response(status=405)
    clients = _clients()
    job_id = request.path.rpartition("/")[2]
    name = f"{clients.database}/documents/{COLLECTION}/{job_id}"
    document = Document.pb(
        clients.firestore.get_document(request={"name": name}, **_call(clients.database))
    )
    changes = {
        "status": "succeeded",
        "outputs": [request.get_json()["output"]],
        "finishedAt": datetime.now(UTC),
        "isPublished": False,
    }
    _write(clients, name, changes, over={"update_time": document.update_time})
    fields = {name: _decoded(value) for name, value in document.fields.items()}
    data = json.dumps({**fields, **changes}, default=str).encode()
    attributes = {"ce-subject": job_id}
    message = PubsubMessage.pb()(data=data, attributes=attributes, ordering_key=job_id)
    batch = PublishRequest.pb()(topic=clients.topic, messages=[message])
    clients.publisher.publish(request=PublishRequest.wrap(batch), retry=None, timeout=PATIENCE_S)
    _write(clients, name, {"isPublished": True}, over={"exists": True})
    return flask.Response('{"status":"ok"}', mimetype="application/json")


@functions_framework.http
def floor_create(request: flask.Request) -> flask.Response:
    """Write a document with the request's body."""
    if request.method != "POST":
        return flask.Response(status=405)
    job_id = secrets.token_hex(13)
    job = {**request.get_json(), "status": "queued", "createdAt": datetime.now(UTC)}
    clients = _clients()
    name = f"{clients.database}/documents/{COLLECTION}/{job_id}"
    _write(clients, name, job, over={"exists": False})
    body = json.dumps({"id": job_id, **job}, default=str)
    return flask.Response(body, 201, mimetype="application/json")


@functions_framework.http
def floor_bare(_: flask.Request) -> flask.Response:
    """Build the clients and do nothing."""
    _clients()
    return flask.Response("ok")


def _call(database: str) -> dict[str, Any]:
    return {
        "retry": None,
        "timeout": PATIENCE_S,
        "metadata": [("google-cloud-resource-prefix", database)],
    }


def _write(
    clients: Clients, name: str, fields: Mapping[str, Any], *, over: Mapping[str, Any]
) -> None:
    """Write fields of a document, on this condition."""
    request = CommitRequest.pb()(database=clients.database)
    write = request.writes.add(current_document=over)
    write.update.name = name
    if over != {"exists": False}:
        write.update_mask.field_paths.extend(fields)
    for path, value in fields.items():
        _encode(value, write.update.fields[path])
    clients.firestore.commit(request=CommitRequest.wrap(request), **_call(clients.database))


def _encode(value: Any, to: Any) -> None:
    match value:
        case None:
            to.null_value = 0
        case bool():
            to.boolean_value = value
        case str():
            to.string_value = value
        case int():
            to.integer_value = value
        case float():
            to.double_value = value
        case datetime():
            to.timestamp_value.FromDatetime(value)
        case list():
            to.array_value.SetInParent()
            for one in value:
                _encode(one, to.array_value.values.add())
        case dict():
            to.map_value.SetInParent()
            for name, one in value.items():
                _encode(one, to.map_value.fields[name])


def _decoded(value: Any) -> Any:
    match value.WhichOneof("value_type"):
        case "null_value":
            return None
        case "timestamp_value":
            return value.timestamp_value.ToDatetime(tzinfo=UTC)
        case "array_value":
            return [_decoded(one) for one in value.array_value.values]
        case "map_value":
            return {name: _decoded(one) for name, one in value.map_value.fields.items()}
        case kind:
            return getattr(value, kind)
