"""The stack's variables: what the caller set, and defaults for one machine."""

import hashlib
import json
import math
import secrets
import shlex
from collections.abc import Mapping

from infra.local.errors import WrongEnvironment
from infra.local.functions import EMULATOR_VARIABLES, FUNCTIONS, SHARED_VARIABLES
from infra.local.processes import HOST

DEMO_TENANT = "demo"
OUTPUTS_BUCKET = "OUTPUTS_BUCKET"

_CONFIGURATION = frozenset(SHARED_VARIABLES).union(*(function.uses for function in FUNCTIONS))
# With these a function would run differently from how it does in a deployment.
_CHANGES_THE_FRAMEWORK = frozenset(
    {
        "ENTRY_POINT",
        "FUNCTION_TARGET",
        "FUNCTION_SOURCE",
        "FUNCTION_SIGNATURE_TYPE",
        "FUNCTION_USE_ASGI",
        "HOST",
        "PORT",
        "DEBUG",
        "WORKERS",
        "THREADS",
        "CLOUD_RUN_TIMEOUT_SECONDS",
        "PYTHONPATH",
    }
)
_NO_PROXY_FOR = "127.0.0.1,localhost"


def caller_settings(env: Mapping[str, str]) -> dict[str, str]:
    """Return the configuration variables that the caller set to something.

    `OUTPUTS_BUCKET` counts when it is empty, too: outputs are not kept then.
    """
    return {
        name: value
        for name, value in env.items()
        if name in _CONFIGURATION and (value or name == OUTPUTS_BUCKET)
    }


def machine_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return what any program here needs (PATH, HOME, ...) without the configuration.

    A proxy, if there is one, is not used for addresses on this machine.
    """
    dropped = _CONFIGURATION.union(EMULATOR_VARIABLES, _CHANGES_THE_FRAMEWORK)
    kept = {name: value for name, value in env.items() if name not in dropped}
    for name in ("NO_PROXY", "no_proxy"):
        kept[name] = ",".join(filter(None, (env.get(name), _NO_PROXY_FOR)))
    return kept


def defaults() -> dict[str, str]:
    """Return what the stack sets where the caller does not, except addresses."""
    return {
        "GOOGLE_CLOUD_PROJECT": "render-relay-local",
        "COMPLETIONS_TOPIC": "job-completions",
        "TICKS_TOPIC": "poll-ticks",
        "ACCOUNTS": "gepetto,spacely",
        "GEPETTO_API_KEY": "sandbox-gepetto-key",
        "SPACELY_API_KEY": "sandbox-spacely-key",
        "WEBHOOK_KEYS": secrets.token_urlsafe(32),
        "CALLBACK_KEYS": secrets.token_urlsafe(32),
        OUTPUTS_BUCKET: "render-relay-local-outputs",
        # The sandbox's own host alone: every other image URL is checked as in production.
        "ALLOW_LOCAL_URLS": f"{HOST},localhost",
    }


def keeps_outputs(env: Mapping[str, str]) -> bool:
    """Return whether outputs are kept: unless the caller set `OUTPUTS_BUCKET` to nothing."""
    return env.get(OUTPUTS_BUCKET) is None or bool(env[OUTPUTS_BUCKET].strip())


def accounts(settings: Mapping[str, str]) -> tuple[str, ...]:
    """Return the accounts that are switched on."""
    return tuple(filter(None, map(str.strip, settings["ACCOUNTS"].split(","))))


def add_demo_key(given: str | None) -> tuple[str, str]:
    """Make a key for tenant demo; return it, and the value of `API_KEYS` that includes it.

    Args:
        given: The caller's `API_KEYS`. It holds digests only, so a new key is needed.

    Raises:
        WrongEnvironment: *given* is not valid.
    """
    digests = _digests(given) if given else {}
    key = secrets.token_urlsafe(32)
    of_demo = [*digests.get(DEMO_TENANT, []), hashlib.sha256(key.encode()).hexdigest()]
    return key, json.dumps({**digests, DEMO_TENANT: of_demo})


def _digests(given: str) -> dict[str, list[str]]:
    try:
        tenants = json.loads(given)
    except ValueError as error:
        raise WrongEnvironment(f"API_KEYS is not JSON: {error}") from error
    if not isinstance(tenants, dict) or not all(
        isinstance(digests, list) for digests in tenants.values()
    ):
        raise WrongEnvironment('API_KEYS must be JSON {"tenant": ["sha256 hex of a key", ...]}')
    return tenants


def tick_every_s(env: Mapping[str, str]) -> float:
    """Read the scheduler's interval in seconds.

    Raises:
        WrongEnvironment: It is not a positive number.
    """
    given = env.get("LOCAL_TICK_EVERY_S") or "5"
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise WrongEnvironment(f"LOCAL_TICK_EVERY_S must be a positive number, not {given!r}")
    return seconds


def sandbox_args(env: Mapping[str, str]) -> tuple[str, ...]:
    """Read the additional arguments for the sandbox.

    Raises:
        WrongEnvironment: A quotation mark is not closed.
    """
    try:
        return tuple(shlex.split(env.get("LOCAL_SANDBOX_ARGS", "")))
    except ValueError as error:
        raise WrongEnvironment(f"LOCAL_SANDBOX_ARGS: {error}") from error


def with_strict_ids(env: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment in which the sandbox refuses undocumented ids as well."""
    given = env.get("LOCAL_SANDBOX_ARGS", "")
    return {**env, "LOCAL_SANDBOX_ARGS": f"{given} --strict-ids".strip()}
