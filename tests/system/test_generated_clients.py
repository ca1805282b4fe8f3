"""Clients generated from the OpenAPI file make, wait for and list a job against the relay."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.tools import INSTALLED, ROOT, SOURCE, run_node, run_tool

pytestmark = pytest.mark.thorough

OPENAPI = ROOT / "docs" / "openapi.yaml"
LIVE_WITHIN_S = 600.0


@pytest.fixture(scope="module")
def python_client(tmp_path_factory) -> Path:
    """A folder with what openapi-python-client generates, and a script that uses it."""
    folder = tmp_path_factory.mktemp("python")
    done = generate_python(OPENAPI, folder)
    assert done.returncode == 0, done.stdout
    (folder / "render.py").write_text((SOURCE / "render.py").read_text())
    return folder


@pytest.fixture(scope="module")
def typescript_client(node_tools, tmp_path_factory) -> Path:
    """A folder with what openapi-typescript generates, and a script that uses it."""
    folder = tmp_path_factory.mktemp("typescript")
    (folder / "node_modules").symlink_to(INSTALLED / "node_modules")
    done = run_tool("openapi-typescript", [OPENAPI, "-o", folder / "relay.d.ts"], cwd=folder)
    assert done.returncode == 0, done.stdout
    for name in ("render.ts", "tsconfig.json"):
        (folder / name).write_text((SOURCE / name).read_text())
    return folder


def generate_python(description: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    # Without a warning, too: it would name what is missing in the client.
    return run_python(
        *("-m", "openapi_python_client", "generate", "--path", description),
        *("--output-path", folder / "generated", "--fail-on-warning"),
        *("--config", SOURCE / "openapi-python-client.yaml"),
        folder=folder,
    )


def run_python(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    generated = str(folder / "generated")
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": generated, "MYPYPATH": generated},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIVE_WITHIN_S,
        check=False,
    )


def test_the_python_client_generates_without_a_warning_and_its_types_fit(python_client):
    done = run_python("-m", "mypy", "--strict", "render.py", folder=python_client)

    assert done.returncode == 0, done.stdout


def test_a_boolean_schema_would_not_generate(tmp_path):
    description = tmp_path / "openapi.yaml"
    text = OPENAPI.read_text()
    good = "        id:\n          type: string\n          pattern: ^job_"
    assert good in text
    description.write_text(text.replace(good, f"        webhook: false\n{good}", 1))

    done = generate_python(description, tmp_path)

    assert done.returncode != 0
    assert "validation error" in done.stdout


def test_the_typescript_types_fit(typescript_client):
    done = run_tool("tsc", ["--project", "."], cwd=typescript_client)

    assert done.returncode == 0, done.stdout


def test_the_typescript_types_notice_a_wrong_input(typescript_client, tmp_path):
    for file in ("node_modules", "relay.d.ts", "tsconfig.json"):
        (tmp_path / file).symlink_to(typescript_client / file)
    wrong = (SOURCE / "render.ts").read_text().replace("styleId:", "style:")
    (tmp_path / "render.ts").write_text(wrong)

    done = run_tool("tsc", ["--project", "."], cwd=tmp_path)

    assert done.returncode != 0
    assert "'style' does not exist" in done.stdout


def checked(printed: str, listing: str, relay) -> None:
    """Fail unless a script made a job and saw it succeed, be listed, and another be refused."""
    shown = json.loads(printed.splitlines()[-1])
    job = relay.job(shown["id"])
    assert job["metadata"] == {"listing": listing}
    assert shown["status"] == job["status"] == "succeeded"
    assert shown["outputs"] == [one["url"] for one in job["outputs"]]
    assert shown["id"] in shown["listed"]
    assert shown["refused"] == "job_not_found"


def test_the_python_client_makes_waits_for_and_lists_a_job(python_client, relay):
    api_url, key = relay.api_url, relay.stack.description.api_key

    done = run_python("render.py", api_url, key, relay.room(), "py-1", folder=python_client)

    assert done.returncode == 0, done.stdout
    checked(done.stdout, "py-1", relay)


def test_the_typescript_client_makes_waits_for_and_lists_a_job(typescript_client, relay):
    api_url, key = relay.api_url, relay.stack.description.api_key

    done = run_node(
        ["--no-warnings", "render.ts", api_url, key, relay.room(), "ts-1"],
        cwd=typescript_client,
        timeout_s=LIVE_WITHIN_S,
    )

    assert done.returncode == 0, done.stdout
    checked(done.stdout, "ts-1", relay)
