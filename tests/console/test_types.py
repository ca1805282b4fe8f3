"""The console's modules by their JSDoc types, against the API as described and lit-html's types."""

import shutil
from pathlib import Path

import pytest

from relay.edges.console import SOURCE
from tests.clients.tools import INSTALLED, ROOT, run_tool
from tests.console.lit_html import TARGET, library

HERE = Path(__file__).parent


@pytest.fixture
def project(node_tools, tmp_path):
    """A folder with the modules, the types of the API, and the library with its types."""
    for module in SOURCE.glob("*.js"):
        shutil.copy(module, tmp_path)
    shutil.copy(HERE / "tsconfig.json", tmp_path)
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "lit-html").symlink_to(INSTALLED / "node_modules" / "lit-html")
    types = tmp_path / "relay-api.d.ts"
    done = run_tool("openapi-typescript", [ROOT / "docs/openapi.yaml", "-o", types], cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    return tmp_path


def test_the_modules_have_no_type_error(project):
    done = run_tool("tsc", ["-p", project], cwd=project)

    assert done.returncode == 0, done.stdout


def test_a_field_that_the_api_does_not_have_is_a_type_error(project):
    module = project / "job.js"
    module.write_text(module.read_text().replace("job.finishedBy", "job.endedBy"))

    done = run_tool("tsc", ["-p", project], cwd=project)

    assert "Property 'endedBy' does not exist" in done.stdout


def test_the_library_is_the_one_of_the_lock_file(node_tools):
    vendored = {
        path.relative_to(TARGET).as_posix(): path.read_bytes()
        for path in TARGET.rglob("*")
        if path.is_file()
    }

    assert vendored == library()
