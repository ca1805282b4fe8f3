"""`poll_tick` as Pub/Sub meets it: raw push envelopes and CloudEvents."""

import base64
import json
import logging

import pytest

from relay import bootstrap
from relay.domain.job import Status
from relay.edges.push import Ticks
from tests.factories import JOB_ID, a_job, busy_account, later, processing_job

TICK = b'{"account": "gepetto"}'


def message(data: bytes | str) -> dict[str, str]:
    encoded = base64.b64encode(data).decode() if isinstance(data, bytes) else data
    return {"messageId": "1", "publishTime": "2026-01-02T12:00:00Z", "data": encoded}


def push(tick, data):
    """Send what a push subscription of our own sends."""
    envelope = {"message": message(data), "subscription": "projects/p/subscriptions/s"}
    return tick.post("/", json=envelope)


def cloud_event(tick, body, **headers):
    """Send what Eventarc sends."""
    return tick.post(
        "/",
        data=body,
        headers={
            "ce-id": "1",
            "ce-source": "//pubsub.googleapis.com/projects/p/topics/poll-ticks-gepetto",
            "ce-specversion": "1.0",
            "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
            "Content-Type": "application/json",
        }
        | headers,
    )


def test_a_push_envelope_runs_the_pump_of_its_account(tick, world):
    world.jobs.put(a_job())

    answer = push(tick, TICK)

    assert answer.status_code == 200
    assert world.provider.called("submit") == [JOB_ID]
    assert world.jobs.job().status is Status.PROCESSING


def test_a_long_render_is_left_to_the_next_tick(serve, world, monkeypatch):
    ticks = Ticks({"gepetto": world.pump})
    monkeypatch.setattr(bootstrap, "poll_tick", lambda: ticks)
    tick = serve("poll_tick", "cloudevent")
    world.jobs.put(processing_job(submitted_at=later(-180), call_at=later(20)))

    push(tick, TICK)
    left_after_s = world.seconds()
    world.clock.advance(60)
    push(tick, TICK)

    assert left_after_s == 0
    assert [(call.kind, call.at) for call in world.provider.calls] == [("poll", later(60))]


def test_a_cloud_event_runs_the_pump_of_its_account(tick, world):
    world.jobs.put(a_job())

    answer = cloud_event(tick, json.dumps({"message": message(TICK)}))

    assert answer.status_code == 200
    assert world.provider.called("submit") == [JOB_ID]


def test_what_a_later_version_adds_to_a_tick_is_ignored(tick, world):
    push(tick, b'{"account": "gepetto", "urgent": true}')

    assert "read" in world.accounts.calls


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not JSON",
        b"\xff",
        b"{}",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"account": null}',
        b'{"account": 7}',
        b'{"account": "spacely"}',
        b'{"account": "GEPETTO"}',
        b'{"account": "nobody"}',
        b'{"account": "\\ud800"}',
        "not base64!",
        "ünï",
    ],
    ids=lambda one: repr(one)[:30],
)
def test_a_tick_for_no_account_is_logged_and_acknowledged(tick, world, caplog, data):
    answer = push(tick, data)

    assert 200 <= answer.status_code < 300
    assert world.accounts.calls == []
    assert [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR] == [
        "tick for no account"
    ]


@pytest.mark.parametrize(
    "body",
    ["{}", "[]", "null", '"text"', "7", '{"message": null}', '{"message": []}', ""],
)
def test_a_cloud_event_without_a_message_is_acknowledged(tick, world, body):
    answer = cloud_event(tick, body)

    assert 200 <= answer.status_code < 300
    assert world.accounts.calls == []


def test_a_cloud_event_that_is_not_json_is_acknowledged(tick, world):
    answer = cloud_event(tick, b"\xff\xfe", **{"Content-Type": "application/octet-stream"})

    assert 200 <= answer.status_code < 300
    assert world.accounts.calls == []


@pytest.mark.parametrize("down", ["jobs", "accounts"])
def test_a_store_that_is_away_is_500_so_that_the_tick_comes_again(tick, world, down):
    getattr(world, down).is_down = True

    assert push(tick, TICK).status_code == 500


def test_a_tick_that_meets_another_pump_is_acknowledged(tick, world):
    world.accounts.put(busy_account())

    assert push(tick, TICK).status_code == 200
    assert world.jobs.calls == []


def test_a_tick_that_is_delivered_twice_sends_nothing_twice(tick, world):
    world.jobs.put(a_job())

    push(tick, TICK)
    push(tick, TICK)

    assert world.provider.called("submit") == [JOB_ID]


def test_a_push_envelope_without_data_is_refused_before_it_reaches_us(tick, world):
    envelope = {"message": {"messageId": "1"}, "subscription": "projects/p/subscriptions/s"}

    assert tick.post("/", json=envelope).status_code == 400
    assert world.accounts.calls == []


def test_a_tick_comes_by_post(tick):
    assert tick.get("/").status_code == 405
