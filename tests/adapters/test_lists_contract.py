"""The copies of lists and the requests for them, kept alike in memory and by Firestore."""

from dataclasses import replace

import pytest

from infra.memory_store import MemoryLists
from relay.adapters.firestore import FirestoreLists
from relay.domain.provider_list import MAX_LIST_BYTES, ListRequest, ProviderList
from relay.errors import LostRace
from tests.factories import NOON, later

ROOMS = ProviderList(content_type="application/json; charset=utf-8", body=b"\xef\xbb\xbf[\x00\xff")
ASKED = ListRequest(asked_at=NOON)
FAILED = ListRequest(asked_at=NOON, tried_at=later(1), fetched_at=later(2), failure="HTTP 404")


@pytest.fixture(params=["memory", pytest.param("firestore", marks=pytest.mark.emulator)])
def lists(request):
    if request.param == "memory":
        return MemoryLists()
    return FirestoreLists(request.getfixturevalue("database"))


def test_nothing_is_there_before_the_first_write(lists):
    assert lists.copy("gepetto", "rooms") is None
    assert lists.requests("gepetto") == ({}, None)


def test_a_copy_is_read_byte_for_byte(lists):
    lists.keep("gepetto", "rooms", ROOMS)

    assert lists.copy("gepetto", "rooms") == ROOMS
    assert lists.copy("gepetto", "styles") is None
    assert lists.copy("spacely", "rooms") is None


def test_a_newer_copy_replaces_an_older_one(lists):
    largest = ProviderList(content_type="text/plain", body=b"x" * MAX_LIST_BYTES)
    lists.keep("gepetto", "rooms", ROOMS)

    lists.keep("gepetto", "rooms", largest)

    assert lists.copy("gepetto", "rooms") == largest


def test_requests_are_read_again(lists):
    lists.replace_requests("gepetto", {"rooms": ASKED, "styles": FAILED}, version=None)

    requests, _ = lists.requests("gepetto")

    assert requests == {"rooms": ASKED, "styles": FAILED}
    assert lists.requests("spacely")[0] == {}


def test_a_write_over_an_older_version_loses(lists):
    lists.replace_requests("gepetto", {"rooms": ASKED}, version=None)
    _, version = lists.requests("gepetto")
    newer = replace(ASKED, tried_at=later(1))
    lists.replace_requests("gepetto", {"rooms": newer}, version=version)

    for stale in (None, version):
        with pytest.raises(LostRace):
            lists.replace_requests("gepetto", {}, version=stale)

    assert lists.requests("gepetto")[0] == {"rooms": newer}
