"""What happens to a service that ends, with children that do nothing but end."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.local.errors import LocalStackError, PortTaken, StackFailed
from infra.local.processes import Command, Probe, RestartPolicy, Service, Supervisor, check_port
from infra.local.reaper import Reaper

LIVES_ON = "import time; time.sleep(600)"
FORKS_AND_LIVES_ON = f"import os; open(str(os.getpid()), 'w').close(); os.fork(); {LIVES_ON}"
SAYS_WHY_AND_ENDS = "import sys; print('no such module'); sys.exit(3)"
IMPATIENT = RestartPolicy(delay_s=0.01, quick_exit_s=60.0, max_quick_exits=3)
SOON = 60.0


def a_service(code: str, *, directory: Path, restarts: bool = True) -> Service:
    return Service(
        command=Command(
            name="it",
            args=(sys.executable, "-I", "-S", "-c", code),
            env={},
            cwd=directory,
            log=directory / "it.log",
        ),
        probe=Probe(port=1, path="/", statuses=frozenset()),
        restarts=restarts,
    )


class Restarts:
    """Counts what the supervisor tells."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@contextmanager
def supervised(
    service: Service, on_restart: Callable[[], None] = lambda: None
) -> Iterator[Supervisor]:
    with Reaper() as reaper:
        supervisor = Supervisor((service,), reaper=reaper, on_restart=on_restart, policy=IMPATIENT)
        supervisor.start()
        try:
            yield supervisor
        finally:
            supervisor.stop()


def is_alive(group: int) -> bool:
    """Tell whether anything but a zombie is left in the group."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, of = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(of) == group and state != "Z":
            return True
    return False


def wait_until(reached: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + SOON
    while not reached():
        assert time.monotonic() < give_up_at, "waited in vain"
        time.sleep(0.01)


def failure_of(supervisor: Supervisor) -> LocalStackError:
    give_up_at = time.monotonic() + SOON
    while time.monotonic() < give_up_at:
        try:
            supervisor.check()
        except LocalStackError as failure:
            return failure
        time.sleep(0.01)
    raise AssertionError("it did not fail")


def test_a_service_that_is_killed_is_started_again_under_another_pid(tmp_path):
    restarts = Restarts()
    with supervised(a_service(LIVES_ON, directory=tmp_path), restarts) as supervisor:
        old_pid = supervisor.kill("it", timeout_s=SOON)
        new_pid = supervisor.wait_restarted("it", old_pid, timeout_s=SOON)

        assert new_pid not in (0, old_pid)
        assert supervisor.pid("it") == new_pid
        wait_until(lambda: restarts.count == 1)


def test_being_killed_however_often_is_not_a_failure_to_start(tmp_path):
    with supervised(a_service(LIVES_ON, directory=tmp_path)) as supervisor:
        for _ in range(2 * IMPATIENT.max_quick_exits):
            old_pid = supervisor.kill("it", timeout_s=SOON)
            supervisor.wait_restarted("it", old_pid, timeout_s=SOON)

        supervisor.check()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
def test_what_a_killed_leader_forked_is_gone_before_its_next_life(tmp_path):
    with supervised(a_service(FORKS_AND_LIVES_ON, directory=tmp_path)) as supervisor:
        old_pid = supervisor.pid("it")
        wait_until((tmp_path / str(old_pid)).exists)

        os.kill(old_pid, signal.SIGKILL)
        supervisor.wait_restarted("it", old_pid, timeout_s=SOON)

        wait_until(lambda: not is_alive(old_pid))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
def test_stopping_leaves_nothing_behind(tmp_path):
    with supervised(a_service(FORKS_AND_LIVES_ON, directory=tmp_path)) as supervisor:
        pid = supervisor.pid("it")
        wait_until((tmp_path / str(pid)).exists)

    wait_until(lambda: not is_alive(pid))


def test_a_service_that_exits_at_once_over_and_over_is_given_up_with_its_last_words(tmp_path):
    restarts = Restarts()
    with supervised(a_service(SAYS_WHY_AND_ENDS, directory=tmp_path), restarts) as supervisor:
        failure = failure_of(supervisor)

    assert isinstance(failure, StackFailed)
    assert "exit code 3" in str(failure)
    assert "no such module" in str(failure)
    assert restarts.count == IMPATIENT.max_quick_exits - 1


def test_a_service_that_nothing_can_replace_ends_the_stack_when_it_ends(tmp_path):
    service = a_service(LIVES_ON, directory=tmp_path, restarts=False)
    with supervised(service) as supervisor:
        os.kill(supervisor.pid("it"), signal.SIGKILL)

        failure = failure_of(supervisor)

    assert "killed by SIGKILL" in str(failure)


@pytest.mark.parametrize(
    "words",
    [
        "OSError: [Errno 98] Address already in use",
        "Caused by: java.net.BindException: Address already in use",
        "[ERROR] Connection in use: ('127.0.0.1', 40001)",
    ],
    ids=["python", "java", "gunicorn"],
)
def test_a_port_taken_by_another_program_is_read_from_the_log(tmp_path, words):
    command = a_service(LIVES_ON, directory=tmp_path).command
    check_port(command)
    command.log.write_text(f"starting\n{words}\n  at some.Java.class\n")

    with pytest.raises(PortTaken, match="it found its port taken"):
        check_port(command)


def test_a_stack_file_that_cannot_be_written_ends_the_stack(tmp_path):
    def no_space_left() -> None:
        raise OSError("no space left")

    with supervised(a_service(LIVES_ON, directory=tmp_path), no_space_left) as supervisor:
        supervisor.kill("it", timeout_s=SOON)

        assert "no space left" in str(failure_of(supervisor))


def test_a_program_that_does_not_exist_is_named(tmp_path):
    command = Command(name="it", args=("/no/such",), env={}, cwd=tmp_path, log=tmp_path / "it.log")
    service = Service(
        command=command, probe=Probe(port=1, path="/", statuses=frozenset()), restarts=True
    )

    with pytest.raises(StackFailed, match="it cannot be started"), supervised(service):
        pass
