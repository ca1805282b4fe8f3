"""Redocly's linter finds nothing in the OpenAPI file that is not excepted with a reason."""

import json
import re
from itertools import pairwise

from tests.clients.tools import ROOT, SOURCE, run_tool

OPENAPI = ROOT / "docs" / "openapi.yaml"


def lint(description):
    """Return the rules that are broken, once for each place."""
    arguments = [description, "--config", SOURCE / "redocly.yaml", "--format", "json"]
    done = run_tool("redocly", ["lint", *arguments], cwd=ROOT)
    found = json.JSONDecoder().raw_decode(done.stdout[done.stdout.index("{") :])[0]
    assert (done.returncode == 0) is (found["totals"]["errors"] == 0), done.stdout
    return [
        f"{one['ruleId']}: {one['message']}" for one in found["problems"] if not one.get("ignored")
    ]


def test_the_linter_finds_nothing(node_tools):
    assert lint(OPENAPI) == []


def test_the_linter_would_find_something(node_tools, tmp_path):
    description = tmp_path / "openapi.yaml"
    text = OPENAPI.read_text()
    assert "operationId: getJob" in text
    description.write_text(text.replace("operationId: getJob", "operationId: listJobs", 1))

    assert any(one.startswith("operation-operationId-unique") for one in lint(description))


def test_every_exception_has_a_reason_above_it():
    exceptions = [
        (before, line)
        for name in ("redocly.yaml", ".redocly.lint-ignore.yaml")
        for before, line in pairwise((SOURCE / name).read_text().splitlines())
        if re.match(r"  [a-z]", line)
    ]

    assert len(exceptions) >= 3
    for before, line in exceptions:
        assert re.fullmatch(r"  # .{20,}\.", before), line
