"""The descriptions of the APIs: fresh, valid, and true to the code."""

import ast
import json
import re
from pathlib import Path

import msgspec
import pytest
import yaml
from jsonschema import Draft7Validator, Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from infra.describe import base_files
from infra.describe.__main__ import DOCS, SCHEMAS, stale_files
from infra.describe.error_page import error_page
from infra.describe.examples import create_examples
from infra.describe.schemas import OVERLAYS, struct_schemas
from relay.adapters.pubsub import JOB_SCHEMA
from relay.application.progress import Progress, ProgressReader, WaitingFor
from relay.assembly import CreatePolicy
from relay.domain.catalogue import CATALOGUE
from relay.domain.job import Actor, ErrorCode, EventType, JobError, Status
from relay.domain.transitions import succeeded
from relay.edges import api as api_module
from relay.edges.answers import job_json
from relay.edges.bodies import CreateBody
from relay.edges.submissions import SUBMISSIONS
from relay.job_view import JobView, to_json
from tests.event_schemas import FORMATS, REGISTRY
from tests.factories import LATE_OUTPUT, REFUSAL, a_job, finished_job, job_in, later
from tests.fakes import World
from tests.payloads.inputs import SAMPLES, sample_input

EDGES = Path(api_module.__file__).parent
ASYNCAPI_SCHEMA = Path(__file__).parents[1] / "payloads" / "asyncapi" / "3.0.0.json"


def parsed(path):
    return yaml.load(path.read_text(), yaml.CSafeLoader)


OPENAPI = parsed(DOCS / "openapi.yaml")
ASYNCAPI = parsed(DOCS / "asyncapi.yaml")
FILES = {path.stem: json.loads(path.read_text()) for path in SCHEMAS.rglob("*.json")}
JOB = FILES["job.schema"]
PARAMETERS = OPENAPI["components"]["parameters"]
ONLY_IN_ANSWERS = {"expectedAt", "waitingFor", "callback"}
METHODS = {"get", "post", "put", "patch", "delete"}
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, item in OPENAPI["paths"].items()
    for method, operation in item.items()
    if method in METHODS
}


def complaints(value, schema):
    """Return what is wrong with a value by a schema that stands alone or refers by $id."""
    validator = Draft202012Validator(schema, registry=REGISTRY, format_checker=FORMATS)
    return [error.message for error in validator.iter_errors(value)]


def complaints_within(document, value, schema):
    """Return what is wrong with a value by a schema that refers into its document."""
    return complaints(value, {"components": document["components"], "allOf": [schema]})


def resolved(one, document=OPENAPI):
    while "$ref" in one:
        found = document
        for name in one["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        one = found
    return one


def bodies(operation):
    """Yield every body of an operation that is text, with its examples, by what it answers."""
    if "requestBody" in operation:
        for content in operation["requestBody"]["content"].values():
            yield "request", content
    for status, answer in operation["responses"].items():
        for kind, content in resolved(answer).get("content", {}).items():
            if not kind.startswith("image/"):
                yield status, content


def test_the_descriptions_are_what_the_code_says():
    assert stale_files() == [], "run: make describe"


def test_the_openapi_file_is_valid():
    errors = OpenAPIV31SpecValidator(OPENAPI).iter_errors()

    assert [error.message for error in errors] == []


def test_the_asyncapi_file_is_valid():
    schema = json.loads(ASYNCAPI_SCHEMA.read_text())

    errors = Draft7Validator(schema).iter_errors(ASYNCAPI)

    assert [f"{list(error.path)}: {error.message[:200]}" for error in errors] == []


@pytest.mark.parametrize("schema", FILES.values(), ids=FILES.keys())
def test_every_schema_is_one(schema):
    Draft202012Validator.check_schema(schema)


def test_every_schema_of_the_openapi_file_is_one():
    for schema in OPENAPI["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def boolean_properties(node, path="#"):
    """Yield where a property has `true` or `false` as its schema."""
    match node:
        case dict():
            for name, one in node.get("properties", {}).items():
                if isinstance(one, bool):
                    yield f"{path}/{name}"
            for name, one in node.items():
                yield from boolean_properties(one, f"{path}/{name}")
        case list():
            for one in node:
                yield from boolean_properties(one, path)


@pytest.mark.parametrize("document", [OPENAPI, ASYNCAPI, *FILES.values()])
def test_no_property_has_a_boolean_schema_because_code_generators_have_no_type_for_it(document):
    assert list(boolean_properties(document)) == []


def test_the_title_of_a_schema_is_its_name_because_code_generators_name_classes_by_it():
    schemas = OPENAPI["components"]["schemas"]

    assert [name for name, one in schemas.items() if one.get("title", name) != name] == []


def discriminated(schema, field):
    """Return what the values of a field lead to, if they lead to every choice there is."""
    assert schema["discriminator"]["propertyName"] == field
    mapping = schema["discriminator"]["mapping"]
    assert [one["$ref"] for one in schema["oneOf"]] == list(mapping.values())
    return {value: resolved({"$ref": place}) for value, place in mapping.items()}


def test_the_discriminators_lead_from_provider_and_operation_to_one_body():
    providers = discriminated(OPENAPI["components"]["schemas"]["CreateJob"], "provider")

    assert list(providers) == list(CATALOGUE)
    for provider, choice in providers.items():
        render, follow = [resolved(one) for one in choice["oneOf"]]
        operations = discriminated(render, "operation")
        assert list(operations) == list(CATALOGUE[provider].operations)
        assert follow["properties"]["operation"]["enum"] == list(operations)
        for operation, body in operations.items():
            assert body["properties"]["operation"]["const"] == operation
        for body in (*operations.values(), follow):
            assert body["properties"]["provider"]["const"] == provider


def test_a_field_that_is_not_described_is_an_error(monkeypatch):
    fields = {**OVERLAYS["JobView"]["properties"]}
    del fields["credits"]
    monkeypatch.setitem(OVERLAYS, "JobView", {**OVERLAYS["JobView"], "properties": fields})

    with pytest.raises(LookupError, match="credits"):
        struct_schemas([JobView], refs="#/")


def test_every_described_struct_is_shown():
    titles = {overlay["title"] for overlay in OVERLAYS.values()}

    assert titles - OPENAPI["components"]["schemas"].keys() == {"CreateBody"}


def test_every_value_from_the_code_is_used_in_a_base_file():
    text = "".join(path.read_text() for path in Path(base_files.__file__).parent.glob("*.yaml"))

    assert [name for name in base_files.FROM_CODE if f"${{{name}}}" not in text] == []


def test_every_reason_for_a_failure_is_explained():
    described = OPENAPI["components"]["schemas"]["JobError"]["properties"]["code"]["description"]
    explained = re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \| (?:yes|no) \|$", described, re.M)

    assert explained == [code.value for code in ErrorCode]


def test_a_name_in_a_base_file_that_the_code_does_not_know_is_an_error():
    known = {name: value for name, value in base_files.FROM_CODE.items() if name != "accounts"}

    with pytest.raises(KeyError, match="accounts"):
        base_files.read_base("asyncapi.base.yaml", known)


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
def test_every_answer_and_request_has_examples_that_fit(operation):
    for where, body in bodies(operation):
        assert body["examples"], where
        for name, example in body["examples"].items():
            wrong = complaints_within(OPENAPI, example["value"], body["schema"])
            assert wrong == [], (where, name)


@pytest.mark.parametrize("parameter", PARAMETERS.values(), ids=PARAMETERS.keys())
def test_every_parameter_has_an_example_that_fits(parameter):
    if parameter["schema"].get("format") != "page-token":
        assert complaints_within(OPENAPI, parameter["example"], parameter["schema"]) == []


@pytest.mark.parametrize("name", ASYNCAPI["components"]["messages"])
def test_every_message_has_examples_that_fit(name):
    message = ASYNCAPI["components"]["messages"][name]

    for example in message["examples"]:
        assert complaints_within(ASYNCAPI, example["payload"], message["payload"]) == []
        if "headers" in message:
            assert complaints(example["headers"], message["headers"]) == []


@pytest.mark.parametrize("kind", EventType)
def test_every_event_schema_takes_its_own_examples_and_no_other_types(kind):
    schemas = {name.removesuffix(".schema"): one for name, one in FILES.items()}
    word = kind.rsplit(".", 1)[-1]

    (example,) = schemas[word]["examples"]

    assert complaints(example, schemas[word]) == []
    for other in {one.rsplit(".", 1)[-1] for one in EventType} - {word}:
        assert complaints(example, schemas[other])


def test_what_is_routed_is_described_and_nothing_else():
    # The console is a page for people, of which no client is generated.
    calls = {one for one in routes() if not one.startswith("GET /console")}

    assert calls == set(OPERATIONS)


def test_every_problem_in_the_code_is_described_and_nothing_else():
    described = OPENAPI["components"]["schemas"]["ProblemCode"]["enum"]

    assert set(described) == codes_in_the_code()
    used = {
        code
        for operation in OPERATIONS.values()
        for _, body in bodies(operation)
        if "dependentSchemas" in body["schema"]
        for code in body["schema"]["dependentSchemas"]["code"]["properties"]["code"]["enum"]
    }
    assert set(described) == used | {"method_not_allowed", "internal_error"}


def test_the_error_page_has_a_cause_and_a_remedy_for_every_code():
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (.+) \| (.+) \|$", error_page(), re.MULTILINE)

    assert {code for code, *_ in rows} == codes_in_the_code()
    for code, status, cause, remedy in rows:
        assert cause.endswith("."), code
        assert remedy.endswith("."), code
        described = OPENAPI["components"]["schemas"]["ProblemCode"]["description"]
        assert f"- `{code}` ({status}): {cause} {remedy}" in described


def test_every_answer_has_a_request_id():
    for operation in OPERATIONS.values():
        for answer in operation["responses"].values():
            assert resolved(resolved(answer)["headers"]["X-Request-Id"])["required"]


def test_an_idempotency_key_is_described_as_it_is_read():
    read = api_module._IDEMPOTENCY_KEY.pattern
    schema = PARAMETERS["idempotencyKey"]["schema"]

    described = re.compile(schema["pattern"])

    for key in ["a", "a b", " a", "a ", "", " ", "~!", "\x7f", "a\x00b", "ä", "a\tb"]:
        assert bool(described.search(key)) is bool(re.fullmatch(read, key))
    assert re.fullmatch(read, "a" * schema["maxLength"])
    assert not re.fullmatch(read, "a" * (schema["maxLength"] + 1))


def test_the_schema_of_jobs_is_the_one_that_events_name():
    assert JOB["$id"] == JOB_SCHEMA


JOBS = {
    **{status.value: job_in(status) for status in Status},
    "raw": a_job(operation="raw", path="/upscale"),
    "raw and followed": job_in(Status.PROCESSING, operation="raw", input=None),
    "retried": a_job(retry_of="job_00000000000000000000000002"),
    "followed": job_in(Status.PROCESSING, input=None),
    "late after a failure": succeeded(
        finished_job(Status.FAILED), outputs=[LATE_OUTPUT], by=Actor.POLL, at=later(5)
    ),
    "late after a cancel": finished_job(Status.CANCELLED, late_outputs=(LATE_OUTPUT,)),
    **{
        code.value: finished_job(Status.FAILED, error=JobError(code=code, message="it failed"))
        for code in ErrorCode
    },
    "refused in the provider's words": finished_job(
        Status.FAILED,
        error=JobError(code=ErrorCode.PROVIDER_REJECTED, message="refused", provider=REFUSAL),
    ),
    **{by.value: finished_job(Status.SUCCEEDED, finished_by=by) for by in Actor},
}


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS.keys())
def test_every_job_is_as_its_schema_says_field_by_field(job):
    shown = json.loads(to_json(job))

    assert complaints(shown, JOB) == []
    assert shown.keys() <= JOB["properties"].keys()


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS.keys())
def test_every_job_is_answered_with_as_the_schema_of_answers_says(job, world):
    progress = ProgressReader(
        accounts=world.accounts, durations=world.durations, clock=world.clock
    ).of(job)

    answered = json.loads(job_json(job, progress))

    assert complaints_within(OPENAPI, answered, {"$ref": "#/components/schemas/Job"}) == []
    described = OPENAPI["components"]["schemas"]["Job"]["properties"].keys()
    assert answered.keys() - json.loads(to_json(job)).keys() == ONLY_IN_ANSWERS
    assert described - JOB["properties"].keys() == ONLY_IN_ANSWERS


@pytest.mark.parametrize(
    ("status", "change"),
    [
        ("queued", {"waitingFor": None}),
        ("queued", {"waitingFor": "godot"}),
        ("queued", {"expectedAt": "2026-01-02T12:00:00Z"}),
        ("processing", {"waitingFor": "turn"}),
        ("succeeded", {"expectedAt": "2026-01-02T12:00:00Z"}),
    ],
)
def test_an_answer_that_cannot_be_is_refused_by_the_schema(status, change):
    job = job_in(Status(status))
    known = Progress(waiting_for=WaitingFor.TURN) if status == "queued" else Progress()
    answered = json.loads(job_json(job, known))

    schema = {"$ref": "#/components/schemas/Job"}
    assert complaints_within(OPENAPI, answered, schema) == []
    assert complaints_within(OPENAPI, answered | change, schema)


WRONG_JOBS = {
    "no status": ("succeeded", {"status": None}),
    "a status that nobody knows": ("succeeded", {"status": "done"}),
    "an id of somebody else": ("queued", {"id": "job_1"}),
    "a time without a zone": ("queued", {"createdAt": "2026-01-02T12:00:00"}),
    "a success without outputs": ("succeeded", {"outputs": []}),
    "outputs while it is open": ("processing", {"outputs": [{"url": "https://a.b/c"}]}),
    "a failure without an error": ("failed", {"error": None}),
    "an end without its moment": ("failed", {"finishedAt": None}),
    "a moment of its end while it is open": ("queued", {"finishedAt": "2026-01-02T12:00:00Z"}),
    "no late outputs": ("failed", {"lateOutputs": []}),
    "late outputs of a success": ("succeeded", {"lateOutputs": [{"url": "https://a.b/c"}]}),
    "a path of an operation that has its own": ("queued", {"path": "/upscale"}),
    "a raw job without a path": ("queued", {"operation": "raw"}),
    "a note that is none": ("queued", {"history": [{"at": "2026-01-02T12:00:00Z"}]}),
}


@pytest.mark.parametrize(("status", "change"), WRONG_JOBS.values(), ids=WRONG_JOBS.keys())
def test_a_job_that_cannot_be_is_refused_by_the_schema(status, change):
    shown = json.loads(to_json(job_in(Status(status)))) | change

    assert complaints(shown, JOB)


CREATE = {"$ref": "#/components/schemas/CreateJob"}


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_every_operation_of_the_catalogue_can_be_asked_for(sample):
    body = {"provider": sample.provider, "operation": sample.operation, "input": sample.input}
    path = {"path": sample.path} if sample.path else {}

    assert complaints_within(OPENAPI, body | path, CREATE) == []
    assert complaints_within(OPENAPI, body | path | {"surprise": 1}, CREATE)
    assert complaints_within(OPENAPI, body | path | {"providerJobId": "a"}, CREATE)


@pytest.mark.parametrize("one", SUBMISSIONS, ids=lambda one: one.path)
def test_every_submission_takes_the_providers_own_body_and_only_gepettos_has_a_webhook(one):
    body = sample_input(one.provider.name, one.operation.name)
    described = OPERATIONS[f"POST {one.path}"]
    schema = described["requestBody"]["content"]["application/json"]["schema"]
    with_webhook = body | {"webhook": "https://example.com/hook"}

    assert complaints_within(OPENAPI, body, schema) == []
    assert complaints_within(OPENAPI, {}, schema)
    assert (complaints_within(OPENAPI, with_webhook, schema) == []) is one.provider.calls_back
    assert complaints_within(OPENAPI, body | {"webhookUrl": "https://example.com/hook"}, schema)
    assert described.get("deprecated", False) is one.operation.is_legacy


@pytest.mark.parametrize("provider", CATALOGUE)
def test_every_field_that_a_create_takes_is_described(provider):
    bodies = [
        one["properties"]
        for one in OPENAPI["components"]["schemas"].values()
        if one.get("properties", {}).get("provider", {}).get("const") == provider
    ]

    assert {name for body in bodies for name in body} == {
        one.encode_name for one in msgspec.structs.fields(CreateBody)
    }
    assert all("callbackUrl" in body for body in bodies)


def test_there_is_an_example_for_every_operation_of_the_catalogue():
    shown = {(one["provider"], one["operation"]) for one in create_examples().values()}

    assert shown == {
        (name, operation) for name, facts in CATALOGUE.items() for operation in facts.operations
    }


def codes_in_the_code():
    """Return every text in the edges that stands where a problem's code does."""
    found: set[object] = set()
    for path in EDGES.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name("HttpProblem"), args=[_, ast.Constant(str(code)), *_]):
                    found.add(code)
                case ast.Tuple(elts=[ast.Attribute(ast.Name("HTTPStatus")), ast.Constant(code), _]):
                    found.add(code)
    return found


def routes():
    """Yield what the API answers, as the OpenAPI file names it."""
    limits = {name: facts.limit for name, facts in CATALOGUE.items()}
    world = World()
    api = world.relay.api(
        CreatePolicy(accounts=()),
        limits=limits,
        tenants={},
        threads=1,
        downloads=world.downloads,
        callback_keys=(),
    )
    for rule, methods in api.routes.methods.items():
        path = re.sub(r"<\w+>", "{id}", rule.replace("<n>", "{n}"))
        for method in methods - {"HEAD"}:
            yield f"{method} {path}"
