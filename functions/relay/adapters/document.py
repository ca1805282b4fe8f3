"""How a job stands in its Firestore document.

Field names are the job's, in camelCase, and some more: ``account``, ``wakeAt`` and ``queueKey`` for
the pump's queries, ``metadataPairs`` for the one by metadata, ``expireAt`` for the TTL policy;
``id`` is the
document's own name. What callers send (``input``, ``metadata``) is kept as JSON text: Firestore
takes neither arrays in arrays nor every key. A pair of metadata is found by its digest: a value
can be longer than what Firestore indexes of a text.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import msgspec

from relay.adapters.fields import camel, from_fields, to_fields
from relay.domain.due import wake_at
from relay.domain.job import UNREAD, Job
from relay.domain.json_text import JsonText, json_text
from relay.domain.queue import queue_key
from relay.errors import UnreadableJob

ACCOUNT = "account"
WAKE_AT = "wakeAt"
QUEUE_KEY = "queueKey"
INPUT = "input"
EXPIRE_AT = "expireAt"
METADATA_PAIRS = "metadataPairs"

# What never changes after the job was created, and so is written only once.
IMMUTABLE = frozenset(
    {
        "id",
        "tenant",
        "provider",
        "operation",
        "input",
        "path",
        "metadata",
        METADATA_PAIRS,
        "onUnconfirmed",
        "priority",
        "credits",
        "bodyDigest",
        "retryOf",
        "createdAt",
        "deadlineAt",
        ACCOUNT,
    }
)


# A job may leave these: a write must remove them then.
REMOVABLE = (WAKE_AT, QUEUE_KEY)

# All that a pump's look reads: never the input, which can be 256 KiB.
LOOKED_AT = (
    *(camel(one.name) for one in fields(Job) if one.name not in ("id", INPUT)),
    WAKE_AT,
    "resubmitted",
)


def to_document(job: Job, *, time_to_live: timedelta) -> dict[str, Any]:
    """Return the document's fields; those below ``account`` only if the job has them.

    Args:
        time_to_live: How long after its end the document is kept.
    """
    document = to_fields(replace(job, input=None, metadata={}))
    if job.input is UNREAD:
        del document[INPUT]
    else:
        document[INPUT] = json_text(job.known_input)
    document["metadata"] = json.dumps(job.metadata)
    document[METADATA_PAIRS] = [pair_digest(key, value) for key, value in job.metadata.items()]
    document[ACCOUNT] = job.account
    wakes_at = wake_at(job)
    if wakes_at is not None:
        document[WAKE_AT] = wakes_at
    key = queue_key(job)
    if key is not None:
        document[QUEUE_KEY] = key
    if job.finished_at is not None:
        document[EXPIRE_AT] = job.finished_at + time_to_live
    return document


def from_document(job_id: str, document: Mapping[str, Any]) -> Job:
    """Return the job that the document holds; its input is `UNREAD` if that is left out.

    Raises:
        UnreadableJob: Says which field is wrong, never what stands in it.
    """
    try:
        given = _input(document[INPUT]) if INPUT in document else UNREAD
        metadata = msgspec.convert(json.loads(document["metadata"]), dict[str, str])
        if document.get("resubmitted") and "resubmissions" not in document:
            # Written by a version that only knew whether, not how often.
            document = {**document, "resubmissions": 1}
        job = from_fields(Job, {**document, "id": job_id, "input": None, "metadata": {}})
        return replace(job, input=given, metadata=metadata)
    except KeyError as error:
        raise UnreadableJob(f"{job_id}: no field {error}") from None
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
        raise UnreadableJob(f"{job_id}: {type(error).__name__}") from error


def _input(text: str) -> JsonText | None:
    """Return the input unparsed; raise ValueError if it is neither a JSON object nor null."""
    if text == "null":
        return None
    msgspec.json.decode(text, type=msgspec.Raw)
    if not text.lstrip().startswith("{"):
        raise ValueError("the input is no JSON object")
    return JsonText(text)


def pair_digest(key: str, value: str) -> str:
    """Return what stands for one pair of metadata in ``metadataPairs``."""
    return hashlib.sha256(json.dumps([key, value]).encode()).hexdigest()[:32]
