"""Whatever is sent to the API: one clear refusal, nothing written, never an error of ours.

The paths come from the API's own routing table, so that a new one is tried by itself.
"""

import json
from io import BytesIO
from itertools import product
from time import process_time

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from relay.assembly import CreatePolicy
from relay.domain.catalogue import CATALOGUE
from relay.edges.api import MAX_BODY_BYTES
from relay.edges.batch import MAX_BATCH_BYTES
from relay.edges.submissions import SUBMISSIONS
from tests.entrypoints.requests import BEARER, BODY
from tests.factories import INPUT, JOB_ID, job_id, unconfirmed_job
from tests.fakes import World

# One submission of each provider stands for all: they differ in their catalogue entry only.
ALIKE = {one.path for one in SUBMISSIONS} - {"/v1/furnish", "/api/v1/generate/standard"}
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"}
ASSET = "/console/0123456789abcdef/app.js"
OPEN_TO_ALL = {"/healthz", "/console", ASSET}
BATCH = "/v1/jobs:batch"
ON_A_JOB = ("cancel", "retry", "redeliver")


def routes():
    """Return the methods of every path, with the id of a job in its place."""
    allowed: dict[str, set[str]] = {}
    for rule, methods in (
        World()
        .relay.api(
            CreatePolicy(accounts=()),
            limits={},
            tenants={},
            threads=1,
            downloads=World().downloads,
            callback_keys=(),
        )
        .routes.methods.items()
    ):
        path = rule.replace("<job_id>", JOB_ID).replace("<n>", "0")
        path = path.replace("/console/<digest>/<path:name>", ASSET)
        if path in ALIKE:
            continue
        assert "<" not in path, f"say what goes into {path}"
        allowed[path] = methods
    return allowed


ROUTES = routes()
POSTS = sorted(path for path, methods in ROUTES.items() if "POST" in methods)
CALLS_ON_A_JOB = [
    (path, method)
    for path in sorted(ROUTES)
    if JOB_ID in path
    for method in sorted(ROUTES[path] - {"HEAD"})
]

TEXT = json.dumps(BODY)
NOT_JSON = {
    "a blank": b" ",
    "words": b"hello",
    "cut short": TEXT.encode()[:-1],
    "two values": b"{}{}",
    "a comma too many": b'{"a":1,}',
    "a comment": b"{} // nothing",
    "a form": b"provider=gepetto&operation=redesign",
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":[-Infinity]}',
    "a number beyond all": b'{"a":1e999}',
    "an integer of 5,000 digits": b'{"a":%s}' % (b"1" * 5000),
    "a raw NUL": b'{"a":"\x00"}',
    "a NUL alone": b"\x00",
    "a NUL after it": b"{}\x00",
    "a raw line break in a text": b'{"a":"\n"}',
    "half an emoji": rb'{"a":"\ud83d"}',
    "the other half": rb'{"a":"\ude00"}',
    "half an emoji in a name": rb'{"\ud83d":1}',
    "a surrogate in UTF-8": b'{"a":"\xed\xa0\xbd"}',
    "no UTF-8": b'{"a":"\xff"}',
    "an overlong slash": b'{"a":"\xc0\xaf"}',
    "Latin-1": '{"a":"ü"}'.encode("latin-1"),
    "UTF-16": "{}".encode("utf-16"),
    "UTF-32": "{}".encode("utf-32"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a name twice": b'{"provider":"gepetto","provider":"gepetto"}',
    "a name twice, once escaped": rb'{"provider":"gepetto","\u0070rovider":"spacely"}',
    "a name twice within": b'{"input":{"url":"a","url":"b"}}',
    "a name twice in a list within": b'{"input":[{"b":[{"c":1,"c":1}]}]}',
    "the empty name twice": b'{"":1,"":2}',
    "100,000 brackets": b"[" * 100_000,
    "100,000 brackets that are closed": b"[" * 100_000 + b"]" * 100_000,
    "50,000 objects": b'{"":' * 50_000 + b"1" + b"}" * 50_000,
    "100,000 brackets within": b'{"input":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}
WRONG = {
    "null": (b"null", ""),
    "true": (b"true", ""),
    "a number": (b"0", ""),
    "a text": (b'"job"', ""),
    "an empty text": (b'""', ""),
    "a list": (b"[]", ""),
    "a list of bodies": (b"[{}]", ""),
    "an unknown field": (b'{"webhook":1}', "/webhook"),
    "an unknown field without a name": (b'{"":1}', "/"),
    "an unknown field with odd marks": (b'{"a/b~c":1}', "/a~1b~0c"),
    "an unknown field that looks like a place": (b'{"a` - at `$.b":1}', "/a` - at `$.b"),
    "an unknown field in another alphabet": ('{"поле 🛋":1}'.encode(), "/поле 🛋"),
    "a prototype": (b'{"__proto__":{}}', "/__proto__"),
    "an escaped NUL": (rb'{"a":"\u0000"}', "/a"),
    "an escaped NUL in a name": (rb'{"a":[{"\u0000":1}]}', "/a/0"),
    "an escaped NUL far within": (rb'{"a/b":[0,{"~":["x\u0000"]}]}', "/a~1b/1/~0/0"),
}
# More than other properties have: they are shared by all paths.
EXAMPLES = 3 * settings().max_examples
DEPTHS = [33, 100, 500, 900, 950, 970, 980, 990, 1000, 1010, 5000]


def send(api, path, body, headers=BEARER, **more):
    return api.post(
        path, data=body, headers=headers, **({"content_type": "application/json"} | more)
    )


def refusal_at(path):
    """Return the status of a wrong body: providers document 400 for their own."""
    return 400 if path in {one.path for one in SUBMISSIONS} else 422


def assert_refused(answer, *statuses, code=None):
    """Expect a problem with a code, and no other kind of answer."""
    assert answer.status_code in statuses, (answer.request.path, answer.text)
    assert 400 <= answer.status_code < 500
    assert answer.mimetype == "application/problem+json"
    if answer.request.method == "HEAD":
        return
    problem = answer.json
    assert problem["status"] == answer.status_code
    assert problem["title"]
    assert problem["detail"]
    assert problem["code"] == (code or problem["code"])


def most_bytes(path):
    return MAX_BATCH_BYTES if path == BATCH else MAX_BODY_BYTES


def assert_too_long(answer, path, headers):
    """Expect a 413; of a stranger's batch not even the length is looked at."""
    if path == BATCH and headers != BEARER:
        assert_refused(answer, 401, code="unauthenticated")
    else:
        assert_refused(answer, 413, code="body_too_large")


def assert_untouched(world):
    assert world.jobs.writes == 0
    assert world.jobs.job() == unconfirmed_job()
    assert (world.topics.events, world.topics.ticks) == ([], [])


@pytest.fixture(autouse=True)
def _a_job_that_every_call_could_change(world):
    world.jobs.put(unconfirmed_job())


@pytest.fixture
def api(make_api):
    return make_api(accounts=CATALOGUE)


def test_every_post_is_tried():
    ours = {"/v1/jobs", BATCH, *(f"/v1/jobs/{JOB_ID}/{one}" for one in ON_A_JOB)}

    assert ours | {"/v1/furnish", "/api/v1/generate/standard"} <= set(POSTS)


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_what_is_not_json_is_400(api, world, body):
    for path in POSTS:
        assert_refused(send(api, path, body), 400, code="malformed_json")
    assert world.jobs.calls == []
    assert_untouched(world)


@pytest.mark.parametrize(("body", "pointer"), WRONG.values(), ids=WRONG.keys())
def test_json_that_is_no_request_is_refused_and_points_at_the_culprit(api, world, body, pointer):
    for path in POSTS:
        answer = send(api, path, body)
        assert_refused(answer, refusal_at(path), code="invalid_request")
        assert (path, answer.json["pointer"]) == (path, pointer)
    assert world.jobs.calls == []
    assert_untouched(world)


@pytest.mark.parametrize(("left", "right"), [("[", "]"), ('{"a":', "}")], ids=["lists", "objects"])
@pytest.mark.parametrize("around", ['{"input":%s}', "%s"], ids=["in a field", "alone"])
def test_what_is_nested_too_deeply_is_a_refusal_and_no_error_of_ours(
    api, world, left, right, around
):
    for path, depth in product(POSTS, DEPTHS):
        deep = around % (left * depth + "1" + right * depth)
        assert_refused(send(api, path, deep.encode()), 400, 422)
    assert_untouched(world)


@pytest.mark.parametrize(("left", "right"), [("[", "]"), ('{"a":', "}")], ids=["lists", "objects"])
def test_an_input_that_is_nested_one_too_deeply_is_refused(api, world, left, right):
    raw = {"provider": "gepetto", "operation": "raw", "path": "/upscale", "input": {"a": "?"}}

    for depth in DEPTHS:
        deep = left * (depth - 1) + "1" + right * (depth - 1)
        body = json.dumps(raw).replace('"?"', deep)
        assert_refused(send(api, "/v1/jobs", body.encode()), 400, 422)
    assert_untouched(world)


@pytest.mark.parametrize("path", POSTS)
def test_a_body_with_a_name_twice_among_many_costs_no_more_than_any_other(api, path):
    names = ",".join(f'"{number:x}":0' for number in range(9_900))
    body = f'{{{names},"last":0,"last":0}}'

    began_s = process_time()
    answer = send(api, path, body.encode())
    took_s = process_time() - began_s

    assert_refused(answer, 400, code="malformed_json")
    assert "'last'" in answer.json["detail"]
    assert took_s < 1


@pytest.mark.parametrize("headers", [BEARER, {}], ids=["a caller", "a stranger"])
@pytest.mark.parametrize("byte", [b" ", b"[", b"\xff"], ids=["blanks", "brackets", "no UTF-8"])
def test_what_is_too_long_is_413_before_anything_else_is_looked_at(api, world, headers, byte):
    for path in POSTS:
        body = byte * (most_bytes(path) + 1)
        answer = send(api, path, body, headers, content_type="text/plain")
        assert_too_long(answer, path, headers)
    assert_untouched(world)


@pytest.mark.parametrize("headers", [BEARER, {}], ids=["a caller", "a stranger"])
def test_what_is_too_long_is_413_also_if_it_does_not_say_so(api, world, headers):
    for path in POSTS:
        answer = api.post(
            path,
            input_stream=BytesIO(b" " * (most_bytes(path) + 1)),
            headers=headers,
            environ_overrides={"wsgi.input_terminated": True},
        )
        assert_too_long(answer, path, headers)
    assert_untouched(world)


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"hello", "application/json"), (b"", "application/json"), (b"{}", "text/plain")],
    ids=["no JSON", "nothing", "another type"],
)
@pytest.mark.parametrize(
    "headers", [{}, {"Idempotency-Key": ""}, {"X-API-KEY": "wrong"}], ids=["none", "odd", "wrong"]
)
def test_a_stranger_is_401_whatever_else_is_wrong(api, world, body, kind, headers):
    for path in POSTS:
        answer = send(api, path, body, headers, content_type=kind)
        assert_refused(answer, 401, code="unauthenticated")
    assert world.jobs.calls == []


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json", "x"],
)
@pytest.mark.parametrize("body", [b"{}", b"hello"], ids=["JSON", "no JSON"])
def test_another_media_type_is_415_before_the_body_is_read(api, world, kind, body):
    for path in POSTS:
        answer = send(api, path, body, content_type=kind)
        assert_refused(answer, 415, code="unsupported_media_type")
    assert_untouched(world)


@pytest.mark.parametrize("length", ["abc", "-1", "1e3", "9" * 30])
def test_a_length_that_is_none_is_no_error_of_ours(api, length):
    for path in POSTS:
        answer = api.post(path, headers=BEARER, environ_overrides={"CONTENT_LENGTH": length})
        assert answer.status_code < 500, path


def test_a_job_without_a_body_is_400(api, world):
    for answer in (send(api, "/v1/jobs", b""), api.post("/v1/jobs", headers=BEARER)):
        assert_refused(answer, 400, code="malformed_json")
    assert_untouched(world)


@pytest.mark.parametrize("path", sorted(ROUTES))
@pytest.mark.parametrize("headers", [BEARER, {}], ids=["a caller", "a stranger"])
def test_a_method_that_a_path_does_not_know_is_405_and_names_those_it_does(
    api, world, path, headers
):
    for method in sorted(METHODS - ROUTES[path]):
        answer = api.open(path, method=method, headers=headers, data=b" " * (MAX_BODY_BYTES + 1))
        assert_refused(answer, 405, code="method_not_allowed")
        assert set(answer.headers["Allow"].split(", ")) == ROUTES[path]
    assert world.jobs.calls == []


@pytest.mark.parametrize("path", sorted(set(ROUTES) - OPEN_TO_ALL))
def test_without_a_key_no_path_says_anything(api, world, path):
    for method in sorted(ROUTES[path] - {"HEAD"}):
        assert_refused(api.open(path, method=method), 401, code="unauthenticated")
    assert world.jobs.calls == []


@pytest.mark.parametrize(
    "odd",
    [
        "%00",
        "%00" + JOB_ID,
        JOB_ID + "%00",
        JOB_ID + "%20",
        JOB_ID.upper(),
        JOB_ID[:-1],
        JOB_ID + "0",
        "job_" + "%D9%A1" * 26,
        "%ff",
        "%c0%af",
        "%ed%a0%bd",
        "%e2%80%ae",
        "..",
        "%2e%2e",
        ".",
        "%5c..%5c",
        "%",
        "%zz",
        "%25%30%30",
        ";",
        "__proto__",
        "a" * 501,
        "a" * 60_000,
        "%F0%9F%9B%8B" * 200,
        "%2F",
        "a%2Fb",
        "%2F%2Fexample.com",
        "..%2F" + JOB_ID,
    ],
    ids=lambda one: one[:24],
)
def test_an_id_that_is_none_is_a_job_that_is_not_there(api, world, odd):
    for path, method in CALLS_ON_A_JOB:
        answer = api.open(path.replace(JOB_ID, odd), method=method, headers=BEARER)
        assert_refused(answer, 400, 404)
        assert answer.json["code"] in ("job_not_found", "not_found")
    assert_untouched(world)


@pytest.mark.parametrize(
    "path",
    [
        "/%00",
        "/v1/jobs%00",
        "/v1%2Fjobs/x/y",
        "/v1/jobs;x",
        "/v1/jobs.json",
        "/V1/jobs",
        "/%ff",
        "/%2F%2Fexample.com",
        "/v1/jobs/%2e%2e/jobs",
        "/" + "a" * 60_000,
        "/" + "a/" * 20_000,
    ],
    ids=lambda one: one[:24],
)
def test_a_path_of_junk_is_404(api, world, path):
    for method in ("GET", "POST", "PUT"):
        assert_refused(api.open(path, method=method, headers=BEARER), 404, code="not_found")
    assert_untouched(world)


@pytest.mark.parametrize(
    "path",
    [f"/v1/jobs/{JOB_ID}%0A", "/v1/jobs/%0A/cancel", "/v1/jobs%0D%0AX: y", "/robots.txt"],
)
def test_a_path_that_the_framework_keeps_to_itself_is_our_404_too(api, world, path):
    for method in ("GET", "POST", "PUT"):
        assert_refused(api.open(path, method=method, headers=BEARER), 404, code="not_found")
    assert_untouched(world)


JUNK = (
    "%00=%00",
    "%ff=%ff",
    "=",
    "&&&",
    ";",
    "%",
    "%zz",
    "a[]=1",
    "refId=%00",
    "refId=%ff%2F",
    "pageToken=%00",
    "status=%ff",
    "metadata.%00=%00",
    "metadata.%ed%a0%bd=%ed%a0%bd",
    "x" * 60_000,
    "a&" * 20_000,
)


@pytest.mark.parametrize("path", sorted(ROUTES))
def test_a_query_of_junk_is_no_error_of_ours(api, path):
    for query, method in product(JUNK, sorted(ROUTES[path])):
        answer = api.open(f"{path}?{query}", method=method, headers=BEARER)
        assert not 300 <= answer.status_code < 400, (method, query[:24])
        assert answer.status_code < 500, (method, query[:24])


@settings(max_examples=EXAMPLES)
@given(path=st.sampled_from(POSTS), body=st.binary(max_size=200))
def test_any_bytes_are_a_body_that_is_understood_or_refused(api, world, path, body):
    assert_answered_or_refused(api, world, path, body)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from(["gepetto", "redesign", "raw", "/upscale", "resubmit", INPUT["url"]]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["url", "styleId", "creativity", "webhook", "a"]) | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
KNOWN = (*BODY, "path", "providerJobId", "deadlineSeconds", "onUnconfirmed", "priority")
FIELDS = dict.fromkeys((*KNOWN, "tenant", "id"), JSON)


@settings(max_examples=EXAMPLES)
@given(path=st.sampled_from(POSTS), given=JSON)
def test_any_json_is_a_body_that_is_understood_or_refused(api, world, path, given):
    assert_answered_or_refused(api, world, path, json.dumps(given).encode())


@given(changes=st.fixed_dictionaries({}, optional=FIELDS))
def test_any_value_in_any_field_of_a_job_is_taken_or_refused(api, world, changes):
    assert_answered_or_refused(api, world, "/v1/jobs", json.dumps(BODY | changes).encode())


@settings(max_examples=EXAMPLES)
@given(
    path=st.sampled_from(POSTS),
    name=st.text(max_size=30) | st.sampled_from(["x` - at `$.input", "x field `y", "$.a"]),
)
def test_an_unknown_field_is_pointed_at_whatever_its_name(api, path, name):
    assume(name not in (*KNOWN, "jobs") and "\0" not in name)
    known = BODY if path == "/v1/jobs" else {}

    answer = send(api, path, json.dumps(known | {name: 1}))

    token = name.replace("~", "~0").replace("/", "~1")
    assert_refused(answer, refusal_at(path), code="invalid_request")
    assert answer.json["pointer"] == f"/{token}"


def assert_answered_or_refused(api, world, path, body):
    world.jobs.put(unconfirmed_job(), unconfirmed_job(id=job_id(2), tenant="other"))
    writes, events = world.jobs.writes, len(world.topics.events)

    answer = send(api, path, body)

    assert world.jobs.job(job_id(2)) == unconfirmed_job(id=job_id(2), tenant="other")
    if answer.status_code in (200, 201):
        assert answer.json["id"] in world.jobs.ids
        return
    # The job has no callback.
    conflicts = (409,) if path.endswith("/redeliver") else ()
    assert_refused(answer, 400, 422, *conflicts)
    assert (world.jobs.writes, len(world.topics.events)) == (writes, events)
    assert world.jobs.job() == unconfirmed_job()
