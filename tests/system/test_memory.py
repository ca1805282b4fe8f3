"""What hostile callers send does not make `jobs_api` grow: its memory, measured on a real process.

On Cloud Run it has 512 MiB, and one request too large would end everybody's.
"""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import requests

from infra.bench.servers import PROJECT, TENANT, PeakMemory, Server, running_emulators
from infra.bench.store import firestore_client, store_documents
from infra.local.emulators import EmulatorsUnavailable
from relay.adapters.document import to_document
from relay.edges.api import MAX_BODY_BYTES, MAX_PAGE_BYTES
from tests.factories import a_job, job_id, later
from tests.system.conftest import PATIENCE_S, call

pytestmark = [pytest.mark.emulator, pytest.mark.thorough]

MAX_MIB = 300
AT_ONCE = 10
OLD_JOBS = 120
# Parsed, 65,000 empty objects take 6 MB; a create would not take so many any more.
OLD_INPUT = '{"a": [' + "{}, " * 65_000 + "{}]}"


class Served:
    """The running API, and the memory that its processes have taken at most."""

    def __init__(self, server: Server, *, api_key: str) -> None:
        self._url = f"http://127.0.0.1:{server.port}"
        self._headers = {"X-API-KEY": api_key, "Content-Type": "application/json"}
        self.peak = PeakMemory(server.pid)

    def get_once(self, path: str) -> requests.Response:
        """Read; an emulator on a busy machine may not answer in time, which is a 503."""
        return requests.get(self._url + path, headers=self._headers, timeout=PATIENCE_S)

    def get(self, path: str) -> requests.Response:
        return call("GET", self._url + path, headers=self._headers)

    def post(self, path: str, body: bytes) -> requests.Response:
        return call("POST", self._url + path, data=body, headers=self._headers)


def at_once(send: Callable[[int], requests.Response], times: int) -> list[requests.Response]:
    """Make so many calls, ten of them at a time."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(send, range(times)))


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """The API, with a hundred and twenty large jobs of an older version in its store."""
    try:
        with running_emulators() as running:
            put_old_jobs(running.firestore_host)
            with running.serving("jobs_api") as (api,):
                yield Served(api, api_key=running.api_key)
    except EmulatorsUnavailable as error:
        if os.environ.get("RELAY_REQUIRE_EMULATORS") == "1":
            raise
        pytest.skip(str(error))


def put_old_jobs(host: str) -> None:
    client = firestore_client(host, project=PROJECT)
    for number in range(OLD_JOBS):
        job = a_job(
            id=job_id(number),
            tenant=TENANT,
            operation="raw",
            path="/upscale",
            created_at=later(number),
        )
        document = to_document(job, time_to_live=timedelta(days=1)) | {"input": OLD_INPUT}
        store_documents(client, [(job.id, document)])


def test_large_jobs_are_listed_read_and_cancelled_within_the_bound(served: Served) -> None:
    seen, bytes_of_pages, token = [], [], ""
    while token is not None:
        page = served.get(f"/v1/jobs?pageSize=100{token and f'&pageToken={token}'}")
        bytes_of_pages.append(len(page.content))
        seen += [job["id"] for job in page.json()["jobs"]]
        token = page.json()["nextPageToken"]
    # On a busy machine the emulator may not answer so many in time; they take memory all the same.
    lists = at_once(lambda _: served.get_once("/v1/jobs?pageSize=100"), 3 * AT_ONCE)
    reads = at_once(lambda number: served.get(f"/v1/jobs/{job_id(number)}"), OLD_JOBS)
    cancels = at_once(lambda number: served.post(f"/v1/jobs/{job_id(number)}/cancel", b""), AT_ONCE)

    assert seen == [job_id(number) for number in reversed(range(OLD_JOBS))]
    assert MAX_BODY_BYTES < max(bytes_of_pages) <= MAX_PAGE_BYTES + 1000
    assert {answer.status_code for answer in lists} <= {200, 503}
    assert {answer.status_code for answer in (*reads, *cancels)} == {200}
    assert served.peak.mib() < MAX_MIB


BODIES = {
    "as many values as there may be": "[" + "{}," * 9_996 + "{}]",
    "far too many values": "[" + "{}," * 80_000 + "{}]",
    "members": "{" + ",".join(f'"{n:024x}":{{}}' for n in range(7_000)) + "}",
    "wide letters": json.dumps("🛋" + "x" * 250_000, ensure_ascii=False),
    "brackets": "[" * 250_000,
}


def test_hostile_creates_stay_within_the_bound(served: Served) -> None:
    job = {"provider": "gepetto", "operation": "raw", "path": "/upscale", "input": {"a": "?"}}
    bodies = [json.dumps(job).replace('"?"', text).encode() for text in BODIES.values()]

    answers = at_once(
        lambda number: served.post("/v1/jobs", bodies[number % len(bodies)]), 20 * len(bodies)
    )

    assert {answer.status_code for answer in answers} == {201, 400, 422}
    assert served.peak.mib() < MAX_MIB


def test_a_body_without_end_is_answered_and_not_kept(served: Served) -> None:
    answers = at_once(lambda _: served.post("/nowhere", b" " * 32 * 1024 * 1024), AT_ONCE)

    assert {answer.status_code for answer in answers} == {404}
    assert served.peak.mib() < MAX_MIB
