"""The command line: `python -m infra.pins` takes the newest versions that agree with each other.

uv resolves them once for every platform and writes each package's hashes, which has pip refuse
whatever else an index may send.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from infra.pins.pin_files import FILES, PYTHON, ROOT, PinFile, pinned


def main() -> int:
    """Write every file and print what has changed."""
    parser = argparse.ArgumentParser(prog="python -m infra.pins", description=__doc__)
    parser.add_argument(
        "--keep",
        action="store_true",
        help="keep the versions that are pinned; for a package added to or removed from the lists",
    )
    keep: bool = parser.parse_args().keep
    for file in FILES:
        before = pinned(ROOT / file.path)
        try:
            write(file, keep=keep)
        except subprocess.CalledProcessError as error:
            print(f"{file.path}: left as it was, uv says:\n{error.stderr}", file=sys.stderr)
            return 1
        print(f"{file.path}: {changes(before, pinned(ROOT / file.path))}")
    return 0


def write(file: PinFile, *, keep: bool) -> None:
    """Resolve a file's packages and replace it.

    Raises:
        subprocess.CalledProcessError: uv found no versions that agree; the file is unchanged.
    """
    command = [
        *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", str(file.wanted)),
        *("--universal", "--python-version", PYTHON, "--generate-hashes", "--no-header"),
    ]
    if file.includes is not None:
        command += ["--constraint", str(file.includes)]
        for name in pinned(ROOT / file.includes):
            command += ["--no-emit-package", name]
    with tempfile.TemporaryDirectory() as folder:
        # uv keeps the versions that the file it writes to has already.
        written = Path(folder) / "requirements.txt"
        if keep:
            written.write_text((ROOT / file.path).read_text().removeprefix(file.head))
        command += ["--output-file", str(written)]
        subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        (ROOT / file.path).write_text(file.head + written.read_text())


def changes(before: dict[str, str], after: dict[str, str]) -> str:
    """Return what has changed between two sets of pins, in words."""
    moved = [
        f"{name} {before.get(name, 'new')} -> {after.get(name, 'gone')}"
        for name in sorted(before | after)
        if before.get(name) != after.get(name)
    ]
    return "\n  ".join([f"{len(moved)} of {len(after)} changed", *moved])


if __name__ == "__main__":
    sys.exit(main())
