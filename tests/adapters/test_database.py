"""How a function connects to its database; what the calls do is in the store's contract."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from relay.adapters.database import EMULATOR_HOST, connect


@pytest.fixture
def service_account(tmp_path: Path) -> Path:
    """A key file of an account that does not exist."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    account = {
        "type": "service_account",
        "project_id": "nobodys",
        "client_email": "nobody@nobodys.iam.gserviceaccount.com",
        "private_key": pem.decode(),
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    file = tmp_path / "account.json"
    file.write_text(json.dumps(account))
    return file


@pytest.mark.parametrize("env", [{}, {EMULATOR_HOST: ""}], ids=["unset", "empty"])
def test_without_an_emulator_it_is_the_service_with_the_default_credentials(
    service_account, monkeypatch, env
):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(service_account))

    database = connect("my-project", "my-database", env=env)

    assert database.api.transport.host == "firestore.googleapis.com:443"
    assert database.name == "projects/my-project/databases/my-database"
    # An authorization of ours would be sent beside the one of the credentials.
    assert database.headers == (("google-cloud-resource-prefix", database.name),)


def test_an_emulator_is_called_as_its_owner():
    database = connect("my-project", "(default)", env={EMULATOR_HOST: "127.0.0.1:1"})

    assert ("authorization", "Bearer owner") in database.headers
