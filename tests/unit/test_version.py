"""The version is said in one place, and shown the same everywhere."""

import inspect
import json
import logging
import re
from pathlib import Path

import pytest
import yaml

from relay import __version__, bootstrap

ROOT = Path(__file__).parents[2]


def test_the_version_is_a_semantic_one():
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


@pytest.mark.parametrize("name", ["openapi", "asyncapi"])
def test_a_description_has_the_version(name):
    text = (ROOT / "docs" / f"{name}.yaml").read_text()

    assert yaml.load(text, yaml.CSafeLoader)["info"]["version"] == __version__


def test_the_changelog_begins_with_the_version():
    versions = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert versions[0] == __version__


def test_terraform_reads_the_version_from_where_it_is_said():
    text = (ROOT / "terraform" / "locals.tf").read_text()
    file = ROOT / "functions" / "relay" / "__init__.py"
    ((pattern, path),) = re.findall(r'regex\("(.+?)", file\("\$\{path.module\}/(.+?)"\)', text)

    assert (ROOT / "terraform" / path).resolve() == file
    assert re.findall(pattern, file.read_text()) == [__version__]


def test_a_function_logs_its_version_when_it_starts(monkeypatch, capsys):
    # Nobody is called: clients connect at their first call.
    nowhere = "127.0.0.1:1"
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.root.level)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "a-project")
    monkeypatch.setenv("WEBHOOK_KEYS", "w" * 32)
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", nowhere)
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", nowhere)

    inspect.unwrap(bootstrap.provider_webhook)()

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    started = [line for line in lines if line["message"] == "function started"]
    assert [line["version"] for line in started] == [__version__]
