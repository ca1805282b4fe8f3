"""What the OpenAPI file allows and forbids, sent to a running relay by schemathesis.

Bounded, and the same each time; `make fuzz` runs as many cases as it is told to. On a stack of
its own, because its jobs would use up the call limits that other tests count on.
"""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from infra.describe.fuzz import KEYS, Outcome, fuzzed_stack, run_schemathesis
from infra.local.errors import EmulatorsUnavailable
from infra.local.stack import Stack
from tests.system.conftest import call, until

pytestmark = pytest.mark.thorough

TIMEOUT_S = 3600.0
# Without the one that goes through every way in which each request can be wrong.
RANDOM_PHASES = ("examples", "fuzzing", "stateful")


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack_file = tmp_path_factory.mktemp("fuzz") / "stack.json"
    try:
        with fuzzed_stack(stack_file=stack_file, env=os.environ) as stack:
            yield stack
    except EmulatorsUnavailable as error:
        if os.environ.get("RELAY_REQUIRE_EMULATORS") == "1":
            raise
        pytest.skip(str(error))


@pytest.fixture
def run(fuzzed: Stack, tmp_path: Path) -> Callable[..., Outcome]:
    return partial(
        run_schemathesis, fuzzed.description.api_url, directory=tmp_path, timeout_s=TIMEOUT_S
    )


def test_tenants_are_answered_as_the_openapi_file_says(run):
    outcome = run(keys=KEYS, max_examples=5, seed=1)

    assert outcome.is_good, outcome.text
    assert outcome.cases >= 2000


def test_tenants_are_answered_as_the_openapi_file_says_in_a_few_cases_of_each_kind(run):
    outcome = run(keys=KEYS, max_examples=3, seed=2, phases=RANDOM_PHASES)

    assert outcome.is_good, outcome.text
    assert outcome.cases >= 100


def test_a_stranger_is_answered_as_the_openapi_file_says_and_learns_nothing(run):
    # Without a key no body is read: the thousand ways to get one wrong would all be one.
    outcome = run(keys={}, max_examples=20, seed=1, phases=RANDOM_PHASES)

    assert outcome.is_good, outcome.text
    assert outcome.cases >= 200


def test_the_relay_works_on_after_all_of_that(fuzzed):
    api_url = fuzzed.description.api_url
    headers = {"X-API-KEY": KEYS["two"]}
    room = f"{fuzzed.description.sandbox_url}/rooms/living.jpg"
    body = {
        "provider": "spacely",
        "operation": "advance",
        "input": {"model": "spacely-v1", "imageUrl": room, "renovateType": "residential"},
    }

    answer = call("POST", f"{api_url}/v1/jobs", json=body, headers=headers)

    where = f"{api_url}{answer.headers['Location']}"
    until(
        lambda: call("GET", where, headers=headers).json()["outputs"],
    )
    fuzzed.check()
