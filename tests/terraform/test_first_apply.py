"""One apply goes through in a new project, though Google takes its time; see terraform/waits.tf."""

import re

import pytest

from tests.terraform.running import SOURCE, VARIABLES, Workspace
from tests.terraform.young_project import METRIC_ARRIVES_S, YoungProject

Young = tuple[Workspace, YoungProject]
EVERYTHING = {
    "public_api": True,
    "cloud_trace": True,
    "budget_per_month": 100,
    "billing_account": "012345-6789AB-CDEF01",
}
WAITS = {
    "services": "Error 403: [a-z]+ API has not been used, or it is disabled",
    "pubsub_agent": "Error 400: Service account .*gcp-sa-pubsub.* does not exist",
    "grants": "Error 403: Permission denied: ",
    "metrics": r"Error 404: Cannot find metric\(s\) that match relay_",
}


def test_one_apply_is_enough_in_a_new_project(young: Young) -> None:
    workspace, project = young
    workspace.set({**VARIABLES, **EVERYTHING})

    said = workspace.apply()

    assert "Apply complete!" in said
    # The functions are built while the metrics are waited for, so it takes no longer than these.
    assert project.time.now() <= METRIC_ARRIVES_S + 60


@pytest.mark.parametrize("wait", WAITS)
def test_every_wait_is_needed(young: Young, wait: str) -> None:
    workspace, _ = young
    path = workspace.folder / "waits.tf"
    text, replaced = re.subn(
        rf'(resource "time_sleep" "{wait}" {{\n  create_duration = )"\d+s"',
        r'\1"0s"',
        path.read_text(),
    )
    assert replaced == 1
    path.write_text(text)

    result = workspace.run("apply", "-auto-approve", "-no-color", "-input=false")

    assert result.code == 1
    complaints = re.findall(r"Error: (Error \d+: [^\n]*)", result.output)
    assert complaints
    assert all(re.match(WAITS[wait], one) for one in complaints), complaints


def test_no_wait_is_left_unchecked() -> None:
    written = (SOURCE / "waits.tf").read_text()

    assert set(re.findall(r'resource "time_sleep" "(\w+)"', written)) == set(WAITS)


def test_a_metric_that_is_added_is_waited_for_again(fresh: Workspace) -> None:
    fresh.apply()
    metrics = fresh.folder / "metrics.tf"
    text = metrics.read_text()
    metrics.write_text(text.replace("    relay_jobs_created = {", NEW_METRIC, 1))

    planned = fresh.run("plan", "-no-color", "-input=false").output

    assert "# time_sleep.metrics must be replaced" in planned
    assert "time_sleep.grants must" not in planned


NEW_METRIC = """    relay_lines = {
      description = "All lines."
      messages    = ["job created"]
      labels      = []
    }
    relay_jobs_created = {"""


def test_nothing_is_replaced_because_a_service_is_added(fresh: Workspace) -> None:
    fresh.apply()
    services = fresh.folder / "services.tf"
    text = services.read_text()
    more = '    "run.googleapis.com",\n    "workflows.googleapis.com",\n'
    services.write_text(text.replace('    "run.googleapis.com",\n', more, 1))

    planned = fresh.run("plan", "-no-color", "-input=false").output

    assert re.findall(r"# (\S+) must be replaced", planned) == ["time_sleep.services"]
