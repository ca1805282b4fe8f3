"""Callbacks as callers meet them: asked for, shown, signed, delivered, and delivered again."""

import base64
import hashlib
import hmac
from dataclasses import replace

import pytest

from relay.application.job_creator import NewJob, body_digest
from relay.domain.callback import Callback, CallbackShape, DeliveryStatus, after_attempt
from relay.domain.catalogue import CATALOGUE
from relay.domain.events import published
from relay.domain.job import OnUnconfirmed, Status
from tests.entrypoints.requests import BEARER, BODY, KEY, OTHER, create, create_batch, follow
from tests.entrypoints.test_tick import push
from tests.factories import JOB_ID, NOON, a_job, finished_job, job_id
from tests.fakes import CALLBACK_KEYS

HOOK = "https://hooks.example.com/renders?shop=7"
TICK = b'{"account": "callbacks"}'
REDELIVER = f"/v1/jobs/{JOB_ID}/redeliver"


def ended(*, shape=CallbackShape.EVENT, **changes):
    """Return a job whose completion event is out and due at its callback."""
    job = finished_job(
        changes.pop("status", Status.SUCCEEDED),
        callback=Callback(url=HOOK, shape=shape),
        **changes,
    )
    for event in job.unpublished:
        job = published(job, event.id, at=NOON)
    return job


def tried(job, status):
    """Return the job after its first event was posted and answered so."""
    callback = job.callback
    after = after_attempt(
        callback, callback.deliveries[0], http_status=status, retry_after_s=None, at=NOON
    )
    return replace(job, callback=after)


def test_a_job_with_a_callback_url_has_a_callback_that_waits(api, world):
    answer = create(api, BODY | {"callbackUrl": HOOK})

    assert answer.status_code == 201
    assert answer.json["callback"] == {
        "url": HOOK,
        "status": "waiting",
        "attempts": 0,
        "lastStatus": None,
        "nextAt": None,
    }
    assert world.jobs.job(answer.json["id"]).callback == Callback(url=HOOK)


def test_a_job_without_a_callback_url_has_none(api, world):
    answer = create(api, BODY)

    assert answer.json["callback"] is None
    assert world.jobs.job(answer.json["id"]).callback is None


def test_a_followed_job_may_have_a_callback(api, world):
    answer = follow(api, "theirs-1", callbackUrl=HOOK)

    assert answer.status_code == 201
    assert world.jobs.job(answer.json["id"]).callback == Callback(url=HOOK)


def test_each_job_of_a_batch_may_have_its_own(api):
    answer = create_batch(
        api, [BODY | {"callbackUrl": HOOK}, BODY, BODY | {"callbackUrl": "http://127.0.0.1/"}]
    )

    first, second, third = answer.json["results"]
    assert (first["job"]["callback"]["url"], second["job"]["callback"]) == (HOOK, None)
    assert (third["status"], third["problem"]["pointer"]) == (422, "/callbackUrl")


LONG = "https://hooks.example.com/" + "a" * 2048
WRONG = {
    "no text": (7, "callbackUrl must be a string"),
    "null": (None, "callbackUrl must be a string"),
    "empty": ("", "callbackUrl must be an https URL"),
    "no URL": ("soon", "callbackUrl must be an https URL"),
    "http": ("http://hooks.example.com/", "callbackUrl must be an https URL"),
    "too long": (LONG, "callbackUrl must be a URL of at most 2048 characters"),
    "localhost": ("https://localhost/", "callbackUrl must have a public host name"),
    "private": ("https://10.0.0.1/", "callbackUrl must have a public host name"),
    "metadata": ("https://169.254.169.254/", "callbackUrl must have a public host name"),
    "a shorthand": ("https://2130706433/", "callbackUrl must have a public host name"),
    "an IPv6 address": (
        "https://[2606:4700::1111]/",
        "callbackUrl must have a host with an IPv4 address",
    ),
    "a host that no resolver takes": (
        f"https://{'a.' * 150}com/",
        "callbackUrl must have a public host name",
    ),
    "another alphabet": (
        "https://stra\u00dfe.example/",
        "callbackUrl must have its host in ASCII, as in xn--mller-kva.example",
    ),
    "another port": ("https://hooks.example.com:8443/", "callbackUrl must be on port 443"),
    "a password": (
        "https://me:secret@hooks.example.com/",
        "callbackUrl must have no user name and no password",
    ),
}


@pytest.mark.parametrize(("url", "detail"), WRONG.values(), ids=WRONG.keys())
def test_a_callback_url_that_may_not_be_called_is_422_and_named(api, world, url, detail):
    answer = create(api, BODY | {"callbackUrl": url})

    assert (answer.status_code, answer.json["code"]) == (422, "invalid_request")
    assert (answer.json["pointer"], answer.json["detail"]) == ("/callbackUrl", detail)
    assert world.jobs.ids == []


def test_a_wrong_callback_url_is_named_beside_what_else_is_wrong(api):
    body = BODY | {"callbackUrl": "soon", "input": {}, "priority": "urgent"}

    answer = create(api, body)

    named = {one["pointer"] for one in answer.json["errors"]}
    assert {"/callbackUrl", "/priority", "/input/styleId"} <= named


def test_the_port_of_https_may_be_written(api):
    assert create(api, BODY | {"callbackUrl": "https://example.com:443/a"}).status_code == 201


def test_without_keys_a_callback_url_is_422_and_everything_else_goes_on(make_api, world):
    api = make_api(callback_keys=())

    refused = create(api, BODY | {"callbackUrl": HOOK})
    taken = create(api, BODY)

    assert (refused.status_code, refused.json["pointer"]) == (422, "/callbackUrl")
    assert refused.json["detail"].endswith("callbacks are not switched on here")
    assert taken.status_code == 201


def test_the_same_key_with_another_callback_url_is_409(api, world):
    first = create(api, BODY | {"callbackUrl": HOOK}, BEARER | KEY)
    world.clock.advance(5)

    again = create(api, BODY | {"callbackUrl": HOOK}, BEARER | KEY)
    other = create(api, BODY | {"callbackUrl": f"{HOOK}1"}, BEARER | KEY)
    none = create(api, BODY, BEARER | KEY)

    assert (again.status_code, again.json["id"]) == (200, first.json["id"])
    assert (other.status_code, none.status_code) == (409, 409)


def test_the_digest_of_a_request_without_a_callback_is_what_it_always_was():
    new = NewJob(
        provider="gepetto",
        operation="furnish",
        input={"url": "https://example.com/a.jpg"},
        metadata={},
        deadline_s=900,
        on_unconfirmed=OnUnconfirmed.WAIT,
    )
    shapes = [Callback(url=HOOK, shape=shape) for shape in CallbackShape]

    digests = {body_digest(replace(new, callback=one)) for one in (None, *shapes)}

    assert body_digest(new) == "8062501a2eaa22dd55414585b6236d36a7f9550d3a059fc84d572e488ef4a64d"
    assert len(digests) == 3


@pytest.mark.parametrize("shape", CallbackShape)
def test_a_retry_keeps_the_callback_and_none_of_its_deliveries(api, world, shape):
    world.jobs.put(tried(ended(status=Status.FAILED, shape=shape), 500))

    answer = api.post(f"/v1/jobs/{JOB_ID}/retry", headers=BEARER)

    assert answer.status_code == 201
    assert world.jobs.job(answer.json["id"]).callback == Callback(url=HOOK, shape=shape)


SHOWN = {
    "pending": (ended(), ("pending", 0, None, "2026-01-02T12:00:00Z")),
    "refused once": (tried(ended(), 500), ("pending", 1, 500, "2026-01-02T12:00:05Z")),
    "unanswered": (tried(ended(), None), ("pending", 1, None, "2026-01-02T12:00:05Z")),
    "delivered": (tried(ended(), 204), ("delivered", 1, 204, None)),
    "gone": (tried(ended(), 410), ("failed", 1, 410, None)),
}


@pytest.mark.parametrize(("job", "expected"), SHOWN.values(), ids=SHOWN.keys())
def test_the_job_shows_how_far_its_delivery_has_come(api, world, job, expected):
    world.jobs.put(job)

    alone = api.get(f"/v1/jobs/{JOB_ID}", headers=BEARER).json["callback"]
    (listed,) = api.get("/v1/jobs", headers=BEARER).json["jobs"]

    status, attempts, last_status, next_at = expected
    assert alone == {
        "url": HOOK,
        "status": status,
        "attempts": attempts,
        "lastStatus": last_status,
        "nextAt": next_at,
    }
    assert listed["callback"] == alone


def test_a_tenant_is_told_its_own_secrets_in_the_order_of_the_keys(api):
    mine = api.get("/v1/callback-secrets", headers=BEARER)
    theirs = api.get("/v1/callback-secrets", headers=OTHER)

    expected = [
        "whsec_" + base64.b64encode(hmac.digest(key.encode(), b"demo", hashlib.sha256)).decode()
        for key in CALLBACK_KEYS
    ]
    assert (mine.status_code, mine.mimetype) == (200, "application/json")
    assert mine.json == {"secrets": expected}
    assert mine.headers["Cache-Control"] == "no-store"
    assert not set(mine.json["secrets"]) & set(theirs.json["secrets"])


def test_where_callbacks_are_off_there_are_no_secrets(make_api):
    answer = make_api(callback_keys=()).get("/v1/callback-secrets", headers=BEARER)

    assert (answer.status_code, answer.json) == (200, {"secrets": []})


def test_secrets_take_a_key(api):
    assert api.get("/v1/callback-secrets").status_code == 401


@pytest.mark.parametrize("answered", [204, 500, 410, None])
def test_redelivery_is_202_and_the_event_is_due_again(api, world, callback_tick, answered):
    world.jobs.put(tried(ended(), answered))

    answer = api.post(REDELIVER, headers=BEARER)

    assert answer.status_code == 202
    assert answer.json["id"] == JOB_ID
    assert answer.json["callback"]["status"] == "pending"
    assert answer.json["callback"]["attempts"] == 0
    assert world.topics.ticks == ["callbacks"]
    push(callback_tick, TICK)
    assert [post.headers["webhook-id"] for post in world.endpoints.posts] == [f"{JOB_ID}.succeeded"]
    assert world.jobs.job().callback.status is DeliveryStatus.DELIVERED


def test_redelivery_of_a_written_step_whose_reply_was_lost_is_202_too(api, world):
    world.jobs.put(tried(ended(), 204))
    world.jobs.lose_replies()

    assert api.post(REDELIVER, headers=BEARER).status_code == 202


@pytest.mark.parametrize(
    ("job", "detail"),
    [
        (finished_job(Status.SUCCEEDED), "the job has no callback"),
        (a_job(callback=Callback(url=HOOK)), "the job has no event yet"),
    ],
    ids=["no callback", "no event"],
)
def test_a_job_with_nothing_to_deliver_again_is_409_and_says_why(api, world, job, detail):
    world.jobs.put(job)

    answer = api.post(REDELIVER, headers=BEARER)

    assert (answer.status_code, answer.json["code"]) == (409, "job_not_redeliverable")
    assert answer.json["detail"].startswith(detail)
    assert (world.jobs.writes, world.topics.ticks) == (0, [])


def test_where_callbacks_are_off_nothing_is_delivered_again(make_api, world):
    world.jobs.put(tried(ended(), 204))

    answer = make_api(callback_keys=()).post(REDELIVER, headers=BEARER)

    assert (answer.status_code, answer.json["code"]) == (409, "job_not_redeliverable")
    assert world.jobs.writes == 0


@pytest.mark.parametrize(("number", "headers"), [(1, OTHER), (2, BEARER)], ids=["other", "none"])
def test_another_tenants_job_is_not_there_to_be_delivered_again(api, world, number, headers):
    world.jobs.put(ended())

    answer = api.post(f"/v1/jobs/{job_id(number)}/redeliver", headers=headers)

    assert (answer.status_code, answer.json["code"]) == (404, "job_not_found")
    assert world.jobs.writes == 0


def test_a_tick_delivers_what_is_due(callback_tick, world):
    world.jobs.put(ended())

    answer = push(callback_tick, TICK)

    assert answer.status_code == 200
    (post,) = world.endpoints.posts
    assert post.url == HOOK
    assert world.jobs.job().callback.status is DeliveryStatus.DELIVERED


@pytest.mark.parametrize("data", [b"", b"{}", b'{"account": "gepetto"}', b'{"account": 1}'])
def test_a_tick_for_another_account_is_acknowledged_and_delivers_nothing(
    callback_tick, world, data
):
    world.jobs.put(ended())

    answer = push(callback_tick, data)

    assert 200 <= answer.status_code < 300
    assert world.endpoints.posts == []


@pytest.mark.parametrize("down", ["jobs", "accounts"])
def test_a_store_that_is_away_is_500_so_that_the_tick_comes_again(callback_tick, world, down):
    getattr(world, down).is_down = True

    assert push(callback_tick, TICK).status_code == 500


def test_a_job_that_was_submitted_as_to_gepetto_gets_gepettos_callback(
    make_api, world, callback_tick
):
    api = make_api(accounts=CATALOGUE)
    body = {"url": "https://example.com/a.jpg", "webhook": HOOK}
    made = api.post("/v1/declutter", json=body, headers=BEARER).json["id"]
    api.post(f"/v1/jobs/{made}/cancel", headers=BEARER)

    push(callback_tick, TICK)

    (post,) = world.endpoints.posts
    assert post.body == b'{"id":"%s","output":null}' % made.encode()


def test_no_url_and_no_secret_of_a_callback_is_logged(api, world, callback_tick, caplog):
    caplog.set_level("DEBUG")
    created = create(api, BODY | {"callbackUrl": HOOK})
    secrets = api.get("/v1/callback-secrets", headers=BEARER).json["secrets"]
    api.post(f"/v1/jobs/{created.json['id']}/cancel", headers=BEARER)
    push(callback_tick, TICK)

    logged = "".join(f"{record.getMessage()}{record.__dict__}" for record in caplog.records)
    assert "callback delivered" in logged
    (post,) = world.endpoints.posts
    for secret in (*secrets, *CALLBACK_KEYS, post.headers["webhook-signature"], HOOK):
        assert secret not in logged
