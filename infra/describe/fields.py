"""What the types of the structs do not say of their fields: formats, bounds, words."""

from collections.abc import Mapping
from enum import StrEnum

from relay.application.progress import WaitingFor
from relay.domain.answers import MAX_ID_LENGTH, MAX_OUTPUTS, MAX_URL_LENGTH, MAX_WORD_LENGTH
from relay.domain.catalogue import CATALOGUE
from relay.domain.catalogue.description import Schema
from relay.domain.catalogue.operation import RAW_PATH_PATTERN as PATH
from relay.domain.job import Actor, ErrorCode, OnUnconfirmed, Priority, Status
from relay.domain.transitions import MAX_HISTORY

JOB_ID: Schema = {"type": "string", "pattern": "^job_[0-9a-z]{26}$"}
TIME: Schema = {"type": "string", "format": "date-time"}
TIME_OR_NULL: Schema = {"type": ["string", "null"], "format": "date-time"}
PROVIDER: Schema = {"type": "string", "enum": list(CATALOGUE)}
STATUS: Schema = {"type": "string", "enum": [one.value for one in Status]}
OUTPUTS: Schema = {"type": "array", "items": {"$ref": "OutputView"}, "maxItems": MAX_OUTPUTS}

# By the structs' names in the code; the others are shown as they are.
NAMES: Mapping[str, str] = {
    "JobView": "Job",
    "JobAnswer": "Job",
    "OutputView": "Output",
    "ErrorView": "JobError",
    "EntryView": "HistoryEntry",
    "PageView": "JobPage",
    "ProvidersView": "Providers",
    "ProviderView": "Provider",
    "AccountView": "Account",
    "LimitView": "AccountLimit",
    "HoldView": "Hold",
}


def either(*schemas: Schema) -> Schema:
    """Return the schema of what is one of these or null."""
    return {"anyOf": [*schemas, {"type": "null"}]}


def _words(values: type[StrEnum]) -> Schema:
    return {"type": "string", "enum": [one.value for one in values]}


_JOB: Mapping[str, Schema] = {
    "id": {**JOB_ID, "description": "Unguessable; derived from the Idempotency-Key if any."},
    "provider": PROVIDER,
    "operation": {"description": "A name from the provider's catalogue, or `raw`."},
    "input": {
        "type": ["object", "null"],
        "description": "What the caller asked for, in the provider's own field names; null "
        "for a job that was submitted elsewhere.",
    },
    "status": STATUS,
    "outputs": {**OUTPUTS, "description": "Empty until the job has succeeded."},
    "error": {
        **either({"$ref": "ErrorView"}),
        "description": "Why the job failed; null unless it did.",
    },
    "metadata": {"description": "The caller's own, given back untouched."},
    "onUnconfirmed": _words(OnUnconfirmed),
    "priority": _words(Priority),
    "providerJobId": {
        "type": ["string", "null"],
        "maxLength": MAX_ID_LENGTH,
        "description": "The provider's id for the job, as soon as it is known.",
    },
    "providerStatus": {
        "type": ["string", "null"],
        "maxLength": MAX_WORD_LENGTH,
        "description": "The provider's last word, verbatim.",
    },
    "finishedBy": {
        **either(_words(Actor)),
        "description": "How its end became known; null while it is open.",
    },
    "credits": {
        "type": ["number", "null"],
        "description": "What the operation costs by the provider's price list; null where "
        "that is not known.",
    },
    "createdAt": TIME,
    "submittedAt": TIME_OR_NULL,
    "finishedAt": TIME_OR_NULL,
    "deadlineAt": {**TIME, "description": "By then it is final, whatever is lost."},
    "history": {"minItems": 1, "maxItems": MAX_HISTORY, "description": "Oldest first."},
    "lateOutputs": {
        **OUTPUTS,
        "minItems": 1,
        "description": "What was paid for and came after the job had failed or was cancelled; "
        "present only if there is any.",
    },
    "path": {
        "pattern": PATH,
        "description": "Where a `raw` job goes, below the provider's base URL.",
    },
    "retryOf": {**JOB_ID, "description": "The job that this one repeats; present only then."},
}

FIELDS: Mapping[str, Mapping[str, Schema]] = {
    "JobView": _JOB,
    "JobAnswer": {
        **_JOB,
        "expectedAt": {
            **TIME_OR_NULL,
            "description": "While it is `processing`: when it will probably be done, by what was "
            "learnt of such renders. First the time in which half of them are done, then that of "
            "nine in ten, then null.",
        },
        "waitingFor": {
            **either(_words(WaitingFor)),
            "description": "What a `queued` job waits for: its `turn`, the end of an "
            "`account_hold` or of a `provider_pause`, or the time of its own `retry`; null in "
            "every other state.",
        },
    },
    "OutputView": {"url": {"format": "uri", "maxLength": MAX_URL_LENGTH}},
    "ErrorView": {
        "code": _words(ErrorCode),
        "message": {},
        "retryable": {"description": "Whether the same input may well succeed next time."},
    },
    "EntryView": {"at": TIME, "status": STATUS, "by": _words(Actor), "note": {}},
    "Problem": {
        "title": {"description": "The status in words."},
        "status": {"minimum": 400, "maximum": 599},
        "code": {"description": "Says which error it is, for programs; it never changes."},
        "detail": {"description": "Says what is wrong, for people."},
        "type": {"type": "string", "format": "uri-reference", "description": "Not used so far."},
        "pointer": {
            "type": "string",
            "format": "json-pointer",
            "description": "Points to the culprit in the request's body; empty for all of it.",
        },
        "parameter": {
            "type": "string",
            "description": "Names the culprit among the query parameters.",
        },
    },
    "PageView": {
        "jobs": {"items": {"$ref": "JobView"}, "description": "Newest first."},
        "nextPageToken": {
            "type": ["string", "null"],
            "description": "Gives the next page, with the same filters; null on the last page.",
        },
    },
    "GepettoJob": {
        "status": {"type": "string", "enum": ["success", "pending", "failed"]},
        "output": {"type": ["string", "null"], "description": "Null until there is one."},
        "mode": {"description": "The job's operation."},
        "createdAt": TIME,
    },
    "SpacelyData": {
        "status": {"type": "string", "enum": ["success", "processing", "failed"]},
        "result": {"description": "Empty until there is one."},
    },
    "HoldView": {
        "code": _words(ErrorCode),
        "httpStatus": {"minimum": 100, "maximum": 599},
        "since": TIME,
        "nextProbeAt": TIME,
    },
    "LimitView": {"calls": {"minimum": 1}, "windowSeconds": {"exclusiveMinimum": 0}},
    "AccountView": {
        "limit": {},
        "hold": either({"$ref": "HoldView"}),
        "queuedJobs": {"minimum": 0},
        "openJobs": {"minimum": 0},
    },
    "ProviderView": {
        "name": PROVIDER,
        "catalogue": {},
        "account": either({"$ref": "AccountView"}),
    },
    "ProviderDescription": {
        "name": PROVIDER,
        "baseUrl": {"format": "uri"},
        "callsBack": {"description": "Whether it calls a webhook when a render is done."},
        "limit": {},
        "operations": {},
    },
}
