"""Where the official emulators are on this machine, and how each is called.

Looked for in the Google Cloud SDK, then in the Firebase CLI's cache, then fetched into
that cache with the Firebase CLI through npx.
"""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from infra.local.errors import EmulatorsUnavailable

FIREBASE_CLI = "firebase-tools@15.34.2"

_GCLOUD_TIMEOUT_S = 30.0


class Kind(StrEnum):
    """The emulators, by the Firebase CLI's names."""

    FIRESTORE = "firestore"
    PUBSUB = "pubsub"


@dataclass(frozen=True, slots=True)
class Jar:
    """One emulator's program.

    Args:
        main_class: None if the jar names its own.
    """

    path: Path
    main_class: str | None = None

    def args(self, *, host: str, port: int) -> tuple[str, ...]:
        """Return the arguments for java, as the SDK's and Firebase's own scripts have them."""
        if self.main_class is None:
            return ("-jar", str(self.path), f"--host={host}", f"--port={port}")
        return ("-cp", str(self.path), self.main_class, "start", f"--host={host}", f"--port={port}")


_SDK_FIRESTORE_MAIN = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    sdk_pattern: str
    sdk_main_class: str | None
    sdk_component: str
    cache_pattern: str


_PLACES: Mapping[Kind, _Place] = {
    Kind.FIRESTORE: _Place(
        sdk_pattern="platform/cloud-firestore-emulator/cloud-firestore-emulator*.jar",
        sdk_main_class=_SDK_FIRESTORE_MAIN,
        sdk_component="cloud-firestore-emulator",
        cache_pattern="cloud-firestore-emulator-v*.jar",
    ),
    Kind.PUBSUB: _Place(
        sdk_pattern="platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar",
        sdk_main_class=None,
        sdk_component="pubsub-emulator",
        cache_pattern="pubsub-emulator-*/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar",
    ),
}


def locate(kind: Kind, *, env: Mapping[str, str], fetch: Callable[[tuple[str, ...]], None]) -> Jar:
    """Find the emulator, fetching it if it is nowhere.

    Args:
        fetch: Runs one command to its end, whatever comes of it.

    Raises:
        EmulatorsUnavailable: It cannot be had; says what to install.
    """
    found = in_sdk(kind, env=env) or in_firebase_cache(kind, env=env)
    if found is not None:
        return found
    npx = shutil.which("npx", path=env.get("PATH"))
    if npx is not None:
        fetch((npx, "--yes", FIREBASE_CLI, f"setup:emulators:{kind}"))
        found = in_firebase_cache(kind, env=env)
    if found is not None:
        return found
    tried = "npx could not fetch it" if npx else "there is no npx to fetch it with"
    raise EmulatorsUnavailable(
        f"no {kind} emulator: not in the Google Cloud SDK, not in the Firebase CLI's cache "
        f"({firebase_cache(env)}), and {tried}. Install one of: the Google Cloud SDK with "
        f"`gcloud components install {_PLACES[kind].sdk_component}` (or the package "
        f"google-cloud-cli-{_PLACES[kind].sdk_component.removeprefix('cloud-')}); or Node.js "
        f"20 or newer and run `npx {FIREBASE_CLI} setup:emulators:{kind}`. The emulators run on "
        "Java: 11 or newer for the SDK's, 21 or newer for the Firebase CLI's."
    )


def in_sdk(kind: Kind, *, env: Mapping[str, str]) -> Jar | None:
    """Find the emulator in the Google Cloud SDK."""
    place = _PLACES[kind]
    for root in _sdk_roots(env):
        newest = _newest(root, place.sdk_pattern)
        if newest is not None:
            return Jar(newest, place.sdk_main_class)
    return None


def in_firebase_cache(kind: Kind, *, env: Mapping[str, str]) -> Jar | None:
    """Find the emulator where the Firebase CLI keeps what it has fetched."""
    newest = _newest(firebase_cache(env), _PLACES[kind].cache_pattern)
    return None if newest is None else Jar(newest)


def firebase_cache(env: Mapping[str, str]) -> Path:
    """Return the Firebase CLI's cache; `FIREBASE_EMULATORS_PATH` is the CLI's own variable."""
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
    said = _said_by_gcloud(gcloud, env)
    if said:
        yield Path(said)


def _said_by_gcloud(gcloud: str, env: Mapping[str, str]) -> str:
    try:
        answer = subprocess.run(
            (gcloud, "info", "--format=value(installation.sdk_root)"),
            env=dict(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_GCLOUD_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip()


def _newest(root: Path, pattern: str) -> Path | None:
    return max(root.glob(pattern), key=_version, default=None)


def _version(path: Path) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d+", path.name))
