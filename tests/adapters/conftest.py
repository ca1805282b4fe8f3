"""What adapters are tried against: Firestore's emulator, and a provider that does as told."""

import ssl
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from google.cloud import firestore

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


@pytest.fixture
def database(firestore_client: firestore.Client, firestore_emulator: str) -> Database:
    """The same project's database, as our adapters call it."""
    return connect(firestore_client.project, "(default)", env={EMULATOR_HOST: firestore_emulator})


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with stub_provider() as running:
        yield running


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 and hooks.example.com that nobody signed, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("hooks.example.com")]
            ),
            False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = built.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(pem)
    return path


@pytest.fixture(scope="session")
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
