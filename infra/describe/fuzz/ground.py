"""The relay that is attacked: the whole local stack, with nobody outside within its reach."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.local.plan import FUNCTIONS_SOURCE
from infra.local.stack import Stack, running_stack

KEYS = {"one": "the key of the first tenant", "two": "the key of the second tenant"}
CALLS_PER_MINUTE, CALLS_PER_SECOND = 6000, 100
# What jobs name as their pictures is not fetched, whoever's host it is.
SANDBOX_ARGS = (
    "--no-download --render-s 1 "
    f"--gepetto-calls-per-minute {CALLS_PER_MINUTE} --spacely-calls-per-second {CALLS_PER_SECOND}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A stack, and the keys of its two tenants."""

    stack: Stack
    keys: Mapping[str, str]


@contextmanager
def fuzzed_ground(
    *, stack_file: Path, env: Mapping[str, str], functions: Path = FUNCTIONS_SOURCE
) -> Iterator[Ground]:
    """Run a stack whose accounts take thousands of jobs a minute.

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
        yield Ground(stack=stack, keys=KEYS)
