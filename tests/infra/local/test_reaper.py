"""What is left of a stack that was killed."""

import subprocess
import sys

from infra.local.reaper import Reaper, kill_groups_left_over


def a_child() -> subprocess.Popen[bytes]:
    code = "import time; time.sleep(600)"
    return subprocess.Popen((sys.executable, "-I", "-S", "-c", code), start_new_session=True)


def test_a_group_on_the_list_is_killed_when_the_stack_ends():
    child = a_child()

    with Reaper() as reaper:
        reaper.watch(child.pid)

    assert child.wait(timeout=60) == -9


def test_a_released_group_is_left_alone():
    child = a_child()

    with Reaper() as reaper:
        reaper.watch(child.pid)
        reaper.release(child.pid)

    assert child.poll() is None
    child.kill()
    child.wait()


def test_a_group_that_is_gone_already_keeps_nobody_from_ending_the_others():
    gone, child = a_child(), a_child()
    gone.kill()
    gone.wait()

    kill_groups_left_over([f"+{gone.pid}\n", f"+{child.pid}\n"])

    assert child.wait(timeout=60) == -9
