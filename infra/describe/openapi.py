"""The OpenAPI document: the base file, the schemas, and the problems that each call can answer."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from infra.describe.base_files import FROM_CODE, read_base
from infra.describe.examples import CALLBACK_URL, example_input, example_objects, example_values
from infra.describe.field_examples import add_examples
from infra.describe.schemas import (
    COMPONENTS,
    create_schemas,
    struct_schemas,
    submission_name,
    submission_schemas,
)
from relay import errors
from relay.domain.catalogue.description import Schema
from relay.edges import batch, problems
from relay.edges.answers import (
    GepettoAcknowledgement,
    GepettoJob,
    GepettoPicture,
    JobAnswer,
    PageView,
    ProvidersView,
    SecretsView,
    SpacelyReference,
    SpacelyResult,
)
from relay.edges.api import MAX_BODY_BYTES
from relay.edges.problems import HttpProblem, Problem, problem_answer
from relay.edges.submissions import SUBMISSIONS, WEBHOOK
from relay.job_view import GepettoCallbackBody

# By name in the base file: the code, but for the providers' own calls, where it is a 400.
ERRORS: Final[Mapping[str, errors.RelayError]] = {
    "malformed_json": problems.malformed_json(),
    "invalid_idempotency_key": HttpProblem(
        HTTPStatus.BAD_REQUEST,
        "invalid_idempotency_key",
        "the Idempotency-Key must have 1 to 255 printable ASCII characters",
    ),
    "invalid_query": errors.InvalidQuery("pageSize", "pageSize must be a number from 1 to 100"),
    "unauthenticated": errors.Unauthenticated(),
    "not_found": problems.not_found("/v1/jobs"),
    "job_not_found": errors.JobNotFound(),
    "method_not_allowed": problems.method_not_allowed(["GET", "HEAD"]),
    "idempotency_key_reused": errors.KeyReused(),
    "job_final": errors.JobFinal(),
    "job_not_retryable": errors.NotRetryable(
        "the job is queued; only these can be retried: cancelled, failed, unconfirmed"
    ),
    "body_too_large": problems.body_too_large(MAX_BODY_BYTES),
    "batch_too_large": problems.body_too_large(batch.MAX_BATCH_BYTES),
    "too_many_large_batches": errors.TooManyLargeBatches(),
    "unsupported_media_type": HttpProblem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        "the body must be sent as application/json",
    ),
    "invalid_request": errors.InvalidRequest.joined(
        [
            errors.InvalidRequest("/input/styleId", "input.styleId is required"),
            errors.InvalidRequest("/input/creativity", "input.creativity must be a number <= 30"),
        ]
    ),
    "too_many_open_jobs": errors.TooManyOpenJobs("gepetto", most=5000, retry_after_s=5),
    "output_not_kept": errors.OutputNotKept("there is no copy of this output yet"),
    "bucket_unavailable": errors.BucketUnavailable(),
    "list_not_fetched": errors.ListNotFetched("gepetto", "rooms", retry_after_s=5, failure=None),
    "store_unavailable": errors.StoreUnavailable(),
    "internal_error": problems.internal_error(),
    "job_not_found_there": problems.no_such_job(),
    "invalid_request_there": errors.InvalidSubmission("/imageUrl", "imageUrl is required"),
    "webhook_not_supported": problems.webhook_not_supported(),
    "job_not_redeliverable": errors.NotRedeliverable(
        "the job has no event yet: its callback waits for the first"
    ),
    "job_not_rendered": errors.NotRendered(
        "the job failed: the provider reported that the render failed"
    ),
    "picture_not_fetched": errors.PictureNotFetched("its host did not answer in time"),
    "job_not_rendered_yet": errors.NotRenderedYet(),
    "too_many_waiting": errors.TooManyWaiting(),
}


def openapi() -> dict[str, Any]:
    """Return the whole document.

    Raises:
        LookupError: The base file does not describe exactly what the code has.
    """
    document: dict[str, Any] = read_base("openapi.base.yaml", {**FROM_CODE, **example_values()})
    described = document.pop("x-problems")
    if described.keys() != ERRORS.keys():
        raise LookupError(f"problems: {sorted(described.keys() ^ ERRORS.keys())} described or here")
    document["paths"] |= _submissions(document.pop("x-submissions"))
    components = document["components"]
    components["responses"] = {}
    for operation in _operations(document):
        for status, names in _by_status(operation.pop("x-problems", [])).items():
            title = "Or".join(name.title().replace("_", "") for name in names)
            components["responses"][title] = _response(status, names, described)
            operation["responses"][str(status)] = {"$ref": f"#/components/responses/{title}"}
    _add_request_ids(document)
    structs = [
        JobAnswer, PageView, ProvidersView, GepettoJob, SpacelyResult, SpacelyReference, Problem
    ]  # fmt: skip
    structs += [batch.BatchResults, SecretsView, GepettoAcknowledgement, GepettoPicture]
    structs += [GepettoCallbackBody]
    components["schemas"] |= {
        **create_schemas(),
        **submission_schemas(),
        **struct_schemas(structs, refs=COMPONENTS),
        "ProblemCode": _codes(described),
    }
    job = components["schemas"]["Job"]
    job |= _rules("status", {"allOf": job.pop("allOf")})
    problems_shown = [problem_answer(error).get_json() for error in ERRORS.values()]
    add_examples(components["schemas"], {**example_objects(), "Problem": problems_shown})
    return document


def _submissions(by_provider: Mapping[str, Any]) -> dict[str, Any]:
    """Return the path of every submission, from what all of its provider have in common."""
    paths = {}
    for one in SUBMISSIONS:
        name, provider = submission_name(one), one.provider.name
        body = dict(example_input(provider, one.operation.name))
        if one.provider.calls_back:
            body[WEBHOOK] = CALLBACK_URL
        content = {
            "schema": {"$ref": COMPONENTS + name},
            "examples": {one.operation.name: {"value": body}},
        }
        post = {
            "operationId": f"{name[:1].lower()}{name[1:]}",
            "summary": f"Submit `{one.operation.name}` as to {provider.title()}",
            **({"deprecated": True} if one.operation.is_legacy else {}),
            "requestBody": {"required": True, "content": {"application/json": content}},
            **deepcopy(by_provider[provider]),
        }
        paths[one.path] = {"post": post}
    return paths


def _add_request_ids(document: Mapping[str, Any]) -> None:
    responses = [
        *document["components"]["responses"].values(),
        *(one for operation in _operations(document) for one in operation["responses"].values()),
    ]
    for response in responses:
        if "$ref" not in response:
            header = {"$ref": "#/components/headers/RequestId"}
            response["headers"] = {**response.get("headers", {}), "X-Request-Id": header}


def _operations(document: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    return [operation for path in document["paths"].values() for operation in path.values()]


def _by_status(names: Sequence[str]) -> Mapping[int, Sequence[str]]:
    """Return the problems by their HTTP status, in ascending order."""
    found: dict[int, list[str]] = {}
    for name in sorted(names, key=lambda one: problem_answer(ERRORS[one]).status_code):
        found.setdefault(problem_answer(ERRORS[name]).status_code, []).append(name)
    return found


def _rules(always: str, schema: Schema) -> Schema:
    """Return what adds rules to an object that code generators do not take for types.

    As `properties` or `allOf` they would, and openapi-generator's Python would fail.

    Args:
        always: A field that the object always has.
    """
    return {"dependentSchemas": {always: schema}}


def _response(status: int, names: Sequence[str], described: Mapping[str, Any]) -> Schema:
    """Return the OpenAPI response for problems of one status."""
    headers = {
        name: {"required": True, "schema": schema}
        for one in names
        for name, schema in described[one].get("headers", {}).items()
    }
    shown = {name: problem_answer(ERRORS[name]).get_json() for name in names}
    return {
        "description": " ".join(described[name]["when"] for name in names),
        **({"headers": headers} if headers else {}),
        "content": {
            problems.PROBLEM_JSON: {
                "schema": {
                    "allOf": [{"$ref": f"{COMPONENTS}Problem"}],
                    **_rules(
                        "code",
                        {
                            "properties": {
                                "status": {"const": status},
                                "code": {"enum": [one["code"] for one in shown.values()]},
                            }
                        },
                    ),
                },
                "examples": {
                    one["code"]: {"summary": described[name]["when"], "value": one}
                    for name, one in shown.items()
                },
            }
        },
    }


def _codes(described: Mapping[str, Any]) -> Schema:
    lines = [
        f"- `{one.code}` ({one.status}): {one.cause} {one.remedy}" for one in _catalogue(described)
    ]
    return {
        "title": "ProblemCode",
        "description": "\n".join(["Tells which error it is. More may be added.", "", *lines]),
        "type": "string",
        "enum": list(dict.fromkeys(one.code for one in _catalogue(described))),
    }


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One problem of the error catalogue."""

    code: str
    status: int
    cause: str
    remedy: str


def error_catalogue() -> Sequence[CatalogueEntry]:
    """Return every problem that the API can answer, with cause and remedy."""
    return _catalogue(
        read_base("openapi.base.yaml", {**FROM_CODE, **example_values()})["x-problems"]
    )


def _catalogue(described: Mapping[str, Any]) -> Sequence[CatalogueEntry]:
    shown = {name: problem_answer(error).get_json() for name, error in ERRORS.items()}
    return [
        CatalogueEntry(
            one["code"], one["status"], described[name]["when"], described[name]["remedy"]
        )
        for name, one in shown.items()
    ]
