"""Checks that a history keeps the promises (contract, section 6), knowing only what happened.

P3 has one addition: a fault that takes an account's pump away, or the store from its pump,
between a job's deadline and its bound starts the 90 s again (see `Trouble`). Such faults are a
crash or freeze of a pump's instance, an outage of the store, a tick that the scheduler missed
(never two in a row), and a pump that ended with an error; nothing else is excused. The result
of a poll that could not be written, because the store failed for longer than the pump retries,
does not count as received, like a callback that was answered 503.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from itertools import pairwise
from typing import Any

from infra.verification.copies import copy_faults
from infra.verification.deliveries import delivery_faults
from infra.verification.fairness import unfairness
from infra.verification.history import (
    Call,
    History,
    Message,
    UsableResult,
    Version,
    Violation,
    seconds,
)
from infra.verification.submission_limits import needless_submissions
from relay.domain.events import as_announced
from relay.domain.job import (
    Announcement,
    ErrorCode,
    EventType,
    Job,
    JobError,
    ProviderReply,
    Status,
)
from relay.job_view import to_json

# Contract, section 2, written down once more: the checker does not trust the code.
ALLOWED = {
    Status.QUEUED: {Status.SUBMITTING, Status.SUCCEEDED, Status.FAILED, Status.CANCELLED},
    Status.SUBMITTING: {
        Status.PROCESSING,
        Status.QUEUED,
        Status.UNCONFIRMED,
        Status.SUCCEEDED,
        Status.FAILED,
        Status.CANCELLED,
    },
    Status.UNCONFIRMED: {
        Status.QUEUED,
        Status.PROCESSING,
        Status.SUCCEEDED,
        Status.FAILED,
        Status.CANCELLED,
    },
    Status.PROCESSING: {Status.SUCCEEDED, Status.FAILED, Status.CANCELLED},
    Status.SUCCEEDED: set(),
    Status.FAILED: set(),
    Status.CANCELLED: set(),
}
FINAL = {status for status, moves in ALLOWED.items() if not moves}
EVENTS = {
    Status.SUCCEEDED: EventType.SUCCEEDED,
    Status.FAILED: EventType.FAILED,
    Status.CANCELLED: EventType.CANCELLED,
}
MAY_CHANGE_AFTER_THE_END = {"late_outputs", "announcements", "callback", "kept_outputs"}
NEVER_CHANGE = {
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
}
JOB_FIELDS = [field.name for field in fields(Job)]

FINAL_WITHIN_S = 90.0
# A document may wait past its deadline for a claim to expire, at most 40 s.
LONGEST_CLAIM_S = 45.0
# Two clocks that differ by 2 s may have written and read the same moment.
SKEW_S = 2.0


def violations(history: History) -> list[Violation]:
    """Return every broken promise of a history."""
    found = [Violation("BUG", "-", bug) for bug in history.bugs]
    if not history.is_at_rest:
        found.append(Violation("P3", "-", "it is not at rest long after the last fault"))
    messages: dict[str, list[Message]] = defaultdict(list)
    for message in history.messages:
        messages[message.job_id].append(message)
    taken: dict[str, list[Call]] = defaultdict(list)
    for call in history.calls:
        if call.may_have_been_taken:
            taken[call.job_id].append(call)
    for job_id, versions in history.versions.items():
        for promise, check in (
            ("P1", _finality(versions)),
            ("P2", _events(versions, messages[job_id])),
            ("P3", _ends_in_time(history, versions)),
            ("P3", _wakes(versions)),
            ("P4", _submitted_once(versions, taken[job_id])),
            ("P6", _results(history, versions, messages[job_id])),
        ):
            found += [Violation(promise, job_id, what) for what in check]
    found += _jobs_without_a_document(history, messages, taken)
    found += _unreadable_documents(history)
    found += [Violation("P5", "-", what) for what in _limits(history)]
    found += [
        Violation("P5", one.job_id, f"was called for at {one.at_s:.3f} by a pump without the lease")
        for one in history.calls_without_lease
    ]
    found += unfairness(history)
    found += needless_submissions(history)
    found += delivery_faults(history)
    found += copy_faults(history)
    return found


def _jobs_without_a_document(
    history: History, messages: Mapping[str, Sequence[Message]], taken: Mapping[str, Sequence[Call]]
) -> Iterator[Violation]:
    for promise, ids, what in (
        ("P3", history.accepted, "a caller was given its id, and there is no document"),
        ("P2", messages, "there are events about it and no document"),
        ("P4", taken, "it reached its provider, and there is no document"),
    ):
        for job_id in ids:
            if job_id not in history.versions:
                yield Violation(promise, job_id, what)


def _unreadable_documents(history: History) -> Iterator[Violation]:
    for job_id, at_s in history.set_aside.items():
        if job_id not in history.poison:
            yield Violation("P3", job_id, f"set aside at {at_s:.3f}, though it can be read")
    for job_id in history.poison:
        if job_id not in history.set_aside:
            yield Violation("P3", job_id, "does not parse and was not set aside")


def _finality(versions: list[Version]) -> Iterator[str]:
    for before, after in pairwise(versions):
        old, new = before.job, after.job
        changed = {name for name in JOB_FIELDS if getattr(old, name) != getattr(new, name)}
        if broken := changed & NEVER_CHANGE:
            yield f"version {after.number} changes {', '.join(sorted(broken))}"
        if old.status is not new.status and new.status not in ALLOWED[old.status]:
            yield f"version {after.number} moves from {old.status} to {new.status}"
        is_queued_again = old.status is Status.UNCONFIRMED and new.status is Status.QUEUED
        if is_queued_again and old.on_unconfirmed != "resubmit":
            yield f"version {after.number} queues again what the caller wants left alone"
        if old.status in FINAL:
            if broken := changed - MAY_CHANGE_AFTER_THE_END - {"status"}:
                yield f"version {after.number} changes {', '.join(sorted(broken))} of a final job"
            if old.late_outputs and "late_outputs" in changed:
                yield f"version {after.number} changes the late outputs"
            yield from _announcements_kept(old, new, after.number)


def _announcements_kept(old: Job, new: Job, number: int) -> Iterator[str]:
    then = {event.id: event for event in old.announcements}
    now = {event.id: event for event in new.announcements}
    for event_id, event in then.items():
        if event_id not in now:
            yield f"version {number} forgets event {event_id}"
        elif event.publish_at is None and now[event_id].publish_at is not None:
            yield f"version {number} takes back that {event_id} is out"
        elif (event.type, event.at) != (now[event_id].type, now[event_id].at):
            yield f"version {number} changes event {event_id}"


def _events(versions: list[Version], messages: list[Message]) -> Iterator[str]:
    said: dict[str, tuple[float, Announcement]] = {}
    for version in versions:
        for event in version.job.announcements:
            said.setdefault(event.id, (version.at_s, event))
            if event.publish_at is None and not any(
                one.id == event.id and one.at_s - one.within_s <= version.at_s for one in messages
            ):
                yield f"version {version.number} says that {event.id} is out, and it is not"
    first: dict[str, Message] = {}
    for message in messages:
        if message.id not in said or said[message.id][0] > message.at_s:
            yield f"{message.id} was published at {message.at_s:.3f} before the store said so"
        if first.setdefault(message.id, message).content != message.content:
            yield f"two copies of {message.id} differ"
        if message.ordering_key not in (None, message.job_id):
            yield f"{message.id} has the ordering key {message.ordering_key!r}"
    last = versions[-1].job
    if last.status not in FINAL:
        if messages:
            yield "there is an event of a job that has not ended"
        return
    completions = [event for event in last.announcements if event.type in EVENTS.values()]
    if [event.type for event in completions] != [EVENTS[last.status]]:
        yield f"a job that {last.status} has the events {[event.type for event in completions]}"
    late = [event for event in last.announcements if event.type is EventType.LATE_RESULT]
    if len(late) != (1 if last.late_outputs else 0):
        yield f"{len(late)} late results are announced"
    sent = {message.type for message in first.values() if message.type in set(EVENTS.values())}
    if len(sent) > 1:
        yield f"it was published as {', '.join(sorted(sent))}"
    yield from _price_of_what_was_not_sent(versions, first.values())
    for event in last.announcements:
        if event.id not in first:
            yield f"{event.id} never went out"
        elif wrong := _disagreement(first[event.id], last, event):
            yield f"{event.id} says another {wrong} than the document"


def _disagreement(message: Message, job: Job, event: Announcement) -> str | None:
    data: dict[str, Any] = json.loads(message.data)
    late = [one["url"] for one in data.get("lateOutputs", [])]
    finished_at = data["finishedAt"]
    is_late = event.type in (EventType.LATE_RESULT, EventType.OUTPUTS_KEPT)
    checks = {
        "type": message.type == event.type.value,
        "time": message.time == event.at and (is_late or message.time == job.finished_at),
        "id": data["id"] == job.id and event.id == f"{job.id}.{event.type.rsplit('.', 1)[-1]}",
        "status": data["status"] == job.status.value,
        "outputs": [one["url"] for one in data["outputs"]] == list(job.outputs),
        "lateOutputs": late == (list(job.late_outputs) if is_late else []),
        "keptOutputs": len(data.get("keptOutputs", []))
        == (len(job.kept_outputs) if event.type is EventType.OUTPUTS_KEPT else 0),
        "error": _told_error(data["error"]) == job.error,
        "finishedAt": finished_at and datetime.fromisoformat(finished_at) == job.finished_at,
        "finishedBy": data["finishedBy"] == (job.finished_by and job.finished_by.value),
    }
    wrong = next((name for name, is_right in checks.items() if not is_right), None)
    if wrong is None and message.data != to_json(as_announced(job, event.type)):
        return "view of the job"
    return wrong


def _told_error(told: Mapping[str, Any] | None) -> JobError | None:
    if told is None:
        return None
    reply = told.get("provider")
    return JobError(
        code=ErrorCode(told["code"]),
        message=told["message"],
        provider=None if reply is None else ProviderReply(**reply),
    )


def _price_of_what_was_not_sent(
    versions: Sequence[Version], messages: Iterable[Message]
) -> Iterator[str]:
    first, last = versions[0].job, versions[-1].job
    was_claimed = any(one.job.status is Status.SUBMITTING for one in versions)
    if was_claimed or first.status is Status.PROCESSING or last.outputs or last.late_outputs:
        return
    for message in messages:
        if json.loads(message.data)["credits"] != 0:
            yield f"{message.id} names a price of a job that was never sent"


def _ends_in_time(history: History, versions: list[Version]) -> Iterator[str]:
    deadline_s = seconds(versions[0].job.deadline_at)
    ended_s = next((one.at_s for one in versions if one.job.status in FINAL), None)
    if ended_s is None:
        yield f"not final at the end of the history, its deadline was {deadline_s:.3f}"
        return
    bound_s = deadline_s + FINAL_WITHIN_S + SKEW_S
    if ended_s <= bound_s:
        return
    bound_s = excused_until(history, deadline_s=deadline_s)
    if ended_s > bound_s:
        yield (
            f"its deadline was {deadline_s:.3f}, it must have ended by {bound_s:.3f}, "
            f"it ended at {ended_s:.3f}"
        )


def excused_until(history: History, *, deadline_s: float) -> float:
    """Return by when a job must be final, with the troubles after its deadline."""
    bound_s = deadline_s + FINAL_WITHIN_S + SKEW_S
    for trouble in sorted(history.troubles, key=lambda one: one.at_s):
        if trouble.at_s < bound_s and trouble.until_s >= deadline_s:
            bound_s = max(bound_s, trouble.until_s + FINAL_WITHIN_S + SKEW_S)
    return bound_s


def _wakes(versions: list[Version]) -> Iterator[str]:
    for version in versions:
        job, wake_at = version.job, version.wake_at
        if job.status in FINAL:
            if wake_at is None and any(event.publish_at for event in job.announcements):
                yield f"version {version.number} has an event to publish and no wakeAt"
        elif wake_at is None:
            yield f"version {version.number} is open and has no wakeAt"
        elif seconds(wake_at) > max(seconds(job.deadline_at), version.at_s) + LONGEST_CLAIM_S:
            yield f"version {version.number} wakes long after its deadline"


def _submitted_once(versions: list[Version], taken: list[Call]) -> Iterator[str]:
    times = sorted(call.at_s for call in taken)
    claims = [one.at_s for one in versions if one.job.status is Status.SUBMITTING]
    for number, at_s in enumerate(times, start=1):
        if sum(claim_s <= at_s for claim_s in claims) < number:
            yield f"it reached its provider at {at_s:.3f} before the document said so"
    if len(times) < 2:
        return
    if versions[0].job.on_unconfirmed != "resubmit":
        yield f"it reached its provider {len(times)} times"
        return
    requeued = [
        after.at_s
        for before, after in pairwise(versions)
        if (before.job.status, after.job.status) == (Status.UNCONFIRMED, Status.QUEUED)
    ]
    for earlier, at_s in enumerate(times):
        if sum(requeued_s <= at_s for requeued_s in requeued) < earlier:
            yield f"it reached its provider again at {at_s:.3f} without being queued again before"


def _limits(history: History) -> Iterator[str]:
    for provider, limit in history.limits.items():
        times = sorted(call.at_s for call in history.calls if call.provider == provider)
        for first, last in zip(times, times[limit.calls :], strict=False):
            if last - first < limit.window_s:
                yield (
                    f"{provider} counted more than {limit.calls} calls in {limit.window_s:g} s, "
                    f"from {first:.3f} to {last:.3f}"
                )
                break


def _results(
    history: History, versions: Sequence[Version], messages: Sequence[Message]
) -> Iterator[str]:
    job = versions[-1].job
    results = [one for one in history.results if one.job_id == job.id]
    ours = [one for one in results if _must_be_kept(history, job, one)]
    if not ours:
        return
    kept = job.outputs or job.late_outputs
    if not kept:
        yield f"{ours[0].outputs} came by {ours[0].by} at {ours[0].at_s:.3f} and was dropped"
        return
    if not set(kept) & {url for one in results for url in one.outputs}:
        yield f"{kept} is in the document and never came from a provider"
    shown = [json.loads(message.data) for message in messages]
    if not any(
        [one["url"] for one in data["outputs"] + data.get("lateOutputs", [])] == list(kept)
        for data in shown
    ):
        yield f"{kept} is in the document and in no event"


def _must_be_kept(history: History, job: Job, result: UsableResult) -> bool:
    """Return whether the relay was responsible for a result.

    A callback with another id than the acknowledged one proves nothing, unless the job was
    submitted twice.
    """
    if not result.is_ours:
        return False
    if result.by == "poll" or job.is_resubmitted or result.provider_job_id is None:
        return True
    known = [one.provider_job_id for one in history.acknowledged if one.job_id == job.id]
    return not known or result.provider_job_id in known
