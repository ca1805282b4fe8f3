"""The log lines of the running stack have the fields that the deployment's metrics take."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from relay.domain.callback import CALLBACKS
from tests.system.conftest import Relay, until
from tests.terraform.hcl_files import read_folder
from tests.terraform.running import SOURCE

pytestmark = pytest.mark.thorough

SEEN_IN_ANY_STACK = {"job created", "job moved", "job finished", "pump done"}
# Only failed jobs have a code; the label stays empty for all others.
MAY_BE_MISSING = {"code"}


def declared_metrics() -> dict[str, tuple[set[str], set[str], str | None]]:
    """Return each metric's messages, labels and the field whose numbers it takes."""
    local: dict[str, Any] = {
        name: value
        for file in read_folder(SOURCE)
        for one in file.get("locals", ())
        for name, value in one.items()
    }
    found = {}
    for name, its in {**local["line_counts"], **local["line_numbers"]}.items():
        if name.startswith("__"):
            continue
        messages = its.get("messages") or [its["message"]]
        field = its.get("field")
        found[name] = (
            {_text(one) for one in messages},
            {_text(one) for one in its["labels"]},
            field and _text(field),
        )
    return found


def _text(written: str) -> str:
    return written.strip('"')


@pytest.fixture(scope="module")
def lines(relay: Relay) -> list[Mapping[str, Any]]:
    """Every line of every function after a job that succeeded and one that failed."""
    relay.final(relay.redesign("render-s=1", number=930))
    relay.final(relay.advance("failed,render-s=1"))

    def logged() -> Sequence[Mapping[str, Any]] | None:
        found = [
            json.loads(line)
            for function in relay.stack.description.pids
            for line in relay.stack.log(function).read_text().splitlines()
            if line.startswith("{") and line.endswith("}")
        ]
        return found if {one["message"] for one in found} >= SEEN_IN_ANY_STACK else None

    return until(logged)


@pytest.mark.parametrize("metric", declared_metrics())
def test_lines_have_what_the_metric_takes_from_them(
    lines: list[Mapping[str, Any]], metric: str
) -> None:
    messages, labels, field = declared_metrics()[metric]
    counted = [line for line in lines if line["message"] in messages]

    assert counted or not messages & SEEN_IN_ANY_STACK
    for line in counted:
        assert labels - MAY_BE_MISSING <= line.keys(), line
        if field is not None and (field, line.get("account")) != ("queued", CALLBACKS):
            assert isinstance(line[field], int | float)


def test_failed_jobs_say_why(lines: list[Mapping[str, Any]]) -> None:
    failed = [one for one in lines if one["message"] == "job finished" and "code" in one]

    assert failed
    assert {one["status"] for one in failed} == {"failed"}
