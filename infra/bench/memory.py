"""Figure 8: the memory that each function takes with the largest jobs that anybody can send."""

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests

from infra.bench import usage
from infra.bench.figure import Check, Figure, Table
from infra.bench.jobs import TIME_TO_LIVE, processing_job, queued_job, store_copies, store_documents
from infra.bench.relay import RunningRelay
from infra.bench.rig import PROJECT, TENANT, THREADS, Served, firestore_client, running_rig
from infra.bench.volley import Shot, Volley, fire
from infra.local.stack import running_stack
from relay.adapters.database import Collection, Database, where
from relay.adapters.document import INPUT, to_document
from relay.adapters.firestore import JOBS
from relay.domain.job import Job
from relay.domain.tokens import make_token
from relay.edges.webhook import MAX_BODY_BYTES

TARGET_MIB = 300.0
LISTED, LISTERS = 120, 8
PUMPED = 300
ACCOUNT = "spacely"
CALLBACKS = 400
SENT_WITHIN_S = 240.0
LOOK_EVERY_S = 0.5
LOOK_TIMEOUT_S = 60.0
# Parsed, an empty object takes some thirty times the room that its two letters take.
VALUES = 65_000
# As many values as a body may have.
CALLBACK_VALUES = 10_000
# The emulator takes messages of 4 MiB.
IN_ONE_COMMIT = 15
QUIET = {"LOCAL_TICK_EVERY_S": "3600", "LOG_LEVEL": "WARNING"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """What one function's processes held.

    Attributes:
        at_rest_mib: Once it answered for the first time.
        most_mib: At most, afterwards.
    """

    function: str
    load: str
    at_rest_mib: float
    most_mib: float


def measure(*, say: Callable[[str], None] = lambda _: None) -> tuple[Peak, ...]:
    """Serve the functions one after the other, each with what is largest for it.

    Raises:
        TimeoutError: The pump did not send the large jobs.
    """
    peaks = []
    with running_rig() as rig:
        store_large(
            firestore_client(rig.firestore_host, project=PROJECT),
            (_large(number, tenant=TENANT) for number in range(LISTED)),
        )
        with rig.serving(["jobs_api"]) as functions:
            peaks.append(_listed(functions["jobs_api"], api_key=rig.api_key))
            say("memory of jobs_api")
        client = firestore_client(rig.firestore_host, project=PROJECT)
        now = datetime.now(UTC)
        ids = store_copies(client, processing_job(at=now, poll_at=now), [now] * CALLBACKS)
        with rig.serving(["provider_webhook"]) as functions:
            served = functions["provider_webhook"]
            peaks.append(_called_back(served, ids, webhook_key=rig.webhook_key))
            say("memory of provider_webhook")
    peaks.append(_pumped())
    say("memory of poll_tick")
    return tuple(peaks)


def store_large(database: Database, jobs: Iterable[Job]) -> None:
    """Write jobs with an input of 256 KB of empty objects, as versions before the bound took."""
    values = ", ".join(["{}"] * VALUES)

    def document(job: Job) -> tuple[str, Mapping[str, Any]]:
        known = json.dumps(dict(job.known_input or {}))
        fields = to_document(job, time_to_live=TIME_TO_LIVE)
        return job.id, {**fields, INPUT: f'{known[:-1]}, "a": [{values}]}}'}

    store_documents(database, map(document, jobs), in_one_commit=IN_ONE_COMMIT)


def _large(number: int, *, tenant: str, picture: str = "") -> Job:
    given = {"model": "spacely-v1", "imageUrl": picture or f"https://example.com/{number}.jpg"}
    job = queued_job(
        at=datetime.now(UTC),
        tenant=tenant,
        provider=ACCOUNT,
        operation="raw",
        given={**given, "renovateType": "residential"},
    )
    return replace(job, path="/generate/advance")


def _listed(served: Served, *, api_key: str) -> Peak:
    url = f"http://127.0.0.1:{served.port}/v1/jobs"
    at_rest_mib = usage.peak_mib(served.pid)

    def list_all(_: int) -> None:
        token = ""
        while token is not None:
            answer = requests.get(
                url,
                params={"pageSize": "100", **({"pageToken": token} if token else {})},
                headers={"X-API-KEY": api_key},
                timeout=120,
            )
            if answer.status_code == requests.codes.service_unavailable:
                return
            token = answer.json()["nextPageToken"]

    with ThreadPoolExecutor(LISTERS) as listers:
        list(listers.map(list_all, range(LISTERS)))
    return Peak(
        function="jobs_api",
        load=f"{LISTERS} callers at once list {LISTED} jobs of 256 KB",
        at_rest_mib=at_rest_mib,
        most_mib=usage.peak_mib(served.pid),
    )


def _called_back(served: Served, ids: Sequence[str], *, webhook_key: str) -> Peak:
    at_rest_mib = usage.peak_mib(served.pid)
    body = json.dumps({"id": "ref", "output": [{}] * CALLBACK_VALUES})
    body = body.ljust(MAX_BODY_BYTES)
    shots = [
        Shot(
            key=job_id,
            path=f"/gepetto/{job_id}/{make_token(webhook_key, provider='gepetto', job_id=job_id)}",
            body=body,
        )
        for job_id in ids
    ]
    fire(Volley(port=served.port, senders=THREADS, headers={}, shots=shots))
    return Peak(
        function="provider_webhook",
        load=f"{len(ids)} callbacks of 64 KB, {THREADS} at once",
        at_rest_mib=at_rest_mib,
        most_mib=usage.peak_mib(served.pid),
    )


def _pumped() -> Peak:
    with (
        TemporaryDirectory() as directory,
        running_stack(stack_file=Path(directory) / "stack.json", env={**os.environ, **QUIET}) as s,
    ):
        relay = RunningRelay(s)
        relay.sent_at([relay.create(ACCOUNT)[0]])
        relay.wait_until_idle(ACCOUNT)
        pump = s.description.pids["poll_tick"]
        at_rest_mib = usage.peak_mib(pump)
        due, queued = _due_and_queued(relay)
        store_large(relay.firestore, (*due, *queued))
        relay.wake(ACCOUNT)
        _wait_until_ended(relay.firestore, len(queued))
        return Peak(
            function="poll_tick",
            load=f"{PUMPED} jobs of 256 KB queued, sent, polled and ended; as many others due",
            at_rest_mib=at_rest_mib,
            most_mib=usage.peak_mib(pump),
        )


def _due_and_queued(relay: RunningRelay) -> tuple[list[Job], list[Job]]:
    pictures = [relay.picture(f"large-{number}", "render-s=1") for number in range(2 * PUMPED)]
    large = [_large(0, tenant="hostile", picture=picture) for picture in pictures]
    now = datetime.now(UTC)
    due = [
        replace(
            processing_job(at=now, poll_at=now, provider=ACCOUNT),
            tenant=one.tenant,
            operation=one.operation,
            path=one.path,
            input=one.input,
        )
        for one in large[:PUMPED]
    ]
    return due, large[PUMPED:]


def _wait_until_ended(database: Database, jobs: int) -> None:
    jobs_stored = Collection(database, JOBS, timeout_s=LOOK_TIMEOUT_S)
    succeeded = jobs_stored.query(where("status", "==", "succeeded"))
    give_up_at = time.monotonic() + SENT_WITHIN_S
    while True:
        ended = jobs_stored.count(succeeded)
        # And the one that has warmed it up.
        if ended > jobs:
            return
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"{ended} of {jobs} large jobs ended")
        time.sleep(LOOK_EVERY_S)


def figure(peaks: Sequence[Peak]) -> Figure:
    """Say what was measured."""
    return Figure(
        title="Memory",
        notes=(
            f"""
            Real processes of the functions on the emulators, as many threads as in a deployment.
            The large jobs are `raw` ones whose input is {VALUES:,} empty objects: 256 KB of text, 6
            MB parsed, more than a create takes today, so they are written into the store. The
            memory is the most that the server's parent and its worker ever held (`VmHWM`), what
            they share counted twice.
            """,
        ),
        tables=(
            Table(
                caption="Memory of a function, MiB",
                head=("function", "load", "at rest", "at most"),
                rows=tuple(
                    (one.function, one.load, f"{one.at_rest_mib:.0f}", f"{one.most_mib:.0f}")
                    for one in peaks
                ),
            ),
        ),
        checks=tuple(
            Check(
                figure=f"memory, {one.function}",
                target=f"less than {TARGET_MIB:.0f} MiB",
                measured=f"{one.most_mib:.0f} MiB",
                holds=one.most_mib < TARGET_MIB,
            )
            for one in peaks
        ),
    )
