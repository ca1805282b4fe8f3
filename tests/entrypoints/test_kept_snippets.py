"""The blocks of docs/using.md about kept pictures, run as printed against the API on the fakes."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from relay.domain.job import Status
from tests.factories import JOB_ID, OUTPUT, finished_job
from tests.fakes import PNG

USING = Path(__file__).parents[2] / "docs" / "using.md"


def block(heading: str, language: str) -> str:
    """Return the first block of this language below a heading."""
    section = USING.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return section.partition(f"```{language}\n")[2].partition("```")[0]


def function(name: str) -> str:
    """Return the line of the tour's beginning that defines a shell function."""
    lines = block("Submit and wait", "sh").splitlines()
    return next(line for line in lines if line.startswith(f"{name}()"))


@pytest.fixture
def folder(api, world, tmp_path):
    """Where a reader runs the blocks, with a job of two outputs, one of which was kept."""
    world.jobs.put(finished_job(Status.SUCCEEDED, outputs=(OUTPUT, f"{OUTPUT}?2")))
    world.downloads.script(f"{OUTPUT}?2", 404)
    event = {"ce-type": "com.renderrelay.job.succeeded", "ce-subject": JOB_ID}
    world.completions().receive({"message": {"attributes": event}})
    server = make_server("127.0.0.1", 0, api.application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    stack = {"api_url": f"http://127.0.0.1:{server.port}", "api_key": "key-of-demo"}
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "stack.json").write_text(json.dumps(stack))
    (tmp_path / "job.json").write_text(json.dumps({"id": JOB_ID}))
    yield tmp_path
    server.shutdown()
    thread.join()
    server.server_close()


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=True, env=os.environ
    )
    return done.stdout


def test_a_kept_picture_is_downloaded_in_the_shell(folder):
    stack = json.loads((folder / ".local" / "stack.json").read_text())
    known = f"API={stack['api_url']} KEY={stack['api_key']} JOB={JOB_ID}\n"

    run(folder, "bash", "-euc", known + function("relay") + "\n" + block("Kept pictures", "sh"))

    assert (folder / "kept.png").read_bytes() == PNG


def test_kept_pictures_are_downloaded_and_compared_in_python(folder):
    shown = run(folder, sys.executable, "-c", block("Kept pictures", "python"))

    assert shown.splitlines() == ["0 image/png True", "1 its URL answered HTTP 404"]
