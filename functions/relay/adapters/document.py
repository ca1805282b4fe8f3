"""The codec of Firestore documents: our types to fields and back, fields to messages and back.

Field names are the job's, in camelCase, and some more: ``account``, ``wakeAt`` and ``queueKey`` for
the pump's queries, ``deliveryKey`` for that of callbacks, ``metadataPairs`` for the query by
metadata, ``expireAt`` for the TTL policy; ``id`` is the document's own name. What callers send
(``input``, ``metadata``) is kept as JSON text: Firestore takes neither arrays in arrays nor every
key. A pair of metadata is found by its digest, because a value can be longer than what
Firestore indexes of a text.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, TypeVar

import msgspec

from relay.domain.delivery_queue import delivery_key, next_attempt_at
from relay.domain.due import wake_at
from relay.domain.job import UNREAD, Job
from relay.domain.json_text import JsonText, json_text
from relay.domain.queue import queue_key
from relay.domain.readable import readable
from relay.errors import UnreadableJob

T = TypeVar("T")

readable(Job)

# Values of these types are the same in a document.
_PLAIN = frozenset((str, int, float, bool, datetime, type(None)))


def to_fields(value: Any) -> dict[str, Any]:
    """Return the document fields of a dataclass; None becomes null."""
    return _to_fields(value, [one.name for one in fields(value)])


def _to_fields(value: object, names: Iterable[str]) -> dict[str, Any]:
    given = ((name, getattr(value, name)) for name in names)
    return {camel(name): one if type(one) in _PLAIN else _written(one) for name, one in given}


def _written(value: object) -> Any:
    return _renamed(msgspec.to_builtins(value, builtin_types=(datetime,)), camel)


def from_fields(kind: type[T], document: dict[str, Any]) -> T:
    """Return the dataclass that these fields hold.

    Raises:
        msgspec.ValidationError: Names the field that does not fit.
    """
    return msgspec.convert(_renamed(document, _snake), kind)


@cache
def camel(name: str) -> str:
    """Return a field's name as documents have it."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


@cache
def _snake(name: str) -> str:
    return "".join(f"_{mark.lower()}" if mark.isupper() else mark for mark in name)


def _renamed(value: Any, rename: Callable[[str], str]) -> Any:
    # A call for each plain value, which most are, would take longer than all else here.
    if isinstance(value, dict):
        return {
            rename(name): one if type(one) in _PLAIN else _renamed(one, rename)
            for name, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [one if type(one) in _PLAIN else _renamed(one, rename) for one in value]
    return value


# Which field of a ``Value`` message takes a value of this type.
_FIELDS_OF_VALUES = {
    str: "string_value",
    bool: "boolean_value",
    int: "integer_value",
    float: "double_value",
    bytes: "bytes_value",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_S = 86_400

ACCOUNT = "account"
CREATED_AT = "createdAt"
DELIVERY_KEY = "deliveryKey"
EXPIRE_AT = "expireAt"
FINISHED_AT = "finishedAt"
INPUT = "input"
METADATA_PAIRS = "metadataPairs"
QUEUE_KEY = "queueKey"
SUBMITTED_AT = "submittedAt"
WAKE_AT = "wakeAt"

# The names, as jobs have them, of what never changes, and so is written only once.
IMMUTABLE = (
    "id",
    "tenant",
    "provider",
    "operation",
    "input",
    "path",
    "metadata",
    "on_unconfirmed",
    "priority",
    "credits",
    "body_digest",
    "retry_of",
    "trace",
    "created_at",
    "deadline_at",
)
_CHANGEABLE = tuple(one.name for one in fields(Job) if one.name not in IMMUTABLE)
# Those two are written as JSON text.
_CONVERTED = tuple(name for name in IMMUTABLE if name not in ("input", "metadata"))

# A job may leave these: a write must remove them then.
REMOVABLE = (WAKE_AT, QUEUE_KEY, DELIVERY_KEY)

# Written even if null: what a read does not fill in, and what the index of open jobs asks for.
_STATED = frozenset(
    {camel(one.name) for one in fields(Job) if one.default is not None} | {FINISHED_AT}
)

# How long a document with a callback to be delivered outlives the moment of the next attempt.
CALLBACK_LATE_BY = timedelta(days=1)

# All that a pump's look reads: never the input, which can be 256 KiB.
SCANNED_FIELDS = (
    *(camel(one.name) for one in fields(Job) if one.name not in ("id", INPUT)),
    WAKE_AT,
    "resubmitted",
)


def to_document(job: Job, *, time_to_live: timedelta) -> dict[str, Any]:
    """Return the document's fields; those in `REMOVABLE` and ``expireAt`` only if it has them.

    Args:
        time_to_live: How long after its end the document is kept.
    """
    document = _to_fields(job, _CONVERTED)
    if job.input is not UNREAD:
        document[INPUT] = json_text(job.known_input)
    document["metadata"] = json.dumps(job.metadata)
    document[METADATA_PAIRS] = [pair_digest(key, value) for key, value in job.metadata.items()]
    document[ACCOUNT] = job.account
    return document | changeable_fields(job, time_to_live=time_to_live)


def changeable_fields(job: Job, *, time_to_live: timedelta) -> dict[str, Any]:
    """Return those of the document's fields that a write over it may change.

    Args:
        time_to_live: As for `to_document`.
    """
    document = _to_fields(job, _CHANGEABLE)
    wakes_at = wake_at(job)
    if wakes_at is not None:
        document[WAKE_AT] = wakes_at
    key = queue_key(job)
    if key is not None:
        document[QUEUE_KEY] = key
    key = delivery_key(job)
    if key is not None:
        document[DELIVERY_KEY] = key
    if job.finished_at is not None:
        document[EXPIRE_AT] = _expires_at(job, job.finished_at + time_to_live)
    return document


def without_defaults(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a new document's fields without the nulls that a read fills in anyway.

    They are a third of the fields, and each costs time to encode, send, and store.
    """
    return {name: value for name, value in document.items() if value is not None or name in _STATED}


def _expires_at(job: Job, at: datetime) -> datetime:
    """Return when the document may go: not before its last callback."""
    next_attempt = next_attempt_at(job.callback)
    return at if next_attempt is None else max(at, next_attempt + CALLBACK_LATE_BY)


def from_document(job_id: str, document: dict[str, Any]) -> Job:
    """Return the job that the document holds; its input is `UNREAD` if that is left out.

    Raises:
        UnreadableJob: Says which field is wrong, never what stands in it.
    """
    try:
        given = _input(document[INPUT]) if INPUT in document else UNREAD
        metadata = json.loads(document["metadata"])
        if document.get("resubmitted") and "resubmissions" not in document:
            # Written by a version that only knew whether, not how often.
            document = {**document, "resubmissions": 1}
        plain = _renamed(document, _snake)
        job = msgspec.convert({**plain, "id": job_id, "input": None, "metadata": metadata}, Job)
        # The job is new and nobody else's; `replace` would copy it for each job that a query finds.
        object.__setattr__(job, "input", given)
        return job
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


def encode_fields(document: Mapping[str, Any], to: Any) -> None:
    """Add fields to a map of Firestore's ``Value`` messages.

    Raises:
        TypeError: A value of a type that no document of ours has.
    """
    for name, value in document.items():
        encode(value, to[name])


def decode_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a map of Firestore's ``Value`` messages holds."""
    return {name: _decoded(value) for name, value in values.items()}


def encode(value: Any, to: Any) -> None:
    """Write a value into one of Firestore's ``Value`` messages; raise as `encode_fields`."""
    field = _FIELDS_OF_VALUES.get(type(value))
    if field is not None:
        setattr(to, field, value)
    elif value is None:
        to.null_value = 0
    elif isinstance(value, datetime):
        since = value - _EPOCH
        to.timestamp_value.seconds = since.days * _DAY_S + since.seconds
        to.timestamp_value.nanos = since.microseconds * 1000
    elif isinstance(value, list | tuple):
        to.array_value.SetInParent()
        for one in value:
            encode(one, to.array_value.values.add())
    elif isinstance(value, dict):
        to.map_value.SetInParent()
        encode_fields(value, to.map_value.fields)
    else:
        raise TypeError(f"no {type(value).__name__} in a document")


def _decoded(value: Any) -> Any:
    kind = value.WhichOneof("value_type")
    match kind:
        case "null_value":
            return None
        case "timestamp_value":
            at = value.timestamp_value
            return _EPOCH + timedelta(seconds=at.seconds, microseconds=at.nanos // 1000)
        case "array_value":
            return [_decoded(one) for one in value.array_value.values]
        case "map_value":
            return decode_fields(value.map_value.fields)
        case _:
            return getattr(value, kind)
