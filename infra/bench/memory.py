"""The peak memory of each function with the largest jobs that anybody can send."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import requests

from infra.bench.load_generator import Load, Request, send
from infra.bench.pump import RunningRelay, Say, running_relay
from infra.bench.report import Check
from infra.bench.servers import (
    PROJECT,
    TENANT,
    THREADS,
    Emulators,
    Server,
    peak_mib,
    running_emulators,
)
from infra.bench.store import (
    PICTURE,
    TIME_TO_LIVE,
    firestore_client,
    processing_job,
    queued_job,
    store_copies,
    store_documents,
)
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
ENDED_WITHIN_S = 240.0
LOOK_EVERY_S = 0.5
LOOK_TIMEOUT_S = 60.0
# Parsed, an empty object takes some thirty times the room of its two characters.
VALUES = 65_000
# As many values as a body may have.
CALLBACK_VALUES = 10_000
# The emulator takes messages of at most 4 MiB.
BATCH = 15
QUIET = {"LOCAL_TICK_EVERY_S": "3600", "LOG_LEVEL": "WARNING"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """The memory of one function's processes.

    Attributes:
        at_rest_mib: The peak up to its first answer.
        most_mib: The peak under this load.
    """

    function: str
    load: str
    at_rest_mib: float
    most_mib: float


def measure(*, say: Say) -> list[Peak]:
    """Serve the functions one after the other, each with the largest load for it.

    Raises:
        TimeoutError: The pump did not end the large jobs.
    """
    with running_emulators() as emulators:
        client = firestore_client(emulators.firestore_host, project=PROJECT)
        store_large(client, (_large(PICTURE, tenant=TENANT) for _ in range(LISTED)))
        with emulators.serving("jobs_api") as (api,):
            peaks = [_listed(api, api_key=emulators.api_key)]
        say("memory of jobs_api")
        with emulators.serving("provider_webhook") as (webhook,):
            peaks.append(_called_back(webhook, client, emulators))
        say("memory of provider_webhook")
    peaks.append(_pumped())
    say("memory of poll_tick")
    return peaks


def store_large(database: Database, jobs: Iterable[Job]) -> None:
    """Write jobs with an input of 256 KB of empty objects, as older versions accepted them."""
    values = ", ".join(["{}"] * VALUES)

    def document(job: Job) -> tuple[str, Mapping[str, Any]]:
        known = json.dumps(dict(job.known_input or {}))
        fields = to_document(job, time_to_live=TIME_TO_LIVE)
        return job.id, {**fields, INPUT: f'{known[:-1]}, "a": [{values}]}}'}

    store_documents(database, map(document, jobs), in_one_commit=BATCH)


def _large(picture: str, *, tenant: str) -> Job:
    job = queued_job(at=datetime.now(UTC), tenant=tenant, provider=ACCOUNT, picture=picture)
    return replace(job, operation="raw", path="/generate/advance")


def _listed(server: Server, *, api_key: str) -> Peak:
    at_rest_mib = peak_mib(server.pid)

    def list_all(_: int) -> None:
        token = ""
        while token is not None:
            answer = requests.get(
                f"http://127.0.0.1:{server.port}/v1/jobs",
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
        most_mib=peak_mib(server.pid),
    )


def _called_back(server: Server, client: Database, emulators: Emulators) -> Peak:
    at_rest_mib = peak_mib(server.pid)
    body = json.dumps({"id": "ref", "output": [{}] * CALLBACK_VALUES}).ljust(MAX_BODY_BYTES)
    now = datetime.now(UTC)
    callbacks = []
    for job_id in store_copies(client, processing_job(at=now, poll_at=now), [now] * CALLBACKS):
        token = make_token(emulators.webhook_key, provider="gepetto", job_id=job_id)
        callbacks.append(Request(key=job_id, path=f"/gepetto/{job_id}/{token}", body=body))
    send(Load(port=server.port, connections=THREADS, headers={}, requests=callbacks))
    return Peak(
        function="provider_webhook",
        load=f"{CALLBACKS} callbacks of 64 KB, {THREADS} at once",
        at_rest_mib=at_rest_mib,
        most_mib=peak_mib(server.pid),
    )


def _pumped() -> Peak:
    with running_relay(QUIET) as relay:
        relay.wait_until_sent([relay.create(ACCOUNT)[0]])
        relay.wait_until_idle(ACCOUNT)
        pump = relay.where.pids["poll_tick"]
        at_rest_mib = peak_mib(pump)
        store_large(relay.firestore, _due_and_queued(relay))
        relay.wake(ACCOUNT)
        _wait_until_ended(relay.firestore)
        return Peak(
            function="poll_tick",
            load=f"{PUMPED} jobs of 256 KB queued, sent, polled and ended; as many others due",
            at_rest_mib=at_rest_mib,
            most_mib=peak_mib(pump),
        )


def _due_and_queued(relay: RunningRelay) -> list[Job]:
    now = datetime.now(UTC)
    large = [
        _large(relay.picture(f"large-{number}", "render-s=1"), tenant="hostile")
        for number in range(2 * PUMPED)
    ]
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
    return [*due, *large[PUMPED:]]


def _wait_until_ended(database: Database) -> None:
    jobs = Collection(database, JOBS, timeout_s=LOOK_TIMEOUT_S)
    succeeded = jobs.query(where("status", "==", "succeeded"))
    give_up_at = time.monotonic() + ENDED_WITHIN_S
    while True:
        ended = jobs.count(succeeded)
        # One more than the large jobs: the one that warmed the pump up.
        if ended > PUMPED:
            return
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"{ended} of {PUMPED} large jobs ended")
        time.sleep(LOOK_EVERY_S)


def checks(peaks: Sequence[Peak]) -> Iterator[Check]:
    """Hold every function against the bound."""
    for one in peaks:
        yield Check(
            f"memory, {one.function}",
            f"less than {TARGET_MIB:.0f} MiB",
            f"{one.most_mib:.0f} MiB",
            one.most_mib < TARGET_MIB,
        )
