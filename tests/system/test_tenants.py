"""Two tenants on the running stack: to the one, the other's jobs are as if they did not exist.

The calls are those of docs/openapi.yaml. Whatever can be given to them is sorted here into what
holds an id and what does not; a parameter or field that is not sorted yet fails.
"""

import hashlib
import json
import os
import re
import secrets
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
import requests
import yaml

from infra.local.errors import EmulatorsUnavailable
from infra.local.stack import running_stack
from relay.domain.job import Status
from tests.system.conftest import call, until

pytestmark = pytest.mark.thorough

DESCRIPTION = yaml.load(
    (Path(__file__).parents[2] / "docs" / "openapi.yaml").read_text(encoding="utf-8"),
    yaml.CSafeLoader,
)
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
JOB_ID = re.compile(r"job_[0-9a-z]{26}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z")
OTHERS_KEY, THIRDS_KEY = "a key of tenant other", "a key of tenant third"
SUBMISSION = "submit"
SANDBOX_KEYS = {"gepetto": "sandbox-gepetto-key", "spacely": "sandbox-spacely-key"}
ENDED = {"succeeded", "failed", "cancelled"}
# The jobs that stay open must do so until all operations were tried.
DEADLINE_S = 3600


class Place(NamedTuple):
    """Where in a request something stands."""

    where: str
    name: str


PATH_ID = Place("path", "id")
KEY = Place("header", "Idempotency-Key")
FOLLOWED_ID = Place("body", "providerJobId")
IDS = {
    PATH_ID, KEY, FOLLOWED_ID,
    *(Place("query", name) for name in ("refId", "pageToken", "providerJobId")),
}  # fmt: skip
NO_IDS = {
    Place("header", "Prefer"),
    Place("header", "If-None-Match"),
    Place("path", "n"),
    *(Place("query", name) for name in ("provider", "operation", "status", "metadata", "pageSize")),
    *(Place("query", name) for name in ("createdAfter", "createdBefore", "endedAfter")),
    *(Place("body", name) for name in ("provider", "operation", "input", "path", "metadata")),
    *(
        Place("body", name)
        for name in ("deadlineSeconds", "onUnconfirmed", "priority", "callbackUrl")
    ),
    # Of a batch, and the body of a submission in a provider's shape.
    Place("body", "jobs"),
    Place("body", "input"),
}


class Unsorted(Exception):
    """The description has something that nobody has said to hold an id or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of the description."""

    name: str
    method: str
    path: str
    places: Sequence[Place]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def resolved(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a reference within the description stands for."""
    while "$ref" in node:
        target: Any = DESCRIPTION
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def field_names(schema: Mapping[str, Any]) -> set[str]:
    """Return the names of all fields that an object of this schema can have."""
    schema = resolved(schema)
    names = set(schema.get("properties", {}))
    for part in (*schema.get("oneOf", ()), *schema.get("anyOf", ()), *schema.get("allOf", ())):
        names |= field_names(part)
    return names


def places(path: str, shared: Sequence[Any], described: Mapping[str, Any]) -> list[Place]:
    """Return every place in an operation's request that something can be put in."""
    parameters = [resolved(one) for one in (*shared, *described.get("parameters", ()))]
    found = {Place(one["in"], one["name"]) for one in parameters}
    found |= {Place("path", name) for name in re.findall(r"{(.*?)}", path)}
    for content in resolved(described.get("requestBody", {})).get("content", {}).values():
        if described.get("operationId", "").startswith(SUBMISSION):
            found.add(Place("body", "input"))
        else:
            found |= {Place("body", name) for name in field_names(content["schema"])}
    unsorted = found - IDS - NO_IDS
    if unsorted:
        raise Unsorted(f"{path}: {unsorted}")
    return sorted(found)


def operations() -> list[Operation]:
    """Return all operations of the description."""
    return [
        Operation(
            name=described["operationId"],
            method=method.upper(),
            path=path,
            places=places(path, item.get("parameters", ()), described),
        )
        for path, item in DESCRIPTION["paths"].items()
        for method, described in item.items()
        if method in METHODS
    ]


OPERATIONS = operations()
# Following is apart: what it says comes a minute later.
WALK = [
    (operation, place)
    for operation in OPERATIONS
    for place in operation.places
    if place in IDS - {FOLLOWED_ID}
]


class Tenant:
    """A tenant as a caller."""

    def __init__(self, api_url: str, key: str) -> None:
        self.api_url = api_url
        self._headers = {"Authorization": f"Bearer {key}"}

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        """Send a request as it stands."""
        headers = self._headers | more.pop("headers", {})
        return call(method, self.api_url + path, headers=headers, allow_redirects=False, **more)

    def create(self, body: Mapping[str, Any], key: str | None = None) -> str:
        """Create a job and return its id."""
        headers = {} if key is None else {"Idempotency-Key": key}
        answer = self.call("POST", "/v1/jobs", json=body, headers=headers)
        # 200: `call` repeated it after a 503, and the first try had been written.
        assert answer.status_code in ((201,) if key is None else (200, 201)), answer.text
        return str(answer.json()["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        """Return one of its jobs."""
        answer = self.call("GET", f"/v1/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def jobs(self, query: str = "") -> list[dict[str, Any]]:
        """Return its jobs, at most a hundred."""
        answer = self.call("GET", f"/v1/jobs?pageSize=100&{query}")
        assert answer.status_code == 200, answer.text
        return list(answer.json()["jobs"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The tenants, and what belongs to tenant demo.

    Attributes:
        refs: The ids of demo's jobs by provider, ours and the provider's.
        keys: The keys that demo created jobs with, by the operation to try each with.
        body: What demo created those jobs from.
    """

    demo: Tenant
    other: Tenant
    third: Tenant
    refs: Mapping[str, Sequence[str]]
    page_token: str
    keys: Mapping[str, str]
    body: Mapping[str, Any]

    def foreign(self, operation: Operation, place: Place) -> list[tuple[str, str]]:
        """Return what demo has for such a place, each with the like that nobody has."""
        if place == KEY:
            return [(self.keys[operation.name], f"nobody's, for {operation.name}")]
        if place == Place("query", "pageToken"):
            return [(self.page_token, "A" * len(self.page_token))]
        return [(ref, unknown(ref)) for refs in self.refs.values() for ref in refs]

    def of_demo(self) -> list[tuple[object, ...]]:
        """Return what must not change of demo's jobs."""
        return [
            (job["id"], job["status"], job["outputs"], job["history"]) for job in self.demo.jobs()
        ]


def unknown(ref: str) -> str:
    """Return an id of the same kind that nobody has."""
    if JOB_ID.fullmatch(ref):
        return f"job_{secrets.token_hex(13)}"
    return str(uuid.uuid4()) if "-" in ref else secrets.token_hex(10)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Run a stack with three tenants, of which demo has jobs in several states."""
    digests = {
        name: [hashlib.sha256(key.encode()).hexdigest()]
        for name, key in (("other", OTHERS_KEY), ("third", THIRDS_KEY))
    }
    env = {
        **os.environ,
        "API_KEYS": json.dumps(digests),
        "GEPETTO_API_KEY": SANDBOX_KEYS["gepetto"],
        "SPACELY_API_KEY": SANDBOX_KEYS["spacely"],
    }
    try:
        with running_stack(
            stack_file=tmp_path_factory.mktemp("tenants") / "stack.json", env=env
        ) as stack:
            where = stack.description
            assert where.sandbox_url is not None
            yield set_up(where.api_url, where.api_key, where.sandbox_url)
    except EmulatorsUnavailable as error:
        if os.environ.get("RELAY_REQUIRE_EMULATORS") == "1":
            raise
        pytest.skip(str(error))


def set_up(api_url: str, demos_key: str, sandbox_url: str) -> Stage:
    demo = Tenant(api_url, demos_key)
    body = redesign(sandbox_url, "render-s=3000")
    keys = {
        operation.name: f"demo's, for {operation.name}"
        for operation in OPERATIONS
        if KEY in operation.places
    }
    open_ids = [
        *(demo.create(body, key) for name, key in keys.items() if not name.startswith(SUBMISSION)),
        demo.create(advance(sandbox_url, "render-s=3000")),
        *(
            demo.create(followed(provider, elsewhere(sandbox_url, provider, "render-s=3000")))
            for provider in SANDBOX_KEYS
        ),
    ]
    ended_ids = [
        demo.create(redesign(sandbox_url, "render-s=1")),
        demo.create(redesign(sandbox_url, "failed,webhook-no-output,render-s=1")),
        demo.create(advance(sandbox_url, "render-s=1")),
        demo.create(followed("gepetto", elsewhere(sandbox_url, "gepetto", "render-s=1"))),
    ]
    refs: dict[str, list[str]] = {provider: [] for provider in SANDBOX_KEYS}
    for job_id in (*open_ids, *ended_ids):
        wanted = ENDED if job_id in ended_ids else {"processing"}
        job = until(lambda: settled(demo.job(job_id), wanted))  # noqa: B023
        refs[job["provider"]] += [job["id"], job["providerJobId"]]
    for operation in OPERATIONS:
        if operation.name.startswith(SUBMISSION):
            submit_and_cancel(demo, operation, keys[operation.name])
    page = demo.call("GET", "/v1/jobs?pageSize=1").json()
    return Stage(
        demo=demo,
        other=Tenant(api_url, OTHERS_KEY),
        third=Tenant(api_url, THIRDS_KEY),
        refs=refs,
        page_token=page["nextPageToken"],
        keys=keys,
        body=body,
    )


def submit_and_cancel(demo: Tenant, operation: Operation, key: str) -> None:
    """Use a key for a submission in a provider's shape."""
    headers = {"Idempotency-Key": key}
    answer = demo.call("POST", operation.path, json=example_of(operation), headers=headers)
    assert answer.status_code == 200, answer.text
    given = answer.json()
    demo.call("POST", f"/v1/jobs/{given.get('data') or given['id']}/cancel")


def settled(job: dict[str, Any], statuses: set[str]) -> dict[str, Any] | None:
    return job if job["providerJobId"] and job["status"] in statuses else None


def redesign(sandbox_url: str, wish: str) -> dict[str, Any]:
    given = {
        "url": f"{sandbox_url}/rooms/living.jpg?sandbox={wish}",
        "styleId": "modern",
        "roomId": "living_room",
        "creativity": 14,
    }
    return {
        "provider": "gepetto",
        "operation": "redesign",
        "input": given,
        "metadata": {"tenant": "demo"},
        "deadlineSeconds": DEADLINE_S,
    }


def advance(sandbox_url: str, wish: str) -> dict[str, Any]:
    given = {
        "model": "spacely-v1",
        "imageUrl": f"{sandbox_url}/rooms/living.jpg?sandbox={wish}",
        "renovateType": "residential",
    }
    return {
        "provider": "spacely",
        "operation": "advance",
        "input": given,
        "deadlineSeconds": DEADLINE_S,
    }


def followed(provider: str, ref: str) -> dict[str, Any]:
    operation = {"gepetto": "redesign", "spacely": "advance"}[provider]
    return {
        "provider": provider,
        "operation": operation,
        "providerJobId": ref,
        "deadlineSeconds": DEADLINE_S,
    }


def elsewhere(sandbox_url: str, provider: str, wish: str) -> str:
    """Submit a render past the relay and return the provider's id."""
    key = SANDBOX_KEYS[provider]
    if provider == "gepetto":
        url = f"{sandbox_url}/gepetto/v1/redesign"
        # Without a webhook this provider answers when the render is done.
        given = redesign(sandbox_url, f"{wish},webhook-lost")["input"] | {"webhook": sandbox_url}
    else:
        url = f"{sandbox_url}/spacely/api/v1/generate/advance"
        given = advance(sandbox_url, wish)["input"]
    headers = {"Authorization": f"Bearer {key}", "X-API-KEY": key}
    answer = call("POST", url, json=given, headers=headers).json()
    return str(answer["id"] if provider == "gepetto" else answer["data"])


@dataclass(frozen=True, slots=True)
class Told:
    """What an answer says, without what differs between any two."""

    status: int
    headers: Mapping[str, str]
    body: str

    @classmethod
    def by(cls, answer: requests.Response, asked: str, stage: Stage) -> "Told":
        """Read an answer; fail if it has an id of demo's that was not asked for."""

        def masked(text: str) -> str:
            text = text.replace(json.dumps(asked)[1:-1], "ASKED")
            for ref in (*(ref for refs in stage.refs.values() for ref in refs), stage.page_token):
                assert ref not in text
            return TIME.sub("TIME", JOB_ID.sub("ID", text))

        unsteady = ("Date", "Content-Length", "X-Request-Id")
        headers = {
            name: masked(value) for name, value in answer.headers.items() if name not in unsteady
        }
        return cls(answer.status_code, headers, masked(answer.text))


def ask(stage: Stage, operation: Operation, place: Place, value: str) -> Told:
    """Call an operation as tenant other, with this value in this place."""
    path = operation.path
    if PATH_ID in operation.places:
        ours = value if place == PATH_ID else a_cancelled_job(stage)
        path = path.replace("{id}", quote(ours, safe="")).replace("{n}", "0")
    answer = stage.other.call(
        operation.method,
        path,
        params={place.name: value} if place.where == "query" else {},
        headers={place.name: value} if place.where == "header" else {},
        json=body_of(operation, stage),
    )
    return Told.by(answer, value, stage)


def body_of(operation: Operation, stage: Stage) -> Any:
    """Return a body to call an operation with, None if it takes none."""
    if operation.name == "createJob":
        return stage.body
    if operation.name == "createJobs":
        return {"jobs": [stage.body]}
    return example_of(operation) if operation.name.startswith(SUBMISSION) else None


def example_of(operation: Operation) -> Any:
    """Return the body that the description shows for a submission."""
    content = DESCRIPTION["paths"][operation.path]["post"]["requestBody"]["content"]
    (example,) = content["application/json"]["examples"].values()
    return example["value"]


def a_cancelled_job(stage: Stage) -> str:
    """Return a job of tenant other, which only its own tenant can retry."""
    job_id = stage.other.create(stage.body)
    assert stage.other.call("POST", f"/v1/jobs/{job_id}/cancel").status_code == 200
    return job_id


def test_there_is_something_to_walk() -> None:
    names = {operation.name for operation, _ in WALK}

    assert {"getJob", "cancelJob", "retryJob", "listJobs", "createJob"} <= names
    assert {place for _, place in WALK} == IDS - {FOLLOWED_ID}
    assert [one.name for one in OPERATIONS if FOLLOWED_ID in one.places] == ["createJob"]


@pytest.mark.parametrize(
    ("path", "described"),
    [
        ("/v1/jobs/{jobId}", {}),
        ("/v1/jobs", {"parameters": [{"in": "query", "name": "retryOf"}]}),
        ("/v1/jobs", {"parameters": [{"in": "cookie", "name": "id"}]}),
        (
            "/v1/jobs",
            {
                "requestBody": {
                    "content": {"application/json": {"schema": {"properties": {"retryOf": {}}}}}
                }
            },
        ),
    ],
    ids=["path", "query", "cookie", "body"],
)
def test_a_new_place_cannot_be_forgotten(path: str, described: Mapping[str, Any]) -> None:
    with pytest.raises(Unsorted):
        places(path, (), described)


@pytest.mark.parametrize(
    ("operation", "place"), WALK, ids=lambda one: str(getattr(one, "name", one))
)
def test_what_is_anothers_is_answered_as_what_does_not_exist(
    stage: Stage, operation: Operation, place: Place
) -> None:
    before = stage.of_demo()

    for theirs, nobodys in stage.foreign(operation, place):
        told = ask(stage, operation, place, theirs)
        assert told == ask(stage, operation, place, nobodys), theirs
        assert told.status < 300 or 400 <= told.status < 500

    assert stage.of_demo() == before


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_a_call_without_an_id_shows_nothing_of_anothers(stage: Stage, operation: Operation) -> None:
    if PATH_ID in operation.places or operation.method != "GET":
        return

    answer = stage.third.call("GET", operation.path)

    for refs in stage.refs.values():
        assert not [ref for ref in refs if ref in answer.text]


@pytest.mark.parametrize(
    "query",
    ["", "provider=gepetto", "provider=spacely", "operation=redesign", "metadata.tenant=demo"]
    + [f"status={status}" for status in Status],
)
def test_the_lists_of_a_tenant_without_jobs_are_empty(stage: Stage, query: str) -> None:
    assert stage.third.jobs(query) == []


def test_anothers_jobs_are_not_counted(stage: Stage) -> None:
    shown = stage.third.call("GET", "/v1/providers").json()["providers"]

    counts = [(one["account"]["queuedJobs"], one["account"]["openJobs"]) for one in shown]
    assert counts == [(0, 0), (0, 0)]


Pairs = Sequence[tuple[str, str]]


@pytest.fixture(scope="module")
def pairs(stage: Stage) -> Pairs:
    """Follow every id of demo's, and for each one that nobody has, as tenant other."""
    made = []
    for provider, refs in stage.refs.items():
        for theirs in refs:
            jobs = []
            tolds = []
            for ref in (theirs, unknown(theirs)):
                answer = stage.other.call("POST", "/v1/jobs", json=followed(provider, ref))
                assert answer.status_code == 201, answer.text
                jobs.append(str(answer.json()["id"]))
                tolds.append(Told.by(answer, ref, stage))
            assert tolds[0] == tolds[1]
            made.append((jobs[0], jobs[1]))
    return made


def test_a_followed_id_of_anothers_looks_like_one_that_does_not_exist_to_the_end(
    stage: Stage, pairs: Pairs
) -> None:
    for theirs, nobodys in pairs:
        ends = [
            until(lambda: settled(stage.other.job(job_id), ENDED))  # noqa: B023
            for job_id in (theirs, nobodys)
        ]

        told = [
            (
                {name: job[name] for name in job if name not in UNSTEADY},
                [(entry["status"], entry["by"], entry["note"]) for entry in job["history"]],
            )
            for job in ends
        ]
        assert told[0] == told[1]
        assert ends[0]["error"]["code"] == "provider_job_not_found"


UNSTEADY = {"id", "providerJobId", "createdAt", "finishedAt", "deadlineAt", "history"}


@pytest.mark.parametrize("path", ["/v1/job/{}", "/api/v1/generate/poll-result?refId={}"])
def test_who_follows_anothers_render_does_not_read_it_in_the_providers_words(
    stage: Stage, pairs: Pairs, path: str
) -> None:
    provider = "gepetto" if path.startswith("/v1") else "spacely"
    ids = [ref for ref in stage.refs[provider] if not JOB_ID.fullmatch(ref)]

    answers = [stage.other.call("GET", path.format(ref)) for ref in ids]

    assert {answer.status_code for answer in answers} == {200}
    assert not [answer.text for answer in answers if "http" in answer.text]
