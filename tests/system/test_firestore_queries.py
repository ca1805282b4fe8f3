"""Every query that the running relay makes has its index in terraform/, and every index its query.

The emulator answers queries without any index, Firestore refuses them. So the functions run with
a recorder in front of their Firestore clients (`tests/system/recorder/main.py`), the front door
is driven until every query of ours has been made, and what was recorded is held against the
indexes that Terraform makes.
"""

import itertools
import json
import os
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
import requests

from infra.local.errors import EmulatorsUnavailable
from infra.local.stack import Stack, running_stack
from relay.adapters import firestore
from relay.adapters.document import DELIVERY_KEY, EXPIRE_AT, QUEUE_KEY, WAKE_AT, to_document
from relay.domain.job import Status
from tests.factories import a_job, finished_job
from tests.system.conftest import PATIENCE_S, call, until
from tests.terraform.declared_indexes import indexes_as_written
from tests.terraform.firestore_indexes import (
    ASCENDING,
    NAME,
    Indexes,
    Part,
    Query,
    needless,
    read_query,
)
from tests.terraform.running import SOURCE

pytestmark = pytest.mark.thorough

BY_END = (Part("finishedAt", ASCENDING),)
RECORDER = Path(__file__).parent / "recorder"
SHOP = {"shop": "17"}
FILTERS = {
    "provider": "gepetto",
    "operation": "redesign",
    "status": "succeeded",
    "metadata.shop": "17",
    "createdAfter": "2020-01-01T00:00:00Z",
}
ENDED = {"endedAfter": "2020-01-01T00:00:00Z"}
SUBSETS = [
    {name: FILTERS[name] for name in names}
    for count in range(len(FILTERS) + 1)
    for names in itertools.combinations(FILTERS, count)
]
SEVERAL = [{**one, "status": ["succeeded", "failed"]} for one in SUBSETS if "status" in one]
ASKS = {"query"}
"""What only those methods use that ask for documents by what is in them."""


def indexes() -> Indexes:
    """Return the indexes that Terraform makes."""
    return indexes_as_written(SOURCE)


class Recorded:
    """What the functions have asked of Firestore so far."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def lines(self) -> list[Mapping[str, Any]]:
        """Return every recorded query; a line that is being written is left for later."""
        return [
            json.loads(line)
            for file in sorted(self._folder.glob("*.jsonl"))
            for line in file.read_text().splitlines(keepends=True)
            if line.endswith("\n")
        ]

    def askers(self) -> set[str]:
        """Return the methods of the store that asked."""
        return {line["asked_by"] for line in self.lines()}

    def queries(self) -> dict[Query, Mapping[str, Any]]:
        """Return one recorded line for each kind of query."""
        return {read_query(line["query"]): line for line in self.lines()}


def asking_methods() -> set[str]:
    """Return the methods of the store that make queries, by what their code uses."""
    return {
        f"{kind.__name__}.{name}"
        for kind in vars(firestore).values()
        if isinstance(kind, type) and kind.__module__ == firestore.__name__
        for name, method in vars(kind).items()
        if isinstance(method, FunctionType)
        and not name.startswith("_")
        and _asks(method.__code__, of=kind)
    }


def _asks(code: CodeType, *, of: type) -> bool:
    used = set(code.co_names)
    own = [vars(of)[name] for name in used & vars(of).keys() if name.startswith("_")]
    return bool(used & ASKS) or any(
        _asks(method.__code__, of=of) for method in own if isinstance(method, FunctionType)
    )


def stored_fields() -> set[str]:
    """Return the fields that documents of jobs have, open ones and ended ones."""
    kept_for = timedelta(days=30)
    jobs = (a_job(), finished_job(Status.SUCCEEDED))
    return {name for job in jobs for name in to_document(job, time_to_live=kept_for)}


class Caller:
    """Calls the running relay."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def redesign(self, number: int, **more: str) -> str:
        """Create a job that takes a second and return its id."""
        room = f"{self._stack.description.sandbox_url}/rooms/living.jpg"
        given = {
            "url": f"{room}?n={number}&sandbox=render-s=1",
            "styleId": "modern",
            "roomId": "living_room",
            "creativity": 14,
        }
        return self._create(input=given, **more)

    @property
    def receiver(self) -> str:
        """The URL of a receiver of callbacks."""
        return f"{self._stack.description.sandbox_url}/callbacks/queries"

    def follow(self, render_id: str) -> str:
        """Have a render followed and return the job's id."""
        return self._create(providerJobId=render_id)

    def final(self, job_id: str) -> dict[str, Any]:
        """Return the job once it is final."""
        path = f"/v1/jobs/{job_id}"
        return until(
            lambda: job if (job := self.get(path, Prefer="wait=50"))["finishedAt"] else None
        )

    def get(self, path: str, query: Mapping[str, Any] | None = None, **headers: str) -> Any:
        """Return what is answered."""
        answer = self.ask(path, query, **headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ask(
        self, path: str, query: Mapping[str, Any] | None = None, **headers: str
    ) -> requests.Response:
        """Send a GET."""
        key = {"X-API-KEY": self._stack.description.api_key}
        url = f"{self._stack.description.api_url}{path}"
        return call("GET", url, params=query, headers={**key, **headers})

    def _create(self, **more: Any) -> str:
        answer = call(
            "POST",
            f"{self._stack.description.api_url}/v1/jobs",
            json={"provider": "gepetto", "operation": "redesign", "metadata": SHOP, **more},
            headers={"X-API-KEY": self._stack.description.api_key},
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """What was asked of Firestore once every way through the front door was taken."""
    folder = tmp_path_factory.mktemp("queries")
    try:
        with running_stack(
            stack_file=tmp_path_factory.mktemp("stack") / "stack.json",
            env={**os.environ, "RECORDED_QUERIES": str(folder)},
            functions=RECORDER,
        ) as stack:
            seen = Recorded(folder)
            drive(Caller(stack), seen)
            yield seen
    except EmulatorsUnavailable as error:
        if os.environ.get("RELAY_REQUIRE_EMULATORS") == "1":
            raise
        pytest.skip(str(error))


def drive(caller: Caller, seen: Recorded) -> None:
    """Make every query that a caller, a tick or a job can bring about."""
    ids = [caller.redesign(0), caller.redesign(1, callbackUrl=caller.receiver)]
    render_id = caller.final(ids[0])["providerJobId"]
    for job_id in (ids[1], caller.follow(render_id)):
        caller.final(job_id)
    # So many followers that who submitted the render is asked for by itself.
    for _ in range(firestore.OWNERS_LIMIT):
        caller.follow(render_id)
    caller.final(caller.follow(render_id))
    for filters in (*SUBSETS, ENDED, {**ENDED, **FILTERS}, {"providerJobId": render_id}, *SEVERAL):
        page = caller.get("/v1/jobs", {**filters, "pageSize": "1"})
        assert caller.get("/v1/jobs", {**filters, "pageToken": page["nextPageToken"]})["jobs"]
    assert caller.get(f"/v1/job/{render_id}")["status"] == "success"
    of_nobody = caller.ask("/api/v1/generate/poll-result", {"refId": "a-render-of-nobodys"})
    assert of_nobody.status_code == 400
    caller.get("/v1/providers")
    give_up_at = time.monotonic() + PATIENCE_S
    while not asking_methods() <= seen.askers() and time.monotonic() < give_up_at:
        time.sleep(0.2)


def test_every_method_that_asks_was_recorded(recorded: Recorded) -> None:
    assert len(asking_methods()) >= 6
    assert recorded.askers() == asking_methods()


def test_lists_were_recorded_with_every_set_of_filters_and_with_a_page_token(
    recorded: Recorded,
) -> None:
    lists = [line["query"] for line in recorded.lines() if line["asked_by"] == "FirestoreJobs.page"]
    first = {read_query(query) for query in lists if "startAt" not in query}
    later = {read_query(query) for query in lists if "startAt" in query}

    # A range of what the list is sorted by needs no index of its own, nor do several statuses.
    equal = [one for one in SUBSETS if "createdAfter" not in one]
    by_end = Query(
        collection="jobs", equal=frozenset({"tenant"}), order=(*BY_END, Part(NAME, ASCENDING))
    )
    assert len(equal) == 16
    assert by_end in first
    assert len(first) == len(equal) + 2
    assert first == later


def test_every_query_is_served_by_an_index(recorded: Recorded) -> None:
    refused = [
        f"{line['asked_by']} asks {query}"
        for query, line in recorded.queries().items()
        if not indexes().serve(query)
    ]

    assert refused == []


def test_every_index_is_needed_by_a_query(recorded: Recorded) -> None:
    assert list(map(str, needless(indexes(), recorded.queries()))) == []


def test_no_field_is_indexed_that_nobody_asks_for(recorded: Recorded) -> None:
    asked = set[str]()
    for query in recorded.queries():
        asked |= query.equal | query.contains | {part.path for part in query.order} - {NAME}

    indexed = {path for path in stored_fields() if indexes().modes(firestore.JOBS, path)}
    in_composites = {part.path for index in indexes().composite for part in index.parts}

    assert indexed <= asked
    assert in_composites <= asked
    # What only grows would hold one job's writes up behind another's.
    assert not indexed & {"createdAt", WAKE_AT, QUEUE_KEY, EXPIRE_AT}
    # What is said of callbacks and copies is read with the whole job.
    for path in ("callback", "callback.deliveries", "keptOutputs", "keptOutputs.uri"):
        assert not indexes().modes(firestore.JOBS, path)
    assert indexes().modes(firestore.JOBS, DELIVERY_KEY) == {ASCENDING}


@pytest.mark.parametrize("collection", [firestore.ACCOUNTS, firestore.DURATIONS])
def test_nothing_is_indexed_where_all_reading_is_by_id(collection: str) -> None:
    assert not indexes().modes(collection, "anything")
    assert not any(index.collection == collection for index in indexes().composite)
