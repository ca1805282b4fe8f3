"""Settings from the environment: read once, complain once, keep secrets quiet; see design 7."""

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from relay.domain.catalogue import CATALOGUE
from relay.domain.limits import Limit

T = TypeVar("T")

SHORTEST_WEBHOOK_KEY = 32
MOST_DAYS = 36_500
LARGEST_WEIGHT = 100
# What the framework starts without THREADS.
THREADS_PER_CPU = 4
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_LIMIT_VARIABLES = {
    "gepetto": "GEPETTO_CALLS_PER_MINUTE",
    "spacely": "SPACELY_CALLS_PER_SECOND",
}
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """What every function needs.

    Attributes:
        time_to_live: How long after its end a job is kept.
    """

    project: str
    database: str
    completions_topic: str
    ticks_topic: str
    time_to_live: timedelta
    log_level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """What `jobs_api` needs.

    Attributes:
        limits: The limit of each account that is switched on.
        tenants: The tenant of each key, by the key's SHA-256 digest in hex.
        max_open_jobs: How many open jobs a tenant may have in an account.
        threads: How many requests one instance answers at a time.
    """

    common: Common
    limits: Mapping[str, Limit]
    tenants: Mapping[str, str] = field(repr=False)
    allow_local_urls: bool
    raw_operations: bool
    max_open_jobs: int
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """What `provider_webhook` needs."""

    common: Common
    webhook_keys: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """One provider account."""

    base_url: str
    api_key: str = field(repr=False)
    limit: Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class PumpSettings:
    """What `poll_tick` needs.

    Attributes:
        tenant_weights: The weights of the tenants that have another one than 1.
    """

    common: Common
    accounts: Mapping[str, AccountSettings]
    tenant_weights: Mapping[str, int]
    webhook_base_url: str
    webhook_keys: tuple[str, ...] = field(repr=False)
    window_s: float


def api_settings(env: Mapping[str, str]) -> ApiSettings:
    """Read the settings of `jobs_api`.

    Raises:
        LookupError: Names every missing or malformed variable at once, so that one failed
            deploy is enough to fix them all.
    """
    variables = _Variables(env)
    settings = ApiSettings(
        common=_common(variables),
        limits={name: _limit(variables, name) for name in _accounts(variables)},
        tenants=variables.read("API_KEYS", _tenants, default=None, fallback={}),
        allow_local_urls=variables.read("ALLOW_LOCAL_URLS", _flag, default="", fallback=False),
        raw_operations=variables.read("RAW_OPERATIONS", _switch, default="1", fallback=True),
        max_open_jobs=variables.read("MAX_OPEN_JOBS", _whole_from_one, default="5000", fallback=1),
        threads=variables.read(
            "THREADS",
            _whole_from_one,
            default=str((os.cpu_count() or 1) * THREADS_PER_CPU),
            fallback=1,
        ),
    )
    variables.complain()
    return settings


def webhook_settings(env: Mapping[str, str]) -> WebhookSettings:
    """Read the settings of `provider_webhook`.

    Raises:
        LookupError: As `api_settings`.
    """
    variables = _Variables(env)
    settings = WebhookSettings(common=_common(variables), webhook_keys=_webhook_keys(variables))
    variables.complain()
    return settings


def pump_settings(env: Mapping[str, str]) -> PumpSettings:
    """Read the settings of `poll_tick`.

    Raises:
        LookupError: As `api_settings`.
    """
    variables = _Variables(env)
    settings = PumpSettings(
        common=_common(variables),
        accounts={name: _account(variables, name) for name in _accounts(variables)},
        tenant_weights=variables.read("TENANT_WEIGHTS", _weights, default="{}", fallback={}),
        webhook_base_url=variables.read("WEBHOOK_BASE_URL", _url, default=None, fallback=""),
        webhook_keys=_webhook_keys(variables),
        window_s=variables.read("TICK_WINDOW_S", _seconds, default="55", fallback=0.0),
    )
    variables.complain()
    return settings


class _Variables:
    """Reads variables and remembers what is wrong with them."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._complaints: list[str] = []

    def read(self, name: str, parse: Callable[[str], T], *, default: str | None, fallback: T) -> T:
        """Return the parsed variable; `fallback` stands in until `complain` is called."""
        text = self._env.get(name, "").strip() or default
        if text is None:
            self._complaints.append(f"{name} is not set")
            return fallback
        try:
            return parse(text)
        except ValueError as error:
            # Our own parsers say what was expected, never what was found: it may be a secret.
            self._complaints.append(f"{name} must be {error}")
            return fallback

    def complain(self) -> None:
        """Raise LookupError if anything was wrong."""
        if self._complaints:
            raise LookupError("; ".join(self._complaints))


def _common(variables: _Variables) -> Common:
    return Common(
        project=variables.read("GOOGLE_CLOUD_PROJECT", str, default=None, fallback=""),
        database=variables.read("FIRESTORE_DATABASE", str, default="(default)", fallback=""),
        completions_topic=variables.read(
            "COMPLETIONS_TOPIC", str, default="job-completions", fallback=""
        ),
        ticks_topic=variables.read("TICKS_TOPIC", str, default="poll-ticks", fallback=""),
        time_to_live=timedelta(
            days=variables.read("JOB_TTL_DAYS", _days, default="30", fallback=1)
        ),
        log_level=variables.read("LOG_LEVEL", _log_level, default="INFO", fallback="INFO"),
    )


def _accounts(variables: _Variables) -> tuple[str, ...]:
    default = ",".join(CATALOGUE)
    return variables.read("ACCOUNTS", _account_names, default=default, fallback=())


def _account(variables: _Variables, name: str) -> AccountSettings:
    facts = CATALOGUE[name]
    prefix = name.upper()
    return AccountSettings(
        base_url=variables.read(f"{prefix}_BASE_URL", _url, default=facts.base_url, fallback=""),
        api_key=variables.read(f"{prefix}_API_KEY", _header_word, default=None, fallback=""),
        limit=_limit(variables, name),
    )


def _limit(variables: _Variables, name: str) -> Limit:
    documented = CATALOGUE[name].limit
    calls = variables.read(
        _LIMIT_VARIABLES[name], _whole_from_one, default=str(documented.calls), fallback=1
    )
    return Limit(calls=calls, window_s=documented.window_s)


def _webhook_keys(variables: _Variables) -> tuple[str, ...]:
    return variables.read("WEBHOOK_KEYS", _secrets, default=None, fallback=())


def _account_names(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names or not set(names) <= set(CATALOGUE):
        raise ValueError(f"a comma-separated list out of {', '.join(CATALOGUE)}")
    return names


def _secrets(text: str) -> tuple[str, ...]:
    secrets = tuple(one.strip() for one in text.split(",") if one.strip())
    if not secrets or min(map(len, secrets)) < SHORTEST_WEBHOOK_KEY:
        raise ValueError(
            f"comma-separated secrets of at least {SHORTEST_WEBHOOK_KEY} characters each"
        )
    return secrets


def _tenants(text: str) -> Mapping[str, str]:
    expected = ValueError('a JSON object {"tenant": ["sha256 hex of a key", ...]}')
    try:
        given = json.loads(text)
    except ValueError:
        raise expected from None
    if not isinstance(given, dict) or not given:
        raise expected
    tenants: dict[str, str] = {}
    for tenant, digests in given.items():
        if not tenant or not isinstance(digests, list) or not digests:
            raise expected
        for digest in digests:
            if not isinstance(digest, str) or not _SHA256.fullmatch(digest.lower()):
                raise expected
            if tenants.setdefault(digest.lower(), tenant) != tenant:
                raise ValueError("such that no two tenants share a key")
    return tenants


def _weights(text: str) -> Mapping[str, int]:
    expected = ValueError(
        f'a JSON object {{"tenant": weight}} with whole weights from 1 to {LARGEST_WEIGHT}'
    )
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        raise expected from None
    if not isinstance(given, dict):
        raise expected
    for tenant, weight in given.items():
        if not tenant or type(weight) is not int or not 1 <= weight <= LARGEST_WEIGHT:
            raise expected
    return given


def _header_word(text: str) -> str:
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        raise ValueError("visible ASCII characters without spaces")
    return text


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", text):
        raise ValueError("an http or https URL without a query")
    return text.rstrip("/")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 500:
        raise ValueError("a number of seconds from 0 to 500")
    return seconds


def _whole_from_one(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ValueError("a whole number, at least 1")
    return int(text)


def _days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= MOST_DAYS:
        raise ValueError(f"a whole number of days from 1 to {MOST_DAYS}")
    return int(text)


def _flag(text: str) -> bool:
    if text not in ("", "0", "1"):
        raise ValueError("1 or unset")
    return text == "1"


def _switch(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError("1 or 0")
    return text == "1"


def _log_level(text: str) -> str:
    if text.upper() not in LOG_LEVELS:
        raise ValueError(f"one of {', '.join(LOG_LEVELS)}")
    return text.upper()
