"""Twenty pictures of 25 MiB that wait to be kept, or are read, do not fill an instance's memory."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.errors import EmulatorsUnavailable
from infra.local.storage_emulator import running_storage_emulator

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
# Served, a second process holds what was imported: some 90 MiB, counted twice.
MOST_MIB = 300 - 90
PROGRAM = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import main
from relay.adapters import cloud_storage
from tests.factories import finished_job, job_id
from tests.fakes import World
from relay.domain.job import Status
from relay.adapters.runtime import SystemClock
from relay.application.ports import Download
import io

MIB = 1024 * 1024
world = World()
world.clock = SystemClock()
world.jobs = world.jobs._store
world.assemble()

class Pictures:
    def get(self, url):
        body = io.BytesIO()
        body.write(b"\\x89PNG\\r\\n\\x1a\\n")
        while body.tell() < 25 * MIB:
            body.write(bytes(65536))
        return Download(200, body.getvalue()[:25 * MIB])

bucket = cloud_storage.connect("renders")
keep = world.relay.completions(Pictures(), bucket)
jobs = [job_id(number) for number in range(20)]
for one in jobs:
    world.jobs.put(finished_job(Status.SUCCEEDED, id=one))

def receive(one):
    event = {"ce-type": "com.renderrelay.job.succeeded", "ce-subject": one}
    keep.receive({"message": {"attributes": event}})

def read(one):
    (kept,) = world.jobs.read(one).job.kept_outputs
    return sum(map(len, bucket.open(kept.uri)))

with ThreadPoolExecutor(20) as pool:
    list(pool.map(receive, jobs))
    assert set(pool.map(read, jobs)) == {25 * MIB}
status = Path("/proc/self/status").read_text()
print(int(status.partition("VmHWM:")[2].split()[0]) // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_twenty_large_pictures_at_once_stay_within_the_bound():
    try:
        with running_storage_emulator("renders") as host:
            done = subprocess.run(
                [sys.executable, "-c", PROGRAM],
                cwd=ROOT,
                env={"STORAGE_EMULATOR_HOST": host, "PYTHONPATH": f"{ROOT}/functions:{ROOT}"},
                capture_output=True,
                text=True,
                timeout=200,
                check=False,
            )
    except EmulatorsUnavailable as error:
        pytest.skip(str(error))

    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[-1]) < MOST_MIB
