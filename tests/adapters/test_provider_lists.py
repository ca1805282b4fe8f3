"""How Gepetto's lists are fetched, from a server on this machine."""

import pytest

from relay.adapters.providers.gepetto import Gepetto
from relay.adapters.providers.spacely import Spacely
from relay.adapters.transport import Transport
from relay.domain.catalogue.gepetto import GEPETTO
from relay.domain.catalogue.spacely import SPACELY
from relay.domain.provider_list import MAX_LIST_BYTES, ProviderList
from relay.errors import NoAnswer
from tests.payloads.replay import Stub

KEY = "gk-0123456789abcdef"
JSON = {"Content-Type": "application/json; charset=utf-8"}


@pytest.fixture
def gepetto(stub: Stub) -> Gepetto:
    return a_gepetto(stub.url + "/v1/")


def a_gepetto(base_url: str) -> Gepetto:
    return Gepetto(
        transport=Transport(),
        base_url=base_url,
        api_key=KEY,
        limit=GEPETTO.limit,
        webhook_url=lambda _: "https://hooks.example.com",
    )


@pytest.mark.parametrize("name", ["rooms", "styles", "skies"])
def test_a_list_is_asked_for_with_the_key_and_kept_as_it_came(gepetto, stub, name):
    body = b'\xef\xbb\xbf[ {"name-en": "\xff"} ]\r\n'
    stub.says(200, body, JSON)

    fetched = gepetto.lists[name]()

    assert fetched == ProviderList(content_type=JSON["Content-Type"], body=body)
    (seen,) = stub.seen
    assert (seen.method, seen.path) == ("GET", f"/v1/{name}")
    assert seen.headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("status", [201, 202, 204, 301, 302, 400, 401, 402, 403, 404, 429, 500])
def test_nothing_but_a_200_is_kept(gepetto, stub, status):
    stub.says(status, b"" if status == 204 else b"[]", {**JSON, "Location": "/elsewhere"})

    with pytest.raises(NoAnswer, match=f"HTTP {status}"):
        gepetto.lists["rooms"]()

    assert len(stub.seen) == 1


@pytest.mark.parametrize("size", [0, MAX_LIST_BYTES + 1, 2 * 1024 * 1024])
def test_nothing_and_too_much_are_not_kept(gepetto, stub, size):
    stub.says(200, b"x" * size, JSON)

    with pytest.raises(NoAnswer):
        gepetto.lists["rooms"]()


def test_the_largest_list_is_kept(gepetto, stub):
    stub.says(200, b"x" * MAX_LIST_BYTES, JSON)

    assert len(gepetto.lists["rooms"]().body) == MAX_LIST_BYTES


@pytest.mark.parametrize("sent", [None, "json", "text/html\x7f", "a/" + "b" * 101])
def test_a_content_type_that_is_none_becomes_bytes(gepetto, stub, sent):
    stub.says(200, b"[]", {} if sent is None else {"Content-Type": sent})

    assert gepetto.lists["rooms"]().content_type == "application/octet-stream"


def test_an_unreachable_provider_gives_no_list_and_no_url():
    with pytest.raises(NoAnswer) as caught:
        a_gepetto("http://127.0.0.1:1/v1").lists["rooms"]()

    assert "127.0.0.1" not in str(caught.value)


def test_the_adapters_fetch_the_lists_of_the_catalogue(gepetto):
    spacely = Spacely(transport=Transport(), base_url="http://x", api_key=KEY, limit=SPACELY.limit)

    assert tuple(gepetto.lists) == GEPETTO.lists
    assert tuple(spacely.lists) == SPACELY.lists
