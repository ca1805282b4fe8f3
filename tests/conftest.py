"""What all tests share: a world of fakes, and the emulators where they can be had."""

import os
from collections.abc import Iterator
from typing import NoReturn

import pytest

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
