"""The sandbox of both providers as a process of the stack."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.local.ports import HOST
from infra.local.probes import Probe
from infra.local.processes import Command
from infra.local.supervisor import Service

NAME = "sandbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxedProvider:
    """How one provider's stand-in is reached: the variables it sets, the path it is under."""

    account: str
    base_url_variable: str
    key_variable: str
    path: str


GEPETTO = SandboxedProvider(
    account="gepetto",
    base_url_variable="GEPETTO_BASE_URL",
    key_variable="GEPETTO_API_KEY",
    path="/gepetto/v1",
)
SPACELY = SandboxedProvider(
    account="spacely",
    base_url_variable="SPACELY_BASE_URL",
    key_variable="SPACELY_API_KEY",
    path="/spacely/api/v1",
)


def to_sandbox(env: Mapping[str, str], *, accounts: Sequence[str]) -> tuple[SandboxedProvider, ...]:
    """Choose the providers that need a stand-in: switched on, and no URL given for them."""
    return tuple(
        provider
        for provider in (GEPETTO, SPACELY)
        if provider.account in accounts and not env.get(provider.base_url_variable)
    )


def service(
    *,
    port: int,
    keys: Mapping[str, str],
    extra_args: Sequence[str],
    machine: Mapping[str, str],
    root: Path,
    log: Path,
) -> Service:
    """Describe the sandbox's process.

    Args:
        keys: The providers' keys by the names of their variables.
        root: The checkout, from which the sandbox is run.
    """
    return Service(
        command=Command(
            name=NAME,
            args=(
                *(sys.executable, "-m", "infra.sandbox"),
                *("--port", str(port)),
                *("--gepetto-key", keys[GEPETTO.key_variable]),
                *("--spacely-key", keys[SPACELY.key_variable]),
                *extra_args,
            ),
            env={**machine, "PYTHONUNBUFFERED": "1"},
            cwd=root,
            log=log,
        ),
        probe=Probe(port=port, path="/sandbox/summary", statuses=frozenset({200})),
        restarts=False,
    )


def url(port: int) -> str:
    """Return the address under which both providers' paths begin."""
    return f"http://{HOST}:{port}"
