"""The archive that is deployed runs alone: its own packages, its own files, its own variables.

It is put together as terraform/archive.tf says, unpacked where nothing else is, and served by
the functions framework as the platform serves it: in the environment that Terraform gives each
function, every entry point of signature type http, because there is no event trigger.
"""

import base64
import functools
import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.local.processes import (
    HOST,
    Command,
    Probe,
    Process,
    free_ports,
    stop_all,
    wait_until_answered,
)
from infra.local.reaper import Reaper
from tests.factories import INPUT
from tests.system.conftest import call
from tests.terraform.hcl_files import declared, read_folder
from tests.terraform.running import SOURCE
from tests.terraform.state import environment

pytestmark = pytest.mark.thorough

API_KEY = "a-key-of-the-shop"
UP_WITHIN_S = 120.0
READY = {"jobs_api": 200, "provider_webhook": 405, "poll_tick": 405}
"""What each function answers to a GET of /healthz."""


@functools.cache
def archive_settings() -> Mapping[str, Any]:
    """Return what archive.tf says of the archive, without the quotation marks."""
    (written,) = (one for one in declared(read_folder(SOURCE)) if one.type == "archive_file")
    return {
        "source": Path(
            json.loads(written.body["source_dir"]).replace("${path.module}", str(SOURCE))
        ),
        "excludes": [json.loads(pattern) for pattern in written.body["excludes"]],
    }


def archived() -> list[Path]:
    """Return the files that go into the archive, relative to its root."""
    source = archive_settings()["source"].resolve()
    return [
        file.relative_to(source)
        for file in sorted(source.rglob("*"))
        if file.is_file() and not is_excluded(file.relative_to(source))
    ]


def is_excluded(path: Path) -> bool:
    """Return whether a file is left out, itself or with a folder that it is in."""
    patterns = [as_regex(pattern) for pattern in archive_settings()["excludes"]]
    places = [path, *path.parents][:-1]
    return any(pattern.fullmatch(place.as_posix()) for pattern in patterns for place in places)


def as_regex(pattern: str) -> re.Pattern[str]:
    """Return what the archive provider makes of a pattern (doublestar, as in a .gitignore)."""
    parts = {"**/": "(?:.*/)?", "/**": "(?:/.*)?", "*": "[^/]*"}
    found = re.split(r"(\*\*/|/\*\*|\*)", pattern)
    return re.compile("".join(parts.get(part, re.escape(part)) for part in found))


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder with nothing in it but what was in the archive."""
    source = archive_settings()["source"]
    zipped = tmp_path_factory.mktemp("archive") / "functions.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        for file in archived():
            archive.write(source / file, file)
    folder = tmp_path_factory.mktemp("workspace")
    with zipfile.ZipFile(zipped) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def packages(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of a virtual environment with what the archive asks for and nothing else."""
    folder = tmp_path_factory.mktemp("packages")
    done = run(sys.executable, "-m", "venv", folder, cwd=unpacked)
    assert done.returncode == 0, done.stderr
    pip = (folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check")
    wanted = ("--require-hashes", "--requirement", "requirements.txt")
    done = run(*pip, "install", "--quiet", *wanted, cwd=unpacked)
    assert done.returncode == 0, done.stderr
    return folder / "bin"


def run(*args: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run one command with nothing of this virtual environment about it."""
    return subprocess.run(
        list(map(str, args)), cwd=cwd, env=machine(), capture_output=True, text=True, check=False
    )


def machine() -> dict[str, str]:
    """Return the environment that any program here needs."""
    ours = {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME"}
    return {name: value for name, value in os.environ.items() if name not in ours}


Serve = Callable[[str], str]


@pytest.fixture(scope="module")
def serve(
    unpacked: Path,
    packages: Path,
    applied: Any,
    firestore_emulator: str,
    pubsub_emulator: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Serve]:
    """Serve an entry point, at most once, and return its URL."""
    resources = applied.resources()
    logs = tmp_path_factory.mktemp("logs")
    here = {
        "FIRESTORE_EMULATOR_HOST": firestore_emulator,
        "PUBSUB_EMULATOR_HOST": pubsub_emulator,
        # Never called, but no credentials are looked for.
        "STORAGE_EMULATOR_HOST": f"{HOST}:1",
        "API_KEYS": json.dumps({"shop": [hashlib.sha256(API_KEY.encode()).hexdigest()]}),
    }
    processes: list[Process] = []

    @functools.cache
    def start(target: str) -> str:
        (port,) = free_ports(1)
        given = environment(resources, target)
        assert given["GOOGLE_CLOUD_PROJECT"] == "a-project"
        process = Process(
            Command(
                name=target,
                args=(str(packages / "functions-framework"), "--target", target),
                env={
                    "PATH": "/usr/bin:/bin",
                    "NO_PROXY": HOST,
                    "HOST": HOST,
                    "PORT": str(port),
                    "FUNCTION_TARGET": target,
                    "FUNCTION_SIGNATURE_TYPE": "http",
                    "K_SERVICE": target.replace("_", "-"),
                    **given,
                    **{name: here[name] for name in here if name != "API_KEYS" or name in given},
                },
                cwd=unpacked,
                log=logs / f"{target}.log",
            ),
            reaper=reaper,
        )
        processes.append(process)
        probe = Probe(port=port, path="/healthz", statuses=frozenset({READY[target]}))
        wait_until_answered(
            {target: probe}, timeout_s=UP_WITHIN_S, check=functools.partial(check, process)
        )
        return f"http://{HOST}:{port}"

    with Reaper() as reaper:
        yield start
        stop_all(processes)


def check(process: Process) -> None:
    """Raise if a process that should be serving has ended."""
    code = process.exit_code()
    if code is not None:
        raise process.failure(code)


@pytest.mark.parametrize(
    ("path", "is_out"),
    [
        ("main.py", False),
        ("relay/domain/job.py", False),
        ("__pycache__/main.cpython-311.pyc", True),
        ("relay/domain/__pycache__/job.cpython-311.pyc", True),
        ("relay/job.pyc", True),
        (".env", True),
        ("relay/.cache/anything.txt", True),
    ],
)
def test_only_source_goes_into_the_archive(path, is_out):
    assert is_excluded(Path(path)) is is_out


def test_the_archive_is_what_the_build_wants(unpacked):
    files = {
        file.relative_to(unpacked).as_posix() for file in unpacked.rglob("*") if file.is_file()
    }
    pins = (unpacked / "requirements.txt").read_text().splitlines()

    console = {file for file in files if file.startswith("relay/console/")}
    assert {"main.py", "requirements.txt", "relay/config.py"} <= files
    assert "relay/console/index.html" in console
    assert {Path(file).suffix for file in files - console} == {".py", ".txt"}
    # The build reads this very file, and follows no -r.
    assert any(line.startswith("functions-framework==") for line in pins)
    assert not any(line.startswith("-r") for line in pins)


def test_the_packages_agree_with_each_other(packages, unpacked):
    done = run(packages / "python", "-m", "pip", "check", cwd=unpacked)

    assert done.returncode == 0, done.stdout


def test_every_file_compiles(packages, unpacked):
    done = run(packages / "python", "-m", "compileall", "-f", "-q", ".", cwd=unpacked)

    assert done.returncode == 0, done.stdout


def test_nothing_outside_the_archive_is_needed(packages, unpacked):
    told = "; ".join(
        [
            "import sys, main, json",
            "files = [getattr(one, '__file__', None) for one in sys.modules.values()]",
            "print(json.dumps([sys.base_prefix, sys.prefix, sorted(filter(None, files))]))",
        ]
    )

    done = run(packages / "python", "-c", told, cwd=unpacked)

    assert done.returncode == 0, done.stderr
    base, own, files = json.loads(done.stdout)
    # Python itself may be reached through several names.
    known = tuple({os.path.realpath(place) for place in (base, own, unpacked)})
    assert len(files) > 500
    assert [file for file in files if not os.path.realpath(file).startswith(known)] == []


@pytest.mark.emulator
def test_jobs_api_creates_a_job_and_shows_it(serve):
    url = serve("jobs_api")
    key = {"X-API-KEY": API_KEY}
    body = {"provider": "gepetto", "operation": "redesign", "input": INPUT}

    health = call("GET", f"{url}/healthz")
    nobody = call("POST", f"{url}/v1/jobs", json=body)
    created = call("POST", f"{url}/v1/jobs", json=body, headers=key)
    read = call("GET", f"{url}{created.headers['Location']}", headers=key)

    assert (health.status_code, nobody.status_code) == (200, 401)
    assert created.status_code == 201, created.text
    assert (read.status_code, read.json()["status"]) == (200, "queued")
    assert read.json()["id"] == created.json()["id"]


@pytest.mark.emulator
def test_provider_webhook_knows_no_stranger(serve):
    url = serve("provider_webhook")

    answer = call("POST", f"{url}/gepetto/job_{'0' * 26}/{'A' * 32}", json={})

    assert answer.status_code == 404


@pytest.mark.emulator
@pytest.mark.parametrize("account", ["spacely", "nobody"])
def test_poll_tick_takes_what_pubsub_pushes(serve, account):
    url = serve("poll_tick")
    data = base64.b64encode(json.dumps({"account": account}).encode()).decode()
    pushed = {
        "message": {
            "data": data,
            "messageId": "1",
            "message_id": "1",
            "publishTime": "2026-11-22T12:00:00.000Z",
            "publish_time": "2026-11-22T12:00:00.000Z",
            "attributes": {},
        },
        "subscription": f"projects/a-project/subscriptions/poll-ticks-{account}-push",
    }

    answer = call("POST", url, json=pushed)

    assert answer.status_code in {200, 204}, answer.text
