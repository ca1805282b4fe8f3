"""A create written as the Firestore client's documentation shows it, with no thought of speed.

In a file of its own: `floor_bare` must not pay for importing that client.
"""

import json
import os
import secrets
import threading
from datetime import UTC, datetime

import flask
import functions_framework
from google.cloud import firestore

COLLECTION = "floor"

_lock = threading.Lock()
_clients: list[firestore.Client] = []


def _client() -> firestore.Client:
    with _lock:
        if not _clients:
            _clients.append(firestore.Client(project=os.environ["GOOGLE_CLOUD_PROJECT"]))
        return _clients[0]


@functions_framework.http
def documented_create(request: flask.Request) -> flask.Response:
    """Write a document with the request's body."""
    if request.method != "POST":
        return flask.Response(status=405)
    job_id = secrets.token_hex(13)
    job = {**request.get_json(), "status": "queued", "createdAt": datetime.now(UTC)}
    _client().collection(COLLECTION).document(job_id).create(job)
    body = json.dumps({"id": job_id, **job}, default=str)
    return flask.Response(body, 201, mimetype="application/json")
