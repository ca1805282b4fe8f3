"""The demo reads job documents from Firestore."""

import json

import pytest

from infra.demo.evidence import DocumentFacts, read_facts
from infra.demo.relay_api import Refused


def test_a_document_is_read_as_firestore_shows_it():
    body = json.dumps(
        {
            "name": "projects/p/databases/(default)/documents/jobs/job_1",
            "fields": {
                "polls": {"integerValue": "0"},
                "status": {"stringValue": "succeeded"},
                "announcements": {
                    "arrayValue": {
                        "values": [
                            {"mapValue": {"fields": {"id": {"stringValue": "job_1.succeeded"}}}}
                        ]
                    }
                },
            },
        }
    ).encode()

    assert read_facts(body) == DocumentFacts(status="succeeded", event_ids=("job_1.succeeded",))


def test_a_document_without_events_has_none():
    body = b'{"fields": {"status": {"stringValue": "queued"}, "announcements": {"arrayValue": {}}}}'

    assert read_facts(body).event_ids == ()


@pytest.mark.parametrize("body", [b'{"fields": {}}', b"[]", b"<html>"])
def test_another_document_is_refused(body: bytes):
    with pytest.raises(Refused):
        read_facts(body)
