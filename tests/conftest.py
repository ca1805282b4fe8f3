"""What all tests share: a world of fakes, and the emulators where they can be had."""

import os
import uuid
from collections.abc import Iterator
from typing import NoReturn

import pytest
from google.cloud import firestore

from infra.local.emulators import EmulatorsUnavailable, Kind, running_emulator
from tests.fakes import World

REQUIRE_EMULATORS = "RELAY_REQUIRE_EMULATORS"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(scope="session")
def firestore_emulator() -> Iterator[str]:
    """The Firestore emulator's `host:port`."""
    yield from _emulator(Kind.FIRESTORE)


@pytest.fixture(scope="session")
def pubsub_emulator() -> Iterator[str]:
    """The Pub/Sub emulator's `host:port`."""
    yield from _emulator(Kind.PUBSUB)


@pytest.fixture
def firestore_client(
    firestore_emulator: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[firestore.Client]:
    """A client of a project that no other test uses."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_emulator)
    client = firestore.Client(project=f"test-{uuid.uuid4().hex[:12]}")
    yield client
    client.close()


def _emulator(kind: Kind) -> Iterator[str]:
    try:
        with running_emulator(kind) as host:
            yield host
    except EmulatorsUnavailable as error:
        _do_without(f"no {kind} emulator: {error}")


def _do_without(why: str) -> NoReturn:
    if os.environ.get(REQUIRE_EMULATORS) == "1":
        pytest.fail(why)
    pytest.skip(why)
