"""What adapters are tried against: Firestore's emulator, and a provider that does as told."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest
from google.cloud import firestore

from relay.adapters import firestore as adapter
from relay.adapters.database import EMULATOR_HOST, Database, connect
from tests.payloads.replay import Stub, stub_provider

FIRST_ANSWER_S = 60.0


@pytest.fixture
def firestore_client(
    firestore_emulator: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[firestore.Client]:
    """The high-level client of a project that no other test uses: it shows what we have written."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_emulator)
    client = firestore.Client(project=f"test-{uuid.uuid4().hex[:12]}")
    # A cold emulator on a busy machine takes longer for its first answer than our calls wait.
    client.document("warm/up").get(timeout=FIRST_ANSWER_S)
    client.document("warm/up").set({}, timeout=FIRST_ANSWER_S)
    yield client
    client.close()


@contextmanager
def patient_calls() -> Iterator[None]:
    """Have adapters that are made meanwhile wait as long as a slow machine's emulator needs."""
    with patch.multiple(
        adapter, CALL_TIMEOUT_S=FIRST_ANSWER_S, SHORT_CALL_TIMEOUT_S=FIRST_ANSWER_S
    ):
        yield


@pytest.fixture
def database(firestore_client: firestore.Client, firestore_emulator: str) -> Iterator[Database]:
    """The same project's database, as our adapters call it, but more patient with the emulator."""
    with patient_calls():
        yield connect(
            firestore_client.project, "(default)", env={EMULATOR_HOST: firestore_emulator}
        )


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with stub_provider() as running:
        yield running
