"""One run of schemathesis against a running relay."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.describe.fuzz import STRANGER
from infra.local.plan import ROOT

OPENAPI = ROOT / "docs" / "openapi.yaml"
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
# Of the API as it is described; "coverage" has the most cases, one for every way to be wrong.
PHASES = ("examples", "coverage", "fuzzing", "stateful")
# Two tenants' keys by their names: then neither may see what the other made.
Keys = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a run.

    Attributes:
        cases: Requests that were generated, sent and checked.
        is_good: Whether all of it was as the OpenAPI file says.
        text: What schemathesis said.
    """

    cases: int
    is_good: bool
    text: str


def attack(
    api_url: str,
    *,
    keys: Keys,
    max_examples: int,
    seed: int,
    directory: Path,
    timeout_s: float,
    phases: Sequence[str] = PHASES,
) -> Outcome:
    """Send what the OpenAPI file allows and what it forbids, and check every answer.

    Args:
        keys: None of them for a stranger.
        max_examples: For each operation and phase that draws at random.
        directory: For the run's own files.
    """
    directory.mkdir(parents=True, exist_ok=True)
    report = directory / "report.json"
    report.unlink(missing_ok=True)
    (directory / "schemathesis.toml").write_text(_configuration(keys, directory))
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", str(OPENAPI)),
        *("--url", api_url, "--no-color", "--max-examples", str(max_examples)),
        *("--seed", str(seed), "--phases", ",".join(phases)),
        *("--report", "json", "--report-json-path", str(report)),
    ]
    done = subprocess.run(
        command,
        cwd=directory,
        env=_environment(is_stranger=not keys),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    cases = json.loads(report.read_text())["test_cases"]["generated"] if report.exists() else 0
    return Outcome(cases=cases, is_good=done.returncode == 0 and cases > 0, text=done.stdout)


def _configuration(keys: Keys, directory: Path) -> str:
    plain = CONFIGURATION.read_text()
    if not keys:
        return plain
    users = directory / "users.json"
    headers = ("Authorization", "X-API-KEY")
    users.write_text(
        json.dumps(
            {
                "auth": [
                    {"name": name, "fixedHeaders": [{"name": header, "value": _value(header, key)}]}
                    for header, (name, key) in zip(headers, keys.items(), strict=True)
                ]
            }
        )
    )
    return f"{plain}\n[auth.wfc]\npath = {json.dumps(str(users))}\npeers = {json.dumps([*keys])}\n"


def _value(header: str, key: str) -> str:
    return f"Bearer {key}" if header == "Authorization" else key


def _environment(*, is_stranger: bool) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != STRANGER}
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**kept, "PYTHONPATH": path, **({STRANGER: "1"} if is_stranger else {})}
