"""A small storm: processes of every function are killed while 150 jobs go through the relay.

A second tenant floods it with jobs that are answered 403, 429, 500 or never. On a stack
of its own, with two processes a function; `make storm` runs the same at full size.
"""

import os
from http import HTTPStatus
from pathlib import Path

import pytest

from infra.local.errors import EmulatorsUnavailable
from infra.local.plan import FUNCTIONS_SOURCE
from infra.local.processes import StopRequest
from infra.storm.faults import KillEvery
from infra.storm.report import text_report
from infra.storm.run import StormResult, StormSettings, run_storm
from relay.domain.job import Status
from tests.event_schemas import complaints

pytestmark = pytest.mark.storm

SETTINGS = StormSettings(
    jobs=150,
    hostile=200,
    seed=1,
    kill_every=KillEvery(shortest_s=2.0, longest_s=5.0),
    # Half of the documented limit would be the honest tenant's, too little for its own jobs.
    gepetto_calls_per_minute=360,
    spacely_calls_per_second=100,
)


def stormed(stack_file: Path) -> StormResult:
    try:
        return run_storm(
            SETTINGS,
            stack_file=stack_file,
            functions=FUNCTIONS_SOURCE,
            env=os.environ,
            say=print,
            stop=StopRequest(),
        )
    except EmulatorsUnavailable as error:
        if os.environ.get("RELAY_REQUIRE_EMULATORS") == "1":
            raise
        pytest.skip(str(error))


def test_a_storm_of_crashes_breaks_no_promise(tmp_path: Path) -> None:
    result = stormed(tmp_path / "storm.json")

    evidence = result.evidence
    ends = [job.status for job in evidence.honest.values()]
    assert result.violations == (), "\n".join(text_report(result))
    assert [fault for one in evidence.deliveries for fault in complaints(one)] == []
    assert len(ends) == SETTINGS.jobs
    assert ends.count(Status.SUCCEEDED) > SETTINGS.jobs / 2
    assert len({one.id for one in evidence.callbacks if one.status == HTTPStatus.NO_CONTENT}) > 50
    assert len(evidence.copies) > SETTINGS.jobs / 2
    assert sum(not one.crash.for_s for one in evidence.crashes) >= 10
