"""The floor: bare functions that do only what no crash-safe design can leave out.

Served, configured and connected as the relay's own functions are.
"""

import functools
import json
import os
import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import flask
import functions_framework
import grpc
import requests
from google.cloud import firestore
from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.types import PubsubMessage

TOPIC = "floor-completions"
COLLECTION = "floor"
_CALL: dict[str, Any] = {"retry": None, "timeout": 6.0}

_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Clients:
    """The clients of one function."""

    documents: firestore.Client
    publisher: PublisherClient
    http: requests.Session
    topic: str


@functools.cache
def _connected() -> Clients:
    project = os.environ["GOOGLE_CLOUD_PROJECT"]
    channel = grpc.insecure_channel(os.environ["PUBSUB_EMULATOR_HOST"])
    return Clients(
        firestore.Client(project=project),
        PublisherClient(transport=PublisherGrpcTransport(channel=channel)),
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
    document = clients.documents.collection(COLLECTION).document(job_id)
    snapshot = document.get(**_CALL)
    changes = {
        "status": "succeeded",
        "outputs": [request.get_json()["output"]],
        "finishedAt": datetime.now(UTC),
        "isPublished": False,
    }
    option = clients.documents.write_option(last_update_time=snapshot.update_time)
    document.update(changes, option=option, **_CALL)
    data = json.dumps({**(snapshot.to_dict() or {}), **changes}, default=str).encode()
    message = PubsubMessage(data=data, attributes={"ce-subject": job_id}, ordering_key=job_id)
    clients.publisher.publish(topic=clients.topic, messages=[message], retry=None, timeout=5.0)
    document.update({"isPublished": True}, **_CALL)
    return flask.Response('{"status":"ok"}', mimetype="application/json")


@functions_framework.http
def floor_create(request: flask.Request) -> flask.Response:
    """Write a document with the request's body."""
    if request.method != "POST":
        return flask.Response(status=405)
    job_id = secrets.token_hex(13)
    job = {**request.get_json(), "status": "queued", "createdAt": datetime.now(UTC)}
    _clients().documents.collection(COLLECTION).document(job_id).create(job, **_CALL)
    body = json.dumps({"id": job_id, **job}, default=str)
    return flask.Response(body, 201, mimetype="application/json")


@functions_framework.http
def floor_bare(_: flask.Request) -> flask.Response:
    """Build the clients and do nothing."""
    _clients()
    return flask.Response("ok")
