"""`GET /v1/jobs?endedAfter=`: what ended since, and cursors that can be kept."""

from datetime import timedelta
from itertools import combinations
from typing import Any
from urllib.parse import urlencode

import pytest

from relay.application.ports import MAX_SIFTED
from relay.domain.job import Status
from tests.entrypoints.requests import BEARER, OTHER, create, listed
from tests.factories import NOON, a_job, finished_job, job_id, job_in, later

SINCE = "endedAfter=2026-01-02T12:00:00Z"
ENDED = {"endedAfter": "2026-01-02T11:00:00Z"}
FILTERS = {
    "provider": "gepetto",
    "operation": "raw",
    "status": "succeeded",
    "metadata.room": "bad",
    "providerJobId": "r-1",
    "createdAfter": "2026-01-02T11:59:59Z",
    "createdBefore": "2026-01-02T12:30:00Z",
}


def put_ended(world, ends, **changes):
    for number, seconds in enumerate(ends):
        world.jobs.put(
            finished_job(Status.SUCCEEDED, id=job_id(number), finished_at=later(seconds), **changes)
        )


def ids(page):
    return [job["id"] for job in page["jobs"]]


def caught_up(api, query, token=None):
    """Follow a cursor to the present: return what was shown, and the last cursor."""
    shown, asked = [], 0
    while True:
        page = listed(api, query if token is None else f"{query}&pageToken={token}")
        shown += ids(page)
        if page["nextPageToken"] is None:
            return shown, token
        token = page["nextPageToken"]
        asked += 1
        assert asked < 200


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_jobs_that_ended_later_are_listed_earliest_end_first(api, world, size):
    put_ended(world, [30, 10, -5, 20, 0])
    world.jobs.put(a_job(id=job_id(9)))
    world.clock.advance(600)

    shown, _ = caught_up(api, f"{SINCE}&pageSize={size}")

    assert shown == [job_id(1), job_id(3), job_id(0)]


def test_every_way_to_end_counts(api, world):
    for number, status in enumerate(Status):
        world.jobs.put(job_in(status, id=job_id(number)))
    world.clock.advance(600)

    page = listed(api, urlencode(ENDED))

    assert {job["status"] for job in page["jobs"]} == {"succeeded", "failed", "cancelled"}


def test_a_job_is_listed_as_soon_as_it_has_ended(api, world):
    job = create(api, {"provider": "gepetto", "operation": "raw", "path": "/a", "input": {}}).json
    api.post(f"/v1/jobs/{job['id']}/cancel", headers=BEARER)

    assert ids(listed(api, urlencode(ENDED))) == [job["id"]]


def test_another_tenants_jobs_are_not_listed(api, world):
    put_ended(world, [1, 2], tenant="other")

    assert listed(api, SINCE) == {"jobs": [], "nextPageToken": None}
    assert len(listed(api, SINCE, OTHER)["jobs"]) == 2


@pytest.mark.parametrize(
    "names",
    [names for size in range(4) for names in combinations(FILTERS, size)],
    ids=lambda names: " ".join(names) or "none",
)
def test_every_filter_combines_with_the_end(api, world, names):
    changes: tuple[dict[str, Any], ...] = (
        {},
        {"provider": "spacely"},
        {"operation": "redesign"},
        {"status": Status.FAILED},
        {"metadata": {"room": "küche"}},
        {"provider_job_id": "r-2"},
        {"created_at": later(-1)},
        {"created_at": later(1800)},
        {"status": Status.QUEUED},
        {"finished_at": later(-3600)},
    )
    for number, change in enumerate(changes):
        fits = {"operation": "raw", "metadata": {"room": "bad"}, "provider_job_id": "r-1"}
        status = change.get("status", Status.SUCCEEDED)
        fits |= {name: value for name, value in change.items() if name != "status"}
        world.jobs.put(job_in(status, id=job_id(number), path="/a", **fits))
    world.clock.advance(600)

    shown, _ = caught_up(api, urlencode(ENDED | {name: FILTERS[name] for name in names}))

    left_out_by = {
        name: {position}
        for position, name in enumerate(
            ["provider", "operation", "status", "metadata.room", "providerJobId"], start=1
        )
    } | {"createdAfter": {6}, "createdBefore": {7}}
    expected = set(range(8)).difference(*(left_out_by[name] for name in names))
    assert sorted(shown) == sorted(job_id(one) for one in expected)


def test_a_list_that_is_read_to_its_end_has_no_token_and_the_last_one_is_kept(api, world):
    put_ended(world, [1, 2])
    world.clock.advance(600)

    first = listed(api, SINCE)
    last = listed(api, f"{SINCE}&pageToken={first['nextPageToken']}")

    assert len(first["jobs"]) == 2
    assert last == {"jobs": [], "nextPageToken": None}


def test_a_kept_cursor_shows_what_has_ended_since(api, world):
    put_ended(world, [1, 2])
    world.clock.advance(600)
    _, cursor = caught_up(api, SINCE)

    for number in (7, 8):
        world.jobs.put(
            finished_job(Status.FAILED, id=job_id(number), finished_at=later(600 + number))
        )
    world.clock.advance(3 * 24 * 3600)

    assert caught_up(api, SINCE, cursor)[0] == [job_id(7), job_id(8)]


def test_a_job_whose_write_lands_behind_a_cursor_is_shown_all_the_same(api, world):
    world.clock.advance(100)
    put_ended(world, [95])
    first, cursor = caught_up(api, SINCE)

    world.jobs.put(finished_job(Status.SUCCEEDED, id=job_id(5), finished_at=later(90)))
    world.clock.advance(60)
    second, cursor = caught_up(api, SINCE, cursor)
    world.clock.advance(60)
    third, _ = caught_up(api, SINCE, cursor)

    assert (first, second, third) == ([job_id(0)], [job_id(5), job_id(0)], [])


def test_a_cursor_is_good_with_another_moment_and_the_later_of_the_two_counts(api, world):
    put_ended(world, [1, 2, 3, 4])
    world.clock.advance(600)
    token = listed(api, f"{SINCE}&pageSize=1")["nextPageToken"]

    earlier = listed(api, f"endedAfter=2020-01-02T12:00:00Z&pageToken={token}")
    beyond = listed(api, f"endedAfter=2026-01-02T12:00:03Z&pageToken={token}")

    assert ids(earlier) == [job_id(1), job_id(2), job_id(3)]
    assert ids(beyond) == [job_id(3)]


@pytest.mark.parametrize("elsewhere", ["pageSize=1", f"{SINCE}&status=succeeded", "other"])
def test_a_cursor_is_good_for_no_other_list(api, world, elsewhere):
    put_ended(world, [1, 2, 3])
    token = listed(api, f"{SINCE}&pageSize=1")["nextPageToken"]
    query, headers = (SINCE, OTHER) if elsewhere == "other" else (elsewhere, BEARER)

    answer = api.get(f"/v1/jobs?{query}&pageToken={token}", headers=headers)

    assert (answer.status_code, answer.json["parameter"]) == (400, "pageToken")


def test_jobs_too_large_for_one_page_go_on_on_the_next(api, world):
    put_ended(world, range(1, 13), operation="raw", path="/a", input={"a": "x" * 700_000})
    world.clock.advance(600)

    assert len(listed(api, SINCE)["jobs"]) == 5
    assert caught_up(api, SINCE)[0] == [job_id(number) for number in range(12)]


def test_a_document_that_does_not_parse_does_not_hold_a_follower_up(api, world):
    put_ended(world, [1, 2, 3])
    document = world.jobs.document(job_id(1))
    world.jobs.put_document(job_id(1), document | {"status": "a secret"})

    assert caught_up(api, f"{SINCE}&pageSize=1")[0] == [job_id(0), job_id(2)]


STORED = 10_000


@pytest.fixture
def full(world):
    """A store of 10,000 jobs of a tenant, of which one in ten is open and one in a hundred rare."""
    for number in range(STORED):
        rare = {"metadata": {"rare": "yes"}} if number % 100 == 55 else {}
        status = Status.QUEUED if number % 10 == 0 else Status.SUCCEEDED
        moment = NOON - timedelta(seconds=STORED - number)
        ended = {} if status is Status.QUEUED else {"finished_at": moment}
        world.jobs.put_unchecked(
            [job_in(status, id=job_id(number), created_at=moment, **ended, **rare)]
        )
    return world


# The most that one page of 20 jobs may read: what it shows, and one to see whether there is more.
LISTS = {
    "": 21,
    "status=succeeded": 21,
    "status=succeeded&status=failed": 21,
    "provider=gepetto&operation=redesign&status=queued": 21,
    "metadata.rare=yes": 21,
    "providerJobId=none-has-it": 0,
    "createdAfter=2026-01-02T11:00:00Z&createdBefore=2026-01-02T11:30:00Z": 21,
    "endedAfter=2026-01-01T00:00:00Z": 21,
    "endedAfter=2026-01-02T11:59:59Z": 0,
    "endedAfter=2026-01-01T00:00:00Z&status=succeeded": 21,
    "endedAfter=2026-01-01T00:00:00Z&metadata.rare=yes": MAX_SIFTED + 1,
    "endedAfter=2026-01-01T00:00:00Z&providerJobId=none-has-it": MAX_SIFTED + 1,
    "endedAfter=2026-01-01T00:00:00Z&createdAfter=2026-01-02T11:59:00Z": MAX_SIFTED + 1,
}


def test_no_list_reads_more_than_its_page_however_many_jobs_are_stored(api, full):
    read = {}
    for query in LISTS:
        before = full.jobs.listed
        listed(api, query)
        read[query] = full.jobs.listed - before

    assert read == LISTS


@pytest.mark.thorough
def test_a_filter_that_few_ended_jobs_pass_reads_each_document_about_once(api, full):
    shown, _ = caught_up(api, "endedAfter=2026-01-01T00:00:00Z&metadata.rare=yes&pageSize=100")

    assert shown == [job_id(number) for number in range(55, STORED, 100)]
    assert full.jobs.listed < STORED * 1.1
