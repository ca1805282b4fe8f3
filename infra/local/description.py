"""What the stack tells others about itself, and the file that says it."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class StackDescription:
    """Where everything is; the fields of stack.json."""

    project: str
    api_url: str
    webhook_url: str
    sandbox_url: str | None
    firestore_emulator_host: str
    pubsub_emulator_host: str
    completions_topic: str
    ticks_topics: Mapping[str, str]
    api_key: str
    pids: Mapping[str, int]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what a running stack wrote.

        Raises:
            OSError: There is no such file: no stack is up.
        """
        return cls(**json.loads(path.read_text()))

    def write(self, path: Path) -> None:
        """Write the file in one step: a reader sees all of it or none."""
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=path.name, suffix=".tmp", delete=False
        ) as file:
            file.write(json.dumps(asdict(self), indent=2) + "\n")
        Path(file.name).replace(path)

    def remove(self, path: Path) -> None:
        """Remove the file, unless another stack has written its own over it."""
        try:
            written = json.loads(path.read_text())
        except (FileNotFoundError, ValueError):
            return
        if isinstance(written, dict) and written.get("api_url") == self.api_url:
            path.unlink(missing_ok=True)
