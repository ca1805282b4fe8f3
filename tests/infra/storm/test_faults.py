"""Kills and pauses: drawn from the seed, and made on processes that do nothing."""

import subprocess
import time
from itertools import pairwise
from pathlib import Path

import pytest

from infra.local.errors import StackFailed
from infra.storm.faults import STORE, Crash, Crasher, KillEvery, drawn_kills, drawn_pauses

NAMES = ("jobs_api-1", "jobs_api-2", "poll_tick-1")


class FakeStack:
    """Remembers who was to be killed; a process without a pid cannot be."""

    def __init__(self, **pids: int) -> None:
        self.pids = pids
        self.killed: list[str] = []

    def pid(self, name: str) -> int:
        return self.pids[name]

    def kill(self, name: str) -> int:
        if name not in self.pids:
            raise StackFailed(f"{name} is not there")
        self.killed.append(name)
        return self.pids[name]


def carried_out(crasher: Crasher) -> Crasher:
    with crasher:
        give_up_at_s = time.monotonic() + 5.0
        while not crasher.is_done and time.monotonic() < give_up_at_s:
            time.sleep(0.005)
    return crasher


def a_kill(name: str, *, at_s: float) -> Crash:
    return Crash(at_s=at_s, name=name, for_s=0.0)


def test_each_is_killed_in_its_turn_and_told_of():
    stack = FakeStack(one=1, two=2)
    kills = [a_kill("two", at_s=0.02), a_kill("one", at_s=0.0)]

    crasher = carried_out(Crasher(kills, processes=stack))

    assert stack.killed == ["one", "two"]
    assert [(done.crash.name, done.pid) for done in crasher.done] == [("one", 1), ("two", 2)]
    crasher.check()


def test_a_stack_that_fails_is_told_of_and_nobody_else_is_killed():
    stack = FakeStack(one=1)
    kills = [a_kill("gone", at_s=0.0), a_kill("one", at_s=0.01)]

    crasher = carried_out(Crasher(kills, processes=stack))

    assert stack.killed == []
    with pytest.raises(StackFailed, match="gone"):
        crasher.check()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
def test_a_paused_process_stands_still_and_goes_on():
    with subprocess.Popen(["sleep", "30"], start_new_session=True) as process:
        stack = FakeStack(it=process.pid)
        pause = Crash(at_s=0.0, name="it", for_s=1.0)

        with Crasher([pause], processes=stack) as crasher:
            states = set()
            while not crasher.is_done:
                states.add(state_of(process.pid))
                time.sleep(0.005)

        assert "T" in states
        assert state_of(process.pid) != "T"
        process.kill()


def test_a_process_that_has_gone_cannot_be_paused_and_that_is_no_failure():
    with subprocess.Popen(["true"], start_new_session=True) as process:
        process.wait()

    crasher = carried_out(
        Crasher([Crash(at_s=0.0, name="it", for_s=0.01)], processes=FakeStack(it=process.pid))
    )

    assert len(crasher.done) == 1
    crasher.check()


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_kills_come_as_often_as_they_are_wanted_and_hit_everybody():
    every = KillEvery(shortest_s=2.0, longest_s=5.0)

    kills = drawn_kills(NAMES, seed=1, every=every, storm_s=300.0)

    times = [0.0, *(kill.at_s for kill in kills)]
    gaps = [after - before for before, after in pairwise(times)]
    assert all(2.0 <= gap <= 5.0 for gap in gaps)
    assert times[-1] > 295.0
    assert {kill.name for kill in kills} == set(NAMES)
    assert kills == drawn_kills(NAMES, seed=1, every=every, storm_s=300.0)


def test_the_store_is_paused_twice_within_the_storm():
    pauses = [one for one in drawn_pauses(seed=3, storm_s=60.0) if one.name == STORE]

    assert [one.for_s for one in pauses] == [5.0, 5.0]
    assert all(0.0 < one.at_s < 60.0 for one in pauses)
