"""The operations of the HTTP API: what each is for, what it takes and what it answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from infra.describe.answers import (
    APPLIED,
    LOCATION,
    Answer,
    answer,
    gepetto_examples,
    jobs,
    page_example,
    providers_example,
    spacely_examples,
)
from infra.describe.create_schemas import create_examples
from infra.describe.problem_answers import NOT_FOUND_THERE

OF_EVERY_JOB = ("job", "cancel", "retry")
BODY_TROUBLES = ("malformed_json", "body_too_large", "unsupported_media_type", "invalid_request")
NO_JOB = ("unauthenticated", "job_not_found", "not_found", "store_unavailable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One operation.

    Attributes:
        parameters: Their names among the components.
        body: Its request body, None where there is none.
        answers: By status, the good ones.
        troubles: What can be wrong; see `TROUBLES`.
    """

    method: str
    path: str
    id: str
    tag: str
    summary: str
    description: str
    parameters: Sequence[str] = ()
    body: Mapping[str, Any] | None = None
    answers: Mapping[int, Answer]
    troubles: Sequence[str]
    is_public: bool = field(default=False)


def _body(schema: str, examples: Mapping[str, Any], *, required: bool) -> dict[str, Any]:
    return {
        "required": required,
        "content": {
            "application/json": {
                "schema": {"$ref": f"#/components/schemas/{schema}"},
                "examples": {name: {"value": value} for name, value in examples.items()},
            }
        },
    }


NO_FIELDS = _body("NoFields", {"empty": {}}, required=False)


def operations() -> Sequence[Described]:
    """Return all operations, in the order in which they are read."""
    return (
        Described(
            method="post",
            path="/v1/jobs",
            id="createJob",
            tag="jobs",
            summary="Create a job",
            description="Takes the job on and sends it as soon as the provider's call limit "
            "allows. With `providerJobId` instead of `input` a job that was submitted elsewhere "
            "is followed.",
            parameters=["idempotencyKey"],
            body=_body("CreateJob", create_examples(), required=True),
            answers={
                201: answer(
                    "The new job.",
                    "Job",
                    jobs("queued", "followed"),
                    headers=LOCATION,
                    links=(*OF_EVERY_JOB, "similar", "asGepetto", "asSpacely"),
                ),
                200: answer(
                    "The first job with this Idempotency-Key, as it stands now.",
                    "Job",
                    jobs("processing"),
                    headers=LOCATION,
                    links=OF_EVERY_JOB,
                ),
            },
            troubles=[
                *BODY_TROUBLES,
                "invalid_idempotency_key",
                "unauthenticated",
                "idempotency_key_reused",
                "too_many_open_jobs",
                "store_unavailable",
            ],
        ),
        Described(
            method="get",
            path="/v1/jobs",
            id="listJobs",
            tag="jobs",
            summary="List jobs",
            description="Your jobs, newest first. Filters combine.",
            parameters=["provider", "operation", "status", "metadata", "pageSize", "pageToken"],
            answers={
                200: answer("A page of jobs.", "JobPage", page_example(), links=("nextPage",))
            },
            troubles=["invalid_query", "unauthenticated", "store_unavailable"],
        ),
        Described(
            method="get",
            path="/v1/jobs/{id}",
            id="getJob",
            tag="jobs",
            summary="Read a job",
            description="The job as it stands now, or with `Prefer: wait=N` as soon as it is "
            "final, after N seconds at the latest. Where too many callers wait already, the "
            "answer comes at once, without `Preference-Applied`.",
            parameters=["jobId", "prefer"],
            answers={
                200: answer(
                    "The job.",
                    "Job",
                    jobs(
                        "queued",
                        "submitting",
                        "unconfirmed",
                        "processing",
                        "succeeded",
                        "failed",
                        "cancelled",
                        "late",
                    ),
                    headers=APPLIED,
                )
            },
            troubles=NO_JOB,
        ),
        Described(
            method="post",
            path="/v1/jobs/{id}/cancel",
            id="cancelJob",
            tag="jobs",
            summary="Cancel a job",
            description="Gives an open job up. No provider can be told to stop: a result that "
            "comes all the same is kept in `lateOutputs` and announced.",
            parameters=["jobId"],
            body=NO_FIELDS,
            answers={
                200: answer(
                    "The cancelled job.",
                    "Job",
                    jobs("cancelled"),
                    links=("job", "retry"),
                )
            },
            troubles=[*BODY_TROUBLES, *NO_JOB, "job_final"],
        ),
        Described(
            method="post",
            path="/v1/jobs/{id}/retry",
            id="retryJob",
            tag="jobs",
            summary="Retry a job",
            description="Creates a job with the same input as a failed, cancelled or unconfirmed "
            "one, and `retryOf`. The old one is left as it is, but an unconfirmed one is "
            "cancelled first.",
            parameters=["jobId", "idempotencyKey"],
            body=NO_FIELDS,
            answers={
                201: answer(
                    "The new job.", "Job", jobs("retry"), headers=LOCATION, links=OF_EVERY_JOB
                ),
                200: answer(
                    "The first retry with this Idempotency-Key, as it stands now.",
                    "Job",
                    jobs("retry"),
                    headers=LOCATION,
                    links=OF_EVERY_JOB,
                ),
            },
            troubles=[
                *BODY_TROUBLES,
                *NO_JOB,
                "invalid_idempotency_key",
                "idempotency_key_reused",
                "job_not_retryable",
                "too_many_open_jobs",
            ],
        ),
        Described(
            method="get",
            path="/v1/providers",
            id="listProviders",
            tag="providers",
            summary="Show the catalogue",
            description="What each provider can do, and how its account stands here. Jobs are "
            "counted for your tenant alone.",
            answers={
                200: answer("All providers.", "Providers", providers_example()),
            },
            troubles=["unauthenticated", "store_unavailable"],
        ),
        Described(
            method="get",
            path="/v1/job/{id}",
            id="getGepettoJob",
            tag="as the providers",
            summary="Read a job as Gepetto shows it",
            description="Gepetto's own Get Job: code that is written for it needs another host "
            "and key, and nothing else. A cancelled job looks failed.",
            parameters=["gepettoJobId"],
            answers={200: answer("The job.", "GepettoJob", gepetto_examples())},
            troubles=["unauthenticated", "not_found", NOT_FOUND_THERE, "store_unavailable"],
        ),
        Described(
            method="get",
            path="/api/v1/generate/poll-result",
            id="getSpacelyResult",
            tag="as the providers",
            summary="Read a job as Spacely shows it",
            description="Spacely's own poll: code that is written for it needs another host and "
            "key, and nothing else. A cancelled job looks failed.",
            parameters=["refId"],
            answers={200: answer("The job.", "SpacelyResult", spacely_examples())},
            troubles=["unauthenticated", NOT_FOUND_THERE, "store_unavailable"],
        ),
        Described(
            method="get",
            path="/healthz",
            id="getHealth",
            tag="health",
            summary="Say whether it runs",
            description="Asks nothing of any other service.",
            answers={200: answer("It runs.", "Health", {"ok": {"status": "ok"}})},
            troubles=[],
            is_public=True,
        ),
    )
