"""The peak memory of each function with the largest jobs that anybody can send."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import requests

from infra.bench.load_generator import Load, Request, send
from infra.bench.outside import LONG_ANSWER_BYTES, MIB, PICTURE_BYTES, Behaviour, Outside
from infra.bench.pump import RunningRelay, Say, running_relay
from infra.bench.report import Check
from infra.bench.servers import (
    PROJECT,
    TENANT,
    THREADS,
    Emulators,
    PeakMemory,
    Server,
    patient_session,
    push_body,
    running_emulators,
)
from infra.bench.store import (
    PICTURE,
    TIME_TO_LIVE,
    ended_job,
    firestore_client,
    job_body,
    processing_job,
    queued_job,
    store,
    store_copies,
    store_documents,
)
from relay.adapters.database import Collection, Database, where
from relay.adapters.document import INPUT, to_document
from relay.adapters.firestore import JOBS, FirestoreJobs
from relay.application.delivery_run import MAX_DELIVERIES
from relay.application.ports import Queued, Unreadable
from relay.domain.callback import CALLBACKS
from relay.domain.job import Actor, Claim, EventType, Job
from relay.domain.queue import FIRST, LAST, Span
from relay.domain.tokens import make_token
from relay.domain.transitions import accepted, claimed, succeeded
from relay.edges.webhook import MAX_BODY_BYTES

TARGET_MIB = 300.0
LISTED, LISTERS = 120, 8
PUMPED = 300
ACCOUNT = "spacely"
CALLED_BACK = 400
# Enough for as many deliveries as there may be at a time.
DELIVERED, TENANTS, ENDPOINTS = 300, 6, 12
KEPT = 20
SUBMISSIONS = 4
PATIENCE_S = 300.0
ENDED_WITHIN_S = 800.0
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
    peaks: list[Peak] = []
    with running_emulators() as emulators:
        client = firestore_client(emulators.firestore_host, project=PROJECT)
        store_large(client, (_large(PICTURE, tenant=TENANT) for _ in range(LISTED)))
        with emulators.serving("jobs_api") as (api,):
            peaks.append(_listed(api, api_key=emulators.api_key))
        with emulators.serving("provider_webhook") as (webhook,):
            peaks.append(_called_back(webhook, client, emulators))
        say("memory of jobs_api and provider_webhook")
    with running_emulators() as emulators, Outside(ENDPOINTS) as outside:
        client = firestore_client(emulators.firestore_host, project=PROJECT)
        with emulators.serving("deliver_callbacks") as (deliveries,):
            peaks.append(_delivered(deliveries, client, outside))
        say("memory of deliver_callbacks")
        kept = [_with_picture(outside.picture(number)) for number in range(KEPT)]
        store(client, kept)
        with emulators.serving("keep_outputs") as (copies,):
            peaks.append(_kept(copies, kept))
        say("memory of keep_outputs")
        with emulators.serving("jobs_api") as (api,):
            peaks.append(_streamed(api, kept, api_key=emulators.api_key))
        with emulators.serving("jobs_api") as (api,):
            peaks.append(_waited_for(api, client, emulators, picture=outside.picture(KEPT)))
        say("memory of jobs_api with pictures")
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
    return _as_large(
        queued_job(at=datetime.now(UTC), tenant=tenant, provider=ACCOUNT, picture=picture)
    )


def _as_large(job: Job) -> Job:
    """Return the job as one of the only operation whose input may be anything."""
    return replace(job, operation="raw", path="/generate/advance")


def _listed(server: Server, *, api_key: str) -> Peak:
    memory = PeakMemory(server.pid)

    def list_all(_: int) -> None:
        token = ""
        while token is not None:
            answer = session.get(
                f"http://127.0.0.1:{server.port}/v1/jobs",
                params={"pageSize": "100", **({"pageToken": token} if token else {})},
                headers={"X-API-KEY": api_key},
                timeout=PATIENCE_S,
            )
            if answer.status_code == requests.codes.service_unavailable:
                return
            token = answer.json()["nextPageToken"]

    with patient_session() as session, ThreadPoolExecutor(LISTERS) as listers:
        list(listers.map(list_all, range(LISTERS)))
    return Peak(
        function="jobs_api",
        load=f"{LISTERS} callers at once list {LISTED} jobs of 256 KB",
        at_rest_mib=memory.at_rest_mib,
        most_mib=memory.mib(),
    )


def _called_back(server: Server, client: Database, emulators: Emulators) -> Peak:
    memory = PeakMemory(server.pid)
    body = json.dumps({"id": "ref", "output": [{}] * CALLBACK_VALUES}).ljust(MAX_BODY_BYTES)
    now = datetime.now(UTC)
    callbacks = []
    for job_id in store_copies(client, processing_job(at=now, poll_at=now), [now] * CALLED_BACK):
        token = make_token(emulators.webhook_key, provider="gepetto", job_id=job_id)
        callbacks.append(Request(key=job_id, path=f"/gepetto/{job_id}/{token}", body=body))
    send(Load(port=server.port, connections=THREADS, headers={}, requests=callbacks))
    return Peak(
        function="provider_webhook",
        load=f"{CALLED_BACK} callbacks of 64 KB, {THREADS} at once",
        at_rest_mib=memory.at_rest_mib,
        most_mib=memory.mib(),
    )


def _delivered(server: Server, client: Database, outside: Outside) -> Peak:
    memory = PeakMemory(server.pid)
    now = datetime.now(UTC)
    urls = outside.endpoints(Behaviour.ANSWERS_AT_LENGTH)
    store_large(
        client,
        (
            _as_large(
                ended_job(
                    at=now,
                    tenant=f"hostile-{number % TENANTS}",
                    callback_url=urls[number % ENDPOINTS],
                )
            )
            for number in range(DELIVERED)
        ),
    )
    tick = push_body(data={"account": CALLBACKS})
    give_up_at = time.monotonic() + ENDED_WITHIN_S
    # A tick's window is too short for all of them on a slow machine.
    while len(outside.posts) < DELIVERED and time.monotonic() < give_up_at:
        _post(server, tick, {})
        time.sleep(LOOK_EVERY_S)
    if len(outside.posts) < DELIVERED:
        raise TimeoutError(f"{len(outside.posts)} of {DELIVERED} callbacks were delivered")
    return Peak(
        function="deliver_callbacks",
        load=f"callbacks of {DELIVERED} jobs of 256 KB, up to {MAX_DELIVERIES} at once, "
        f"answered with {LONG_ANSWER_BYTES // MIB} MiB each",
        at_rest_mib=memory.at_rest_mib,
        most_mib=memory.mib(),
    )


def _with_picture(url: str) -> Job:
    return ended_job(at=datetime.now(UTC), tenant=TENANT, outputs=(url,))


def _kept(server: Server, jobs: Sequence[Job]) -> Peak:
    memory = PeakMemory(server.pid)
    messages = [
        push_body(attributes={"ce-type": EventType.SUCCEEDED, "ce-subject": one.id}) for one in jobs
    ]
    _at_once([partial(_post, server, one, {}) for one in messages])
    return Peak(
        function="keep_outputs",
        load=f"{len(jobs)} messages at once, a picture of 25 MiB each",
        at_rest_mib=memory.at_rest_mib,
        most_mib=memory.mib(),
    )


def _streamed(server: Server, jobs: Sequence[Job], *, api_key: str) -> Peak:
    memory = PeakMemory(server.pid)

    def read(job: Job) -> None:
        url = f"http://127.0.0.1:{server.port}/v1/jobs/{job.id}/outputs/0"
        with (
            patient_session(repeating=[requests.codes.service_unavailable]) as session,
            session.get(
                url, headers={"X-API-KEY": api_key}, timeout=PATIENCE_S, stream=True
            ) as answer,
        ):
            answer.raise_for_status()
            received = sum(map(len, answer.iter_content(MIB)))
        if received != PICTURE_BYTES:
            raise RuntimeError(f"{received} bytes of a picture of {PICTURE_BYTES}")

    _at_once([partial(read, job) for job in [*jobs, *jobs]])
    return Peak(
        function="jobs_api",
        load=f"{2 * len(jobs)} kept outputs of 25 MiB read at once",
        at_rest_mib=memory.at_rest_mib,
        most_mib=memory.mib(),
    )


def _waited_for(server: Server, client: Database, emulators: Emulators, *, picture: str) -> Peak:
    """Submit as Gepetto's callers do without a webhook, and end the jobs as a pump would."""
    memory = PeakMemory(server.pid)
    body = json.dumps(job_body("gepetto")["input"])
    keys = (emulators.api_key, emulators.other_api_key)
    sizes: list[int] = []

    def submit(key: str) -> None:
        sizes.append(len(_post(server, body, {"X-API-KEY": key}, path="/v1/redesign").content))

    with ThreadPoolExecutor(SUBMISSIONS) as callers:
        submitted = [callers.submit(submit, keys[number % 2]) for number in range(SUBMISSIONS)]
        _end_queued(client, SUBMISSIONS, picture=picture)
        for one in submitted:
            one.result()
    if min(sizes) < PICTURE_BYTES:
        raise RuntimeError("an answer is smaller than the picture")
    return Peak(
        function="jobs_api",
        load=f"{SUBMISSIONS} blocking submissions at once, two tenants', each answered with a "
        "picture of 25 MiB in base64",
        at_rest_mib=memory.at_rest_mib,
        most_mib=memory.mib(),
    )


def _end_queued(client: Database, count: int, *, picture: str) -> None:
    """Have so many queued jobs succeed with this picture, as soon as they are there."""
    documents = FirestoreJobs(client, time_to_live=TIME_TO_LIVE)
    give_up_at = time.monotonic() + ENDED_WITHIN_S
    while True:
        found = documents.queued("gepetto", spans=[Span(FIRST, LAST)], limit=count)
        if len(found) == count:
            break
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"{len(found)} of {count} jobs were submitted")
        time.sleep(LOOK_EVERY_S)
    now = datetime.now(UTC)
    claim = Claim(token="0" * 16, expires_at=now)
    for one in found:
        stored = documents.read(_job_of(one).id)
        job = claimed(stored.job, claim=claim, at=now)
        job = accepted(
            job, claim=claim, provider_job_id=job.id, provider_status=None, poll_at=now, at=now
        )
        job = succeeded(job, outputs=(picture,), by=Actor.POLL, at=now)
        documents.replace(job, version=stored.version)


def _job_of(queued: Queued) -> Job:
    if isinstance(queued.item, Unreadable):
        raise TypeError(queued.item.why)
    return queued.item.job


def _post(
    server: Server, body: str, headers: Mapping[str, str], *, path: str = "/"
) -> requests.Response:
    with patient_session() as session:
        answer = session.post(
            f"http://127.0.0.1:{server.port}{path}",
            body,
            headers={"Content-Type": "application/json", **headers},
            timeout=PATIENCE_S,
        )
    answer.raise_for_status()
    return answer


def _at_once(calls: Sequence[Callable[[], object]]) -> None:
    with ThreadPoolExecutor(len(calls)) as callers:
        for one in [callers.submit(call) for call in calls]:
            one.result()


def _pumped() -> Peak:
    with running_relay(QUIET) as relay:
        relay.wait_until_sent([relay.create(ACCOUNT)[0]])
        relay.wait_until_idle(ACCOUNT)
        pump = relay.where.pids["poll_tick"]
        memory = PeakMemory(pump)
        store_large(relay.firestore, _due_and_queued(relay))
        relay.wake(ACCOUNT)
        _wait_until_ended(relay.firestore)
        return Peak(
            function="poll_tick",
            load=f"{PUMPED} jobs of 256 KB queued, sent, polled and ended; as many others due",
            at_rest_mib=memory.at_rest_mib,
            most_mib=memory.mib(),
        )


def _due_and_queued(relay: RunningRelay) -> list[Job]:
    now = datetime.now(UTC)
    large = [
        _large(relay.picture(f"large-{number}", "render-s=1"), tenant="hostile")
        for number in range(2 * PUMPED)
    ]
    due = [
        replace(
            _as_large(processing_job(at=now, poll_at=now, provider=ACCOUNT)),
            tenant=one.tenant,
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
            f"memory, {one.function}: {one.load}",
            f"less than {TARGET_MIB:.0f} MiB",
            f"{one.most_mib:.0f} MiB",
            one.most_mib < TARGET_MIB,
        )
