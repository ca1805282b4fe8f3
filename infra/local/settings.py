"""The stack's variables: what the caller set, and defaults that fit one machine."""

import hashlib
import json
import math
import secrets
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from infra.local.errors import WrongEnvironment

DEMO_TENANT = "demo"

_CONFIGURATION = frozenset(
    {
        "GOOGLE_CLOUD_PROJECT",
        "FIRESTORE_DATABASE",
        "COMPLETIONS_TOPIC",
        "TICKS_TOPIC",
        "ACCOUNTS",
        "GEPETTO_API_KEY",
        "SPACELY_API_KEY",
        "GEPETTO_BASE_URL",
        "SPACELY_BASE_URL",
        "GEPETTO_CALLS_PER_MINUTE",
        "SPACELY_CALLS_PER_SECOND",
        "WEBHOOK_BASE_URL",
        "WEBHOOK_KEYS",
        "API_KEYS",
        "TICK_WINDOW_S",
        "ALLOW_LOCAL_URLS",
        "MAX_OPEN_JOBS",
        "RAW_OPERATIONS",
        "TENANT_WEIGHTS",
        "JOB_TTL_DAYS",
        "LOG_LEVEL",
    }
)

_EMULATOR_HOSTS = frozenset({"FIRESTORE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST"})

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
"""Variables that would make a function run otherwise than it does in a deployment."""

_NO_PROXY_FOR = "127.0.0.1,localhost"


def caller_settings(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the configuration that the caller set to something."""
    return {name: value for name, value in env.items() if name in _CONFIGURATION and value}


def machine_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return what any program here needs (PATH, HOME, ...), and nothing of the configuration.

    A proxy, if there is one, is not asked for what is on this machine.
    """
    left_out = _CONFIGURATION | _EMULATOR_HOSTS | _CHANGES_THE_FRAMEWORK
    kept = {name: value for name, value in env.items() if name not in left_out}
    for name in ("NO_PROXY", "no_proxy"):
        kept[name] = ",".join(filter(None, (env.get(name), _NO_PROXY_FOR)))
    return kept


def defaults() -> dict[str, str]:
    """Return what the stack sets where the caller does not, but for addresses."""
    return {
        "GOOGLE_CLOUD_PROJECT": "render-relay-local",
        "COMPLETIONS_TOPIC": "job-completions",
        "TICKS_TOPIC": "poll-ticks",
        "ACCOUNTS": "gepetto,spacely",
        "GEPETTO_API_KEY": "sandbox-gepetto-key",
        "SPACELY_API_KEY": "sandbox-spacely-key",
        "WEBHOOK_KEYS": secrets.token_urlsafe(32),
        "ALLOW_LOCAL_URLS": "1",
    }


def accounts(settings: Mapping[str, str]) -> tuple[str, ...]:
    """Return the accounts that are switched on."""
    return tuple(filter(None, map(str.strip, settings["ACCOUNTS"].split(","))))


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoKey:
    """A working key of tenant demo, and the API's keys with its digest among them."""

    key: str
    api_keys: str


def add_demo_key(given: str | None) -> DemoKey:
    """Make a key for tenant demo beside those that the caller set.

    Args:
        given: The caller's `API_KEYS`; from their digests no key can be known.

    Raises:
        WrongEnvironment: They are not what `API_KEYS` holds.
    """
    digests = _digests(given) if given else {}
    key = secrets.token_urlsafe(32)
    of_demo = [*digests.get(DEMO_TENANT, []), hashlib.sha256(key.encode()).hexdigest()]
    return DemoKey(key=key, api_keys=json.dumps({**digests, DEMO_TENANT: of_demo}))


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
    """Read the scheduler's pace, in seconds.

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
        WrongEnvironment: A quotation mark has no partner.
    """
    try:
        return tuple(shlex.split(env.get("LOCAL_SANDBOX_ARGS", "")))
    except ValueError as error:
        raise WrongEnvironment(f"LOCAL_SANDBOX_ARGS: {error}") from error
