"""The examples: bodies of creates, jobs brought to each state by the relay's own transitions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from relay.application.overview import AccountState, PauseReason
from relay.application.progress import Progress, WaitingFor
from relay.domain import transitions
from relay.domain.admission import Hold, Stop
from relay.domain.callback import Callback, CallbackShape, with_delivery
from relay.domain.catalogue import CATALOGUE, input_schema
from relay.domain.job import (
    Actor,
    Claim,
    Entry,
    ErrorCode,
    Job,
    OnUnconfirmed,
    ProviderReply,
    Status,
)
from relay.domain.kept_output import KeptOutput
from relay.domain.output_keeping import decided
from relay.domain.trace import TraceContext
from relay.edges.answers import (
    gepetto_acknowledgement_json,
    gepetto_json,
    job_json,
    providers_json,
    spacely_json,
)
from relay.edges.problems import problem_answer
from relay.errors import InvalidRequest, RelayError
from relay.job_view import callback_json, to_json

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
JOB_ID = "job_7k2m9q4x1v8c0d3f6h5j2n7p9r"
RETRY_ID = "job_0w3e6r9t2y5h8g1a4s7d0f3k6m"
PROVIDER_JOB_ID = "hV3kQ2pXn8Lw"
REF_ID = "4f9d2c1e-7c55-4a3e-9c07-5a6b1f0e2d11"
OUTPUT = "https://storage.example.com/renders/living-room.png"
CALLBACK_URL = "https://shop.example.com/hooks/renders"
RAW_INPUTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "gepetto": {"url": "https://example.com/room.jpg"},
    "spacely": {"prompt": "a quiet reading corner"},
}
RAW_PATHS: Final[Mapping[str, str]] = {
    "gepetto": "/upscale",
    "spacely": "/generate/text-to-image",
}


HOLD = Hold(
    since=NOON,
    probe_at=NOON + timedelta(seconds=30),
    gap_s=30.0,
    code=ErrorCode.PROVIDER_OUT_OF_CREDITS,
    status=402,
)
KEPT = KeptOutput(
    index=0,
    uri=f"gs://my-renders/jobs/{JOB_ID}/0.png",
    content_type="image/png",
    bytes=1_048_576,
    sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
)
PAUSE = Stop(since=NOON, probe_at=NOON + timedelta(seconds=5), gap_s=5.0)
# Ids of jobs that were submitted elsewhere.
FOLLOWED: Final[Mapping[str, str]] = {"gepetto": PROVIDER_JOB_ID, "spacely": REF_ID}


def example_input(provider: str, operation: str) -> Mapping[str, Any]:
    """Return an input with the required fields, from the catalogue's own examples."""
    asked = CATALOGUE[provider].operations[operation]
    if asked.path is None:
        return RAW_INPUTS[provider]
    schema = input_schema(asked)
    required = {*schema["required"], *asked.exactly_one_of[:1]}
    fields = schema["properties"].items()
    return {name: field["examples"][0] for name, field in fields if name in required}


def create_body(provider: str, operation: str) -> dict[str, Any]:
    """Return a body for `POST /v1/jobs`."""
    body = {
        "provider": provider,
        "operation": operation,
        "input": example_input(provider, operation),
        "metadata": {"listing": "42"},
    }
    if CATALOGUE[provider].operations[operation].path is None:
        body["path"] = RAW_PATHS[provider]
    return body


def create_examples() -> dict[str, dict[str, Any]]:
    """Return a body for each operation, and one that follows a job."""
    bodies = {
        f"{facts.name}-{operation}": create_body(facts.name, operation)
        for facts in CATALOGUE.values()
        for operation in facts.operations
    }
    follow = {
        "provider": "spacely",
        "operation": "advance",
        "providerJobId": FOLLOWED["spacely"],
    }
    return {**bodies, "follow": follow}


def example_jobs() -> Mapping[str, Job]:
    """Return a job in every status, by its name, and some special ones."""
    queued = Job(
        id=JOB_ID,
        tenant="demo",
        provider="gepetto",
        operation="redesign",
        input=example_input("gepetto", "redesign"),
        path=None,
        metadata={"listing": "42"},
        on_unconfirmed=OnUnconfirmed.WAIT,
        credits=None,
        body_digest="",
        retry_of=None,
        created_at=NOON,
        deadline_at=_after(900),
        status=Status.QUEUED,
        history=(Entry(at=NOON, status=Status.QUEUED, by=Actor.CALLER, note="created"),),
        call_at=NOON,
        trace=TraceContext(
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "congo=t61rcWkgMzE"
        ),
    )
    claim = Claim(token="example", expires_at=_after(60))  # noqa: S106
    claimed = transitions.claimed(queued, claim=claim, at=_after(1))
    processing = transitions.accepted(
        claimed,
        claim=claim,
        provider_job_id=PROVIDER_JOB_ID,
        provider_status="pending",
        poll_at=_after(30),
        at=_after(2),
    )
    cancelled = transitions.cancelled(processing, at=_after(12))
    succeeded = transitions.succeeded(processing, outputs=[OUTPUT], by=Actor.WEBHOOK, at=_after(34))
    return {
        "queued": queued,
        "submitting": claimed,
        "unconfirmed": transitions.unconfirmed(
            claimed, claim=claim, note="no answer within 30 s", at=_after(31)
        ),
        "processing": processing,
        "succeeded": succeeded,
        "outputs_kept": decided(succeeded, KEPT, at=_after(37)),
        "failed": transitions.failed(
            processing,
            code=ErrorCode.RENDER_FAILED,
            by=Actor.POLL,
            at=_after(41),
            provider_status="failed",
            reply=ProviderReply(status=200, message="failed: the image could not be read"),
        ),
        "cancelled": cancelled,
        "late": transitions.succeeded(cancelled, outputs=[OUTPUT], by=Actor.WEBHOOK, at=_after(36)),
        "delivering": replace(succeeded, callback=_callback(succeeded)),
        "retry": replace(queued, id=RETRY_ID, retry_of=JOB_ID),
        "followed": replace(
            queued,
            input=None,
            status=Status.PROCESSING,
            provider_job_id=PROVIDER_JOB_ID,
            history=(Entry(at=NOON, status=Status.PROCESSING, by=Actor.CALLER, note="created"),),
        ),
    }


def _callback(job: Job) -> Callback:
    (event,) = job.announcements
    return with_delivery(Callback(url=CALLBACK_URL), event.id, at=_after(34))


def _posted(job: Job, shape: CallbackShape) -> Any:
    (event,) = job.announcements
    return _parsed(callback_json(shape, job, event))


def example_values() -> dict[str, Any]:
    """Return what the base files call `${job.NAME}`, `${gepetto.NAME}`, and the like."""
    jobs = example_jobs()
    answered = {name: _answered(job) for name, job in jobs.items()}
    batch = [create_body("gepetto", "redesign"), create_body("spacely", "advance")]
    return {
        "example.job_id": JOB_ID,
        "example.provider_job_id": PROVIDER_JOB_ID,
        "example.ref_id": REF_ID,
        "example.creates": {name: {"value": body} for name, body in create_examples().items()},
        "example.batch": {"jobs": batch},
        "example.batch_jobs": batch,
        "example.results": {
            "results": [
                {"status": 201, "job": answered["queued"]},
                {
                    "status": 422,
                    "problem": _problem(
                        InvalidRequest("/input/creativity", "input.creativity is required")
                    ),
                },
            ]
        },
        "example.page": {"jobs": [answered["succeeded"]], "nextPageToken": None},
        "example.providers": _providers(),
        **{f"job.{name}": job for name, job in answered.items()},
        **{f"gepetto.{name}": _parsed(gepetto_json(job)) for name, job in jobs.items()},
        "example.announced": _parsed(to_json(jobs["succeeded"])),
        "example.callback": _posted(jobs["succeeded"], CallbackShape.EVENT),
        "example.gepetto_callback": _posted(jobs["succeeded"], CallbackShape.GEPETTO),
        "gepetto.acknowledged": _parsed(gepetto_acknowledgement_json(jobs["queued"])),
        **{f"spacely.{name}": _parsed(spacely_json(job)) for name, job in jobs.items()},
    }


def example_objects() -> Mapping[str, Sequence[Any]]:
    """Return objects that the API answers with, by the names of their schemas."""
    jobs = example_jobs().values()
    return {
        "Job": [_answered(job) for job in jobs],
        "Providers": [_all_providers()],
        "GepettoAcknowledgement": [_parsed(gepetto_acknowledgement_json(one)) for one in jobs],
        "GepettoCallback": [{"id": JOB_ID, "output": OUTPUT}],
        "GepettoJob": [_parsed(gepetto_json(job)) for job in jobs],
        "SpacelyResult": [_parsed(spacely_json(job)) for job in jobs],
    }


def _answered(job: Job) -> Any:
    match job.status:
        case Status.QUEUED:
            progress = Progress(waiting_for=WaitingFor.TURN)
        case Status.PROCESSING if job.submitted_at is not None:
            progress = Progress(expected_at=_after(34))
        case _:
            progress = Progress()
    return _parsed(job_json(job, progress))


def _all_providers(hold: Hold | None = HOLD) -> Any:
    """Return the catalogue with one account switched on."""
    limit = CATALOGUE["gepetto"].limit
    pause = None if hold is None else (PauseReason.THROTTLED, PAUSE)
    on = AccountState(
        name="gepetto", limit=limit, hold=hold, pause=pause, queued_jobs=1, open_jobs=4
    )
    return _parsed(providers_json([on], median_s=lambda _account, _operation: None))


def _providers() -> Any:
    """Return the catalogue with one account switched on and one operation per provider."""
    shown = _all_providers(hold=None)
    for provider in shown["providers"]:
        del provider["catalogue"]["operations"][1:]
    return shown


def _problem(error: RelayError) -> Any:
    return _parsed(problem_answer(error).get_data())


def _parsed(text: bytes) -> Any:
    return msgspec.json.decode(text)


def _after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)
