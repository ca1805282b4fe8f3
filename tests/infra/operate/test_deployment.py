"""A deployment is found by its project, with the operator's login and the functions' variables."""

import json

import pytest

from infra.operate.deployment import real_deployment
from infra.operate.errors import NoDeployment


@pytest.fixture(autouse=True)
def _credentials(monkeypatch, tmp_path):
    """An operator who has logged in; nothing is asked of Google before the first call."""
    login = {
        "type": "authorized_user",
        "client_id": "an-id",
        "client_secret": "not-a-secret",
        "refresh_token": "not-a-token",
    }
    (tmp_path / "login.json").write_text(json.dumps(login))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "login.json"))
    monkeypatch.delenv("FIRESTORE_EMULATOR_HOST", raising=False)
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST", raising=False)


def test_the_functions_variables_count():
    deployment = real_deployment("a-project", {"FIRESTORE_DATABASE": "relay"})

    assert deployment.name == "project a-project, database relay"


def test_a_malformed_variable_is_named():
    with pytest.raises(NoDeployment, match="JOB_TTL_DAYS must be a whole number"):
        real_deployment("a-project", {"JOB_TTL_DAYS": "soon"})
