"""The simulator itself: the same seed is the same history, and the promises hold."""

import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from infra.simulator import keeping, providers, run, store, topics
from infra.simulator.environment import FaultSwitches
from infra.simulator.run import run_seed, shrink
from infra.verification.history import Violation
from relay.adapters import cloud_storage, firestore, pubsub
from relay.adapters.transport import Bounds
from relay.application import pump_run
from relay.domain.due import can_wait_for_tick
from relay.domain.job import Job
from tests.faults import only_faulty

ROOT = Path(__file__).parents[2]
# CI tries 2,000, by `make simulate`.
SEEDS = 12


def trace(seed, *, hash_seed):
    return subprocess.run(
        [sys.executable, "-m", "infra.simulator", "--show", str(seed)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout


def test_the_same_seed_gives_the_same_history_to_the_byte():
    first, second = (trace(7, hash_seed=hash_seed) for hash_seed in ("1", "2"))

    assert first == second
    assert len(first.splitlines()) > 20


def test_another_seed_gives_another_history():
    assert run_seed(1).history.digest() != run_seed(2).history.digest()


def test_the_promises_hold():
    broken = {
        seed: [str(violation) for violation in violations]
        for seed in range(SEEDS)
        if (violations := run_seed(seed).violations)
    }

    assert broken == {}


@pytest.mark.thorough
def test_the_promises_hold_while_lists_are_fetched():
    outcomes = [run_seed(seed, FaultSwitches(asks_for_lists=True)) for seed in range(12)]

    broken = {one.seed: [str(broken) for broken in one.violations] for one in outcomes}
    assert only_faulty(broken) == {}
    calls = [call.job_id for one in outcomes for call in one.history.calls]
    assert sum(one in run.LISTS for one in calls) > len(outcomes)


@pytest.mark.thorough
def test_the_promises_hold_while_pumps_leave_long_renders_to_ticks(monkeypatch):
    left: list[str] = []

    def noted(job: Job, *, at: datetime) -> bool:
        can_wait = can_wait_for_tick(job, at=at)
        left.extend([job.id] * can_wait)
        return can_wait

    monkeypatch.setattr(pump_run, "can_wait_for_tick", noted)
    outcomes = [run_seed(seed, FaultSwitches(scenario="long")) for seed in range(20)]

    broken = {one.seed: [str(broken) for broken in one.violations] for one in outcomes}
    assert only_faulty(broken) == {}
    assert len(set(left)) > len(outcomes)


@pytest.mark.thorough
@pytest.mark.parametrize("what", ["callbacks", "copies"])
def test_the_promises_hold_with_many_callbacks_and_copies(what):
    switches = FaultSwitches(calls_back=what == "callbacks", keeps_outputs=what == "copies")
    outcomes = [run_seed(seed, switches) for seed in range(20)]

    broken = {one.seed: [str(broken) for broken in one.violations] for one in outcomes}
    assert only_faulty(broken) == {}
    happened = [(len(one.history.posts), len(one.history.copies)) for one in outcomes]
    assert sum(posts if what == "callbacks" else copies for posts, copies in happened) > 50


@pytest.mark.thorough
def test_a_history_jumps_through_the_days_in_which_a_dead_endpoint_is_tried():
    outcomes = [run_seed(seed, FaultSwitches(calls_back=True)) for seed in range(20)]

    days = max(one.history.end_s / 86_400 for one in outcomes)
    # All attempts take 3.1 days; a second event of a job is tried after those of the first.
    assert 3 < days < 7
    assert max(one.steps for one in outcomes) < 150_000


def test_a_failure_is_shrunk_to_the_few_faults_that_it_needs(monkeypatch):
    def no_crash_is_allowed(history):
        crashed = any(what.startswith("CRASH") for _, _, what in history.lines)
        return [Violation("P0", "-", "something crashed")] if crashed else []

    monkeypatch.setattr(run, "violations", no_crash_is_allowed)
    failed = next(
        outcome
        for seed in range(100)
        if (outcome := run_seed(seed)).violations and outcome.faults > 20
    )

    shrunk, _ = shrink(failed)

    assert shrunk.violations
    assert len(shrunk.injected) <= 5


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (store.CALL_TIMEOUT_S, firestore.CALL_TIMEOUT_S),
        (topics.PUBLISH_TIMEOUT_S, pubsub.PUBLISH_TIMEOUT_S),
        (keeping.PUT_TIMEOUT_S, cloud_storage.TIMEOUT_S[1]),
        (providers.SEND_S, Bounds().send_s),
        (providers.CALL_S, Bounds().call_s),
    ],
)
def test_time_limits_are_those_of_the_real_adapters(ours, theirs):
    assert ours == theirs
