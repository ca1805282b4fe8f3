"""What was learnt of durations, kept alike in memory and by Firestore."""

import pytest

from infra.memory_store import MemoryDurations
from relay.adapters.firestore import FirestoreDurations
from relay.domain.durations import Durations
from relay.errors import LostRace

SEEN = Durations.unknown().with_render(after_s=8, by_s=8, expected_s=30)


@pytest.fixture(params=["memory", pytest.param("firestore", marks=pytest.mark.emulator)])
def documents(request):
    if request.param == "memory":
        return MemoryDurations()
    return FirestoreDurations(request.getfixturevalue("database"))


def test_nothing_is_known_before_the_first_write(documents):
    assert documents.read("gepetto") == ({}, None)


def test_what_was_written_is_read_again(documents):
    documents.replace("gepetto", {"smart-staging-v2": SEEN}, version=None)

    known, _ = documents.read("gepetto")

    assert known == {"smart-staging-v2": SEEN}
    assert documents.read("spacely")[0] == {}


def test_weights_are_kept_to_four_places(documents):
    shared = SEEN.with_render(after_s=3, by_s=40, expected_s=30)

    documents.replace("gepetto", {"redesign": shared}, version=None)

    known, _ = documents.read("gepetto")
    assert known == {"redesign": Durations.from_plain(shared.to_plain())}
    assert known != {"redesign": shared}


def test_a_write_over_an_older_version_loses(documents):
    documents.replace("gepetto", {"redesign": SEEN}, version=None)
    _, version = documents.read("gepetto")
    documents.replace("gepetto", {"redesign": SEEN + SEEN}, version=version)

    for stale in (None, version):
        with pytest.raises(LostRace):
            documents.replace("gepetto", {}, version=stale)

    assert documents.read("gepetto")[0]["redesign"].observations > 1.9
