"""A Java that is new enough for a given jar."""

import re
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path

from infra.local.errors import EmulatorsUnavailable
from infra.local.jars import Jar

_TIMEOUT_S = 30.0
_CLASS_VERSION_OF_JAVA_0 = 44
"""A class file of version 55 needs Java 11. See JVM specification, 4.1."""


def java_for(jar: Jar, *, env: Mapping[str, str]) -> Path:
    """Return the java to run the jar with: `JAVA_HOME`'s, or the one on `PATH`.

    Raises:
        EmulatorsUnavailable: There is none, or it is too old; says which to install.
    """
    needed = java_needed_by(jar)
    java = _java(env)
    if java is None:
        raise EmulatorsUnavailable(
            f"no java: the emulators run on it. Install Java {needed} or newer "
            f"(a headless runtime is enough) for {jar.path}"
        )
    installed = _version_of(java, env=env)
    if installed < needed:
        raise EmulatorsUnavailable(
            f"{java} is Java {installed or 'of no known version'}, but {jar.path} needs Java "
            f"{needed} or newer: install that, and set JAVA_HOME if there are several"
        )
    return java


def java_needed_by(jar: Jar) -> int:
    """Read from the jar's main class which Java it was compiled for.

    Raises:
        EmulatorsUnavailable: The jar is damaged.
    """
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


def _version_of(java: Path, *, env: Mapping[str, str]) -> int:
    """Return the major version, or 0 if the program does not tell (macOS has such a stub)."""
    try:
        answer = subprocess.run(
            (java, "-version"),
            env=dict(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    said = re.search(r'version "(?:1\.)?(\d+)', answer.stderr)
    return int(said[1]) if said else 0
