"""The lists that Gepetto's clients read, answered from copies that the pump fetches."""

import base64
import json
import logging

import pytest

from relay.domain.provider_list import ProviderList
from relay.errors import NoAnswer
from tests.entrypoints.requests import BEARER, OTHER
from tests.factories import NOON, a_job

PATHS = ("/v1/rooms", "/v1/styles", "/v1/skies")
ROOMS = ProviderList(
    content_type="application/json; charset=utf-8",
    body=b'[ {"id":"living_room","name":"S\\u00e9jour","name-en":"Living room"} ]\r\n',
)
DAY_S = 86400.0


def wake(tick):
    data = base64.b64encode(b'{"account": "gepetto"}').decode()
    message = {"messageId": "1", "publishTime": "2026-01-02T12:00:00Z", "data": data}
    envelope = {"message": message, "subscription": "projects/p/subscriptions/s"}
    assert tick.post("/", json=envelope).status_code == 200


def asked_at(world, name="rooms"):
    return world.lists.requests("gepetto")[0][name].asked_at


@pytest.mark.parametrize("path", PATHS)
def test_the_first_caller_is_told_to_come_back_and_then_gets_the_provider_s_bytes(
    api, tick, world, path
):
    first = api.get(path, headers=BEARER)
    assert world.topics.ticks == ["gepetto"]
    world.provider.on_list(ROOMS)
    wake(tick)
    second = api.get(path, headers=OTHER)

    assert first.status_code == 503
    assert first.content_type == "application/problem+json"
    assert first.json["code"] == "list_not_fetched"
    assert path.rpartition("/")[2] in first.json["detail"]
    assert first.headers["Retry-After"] == "5"
    assert world.provider.called("list") == [path.rpartition("/")[2]]
    assert second.status_code == 200
    assert second.data == ROOMS.body
    assert second.content_type == ROOMS.content_type
    assert second.headers["X-Content-Type-Options"] == "nosniff"


def test_the_api_itself_calls_no_provider(api, world):
    api.get("/v1/rooms", headers=BEARER)

    assert world.provider.calls == []


@pytest.mark.parametrize("headers", [{}, {"X-API-KEY": "wrong"}], ids=["no key", "a wrong key"])
@pytest.mark.parametrize("path", PATHS)
def test_a_stranger_learns_nothing_and_asks_for_nothing(api, world, path, headers):
    answer = api.get(path, headers=headers)

    assert answer.status_code == 401
    assert (world.lists.calls, world.topics.ticks) == ([], [])


@pytest.mark.parametrize(
    "path", ["/v1/furnitures", "/v1/rooms/", "/v1/rooms/1", "/api/v1/rooms", "/api/v1/resources"]
)
def test_a_list_that_no_client_is_known_to_read_is_not_found(api, path):
    answer = api.get(path, headers=BEARER)

    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_other_methods_are_not_allowed(api):
    answer = api.post("/v1/rooms", headers=BEARER)

    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


def test_a_day_of_reading_costs_one_read_each_and_one_note(api, world):
    world.lists.keep("gepetto", "rooms", ROOMS)
    world.lists.calls.clear()

    for _ in range(24):
        assert api.get("/v1/rooms", headers=BEARER).status_code == 200
        world.clock.advance(DAY_S / 24)

    assert world.lists.calls == ["copy", "requests", "replace_requests"] + ["copy"] * 23
    assert world.topics.ticks == []
    assert asked_at(world) == NOON


def test_another_instance_notes_no_more(api, make_api, world):
    world.lists.keep("gepetto", "rooms", ROOMS)
    api.get("/v1/rooms", headers=BEARER)
    world.clock.advance(DAY_S - 1)

    make_api().get("/v1/rooms", headers=BEARER)

    assert world.lists.calls.count("replace_requests") == 1
    assert asked_at(world) == NOON


def test_the_next_day_s_reading_is_noted_again(api, world):
    world.lists.keep("gepetto", "rooms", ROOMS)
    api.get("/v1/rooms", headers=BEARER)
    world.clock.advance(DAY_S)

    api.get("/v1/rooms", headers=BEARER)

    assert asked_at(world) == world.clock.now()


def test_a_note_that_fails_costs_the_reader_nothing_and_is_made_by_the_next(api, world):
    world.lists.keep("gepetto", "rooms", ROOMS)
    world.lists.before_next_write(world.lists.lose_requests)

    answers = [api.get("/v1/rooms", headers=BEARER).status_code for _ in range(2)]

    assert answers == [200, 200]
    assert asked_at(world) == NOON


def test_a_note_survives_another_writer(api, world):
    def other_writer():
        world.lists._store.replace_requests("gepetto", {}, version=None)

    world.lists.before_next_write(other_writer)

    api.get("/v1/rooms", headers=BEARER)

    assert asked_at(world) == NOON


def test_a_list_that_cannot_be_fetched_says_why_and_when_to_come_back(api, tick, world):
    api.get("/v1/skies", headers=BEARER)
    world.provider.on_list(NoAnswer("HTTP 404"))
    wake(tick)
    world.topics.ticks.clear()
    world.clock.advance(600)

    answer = api.get("/v1/skies", headers=BEARER)

    assert answer.status_code == 503
    assert "HTTP 404" in answer.json["detail"]
    assert int(answer.headers["Retry-After"]) == 3000
    # A pump could do nothing: callers that do not wait must not keep it busy.
    assert world.topics.ticks == []


def test_a_store_that_does_not_answer_is_503(api, world):
    world.lists.is_down = True

    answer = api.get("/v1/rooms", headers=BEARER)

    assert (answer.status_code, answer.json["code"]) == (503, "store_unavailable")


def test_jobs_go_on_beside_a_list(api, tick, world):
    world.jobs.put(a_job())
    api.get("/v1/rooms", headers=BEARER)

    wake(tick)

    assert [call.kind for call in world.provider.calls] == ["list", "submit"]


def test_no_content_of_a_list_is_logged(api, tick, world, caplog):
    caplog.set_level(logging.DEBUG)
    api.get("/v1/rooms", headers=BEARER)
    world.provider.on_list(ROOMS)

    wake(tick)

    said = json.dumps([vars(one) for one in caplog.records], default=str)
    assert "list fetched" in said
    assert "living_room" not in said
