"""Checks what followed the ends of the jobs: callbacks at the receivers, copies in the bucket."""

import base64
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from urllib.parse import urlsplit

from infra.demo.receiver import Callback
from infra.local.inbox import Delivery
from infra.sandbox.rendering import noise_png
from infra.storm.evidence import PUBLISH_TIME_STEP, UNKNOWN, Evidence
from infra.storm.workload import StormJob, number_in
from infra.verification.history import Violation
from relay.domain.callback import DeliveryStatus
from relay.domain.job import EventType, Job

GONE = 410


def aftermath_violations(evidence: Evidence) -> tuple[Violation, ...]:
    """Return every callback and every copy that is missing, wrong or too much."""
    return (*_callback_failures(evidence), *_copy_failures(evidence))


def _callback_failures(evidence: Evidence) -> Iterator[Violation]:
    """Check promise P10.

    A hostile receiver never answers, so what it is sent need not have been delivered.
    """
    jobs = {job.number: job for job in evidence.jobs}
    events = {one.event_id: one for one in reversed(evidence.deliveries)}
    came: dict[str, list[Callback]] = {}
    for callback in evidence.callbacks:
        number = number_in(f"?{callback.query}") or 0
        job_id, job = evidence.ids.get(number, UNKNOWN), jobs.get(number)
        came.setdefault(job_id, []).append(callback)
        for fault in _faults(callback, job_id, job, events.get(callback.id)):
            yield Violation("P10", job_id, f"{callback.id}: {fault}")
    for job_id, known in evidence.last.items():
        storm_job = jobs.get(int(known.metadata.get("storm", "0")))
        if storm_job is not None and not storm_job.is_hostile and known.callback is not None:
            for fault in _undelivered(known, came.get(job_id, []), is_gone=storm_job.is_gone):
                yield Violation("P10", job_id, fault)


def _faults(
    callback: Callback, job_id: str, job: StormJob | None, event: Delivery | None
) -> Iterator[str]:
    """Return what is wrong with one callback by itself."""
    if job is None or job.callback is None or not callback.id.startswith(f"{job_id}."):
        yield "was sent to another job's URL"
    elif callback.receiver != job.tenant:
        yield f"was sent to the receiver of {callback.receiver}"
    if callback.signature != "good":
        yield f"its signature is {callback.signature}"
    if event is None:
        yield "was never published"
        return
    try:
        body = json.loads(bytes(callback.body))
        is_same = body["data"] == json.loads(event.data)
        is_same &= body["type"] == event.attributes.get("ce-type")
    except (ValueError, KeyError, TypeError):
        is_same = False
    if not is_same:
        yield "does not say what was published"
    if datetime.fromtimestamp(callback.at, UTC) < event.published_at - PUBLISH_TIME_STEP:
        yield "came before it was published"


def _undelivered(job: Job, came: list[Callback], *, is_gone: bool) -> Iterator[str]:
    """Return which events of a job did not come, or not in order, or are not shown as they are."""
    wanted = [event.id for event in job.announcements]
    taken = [one.id for one in came if one.status is not None and 200 <= one.status < 300]
    shown = job.callback.deliveries if job.callback is not None else ()
    if [one.event_id for one in shown] != wanted:
        yield f"{', '.join(wanted)} were published, {len(shown)} are for its callback"
    if is_gone:
        sent = {one.id for one in came}
        if len(sent) != 1:
            yield f"{len(sent)} events were sent, and each answer is {GONE}"
        if any(one.status is not DeliveryStatus.FAILED for one in shown):
            yield f"is not shown as failed after {GONE}"
        return
    yield from (f"{event_id} was not delivered" for event_id in wanted if event_id not in taken)
    if list(dict.fromkeys(taken)) != [event_id for event_id in wanted if event_id in taken]:
        yield f"was delivered as {', '.join(dict.fromkeys(taken))}"
    if any(one.status is not DeliveryStatus.DELIVERED for one in shown):
        yield "is not shown as delivered"


def _copy_failures(evidence: Evidence) -> Iterator[Violation]:
    """Check that each result was copied once, whole, and announced; and nothing else."""
    failure = partial(Violation, "copies")
    objects = dict(evidence.copies)
    for job_id, job in evidence.last.items():
        urls = job.outputs or job.late_outputs
        kept = {one.index: one for one in job.kept_outputs}
        if sorted(kept) != list(range(len(urls))) or len(kept) != len(job.kept_outputs):
            yield failure(job_id, f"{len(urls)} outputs, kept are {sorted(kept)}")
        for index, url in enumerate(urls):
            if (one := kept.get(index)) is None:
                continue
            name = f"jobs/{job_id}/{index}.png"
            content = _served(url)
            copy = objects.pop(name, None)
            if one.error is not None:
                yield failure(job_id, f"{name} was not kept: {one.error}")
            elif one.uri != f"gs://{evidence.bucket}/{name}" or copy is None:
                yield failure(job_id, f"{one.uri} is not in the bucket as {name}")
            elif copy.md5 != base64.b64encode(hashlib.md5(content).digest()).decode():  # noqa: S324
                yield failure(job_id, f"{name} is not what the provider served")
            elif (one.sha256, one.bytes) != (hashlib.sha256(content).hexdigest(), len(content)):
                yield failure(job_id, f"{name} is not what the job says of it")
        told = sum(event.type is EventType.OUTPUTS_KEPT for event in job.announcements)
        if told != (1 if urls else 0):
            yield failure(job_id, f"{len(urls)} outputs, {told} events tell of copies")
    yield from (failure(UNKNOWN, f"{name} is of no output") for name in objects)


def _served(url: str) -> bytes:
    """Return the picture that a storm's sandbox serves there."""
    ref, _, variant = urlsplit(url).path.rpartition("/")[2].removesuffix(".png").rpartition("-")
    return noise_png(ref, int(variant))
