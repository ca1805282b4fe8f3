"""The official Firestore and Pub/Sub emulators: find them, find a Java for them, run them.

They are looked for in the Google Cloud SDK, then in the Firebase CLI's cache, then fetched
into that cache with the Firebase CLI through npx. They run as plain Java processes, without
the gcloud wrapper: it leaves its Java behind when it is killed, and takes seconds to start.
"""

import logging
import os
import re
import shutil
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from infra.local.errors import EmulatorsUnavailable
from infra.local.processes import (
    HOST,
    Command,
    Probe,
    Process,
    StopRequest,
    check_port,
    free_ports,
    log_tail,
    start_on_free_ports,
    stop_all,
    wait_until_answered,
)
from infra.local.reaper import Reaper

__all__ = ["Emulator", "EmulatorsUnavailable", "Kind", "find_emulator", "running_emulator"]

FIREBASE_CLI = "firebase-tools@15.34.2"
# So long takes a cold start where every core has ten programs to run.
START_WITHIN_S = 120.0

_FETCH_WITHIN_S = 600.0
_FETCH_CHECK_EVERY_S = 0.1
_TOOL_TIMEOUT_S = 30.0
# A class file of version 55 needs Java 11. See JVM specification, 4.1.
_CLASS_VERSION_OF_JAVA_0 = 44

log = logging.getLogger(__name__)


class Kind(StrEnum):
    """The emulators, by the Firebase CLI's names."""

    FIRESTORE = "firestore"
    PUBSUB = "pubsub"


@dataclass(frozen=True, slots=True)
class Jar:
    """An emulator's program.

    Attributes:
        main_class: None if the jar names its own.
    """

    path: Path
    main_class: str | None = None

    def args(self, *, host: str, port: int) -> tuple[str, ...]:
        """Return the arguments for java, as the SDK's and Firebase's own scripts have them."""
        if self.main_class is None:
            return ("-jar", str(self.path), f"--host={host}", f"--port={port}")
        return ("-cp", str(self.path), self.main_class, "start", f"--host={host}", f"--port={port}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Location:
    sdk_pattern: str
    sdk_main_class: str | None
    sdk_component: str
    cache_pattern: str


_LOCATIONS: Mapping[Kind, _Location] = {
    Kind.FIRESTORE: _Location(
        sdk_pattern="platform/cloud-firestore-emulator/cloud-firestore-emulator*.jar",
        sdk_main_class="com.google.cloud.datastore.emulator.firestore.CloudFirestore",
        sdk_component="cloud-firestore-emulator",
        cache_pattern="cloud-firestore-emulator-v*.jar",
    ),
    Kind.PUBSUB: _Location(
        sdk_pattern="platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar",
        sdk_main_class=None,
        sdk_component="pubsub-emulator",
        cache_pattern="pubsub-emulator-*/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator:
    """An emulator that can run on this machine."""

    kind: Kind
    java: Path
    jar: Jar

    @property
    def name(self) -> str:
        """The name of its process and its log."""
        return f"{self.kind}-emulator"

    def command(self, *, port: int, env: Mapping[str, str], log: Path) -> Command:
        """Return the command that serves it on *port*."""
        args = (str(self.java), "-Duser.language=en", *self.jar.args(host=HOST, port=port))
        return Command(name=self.name, args=args, env=env, cwd=log.parent, log=log)


def probe(port: int) -> Probe:
    """Return the probe for either emulator on *port*."""
    return Probe(port=port, path="/", statuses=frozenset({200}))


def find_emulator(
    kind: Kind, *, env: Mapping[str, str], stop: StopRequest | None = None
) -> Emulator:
    """Find an emulator and a Java for it; fetch the emulator if it is nowhere.

    Raises:
        EmulatorsUnavailable: Says what to install.
        Stopped: *stop* was made while fetching.
    """

    def fetch(args: tuple[str, ...]) -> None:
        log.info("fetching the %s emulator: %s", kind, " ".join(args))
        _run_to_its_end(args, env=env, stop=stop or StopRequest())

    jar = locate(kind, env=env, fetch=fetch)
    return Emulator(kind=kind, java=java_for(jar, env=env), jar=jar)


@contextmanager
def running_emulator(kind: Kind, *, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run one emulator alone on a free port and yield its `host:port` once it answers.

    Args:
        env: The environment to search and to run in, by default this process's.

    Raises:
        EmulatorsUnavailable: Says what to install; a test suite skips on it.
        StackFailed: It does not start.
    """
    env = os.environ if env is None else env
    emulator = find_emulator(kind, env=env)
    with running_alone(
        lambda port, log: emulator.command(port=port, env=env, log=log), probe=probe
    ) as host:
        yield host


@contextmanager
def running_alone(
    command: Callable[[int, Path], Command], *, probe: Callable[[int], Probe]
) -> Iterator[str]:
    """Run one server on a free port and yield its `host:port` once it answers.

    Args:
        command: Returns what serves on a port and writes its output into a file.
        probe: Returns the probe of that port.

    Raises:
        StackFailed: It does not start.
    """

    def start(undo: ExitStack) -> str:
        reaper = undo.enter_context(Reaper())
        directory = Path(undo.enter_context(tempfile.TemporaryDirectory()))
        (port,) = free_ports(1)
        process = Process(command(port, directory / "log"), reaper=reaper)
        undo.callback(stop_all, (process,))

        def check() -> None:
            check_port(process.command)
            code = process.exit_code()
            if code is not None:
                raise process.failure(code)

        probes = {process.command.name: probe(port)}
        wait_until_answered(probes, timeout_s=START_WITHIN_S, check=check)
        return f"{HOST}:{port}"

    with ExitStack() as cleanup:
        yield start_on_free_ports(start, cleanup=cleanup)


def _run_to_its_end(args: tuple[str, ...], *, env: Mapping[str, str], stop: StopRequest) -> None:
    with ExitStack() as cleanup:
        reaper = cleanup.enter_context(Reaper())
        directory = Path(cleanup.enter_context(tempfile.TemporaryDirectory()))
        output = directory / "log"
        command = Command(name="fetch", args=args, env=env, cwd=directory, log=output)
        process = Process(command, reaper=reaper)
        cleanup.callback(process.kill)
        give_up_at = time.monotonic() + _FETCH_WITHIN_S
        while process.exit_code() is None and time.monotonic() < give_up_at:
            stop.check()
            time.sleep(_FETCH_CHECK_EVERY_S)
        if process.exit_code() != 0:
            log.warning("%s failed:\n%s", " ".join(args), log_tail(output))


def locate(kind: Kind, *, env: Mapping[str, str], fetch: Callable[[tuple[str, ...]], None]) -> Jar:
    """Find an emulator's jar; fetch it if it is nowhere.

    Args:
        fetch: Runs one command to its end, whether or not it succeeds.

    Raises:
        EmulatorsUnavailable: Says what to install.
    """
    found = _in_sdk(kind, env=env) or _in_firebase_cache(kind, env=env)
    if found is not None:
        return found
    npx = shutil.which("npx", path=env.get("PATH"))
    if npx is not None:
        fetch((npx, "--yes", FIREBASE_CLI, f"setup:emulators:{kind}"))
        found = _in_firebase_cache(kind, env=env)
    if found is not None:
        return found
    tried = "npx could not fetch it" if npx else "there is no npx to fetch it with"
    component = _LOCATIONS[kind].sdk_component
    raise EmulatorsUnavailable(
        f"no {kind} emulator: not in the Google Cloud SDK, not in the Firebase CLI's cache "
        f"({_firebase_cache(env)}), and {tried}. Install one of: the Google Cloud SDK with "
        f"`gcloud components install {component}` (or the package "
        f"google-cloud-cli-{component.removeprefix('cloud-')}); or Node.js "
        f"20 or newer and run `npx {FIREBASE_CLI} setup:emulators:{kind}`. The emulators run on "
        "Java: 11 or newer for the SDK's, 21 or newer for the Firebase CLI's."
    )


def _in_sdk(kind: Kind, *, env: Mapping[str, str]) -> Jar | None:
    location = _LOCATIONS[kind]
    for root in _sdk_roots(env):
        newest = _newest(root, location.sdk_pattern)
        if newest is not None:
            return Jar(newest, location.sdk_main_class)
    return None


def _in_firebase_cache(kind: Kind, *, env: Mapping[str, str]) -> Jar | None:
    newest = _newest(_firebase_cache(env), _LOCATIONS[kind].cache_pattern)
    return None if newest is None else Jar(newest)


def _firebase_cache(env: Mapping[str, str]) -> Path:
    # The CLI's own variable.
    if env.get("FIREBASE_EMULATORS_PATH"):
        return Path(env["FIREBASE_EMULATORS_PATH"])
    home = Path(env["HOME"]) if env.get("HOME") else Path.home()
    return home / ".cache" / "firebase" / "emulators"


def _sdk_roots(env: Mapping[str, str]) -> Iterator[Path]:
    if env.get("CLOUDSDK_ROOT_DIR"):
        yield Path(env["CLOUDSDK_ROOT_DIR"])
    gcloud = shutil.which("gcloud", path=env.get("PATH"))
    if gcloud is None:
        return
    beside_gcloud = Path(gcloud).resolve().parents[1]
    yield beside_gcloud
    if (beside_gcloud / "platform").is_dir():
        return
    answer = _output((gcloud, "info", "--format=value(installation.sdk_root)"), env=env)
    if answer is not None and answer.stdout.strip():
        yield Path(answer.stdout.strip())


def _newest(root: Path, pattern: str) -> Path | None:
    def version(path: Path) -> tuple[int, ...]:
        return tuple(int(digits) for digits in re.findall(r"\d+", path.name))

    return max(root.glob(pattern), key=version, default=None)


def java_for(jar: Jar, *, env: Mapping[str, str]) -> Path:
    """Return the java to run a jar with: `JAVA_HOME`'s, or the one on `PATH`.

    Raises:
        EmulatorsUnavailable: There is none, or it is too old; says which to install.
    """
    needed = _java_needed_by(jar)
    java = _java(env)
    if java is None:
        raise EmulatorsUnavailable(
            f"no java: the emulators run on it. Install Java {needed} or newer "
            f"(a headless runtime is enough) for {jar.path}"
        )
    installed = _java_version(java, env=env)
    if installed < needed:
        raise EmulatorsUnavailable(
            f"{java} is Java {installed or 'of no known version'}, but {jar.path} needs Java "
            f"{needed} or newer: install that, and set JAVA_HOME if there are several"
        )
    return java


def _java_needed_by(jar: Jar) -> int:
    """Read from the jar's main class which Java it was compiled for."""
    try:
        with zipfile.ZipFile(jar.path) as archive:
            main_class = jar.main_class or _main_class(archive)
            head = archive.read(main_class.replace(".", "/") + ".class")[:8]
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise EmulatorsUnavailable(f"{jar.path} is damaged ({error}): install it again") from error
    return int.from_bytes(head[6:8], "big") - _CLASS_VERSION_OF_JAVA_0


def _main_class(archive: zipfile.ZipFile) -> str:
    manifest = archive.read("META-INF/MANIFEST.MF").decode(errors="replace")
    named = re.search(r"^Main-Class:\s*(\S+)", manifest, re.MULTILINE)
    if named is None:
        raise KeyError("Main-Class")
    return named[1]


def _java(env: Mapping[str, str]) -> Path | None:
    if env.get("JAVA_HOME"):
        at_home = Path(env["JAVA_HOME"]) / "bin" / "java"
        if at_home.exists():
            return at_home
    on_path = shutil.which("java", path=env.get("PATH"))
    return Path(on_path) if on_path else None


def _java_version(java: Path, *, env: Mapping[str, str]) -> int:
    """Return the major version, or 0 if the program does not tell (as the stub of macOS)."""
    answer = _output((str(java), "-version"), env=env)
    said = re.search(r'version "(?:1\.)?(\d+)', answer.stderr) if answer is not None else None
    return int(said[1]) if said else 0


def _output(
    args: tuple[str, ...], *, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str] | None:
    """Run a tool and return its output, None if it cannot be run or does not end."""
    try:
        return subprocess.run(
            args,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TOOL_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
