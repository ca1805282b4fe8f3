"""Errors as callers see them: everything at once, with hints, and with the request's id."""

import json
import logging
import re

import pytest

from relay import bootstrap, logs
from tests.entrypoints.requests import BEARER, BODY, create
from tests.factories import INPUT, JOB_ID

TRACE_ID = "0123456789abcdef0123456789abcdef"
TRACED = {"traceparent": f"00-{TRACE_ID}-0123456789abcdef-01"}


def pointers(answer):
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_request")
    return [one["pointer"] for one in answer.json["errors"]]


def without(name, **changes):
    return {key: value for key, value in INPUT.items() if key != name} | changes


SEVERAL = {
    "three of the input": (
        BODY | {"input": without("styleId", creativity=31, colour="red")},
        ["/input/colour", "/input/styleId", "/input/creativity"],
    ),
    "the body and the input": (
        BODY | {"input": without("roomId"), "deadlineSeconds": 5, "priority": "high"},
        ["/deadlineSeconds", "/priority", "/input/roomId"],
    ),
    "the path and the input": (
        BODY | {"path": "/redesign", "input": without("url")},
        ["/path", "/input/url"],
    ),
    "a path of another type": (
        {"provider": "gepetto", "operation": "raw", "input": {"webhook": "x"}, "path": 7},
        ["/path", "/input/webhook"],
    ),
    "an operation that nobody knows, and the body": (
        BODY | {"operation": "paint", "metadata": []},
        ["/metadata", "/operation"],
    ),
    "no input either": (
        {"provider": "gepetto", "operation": "paint"},
        ["/input", "/operation"],
    ),
    "an input of another type": (
        BODY | {"input": [], "surprise": 1},
        ["/surprise", "/input"],
    ),
    "both of what excludes each other, and the input": (
        BODY | {"providerJobId": "abc", "input": without("url")},
        ["/providerJobId", "/input/url"],
    ),
    "both of a webhook and a wrong URL": (
        BODY | {"input": INPUT | {"webhook": "https://a.b", "url": "http://example.com/a.jpg"}},
        ["/input/webhook", "/input/url"],
    ),
}


@pytest.mark.parametrize(("body", "expected"), SEVERAL.values(), ids=SEVERAL.keys())
def test_a_create_that_is_wrong_in_several_places_names_them_all(api, world, body, expected):
    answer = create(api, body)

    assert pointers(answer) == expected
    assert answer.json["pointer"] == expected[0]
    assert answer.json["detail"].startswith(f"{len(expected)} mistakes: ")
    for one in answer.json["errors"][:3]:
        assert one["detail"] in answer.json["detail"]
    assert world.jobs.calls == []


def test_a_single_mistake_is_listed_too_and_is_the_detail(api):
    answer = create(api, BODY | {"input": without("styleId")})

    detail = "input.styleId is required"
    assert answer.json["errors"] == [{"pointer": "/input/styleId", "detail": detail}]
    assert answer.json["detail"] == detail


def test_a_query_that_is_wrong_in_several_places_names_them_all(api):
    answer = api.get(
        "/v1/jobs?statuses=failed&pageSize=0&provider=gepeto&pageToken=a&pageToken=b",
        headers=BEARER,
    )

    assert (answer.status_code, answer.json["code"]) == (400, "invalid_query")
    mistakes = {one["parameter"]: one["detail"] for one in answer.json["errors"]}
    assert mistakes.keys() == {"statuses", "pageSize", "provider", "pageToken"}
    assert "did you mean `status`?" in mistakes["statuses"]
    assert "did you mean `gepetto`?" in mistakes["provider"]
    assert answer.json["parameter"] == answer.json["errors"][0]["parameter"]


def test_a_query_of_thousands_of_mistakes_is_answered_with_a_few(api):
    query = "&".join(f"a{number}=1" for number in range(5_000))

    answer = api.get(f"/v1/jobs?{query}", headers=BEARER)

    assert len(answer.json["errors"]) == 20


@pytest.mark.parametrize(
    ("change", "near"),
    [
        ({"operation": "redesing"}, "redesign"),
        ({"provider": "Gepetto"}, "gepetto"),
        ({"input": without("styleId", styelId="modern")}, "styleId"),
        ({"input": INPUT | {"preserve_walls": True}}, "preserveWalls"),
    ],
    ids=str,
)
def test_a_misspelt_name_is_answered_with_the_right_one(api, change, near):
    answer = create(api, BODY | change)

    assert f"did you mean `{near}`?" in answer.json["detail"]


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("/v1/job", "/v1/jobs"),
        ("/jobs", "/v1/jobs"),
        ("/v1/Jobs", "/v1/jobs"),
        ("/v1/jobs/", "/v1/jobs"),
        ("/v1/provider", "/v1/providers"),
        ("/health", "/healthz"),
        (f"/v1/jobs/{JOB_ID}/cancle", "/v1/jobs/{id}/cancel"),
        (f"/v1/job/{JOB_ID}/retry", "/v1/jobs/{id}/retry"),
        ("/v1/generate/poll-result", "/api/v1/generate/poll-result"),
        ("/", None),
        ("/wp-login.php", None),
        ("/" + "v1/jobs/" * 1_000, None),
    ],
    ids=lambda one: str(one)[:40],
)
def test_an_unknown_path_is_answered_with_the_known_one_most_like_it(api, path, near):
    for headers in (BEARER, {}):
        answer = api.get(path, headers=headers)

        assert (answer.status_code, answer.json["code"]) == (404, "not_found")
        found = re.search("did you mean `(.*)`", answer.json["detail"])
        assert (found and found[1]) == near


ANSWERS = {
    200: ("GET", "/healthz"),
    401: ("GET", "/v1/jobs"),
    404: ("GET", "/nowhere"),
    405: ("PATCH", "/v1/jobs"),
}


@pytest.mark.parametrize(("status", "call"), ANSWERS.items(), ids=str)
def test_every_answer_has_the_id_of_its_trace(api, status, call):
    method, path = call

    answer = api.open(path, method=method, headers=TRACED)

    assert (answer.status_code, answer.headers["X-Request-Id"]) == (status, TRACE_ID)


def test_a_path_that_the_framework_keeps_to_itself_has_an_id_too(api):
    answer = api.get("/robots.txt", headers=TRACED)

    assert (answer.status_code, answer.headers["X-Request-Id"]) == (404, TRACE_ID)


def test_without_a_trace_each_answer_has_an_id_of_its_own(api):
    ids = {api.get("/healthz").headers["X-Request-Id"] for _ in range(3)}

    assert len(ids) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)


@pytest.mark.parametrize("path", ["/gepetto/x/y", "/nowhere"])
def test_answers_of_the_webhook_have_ids_and_its_404_no_hint(webhook, path):
    answer = webhook.post(path, headers=TRACED)

    assert (answer.status_code, answer.headers["X-Request-Id"]) == (404, TRACE_ID)
    assert answer.json["detail"] == "there is nothing here"


@pytest.fixture
def logging_as_deployed():
    before = logging.root.handlers[:], logging.root.level
    logs.configure(level="INFO", project="p")
    yield
    logging.root.handlers[:], logging.root.level = before


@pytest.mark.usefixtures("logging_as_deployed")
def test_a_fault_of_ours_is_a_problem_whose_id_leads_to_the_traceback(serve, monkeypatch, capsys):
    def broken():
        raise RuntimeError("a bug with a secret in it")

    monkeypatch.setattr(bootstrap, "jobs_api", broken)

    answer = serve("jobs_api", "http").get("/v1/jobs", headers=TRACED)

    assert (answer.status_code, answer.json["code"]) == (500, "internal_error")
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["X-Request-Id"] == TRACE_ID
    assert answer.headers["X-Google-Status"] == "crash"
    assert "secret" not in answer.text
    logged = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (line,) = [one for one in logged if "a bug" in one.get("stack_trace", "")]
    assert line["logging.googleapis.com/trace"] == f"projects/p/traces/{TRACE_ID}"


@pytest.mark.usefixtures("logging_as_deployed")
def test_what_a_create_logs_is_found_by_the_id_of_its_answer(api, capsys):
    answer = create(api, BODY)

    logged = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (line,) = [one for one in logged if one["message"] == "job created"]
    assert line["logging.googleapis.com/trace"].endswith(f"/{answer.headers['X-Request-Id']}")
