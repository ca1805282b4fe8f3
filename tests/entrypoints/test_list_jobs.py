"""`GET /v1/jobs`: filters, the order, and pages."""

import json
import string
from itertools import chain, combinations, product
from urllib.parse import quote, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.domain.job import Status
from relay.edges.api import MAX_PAGE_BYTES
from tests.entrypoints.requests import BEARER, BODY, OTHER, create, listed
from tests.factories import JOB_ID, a_job, finished_job, job_id, job_in, later, processing_job

FILTERS = {
    "provider": "gepetto",
    "operation": "raw",
    "status": "succeeded",
    "metadata.room": "küche 🛋",
}
SUBSETS = list(chain.from_iterable(combinations(FILTERS, size) for size in range(5)))
ODD = "\x01🛋".ljust(500, "ü")


def put_jobs(world, count, **changes):
    for number in range(count):
        world.jobs.put(a_job(id=job_id(number), created_at=later(number), **changes))


def put_one_of_each(world):
    kinds = product(
        [("gepetto", "redesign"), ("gepetto", "raw"), ("spacely", "raw"), ("spacely", "advance")],
        [Status.QUEUED, Status.SUCCEEDED],
        [{"room": "küche 🛋", "floor": "1"}, {"room": "bad"}, {}],
        ["demo", "other"],
    )
    for number, ((provider, operation), status, metadata, tenant) in enumerate(kinds):
        world.jobs.put(
            job_in(
                status,
                id=job_id(number),
                provider=provider,
                operation=operation,
                metadata=metadata,
                tenant=tenant,
                created_at=later(number),
            )
        )


def ids(page):
    return [job["id"] for job in page["jobs"]]


def walk(api, query):
    """Return the ids of all pages, page by page."""
    pages, token = [], None
    while True:
        page = listed(api, query if token is None else f"{query}&pageToken={token}")
        pages.append(ids(page))
        token = page["nextPageToken"]
        if token is None:
            return pages
        assert len(pages) < 100


def flat(pages):
    return list(chain.from_iterable(pages))


def refusal(api, query, headers=BEARER):
    answer = api.get(f"/v1/jobs?{query}", headers=headers)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_query"), answer.text
    assert answer.mimetype == "application/problem+json"
    return answer.json["parameter"]


def test_a_tenant_without_jobs_has_an_empty_list(api):
    assert listed(api) == {"jobs": [], "nextPageToken": None}


def test_a_job_in_a_list_is_the_job_as_it_is_shown_alone(api, world):
    world.jobs.put(finished_job(Status.SUCCEEDED))

    page = listed(api)

    assert page["jobs"] == [api.get(f"/v1/jobs/{JOB_ID}", headers=BEARER).json]


@pytest.mark.parametrize("names", SUBSETS, ids=lambda names: " ".join(names) or "none")
def test_filters_combine(api, world, names):
    put_one_of_each(world)

    page = listed(api, urlencode({name: FILTERS[name] for name in names} | {"pageSize": 100}))

    shown = {
        job.id
        for job in map(world.jobs.job, world.jobs.ids)
        if job.tenant == "demo"
        and ("provider" not in names or job.provider == "gepetto")
        and ("operation" not in names or job.operation == "raw")
        and ("status" not in names or job.status == "succeeded")
        and ("metadata.room" not in names or job.metadata.get("room") == "küche 🛋")
    }
    assert shown
    assert set(ids(page)) == shown
    assert len(ids(page)) == len(shown)


@pytest.mark.parametrize(
    ("key", "value", "is_found"),
    [
        ("a.b/`c`", ODD, True),
        ("a.b/`c`", ODD[:-1], False),
        ("a.b/`c`", f"{ODD[:-1]}u", False),
        ("a.b", ODD, False),
        ("empty", "", True),
        ("nobody's", "", False),
    ],
    ids=["500 characters", "one less", "another last one", "another key", "empty", "no such key"],
)
def test_metadata_are_found_by_the_whole_pair(api, world, key, value, is_found):
    world.jobs.put(a_job(metadata={"a.b/`c`": ODD, "empty": ""}))

    page = listed(api, urlencode({f"metadata.{key}": value}))

    assert ids(page) == ([JOB_ID] if is_found else [])


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("metadata[a.b]", "a.b"),
        ("metadata[a]]", "a]"),
        ("metadata.[a]", "[a]"),
        ("metadata[ü]", "ü"),
    ],
)
def test_metadata_may_be_asked_for_in_brackets_as_generated_clients_do(api, world, name, key):
    world.jobs.put(a_job(metadata={key: "42"}), a_job(id=job_id(2)))

    assert ids(listed(api, urlencode({name: "42"}))) == [JOB_ID]


def test_both_ways_to_write_a_filter_by_metadata_share_their_page_tokens(api, world):
    put_jobs(world, 2)
    token = listed(api, "metadata.listing=42&pageSize=1")["nextPageToken"]

    assert ids(listed(api, f"metadata[listing]=42&pageToken={token}")) == [job_id(0)]


def test_jobs_in_any_of_several_statuses_are_listed(api, world):
    for number, status in enumerate(Status):
        world.jobs.put(job_in(status, id=job_id(number), created_at=later(number)))

    page = listed(api, "status=failed&status=queued&status=failed")

    assert [job["status"] for job in page["jobs"]] == ["failed", "queued"]
    token = listed(api, "status=failed&status=queued&pageSize=1")["nextPageToken"]
    assert ids(listed(api, f"status=queued&status=failed&pageToken={token}")) == [job_id(0)]
    assert refusal(api, f"status=queued&pageToken={token}") == "pageToken"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("createdAfter=2026-01-02T12:00:01Z", [4, 3, 2]),
        ("createdBefore=2026-01-02T12:00:01Z", [0]),
        ("createdAfter=2026-01-02T12:00:00Z&createdBefore=2026-01-02T12:00:03Z", [2, 1]),
        ("createdAfter=2026-01-02T13:00:00.999999%2B01:00", [4, 3, 2, 1]),
        ("createdAfter=2026-01-02T12:00:03Z&createdBefore=2026-01-02T12:00:01Z", []),
        ("createdAfter=2026-01-02T12:00:01Z&status=queued&provider=gepetto", [4, 3, 2]),
    ],
)
def test_jobs_created_within_a_time_are_listed_without_its_ends(api, world, query, found):
    put_jobs(world, 5)

    assert flat(walk(api, f"{query}&pageSize=2")) == [job_id(number) for number in found]


def test_jobs_of_one_render_are_listed(api, world):
    for number, ref in enumerate(["abc", "abd", "abc"]):
        world.jobs.put(
            processing_job(id=job_id(number), provider_job_id=ref, created_at=later(number))
        )

    assert ids(listed(api, "providerJobId=abc")) == [job_id(2), job_id(0)]
    assert ids(listed(api, "providerJobId=abc&status=queued")) == []


def test_the_newest_come_first(api, world):
    put_jobs(world, 3)

    assert ids(listed(api)) == [job_id(2), job_id(1), job_id(0)]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_jobs_of_one_moment_have_an_order_and_pages_go_through_them_once(api, world, size):
    for number in [3, 0, 6, 2, 5, 1, 4]:
        world.jobs.put(a_job(id=job_id(number)))

    pages = walk(api, f"pageSize={size}")

    assert [len(page) for page in pages[:-1]] == [size] * (len(pages) - 1)
    assert flat(pages) == [job_id(number) for number in reversed(range(7))]


def test_without_a_size_a_page_has_twenty_jobs(api, world):
    put_jobs(world, 21)

    assert [len(page) for page in walk(api, "")] == [20, 1]


def test_the_last_page_says_so_also_when_it_is_full(api, world):
    put_jobs(world, 4)

    assert [len(page) for page in walk(api, "pageSize=2")] == [2, 2]


def test_pages_keep_to_their_filters(api, world):
    put_one_of_each(world)

    pages = walk(api, "provider=gepetto&status=queued&pageSize=2")

    shown = [world.jobs.job(one) for one in flat(pages)]
    assert len(shown) == len({job.id for job in shown}) == 6
    assert {(job.tenant, job.provider, job.status) for job in shown} == {
        ("demo", "gepetto", Status.QUEUED)
    }


def test_a_walk_shows_every_job_once_while_others_are_created_and_ended(api, world):
    put_jobs(world, 5)
    world.clock.advance(60)
    seen, token = [], ""

    for number in range(3):
        page = listed(api, f"pageSize=2{token}")
        seen += ids(page)
        create(api, BODY)
        world.clock.advance(1)
        world.jobs.put(finished_job(Status.SUCCEEDED, id=job_id(number), created_at=later(number)))
        token = f"&pageToken={page['nextPageToken']}"

    assert page["nextPageToken"] is None
    assert seen == [job_id(number) for number in reversed(range(5))]


def test_a_walk_goes_on_after_the_job_it_stood_at_has_gone(api, world):
    put_jobs(world, 4)
    token = listed(api, "pageSize=2")["nextPageToken"]
    world.jobs.remove(job_id(2))

    assert ids(listed(api, f"pageSize=2&pageToken={token}")) == [job_id(1), job_id(0)]


def test_the_size_of_a_page_may_change_on_the_way(api, world):
    put_jobs(world, 5)

    token = listed(api, "pageSize=1")["nextPageToken"]

    assert len(ids(listed(api, f"pageSize=100&pageToken={token}"))) == 4


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("pageSize=1", OTHER),
        ("pageSize=1&provider=gepetto", BEARER),
        ("pageSize=1&operation=redesign", BEARER),
        ("pageSize=1&status=queued", BEARER),
        ("pageSize=1&metadata.listing=42", BEARER),
        ("pageSize=1&createdAfter=2026-01-01T12:00:00Z", BEARER),
        ("pageSize=1&createdBefore=2026-01-05T12:00:00Z", BEARER),
    ],
    ids=["another tenant", "provider", "operation", "status", "metadata", "after", "before"],
)
def test_a_page_token_is_good_for_nobody_and_nothing_else(api, world, query, headers):
    put_jobs(world, 3)
    for number in range(3):
        world.jobs.put(a_job(id=job_id(10 + number), tenant="other"))
    made = listed(api, "pageSize=1")["nextPageToken"]
    elsewhere = listed(api, query, headers)["nextPageToken"]

    assert refusal(api, f"{query}&pageToken={made}", headers) == "pageToken"
    assert refusal(api, f"pageSize=1&pageToken={elsewhere}") == "pageToken"


def test_a_page_token_for_one_value_of_a_filter_is_not_good_for_another(api, world):
    put_jobs(world, 3)
    token = listed(api, "metadata.listing=42&pageSize=1")["nextPageToken"]

    assert refusal(api, f"metadata.listing=43&pageToken={token}") == "pageToken"
    assert refusal(api, f"metadata.listing4=2&pageToken={token}") == "pageToken"


def test_a_page_token_with_any_bit_flipped_is_refused(api, world):
    put_jobs(world, 2)
    token = listed(api, "pageSize=1")["nextPageToken"].encode()

    for bit in range(8 * len(token)):
        flipped = (int.from_bytes(token, "big") ^ 1 << bit).to_bytes(len(token), "big")
        assert refusal(api, f"pageToken={quote(flipped)}") == "pageToken"


def test_a_page_token_in_another_spelling_is_refused(api, world):
    world.jobs.put(*(a_job(id=job_id(number), created_at=later(number)) for number in range(90)))
    tokens = set()
    for size in range(1, 90):
        tokens.add(listed(api, f"pageSize={size}")["nextPageToken"])
    spelt = {token.replace("-", "+").replace("_", "/") for token in tokens} - tokens
    spelt |= {f"{token}====" for token in tokens} | {f" {token}" for token in tokens}
    spelt |= {f"+{token}" for token in tokens} | {f"0{token}" for token in tokens}
    # Some bits of the last character belong to no byte.
    one = min(tokens)
    spelt |= {one[:-1] + last for last in f"{string.ascii_letters}{string.digits}-_"} - tokens

    assert any("+" in text for text in spelt)
    for text in spelt:
        assert refusal(api, f"pageToken={quote(text)}") == "pageToken"


@given(data=st.data())
def test_a_page_token_with_any_character_changed_added_or_lost_is_refused(api, world, data):
    put_jobs(world, 2)
    token = listed(api, "pageSize=1")["nextPageToken"]
    at = data.draw(st.integers(0, len(token)))
    lost = data.draw(st.integers(0, 2))
    added = data.draw(
        st.text(st.sampled_from("AZaz09-_+/=") | st.characters(codec="utf-8"), max_size=2)
    )
    changed = token[:at] + added + token[at + lost :]

    if changed != token:
        assert refusal(api, f"pageToken={quote(changed)}") == "pageToken"


@example(text="")
@example(text="A")
@example(text="A" * 72)
@example(text="A" * 100_000)
@example(text="null")
@example(text="\0")
@example(text="é")
@given(text=st.text(st.characters(codec="utf-8")) | st.from_regex(r"[\w-]{0,100}", fullmatch=True))
def test_garbage_is_no_page_token(api, text):
    assert refusal(api, f"pageToken={quote(text)}") == "pageToken"


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("tenant=other", "tenant"),
        ("Provider=gepetto", "Provider"),
        ("page_size=1", "page_size"),
        ("=", ""),
        ("metadata=42", "metadata"),
        ("metadata.=42", "metadata."),
        (f"metadata.{'k' * 41}=42", f"metadata.{'k' * 41}"),
        (f"metadata.k={'v' * 501}", "metadata.k"),
        ("metadata.a=1&metadata.b=2", "metadata.b"),
        ("metadata.a=1&metadata.a=1", "metadata.a"),
        ("metadata[]=42", "metadata[]"),
        ("metadata[a=42", "metadata[a"),
        ("metadata.a=1&metadata[a]=1", "metadata[a]"),
        (f"metadata[{'k' * 41}]=42", f"metadata[{'k' * 41}]"),
        ("providerJobId=", "providerJobId"),
        (f"providerJobId={'x' * 501}", "providerJobId"),
        ("providerJobId=a&providerJobId=b", "providerJobId"),
        *(
            (f"{name}={value}", name)
            for name in ("createdAfter", "createdBefore", "endedAfter")
            for value in (
                "",
                "yesterday",
                "2026-01-02",
                "2026-01-02T12:00:00",
                "2026-01-02T12:00:00+01:00",
                "2026-13-02T12:00:00Z",
                "0001-01-01T00:00:00%2B14:00",
                "1767355200",
            )
        ),
        ("endedAfter=2026-01-02T12:00:00Z&endedAfter=2026-01-02T12:00:00Z", "endedAfter"),
        ("provider=gepetto&provider=gepetto", "provider"),
        ("operation=raw&operation=raw", "operation"),
        ("status=queued&status=done", "status"),
        ("pageSize=1&pageSize=1", "pageSize"),
        ("pageToken=a&pageToken=a", "pageToken"),
        ("provider=dalle", "provider"),
        ("provider=", "provider"),
        ("operation=paint", "operation"),
        ("operation=", "operation"),
        ("status=done", "status"),
        ("status=QUEUED", "status"),
        ("status=", "status"),
        ("pageSize=0", "pageSize"),
        ("pageSize=101", "pageSize"),
        ("pageSize=-1", "pageSize"),
        ("pageSize=1.0", "pageSize"),
        ("pageSize=1e1", "pageSize"),
        ("pageSize=%2B1", "pageSize"),
        ("pageSize=01", "pageSize"),
        ("pageSize=%D9%A1", "pageSize"),
        (f"pageSize={'9' * 5000}", "pageSize"),
        ("pageSize=", "pageSize"),
    ],
    ids=lambda one: one[:40],
)
def test_a_query_that_is_wrong_is_400_and_names_the_parameter(api, world, query, parameter):
    assert refusal(api, query) == parameter
    assert world.jobs.calls == []


@pytest.mark.parametrize("size", [1, 100])
def test_the_smallest_and_the_largest_page_can_be_had(api, world, size):
    put_jobs(world, 101)

    assert len(listed(api, f"pageSize={size}")["jobs"]) == size


def test_without_a_key_there_is_no_list(api, world):
    world.jobs.put(a_job())

    answer = api.get("/v1/jobs?nonsense=1")

    assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")


def test_jobs_too_large_for_one_page_go_on_on_the_next(api, world):
    huge = {"a": "x" * 700_000}
    put_jobs(world, 26, operation="raw", path="/upscale", input=huge)

    first = api.get("/v1/jobs?pageSize=100", headers=BEARER)
    pages = walk(api, "pageSize=100")

    assert len(first.data) < MAX_PAGE_BYTES + 1000
    assert len(json.dumps(huge)) + len(first.data) > MAX_PAGE_BYTES
    assert flat(pages) == [job_id(number) for number in reversed(range(26))]
    assert [len(page) for page in pages] == [5, 5, 5, 5, 5, 1]


def test_pages_that_are_still_being_sent_make_those_of_their_tenant_shorter(api, world):
    put_jobs(world, 8, operation="raw", path="/upscale", input={"a": "x" * 100_000})

    def ask():
        return api.get("/v1/jobs", headers=BEARER)

    on_the_way = [ask() for _ in range(4)]
    short = ask()
    jobs_of_other = api.get("/v1/jobs", headers=OTHER)
    for answer in on_the_way:
        answer.close()
    long_again = ask()

    shown = [len(answer.json["jobs"]) for answer in (*on_the_way, short, long_again)]
    assert shown == [8, 8, 8, 8, 2, 8]
    assert short.json["nextPageToken"]
    assert jobs_of_other.json == {"jobs": [], "nextPageToken": None}


def test_a_list_that_fails_gives_its_place_back(api, world):
    put_jobs(world, 8, operation="raw", path="/upscale", input={"a": "x" * 100_000})
    world.jobs.is_down = True
    for _ in range(9):
        assert api.get("/v1/jobs", headers=BEARER).status_code == 503
    world.jobs.is_down = False

    assert len(listed(api)["jobs"]) == 8


def test_a_job_larger_than_a_page_is_a_page(api, world, monkeypatch):
    monkeypatch.setattr("relay.edges.api.MAX_PAGE_BYTES", 10)
    put_jobs(world, 3)

    assert [len(page) for page in walk(api, "")] == [1, 1, 1]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 20])
def test_a_document_that_does_not_parse_does_not_break_a_list(api, world, size):
    put_jobs(world, 5)
    for number in (1, 2, 4):
        document = world.jobs.document(job_id(number))
        world.jobs.put_document(job_id(number), document | {"status": "a secret"})

    pages = walk(api, f"pageSize={size}")

    assert flat(pages) == [job_id(3), job_id(0)]


@pytest.mark.parametrize("text", ["{", "[]", "1", '"{}"', "", "{} {}", "[" * 100_000])
def test_an_input_that_is_no_json_object_does_not_break_a_list(api, world, text):
    put_jobs(world, 2)
    document = world.jobs.document(job_id(1))
    world.jobs.put_document(job_id(1), document | {"input": text})

    assert [job["id"] for job in listed(api)["jobs"]] == [job_id(0)]
    assert api.get(f"/v1/jobs/{job_id(1)}", headers=BEARER).status_code == 503


def test_an_input_from_an_older_version_is_shown_as_it_was_given(api, world):
    given = {"ü": [1, {"a": None}], "url": "https://example.com/\u00fc.jpg", "n": 10**30}
    put_jobs(world, 1, input=given)
    document = world.jobs.document(job_id(0))
    world.jobs.put_document(job_id(0), document | {"input": json.dumps(given)})

    assert listed(api)["jobs"][0]["input"] == given
    assert api.get(f"/v1/jobs/{job_id(0)}", headers=BEARER).json["input"] == given


def test_what_a_list_shows_is_as_it_is_now(api, world):
    put_jobs(world, 1)
    first = listed(api, "status=queued")

    world.jobs.put(processing_job(id=job_id(0)))

    assert len(first["jobs"]) == 1
    assert listed(api, "status=queued")["jobs"] == []
    assert len(listed(api, "status=processing")["jobs"]) == 1


def test_a_store_that_is_away_is_503(api, world):
    world.jobs.is_down = True

    answer = api.get("/v1/jobs", headers=BEARER)

    assert (answer.status_code, answer.json["code"]) == (503, "store_unavailable")


def test_an_operation_that_the_provider_does_not_have_finds_nothing(api):
    answer = api.get("/v1/jobs?provider=spacely&operation=redesign", headers=BEARER)

    assert (answer.status_code, answer.json["jobs"]) == (200, [])
