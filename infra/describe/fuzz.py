"""Fuzzes a running relay by its OpenAPI file, with every check that schemathesis has."""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.local.errors import LocalStackError
from infra.local.plan import FUNCTIONS_SOURCE, ROOT
from infra.local.stack import Stack, running_stack

# Set for a run without a key: schemathesis reads fuzz_hooks.py in another process.
STRANGER: Final = "RELAY_FUZZ_STRANGER"
OPENAPI = ROOT / "docs" / "openapi.yaml"
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
# The phase "coverage" has the most cases: one for each way in which a request can be wrong.
PHASES = ("examples", "coverage", "fuzzing", "stateful")
RUN_WITHIN_S = 3600.0
# Two tenants, so that schemathesis checks that neither sees what the other created.
KEYS = {"one": "the key of the first tenant", "two": "the key of the second tenant"}
CALLS_PER_MINUTE, CALLS_PER_SECOND = 6000, 100
# Fuzzed jobs name arbitrary hosts: the sandbox must not download from them.
SANDBOX_ARGS = (
    "--no-download --render-s 1 "
    f"--gepetto-calls-per-minute {CALLS_PER_MINUTE} --spacely-calls-per-second {CALLS_PER_SECOND}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of one run.

    Attributes:
        cases: Requests that were generated, sent and checked.
        is_good: Whether every response was as the OpenAPI file says.
        text: The output of schemathesis.
    """

    cases: int
    is_good: bool
    text: str


@contextmanager
def fuzzed_stack(
    *, stack_file: Path, env: Mapping[str, str], functions: Path = FUNCTIONS_SOURCE
) -> Iterator[Stack]:
    """Run a stack for the tenants of `KEYS` whose accounts take thousands of jobs a minute.

    Raises:
        EmulatorsUnavailable: Says what to install.
        LocalStackError: It did not come up; says why.
    """
    digests = {name: [hashlib.sha256(key.encode()).hexdigest()] for name, key in KEYS.items()}
    settings = {
        "API_KEYS": json.dumps(digests),
        "GEPETTO_CALLS_PER_MINUTE": str(CALLS_PER_MINUTE),
        "SPACELY_CALLS_PER_SECOND": str(CALLS_PER_SECOND),
        "LOCAL_SANDBOX_ARGS": SANDBOX_ARGS,
    }
    with running_stack(
        stack_file=stack_file, env={**env, **settings}, functions=functions
    ) as stack:
        yield stack


def run_schemathesis(
    api_url: str,
    *,
    keys: Mapping[str, str],
    max_examples: int,
    seed: int,
    directory: Path,
    timeout_s: float,
    phases: Sequence[str] = PHASES,
) -> Outcome:
    """Send what the OpenAPI file allows and what it forbids, and check every response.

    Args:
        keys: The keys of two tenants by their names, or none for a stranger.
        max_examples: Per operation and random phase.
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


def _configuration(keys: Mapping[str, str], directory: Path) -> str:
    plain = CONFIGURATION.read_text()
    if not keys:
        return plain
    (one, key), (other, other_key) = keys.items()
    headers = {one: ("Authorization", f"Bearer {key}"), other: ("X-API-KEY", other_key)}
    auth = [
        {"name": name, "fixedHeaders": [{"name": header, "value": value}]}
        for name, (header, value) in headers.items()
    ]
    users = directory / "users.json"
    users.write_text(json.dumps({"auth": auth}))
    return f"{plain}\n[auth.wfc]\npath = {json.dumps(str(users))}\npeers = {json.dumps([*keys])}\n"


def _environment(*, is_stranger: bool) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != STRANGER}
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**kept, "PYTHONPATH": path, **({STRANGER: "1"} if is_stranger else {})}


def main() -> int:
    """Run one round after another until enough cases passed; exit with 1 on any finding."""
    arguments = _arguments()
    directory: Path = arguments.directory
    directory.mkdir(parents=True, exist_ok=True)
    try:
        with fuzzed_stack(
            stack_file=directory / "stack.json", env=os.environ, functions=arguments.functions
        ) as stack:
            return _fuzz(stack, arguments)
    except LocalStackError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1


def _fuzz(stack: Stack, arguments: argparse.Namespace) -> int:
    cases, bad, seed = 0, 0, arguments.seed
    while cases < arguments.cases:
        for caller, keys in (("two tenants", KEYS), ("a stranger", {})):
            outcome = run_schemathesis(
                stack.description.api_url,
                keys=keys,
                max_examples=arguments.max_examples,
                seed=seed,
                directory=arguments.directory / caller.replace(" ", "-"),
                timeout_s=RUN_WITHIN_S,
            )
            stack.check()
            cases += outcome.cases
            bad += not outcome.is_good
            verdict = "as described" if outcome.is_good else "NOT as described"
            print(f"{caller}, seed {seed}: {outcome.cases} cases, {verdict}", flush=True)
            if not outcome.is_good:
                print(outcome.text, flush=True)
            if not outcome.cases:
                return 1
        seed += 1
    print(f"{cases} cases in all, {bad or 'no'} run{'' if bad == 1 else 's'} with findings")
    return 1 if bad else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.describe.fuzz", description=__doc__)
    add = parser.add_argument
    add("--cases", type=int, default=5000, help="at least so many (default: %(default)s)")
    add("--seed", type=int, default=1, help="of the first round (default: %(default)s)")
    add("--max-examples", type=int, default=100, metavar="N",
        help="per operation and random phase (default: %(default)s)")  # fmt: skip
    add("--directory", type=Path, default=ROOT / ".local" / "fuzz", metavar="PATH",
        help="for reports and logs (default: .local/fuzz)")  # fmt: skip
    add("--functions", type=Path, default=FUNCTIONS_SOURCE, metavar="DIRECTORY",
        help="the directory that holds main.py (default: functions/ of this checkout)")  # fmt: skip
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
