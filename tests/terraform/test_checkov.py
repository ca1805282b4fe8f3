"""Checkov finds nothing in terraform/ that is not answered by a reason."""

import json
import os
import re
import shutil
import subprocess

import pytest

from tests.terraform.running import ROOT, SOURCE

INSTALLED = ROOT / ".local" / "checkov"
SKIP = re.compile(r"#checkov:skip=(CKV\w+)(?::(.*))?$")


@pytest.fixture(scope="module")
def checkov() -> str:
    """Checkov in its own virtual environment, made by make unless it is there."""
    subprocess.run(["make", "--silent", "checkov"], cwd=ROOT, check=True)
    return str(INSTALLED / "bin" / "checkov")


def scan(checkov, folder):
    done = subprocess.run(
        [checkov, "-d", folder, "--framework", "terraform", "--skip-download", "-o", "json"],
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "LOG_LEVEL": "ERROR"},
        capture_output=True,
        text=True,
        check=False,
    )
    return json.loads(done.stdout)


def test_checkov_finds_nothing(checkov):
    found = scan(checkov, SOURCE)

    failed = [
        f"{one['check_id']} {one['check_name']}: {one['resource']}"
        for one in found["results"]["failed_checks"]
    ]
    assert failed == []
    assert found["summary"]["passed"] >= 20
    assert found["summary"]["parsing_errors"] == 0


def test_checkov_would_find_something(checkov, tmp_path):
    folder = tmp_path / "terraform"
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns(".*"))
    archive = folder / "archive.tf"
    archive.write_text(archive.read_text().replace('"enforced"', '"inherited"'))

    failed = scan(checkov, folder)["results"]["failed_checks"]

    assert [one["check_id"] for one in failed] == ["CKV_GCP_114"]


def skips():
    for file in sorted(SOURCE.glob("*.tf")):
        for number, line in enumerate(file.read_text().splitlines(), start=1):
            if "checkov:skip" in line:
                yield pytest.param(line.strip(), id=f"{file.name}:{number}")


@pytest.mark.parametrize("line", list(skips()))
def test_what_is_not_followed_has_a_reason(line):
    skip = SKIP.fullmatch(line)

    assert skip is not None
    assert re.fullmatch(r"[A-Z][^\n]{20,}\.", skip[2])
