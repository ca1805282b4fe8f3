"""Puts the evidence of a storm into the form of a simulated history, for the same checker."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from infra.local.inbox import Delivery
from infra.simulator.history import (
    Acknowledged,
    Call,
    History,
    Message,
    UsableResult,
    Verdict,
    Version,
    seconds,
)
from infra.storm.bridging import bridged
from infra.storm.crashes import PUMPS, STORE
from infra.storm.evidence import Evidence, JobVersion
from infra.storm.sandbox import ProviderCall, Render
from relay.domain.limits import Limit

# Within so long a pump has written down what a poll's answer says, if it was left alone.
ACTED_UPON_WITHIN_S = 3.0
# The emulator cuts the time at which a topic took a message to whole milliseconds.
PUBLISH_TIME_STEP = timedelta(milliseconds=1)

VERDICTS = {
    200: Verdict.ACCEPTED,
    400: Verdict.REFUSED,
    401: Verdict.ACCOUNT_REFUSED,
    402: Verdict.ACCOUNT_REFUSED,
    403: Verdict.ACCOUNT_REFUSED,
    404: Verdict.REFUSED,
    422: Verdict.REFUSED,
    429: Verdict.BUSY,
    503: Verdict.BUSY,
}


def as_history(evidence: Evidence, *, limits: dict[str, Limit]) -> History:
    """Return the evidence as the checker reads it.

    What no outsider can see is filled in: versions that the listener skipped, from what the
    next one says of them, and whether a pump lived to act on a poll's answer, from the crashes.
    """
    history = History(limits=limits, is_at_rest=evidence.is_at_rest)
    history.versions = {
        job_id: _numbered(bridged(versions)) for job_id, versions in evidence.versions.items()
    }
    history.calls = [
        Call(at_s=_s(call.at), provider=call.provider, job_id=job_id, verdict=_verdict(call))
        for job_id, calls in evidence.calls_of.items()
        for call in calls
        if call.authenticated
    ]
    history.acknowledged = [
        Acknowledged(at_s=seconds(version.at), job_id=job_id, provider_job_id=provider_job_id)
        for job_id, versions in evidence.versions.items()
        for version in versions
        if (provider_job_id := version.job.provider_job_id) is not None
    ]
    history.results = list(_results(evidence))
    history.messages = [_message(delivery) for delivery in evidence.deliveries]
    history.accepted = {
        one.job_id: _s(one.at) for one in evidence.created if one.job_id is not None
    }
    history.bugs = [f"{line.process}: {line.text}" for line in evidence.errors]
    return history


def _numbered(versions: Iterator[JobVersion]) -> list[Version]:
    return [
        Version(at_s=seconds(one.at), number=number, job=one.job, wake_at=one.wake_at)
        for number, one in enumerate(versions, start=1)
    ]


def _verdict(call: ProviderCall) -> Verdict | None:
    if call.kind != "submit":
        return None
    return VERDICTS.get(call.status or 0, Verdict.UNCLEAR)


def _results(evidence: Evidence) -> Iterator[UsableResult]:
    renders = {render.provider_job_id: render for render in evidence.renders}
    for job_id, calls in evidence.calls_of.items():
        for call in calls:
            render = renders.get(call.provider_job_id or "")
            if render is not None and _brings_result(call, render):
                yield UsableResult(
                    at_s=_s(call.at),
                    job_id=job_id,
                    by="poll",
                    provider_job_id=render.provider_job_id,
                    outputs=(render.first_output(evidence.sandbox_url),),
                    is_ours=_was_left_alone(evidence, from_s=call.at),
                )
    for job_id, bought in evidence.renders_of.items():
        for render in bought:
            for sent in render.webhooks:
                if render.has_output and "webhook-no-output" not in render.behaviour:
                    yield UsableResult(
                        at_s=_s(sent.at),
                        job_id=job_id,
                        by="webhook",
                        provider_job_id=render.provider_job_id,
                        outputs=(render.first_output(evidence.sandbox_url),),
                        is_ours=sent.status == 200,
                    )


def _brings_result(call: ProviderCall, render: Render) -> bool:
    return (
        call.kind == "poll"
        and call.status == 200
        and render.has_output
        and render.finished_at is not None
        and render.finished_at <= call.at
    )


def _was_left_alone(evidence: Evidence, *, from_s: float) -> bool:
    """Return whether nothing that acting on an answer needs was crashed or paused just then."""
    until_s = from_s + ACTED_UPON_WITHIN_S
    return not any(
        one.at <= until_s and one.until >= from_s - ACTED_UPON_WITHIN_S
        for one in evidence.crashes
        if one.crash.name in (*PUMPS, STORE)
    )


def _message(delivery: Delivery) -> Message:
    attributes = delivery.attributes
    return Message(
        at_s=seconds(delivery.published_at + PUBLISH_TIME_STEP),
        within_s=PUBLISH_TIME_STEP.total_seconds(),
        job_id=delivery.job_id,
        id=delivery.event_id,
        type=attributes.get("ce-type", ""),
        time=datetime.fromisoformat(attributes.get("ce-time", "0001-01-01T00:00:00+00:00")),
        data=delivery.data,
    )


def _s(epoch_s: float) -> float:
    return seconds(datetime.fromtimestamp(epoch_s, UTC))
