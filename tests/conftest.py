"""What all tests share: a world of fakes, and the emulators where they can be had."""

import contextlib
import gc
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import grpc
import pytest
from google.api_core.exceptions import NotFound
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport
from hypothesis import HealthCheck, settings

from infra.local.emulators import EmulatorsUnavailable, Kind, running_emulator
from tests.fakes import World

ROOT = Path(__file__).parents[1]
NEEDS_MORE = {"browser", "checkov", "node_tools", "schemas", "terraform"}
"""Fixtures that need more than Python, Java and the Google Cloud SDK."""

FIRST_ANSWER_S = 60.0
REQUIRE_EMULATORS = "RELAY_REQUIRE_EMULATORS"


# How often a property is tried: by `make test`, and by `make test-thorough`.
for profile, examples in (("few", 25), ("many", 200)):
    settings.register_profile(
        profile,
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
settings.load_profile("few")


def pytest_collection_finish() -> None:
    """Exempt the tests themselves from garbage collection, which else goes through all of them."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave tests that need more tools than a newcomer has to `make test-thorough`."""
    for item in items:
        if NEEDS_MORE.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.thorough)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(scope="session")
def firestore_emulator() -> Iterator[str]:
    """The Firestore emulator's `host:port`."""
    for host in _emulator(Kind.FIRESTORE):
        _warm(host)
        yield host


@pytest.fixture(scope="session")
def pubsub_emulator() -> Iterator[str]:
    """The Pub/Sub emulator's `host:port`."""
    yield from _emulator(Kind.PUBSUB)


@pytest.fixture(scope="session")
def node_tools() -> None:
    """The tools of tests/clients/package.json, installed by make unless they are there."""
    subprocess.run(["make", "--silent", ".local/clients/installed"], cwd=ROOT, check=True)


def _emulator(kind: Kind) -> Iterator[str]:
    try:
        with running_emulator(kind) as host:
            yield host
    except EmulatorsUnavailable as error:
        _do_without(f"no {kind} emulator: {error}")


def _warm(host: str) -> None:
    """Have the emulator answer once: cold, and on a busy machine, it takes seconds for that."""
    channel = grpc.insecure_channel(host)
    client = FirestoreClient(transport=FirestoreGrpcTransport(channel=channel))
    name = "projects/test-warm/databases/(default)/documents/warm/up"
    with contextlib.suppress(NotFound):
        client.get_document(request={"name": name}, timeout=FIRST_ANSWER_S, retry=None)
    channel.close()


def _do_without(why: str) -> NoReturn:
    if os.environ.get(REQUIRE_EMULATORS) == "1":
        pytest.fail(why)
    pytest.skip(why)
