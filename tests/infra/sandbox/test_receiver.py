"""The sandbox's receiver of callbacks: signatures, memory and misbehaviour."""

import json
from collections.abc import Mapping

import pytest
from werkzeug.test import TestResponse

from infra.sandbox.provider_api import HELD_S, HungUpError
from tests.infra.sandbox.test_provider_api import NOON, Sandbox, a_sandbox

# The example of the specification's reference libraries, tests/test_webhooks.py of its Python
# package: secret, id, time, body and signature.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
SIGNED_AT = 1_614_265_330


def a_receiver(*secrets: str, now: float = SIGNED_AT, behave: str = "") -> Sandbox:
    """Return a sandbox whose clock shows *now*, with the secrets of receiver demo."""
    sandbox = a_sandbox(behave)
    sandbox.clock.now = now - NOON
    if secrets:
        assert put_secrets(sandbox, {"secrets": secrets}).status_code == 204
    return sandbox


def put_secrets(sandbox: Sandbox, body: object) -> TestResponse:
    return sandbox.http.put("/sandbox/callbacks/demo/secrets", json=body)


def post(
    sandbox: Sandbox, headers: Mapping[str, str] = HEADERS, asked: str = "", body: bytes = BODY
) -> int:
    query = f"?sandbox={asked}" if asked else ""
    return sandbox.http.post(f"/callbacks/demo{query}", data=body, headers=headers).status_code


def received(sandbox: Sandbox, query: str = ""):
    return sandbox.http.get(f"/sandbox/callbacks{query}").json["callbacks"]


def test_a_callback_is_answered_and_remembered():
    sandbox = a_receiver(SECRET)

    assert post(sandbox) == 204
    assert received(sandbox) == [
        {
            "number": 1,
            "at": SIGNED_AT,
            "receiver": "demo",
            "query": "",
            "id": HEADERS["webhook-id"],
            "signature": "good",
            "body": json.loads(BODY),
            "status": 204,
        }
    ]


@pytest.mark.parametrize(
    ("changed", "signature"),
    [
        ({"webhook-signature": f"v1,AAAA v2,x {HEADERS['webhook-signature']}"}, "good"),
        ({"webhook-signature": "v1,AAAA"}, "wrong"),
        ({"webhook-signature": "\u00e9"}, "wrong"),
        ({"webhook-signature": ""}, "missing"),
        ({"webhook-timestamp": "1614265331"}, "wrong"),
        ({"webhook-timestamp": ""}, "missing"),
        ({"webhook-id": "msg_other"}, "wrong"),
        ({"webhook-id": ""}, "missing"),
    ],
)
def test_a_signature_is_checked_as_the_specification_says(changed, signature):
    sandbox = a_receiver("whsec_AAAA", SECRET)

    status = post(sandbox, HEADERS | changed)

    assert status == (204 if signature == "good" else 401)
    assert [one["signature"] for one in received(sandbox)] == [signature]


def test_a_changed_body_is_refused():
    assert post(a_receiver(SECRET), body=BODY + b" ") == 401


@pytest.mark.parametrize(
    ("after_s", "signature"), [(300, "good"), (301, "stale"), (-300, "good"), (-301, "stale")]
)
def test_a_signature_is_good_for_five_minutes(after_s, signature):
    sandbox = a_receiver(SECRET, now=SIGNED_AT + after_s)

    post(sandbox)

    assert received(sandbox)[0]["signature"] == signature


def test_without_secrets_nothing_is_checked():
    sandbox = a_receiver()

    assert post(sandbox, {}, body=b"\xff") == 204
    assert [(one["signature"], one["body"]) for one in received(sandbox)] == [
        ("unchecked", "\ufffd")
    ]


def test_each_receiver_has_its_own_secrets():
    sandbox = a_receiver(SECRET)

    assert sandbox.http.post("/callbacks/other", data=BODY).status_code == 204
    assert [one["receiver"] for one in received(sandbox, "?receiver=other")] == ["other"]
    assert received(sandbox, "?receiver=demo") == []
    assert received(sandbox, "?after=1") == []


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"secrets": "x"},
        {"secrets": ["x"]},
        {"secrets": ["whsec_"]},
        {"secrets": [], "x": 1},
    ],
    ids=str,
)
def test_secrets_that_are_none_are_refused_and_change_nothing(body):
    sandbox = a_receiver(SECRET)

    answer = put_secrets(sandbox, body)

    assert (answer.status_code, "whsec_" in answer.text) == (400, True)
    assert post(sandbox, HEADERS | {"webhook-signature": "v1,AAAA"}) == 401


def test_a_status_is_answered_as_asked():
    sandbox = a_receiver(SECRET)

    assert [post(sandbox, asked="callback-status=410") for _ in range(2)] == [410, 410]
    assert [one["status"] for one in received(sandbox)] == [410, 410]


def test_a_redirect_leads_back_without_its_query():
    sandbox = a_receiver()

    answer = sandbox.http.post("/callbacks/demo?sandbox=callback-status=307", data=BODY)

    assert answer.location == "http://localhost/callbacks/demo"


def test_a_busy_receiver_says_when_to_come_again():
    answer = a_receiver().http.post("/callbacks/demo?sandbox=callback-status=503", data=BODY)

    assert answer.headers["Retry-After"] == "2"


@pytest.mark.parametrize(
    ("asked", "statuses"),
    [
        ("callback-fails=1", [500, 204]),
        ("callback-fails=2,callback-status=429", [429, 429, 204]),
        ("callback-fails", [500, 500, 500]),
    ],
)
def test_a_receiver_can_fail_for_the_first_tries_of_an_event(asked, statuses):
    sandbox = a_receiver(SECRET)

    assert [post(sandbox, asked=asked) for _ in statuses] == statuses


def test_tries_are_counted_for_each_event():
    sandbox = a_receiver()

    tries = [
        post(sandbox, {"webhook-id": event_id}, asked="callback-fails=1") for event_id in "abab"
    ]

    assert tries == [500, 500, 204, 204]


@pytest.mark.parametrize(("behaviour", "after_s"), [("hang", HELD_S), ("close", 0.0)])
def test_a_receiver_can_leave_the_first_tries_unanswered(behaviour, after_s):
    sandbox = a_receiver(SECRET)
    began = sandbox.clock.now

    with pytest.raises(HungUpError):
        post(sandbox, asked=f"callback-{behaviour}=1")

    assert sandbox.clock.now == pytest.approx(began + after_s)
    assert post(sandbox, HEADERS | {"webhook-id": "x"}) == 401
    assert [one["status"] for one in received(sandbox)] == [None, 401]


def test_a_slow_receiver_answers_that_much_later():
    sandbox = a_receiver(SECRET)

    assert post(sandbox, asked="callback-slow=20") == 204
    assert sandbox.clock.now == SIGNED_AT + 20 - NOON


def test_callbacks_misbehave_server_wide_until_that_is_ended():
    sandbox = a_receiver(behave="callback-status=500")

    statuses = [post(sandbox)]
    sandbox.http.put("/sandbox/behaviour", json={})

    assert [*statuses, post(sandbox)] == [500, 204]


def test_a_behaviour_of_callbacks_leaves_renders_alone():
    sandbox = a_sandbox("callback-fails,callback-hang")
    sandbox.redesign()

    (job,) = sandbox.seen("jobs")["jobs"]

    assert set(job["behaviour"]) == {"render-s"}


@pytest.mark.parametrize("asked", ["webhook-lost", "account", "callback-status=99", "x"])
def test_what_is_no_behaviour_of_callbacks_is_refused_with_its_name(asked):
    answer = a_receiver().http.post(f"/callbacks/demo?sandbox={asked}")

    assert (answer.status_code, asked.partition("=")[0] in answer.text) == (400, True)


def test_a_render_cannot_ask_for_a_behaviour_of_callbacks():
    answer = a_sandbox().redesign("callback-hang")

    assert (answer.status_code, "callback-hang" in answer.text) == (400, True)


def test_a_provider_does_not_receive_callbacks():
    answer = a_sandbox().http.put("/sandbox/behaviour", json={"spacely:callback-hang": 1})

    assert (answer.status_code, "callback-hang" in answer.text) == (400, True)


def test_a_reset_forgets_what_was_received_and_keeps_the_secrets():
    sandbox = a_receiver(SECRET)
    post(sandbox)

    sandbox.http.post("/sandbox/reset")

    assert received(sandbox) == []
    assert post(sandbox, {}) == 401
