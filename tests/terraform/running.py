"""Runs Terraform on a copy of terraform/, with stand-ins for the providers."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "terraform"

VARIABLES: Mapping[str, Any] = {
    "project_id": "a-project",
    "region": "europe-west1",
    "api_keys": {"shop": ["0" * 64, "1" * 64], "studio": ["2" * 64]},
    "provider_keys": {"gepetto": "key-of-gepetto", "spacely": "key-of-spacely"},
    "webhook_keys": ["w" * 32],
    "callback_keys": ["c" * 32],
    "alert_emails": ["oncall@example.com"],
}


@dataclass(frozen=True, slots=True)
class Result:
    """What one run of Terraform said."""

    code: int
    output: str


@dataclass(frozen=True, slots=True)
class Workspace:
    """A copy of terraform/ that Terraform runs on.

    Attributes:
        env: How Terraform finds the stand-ins.
    """

    folder: Path
    env: Mapping[str, str]

    def run(self, *arguments: str) -> Result:
        """Run one command of Terraform."""
        done = subprocess.run(
            ["terraform", *arguments],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), **SETTINGS, **self.env},
            capture_output=True,
            text=True,
            check=False,
        )
        return Result(done.returncode, done.stdout + done.stderr)

    def set(self, variables: Mapping[str, Any]) -> None:
        """Give the variables their values."""
        (self.folder / "terraform.tfvars.json").write_text(json.dumps(variables))

    def forget_variables(self) -> None:
        """Leave the variables to files and the environment."""
        (self.folder / "terraform.tfvars.json").unlink()

    def apply(self) -> str:
        """Apply, and return what was said."""
        result = self.run("apply", "-auto-approve", "-no-color", "-input=false")
        assert result.code == 0, result.output
        return result.output

    def resources(self) -> dict[str, dict[str, Any]]:
        """Return the values of everything in the state, by address."""
        shown = self.run("show", "-json")
        module = json.loads(shown.output)["values"]["root_module"]
        return {one["address"]: one["values"] for one in module["resources"]}

    def outputs(self) -> dict[str, Any]:
        """Return the outputs."""
        shown = self.run("show", "-json")
        found = json.loads(shown.output)["values"]["outputs"]
        return {name: one["value"] for name, one in found.items()}


SETTINGS = {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}


def workspace(folder: Path, env: Mapping[str, str]) -> Workspace:
    """Copy terraform/ and make it ready, without downloading anything."""
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns(".*", "*.tfvars", "*.tfstate*"))
    package = folder.parent / "functions" / "relay"
    package.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "functions" / "relay" / "__init__.py", package)  # it says the version
    made = Workspace(folder, env)
    made.set(VARIABLES)
    result = made.run("init", "-backend=false", "-input=false", "-no-color")
    assert result.code == 0, result.output
    return made
