"""The requirements files that are written here, and what they pin."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WANTED = Path("infra/pins")
DEPLOYED = Path("functions/requirements.txt")
# The oldest Python that the functions and the tools run on.
PYTHON = "3.11"
PINNED = re.compile(r"^([A-Za-z0-9][\w.-]*)==(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PinFile:
    """A requirements file that is written here.

    Attributes:
        path: Relative to the checkout.
        wanted: What it was asked to contain, without versions.
        about: Its first line.
        includes: Another such file whose packages and versions it shares.
    """

    path: Path
    wanted: Path
    about: str
    includes: Path | None = None

    @property
    def head(self) -> str:
        """What stands above the pins."""
        lines = [f"# {self.about}", f"# Written by `make pins` from {self.wanted}."]
        if self.includes is not None:
            lines.append(f"-r {self.includes}")
        return "\n".join(lines) + "\n\n"


# In this order: a file comes after the one that it includes.
FILES = (
    PinFile(
        path=DEPLOYED,
        wanted=WANTED / "functions.in",
        about="What is deployed. The build looks for a line that starts with functions-framework.",
    ),
    PinFile(
        path=Path("requirements.txt"),
        wanted=WANTED / "development.in",
        about="What developing needs beside what is deployed.",
        includes=DEPLOYED,
    ),
    PinFile(
        path=Path("tests/terraform/checkov-requirements.txt"),
        wanted=WANTED / "checkov.in",
        about="Checkov, in a virtual environment of its own: .local/checkov.",
    ),
)


def pinned(path: Path) -> dict[str, str]:
    """Return the version of each package that a file pins, by its normalised name."""
    return {normalised(name): version for name, version in PINNED.findall(path.read_text())}


def normalised(name: str) -> str:
    """Return a package's name as an index has it ("Names and normalization" of PyPA's specs)."""
    return re.sub(r"[-_.]+", "-", name).lower()
