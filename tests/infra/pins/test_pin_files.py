"""Every package has one version and its hashes, in files as the build and pip want them."""

import re
import subprocess
from pathlib import Path

import pytest

from infra.pins.__main__ import main, write
from infra.pins.pin_files import DEPLOYED, FILES, ROOT, PinFile, pinned

# buildpacks, cmd/python/functions_framework/main.go, `ffRegexp`.
FRAMEWORK = re.compile(r"^functions-framework\b([^-]|$)", re.MULTILINE)
# A requirement, perhaps for some platforms only, with one hash or more.
HASHED = re.compile(r"[a-z0-9][\w.-]*==[\w.]+( ; [^\\]+)?( --hash=sha256:[0-9a-f]{64})+")
NAMES = [str(file.path) for file in FILES]


def requirements(file: PinFile) -> list[str]:
    """Return the requirements of a file, each on one line, without comments and options."""
    joined = re.sub(r"\s*\\\n\s*", " ", (ROOT / file.path).read_text())
    lines = [line for line in joined.splitlines() if not re.match(r"\s*(#|$)", line)]
    return [line for line in lines if line != f"-r {file.includes}"]


def wanted(file: PinFile) -> set[str]:
    lines = (ROOT / file.wanted).read_text().splitlines()
    return {line.lower() for line in lines if line and not line.startswith("#")}


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_every_package_is_pinned_with_its_hashes(file):
    found = requirements(file)
    names = {line.partition("==")[0] for line in found}

    assert names == pinned(ROOT / file.path).keys() != set()
    assert [line for line in found if not HASHED.fullmatch(line)] == []


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_what_was_asked_for_is_pinned(file):
    assert wanted(file) <= pinned(ROOT / file.path).keys()


def test_the_build_sees_that_the_framework_is_among_the_pins():
    assert FRAMEWORK.search((ROOT / DEPLOYED).read_text())


def test_what_is_deployed_is_pinned_once():
    deployed, developing = (pinned(ROOT / file.path) for file in FILES[:2])

    assert deployed.keys() & developing.keys() == set()
    assert "-r functions/requirements.txt" in (ROOT / "requirements.txt").read_text().splitlines()


def in_a_folder(tmp_path, monkeypatch, *, before: str) -> PinFile:
    monkeypatch.setattr("infra.pins.__main__.ROOT", tmp_path)
    (tmp_path / "wanted.in").write_text("idna\n")
    file = PinFile(path=Path("pins.txt"), wanted=Path("wanted.in"), about="For a test.")
    (tmp_path / file.path).write_text(before)
    return file


def stand_in_uv(monkeypatch, *, resolved: str) -> list[str]:
    """Have uv write this; return what it finds in the file that it writes to."""
    found = []

    def run(command, **_):
        path = command[command.index("--output-file") + 1]
        try:
            with open(path) as file:  # noqa: PTH123 - as a program would
                found.append(file.read())
        except FileNotFoundError:
            found.append("")
        if not resolved:
            raise subprocess.CalledProcessError(1, command, stderr="no versions agree")
        with open(path, "w") as file:  # noqa: PTH123 - as a program would
            file.write(resolved)

    monkeypatch.setattr(subprocess, "run", run)
    return found


@pytest.mark.parametrize(("keep", "known"), [(True, "idna==3.1\n"), (False, "")])
def test_versions_are_kept_on_demand_alone(tmp_path, monkeypatch, keep, known):
    file = in_a_folder(tmp_path, monkeypatch, before="idna==3.1\n")
    found = stand_in_uv(monkeypatch, resolved="idna==3.20\n")

    write(file, keep=keep)

    assert found == [known]
    assert pinned(tmp_path / file.path) == {"idna": "3.20"}
    assert (tmp_path / file.path).read_text().startswith("# For a test.\n")


def test_a_file_is_left_alone_if_no_versions_agree(tmp_path, monkeypatch, capsys):
    file = in_a_folder(tmp_path, monkeypatch, before="idna==3.1\n")
    stand_in_uv(monkeypatch, resolved="")
    monkeypatch.setattr("infra.pins.__main__.FILES", (file,))
    monkeypatch.setattr("sys.argv", ["infra.pins"])

    assert main() == 1
    assert "no versions agree" in capsys.readouterr().err
    assert (tmp_path / file.path).read_text() == "idna==3.1\n"
