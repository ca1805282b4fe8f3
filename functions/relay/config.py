"""Settings from the environment (contract, section 7): read once, complain once, hide secrets."""

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any, Generic, TypeVar, cast
from urllib.parse import unquote

import msgspec
from msgspec import Meta

from relay.domain.catalogue import CATALOGUE
from relay.domain.catalogue.fields import HOST_NAME, LocalUrls
from relay.domain.limits import Limit

T = TypeVar("T")

SHORTEST_SECRET = 32
MAX_DAYS = 36_500
LARGEST_WEIGHT = 100
# What the framework starts without THREADS.
THREADS_PER_CPU = 4
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSettings:
    """Where traces are sent.

    Attributes:
        endpoint: Of an OTLP collector; empty for Cloud Trace.
    """

    endpoint: str
    headers: Mapping[str, str] = field(repr=False)


class Common(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of every function.

    Attributes:
        time_to_live: How long after its end a job is kept.
        traces: None where traces are not switched on.
    """

    project: str
    database: str
    completions_topic: str
    ticks_topic: str
    time_to_live: timedelta
    log_level: str
    traces: TraceSettings | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """Settings of `jobs_api`.

    Attributes:
        limits: The limit of each account that is switched on.
        tenants: The tenant of each key, by the key's SHA-256 digest in hex.
        allow_local_urls: Where the URLs of images and callbacks may be ``http`` and private.
        callback_keys: Empty where callbacks are not switched on.
        max_open_jobs: How many open jobs a tenant may have in an account.
        threads: How many requests one instance answers at a time.
        outputs_bucket: The bucket of kept outputs; empty if there is none.
    """

    common: Common
    limits: Mapping[str, Limit]
    tenants: Mapping[str, str] = field(repr=False)
    allow_local_urls: LocalUrls
    callback_keys: tuple[str, ...] = field(repr=False)
    raw_operations: bool
    max_open_jobs: int
    threads: int
    outputs_bucket: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """Settings of `provider_webhook`."""

    common: Common
    webhook_keys: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """Settings of one provider account."""

    base_url: str
    api_key: str = field(repr=False)
    limit: Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class PumpSettings:
    """Settings of `poll_tick`.

    Attributes:
        tenant_weights: The weights that are not 1.
    """

    common: Common
    accounts: Mapping[str, AccountSettings]
    tenant_weights: Mapping[str, int]
    webhook_base_url: str
    webhook_keys: tuple[str, ...] = field(repr=False)
    window_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackSettings:
    """Settings of `deliver_callbacks`.

    Attributes:
        allow_local_urls: Where callbacks may go by ``http`` and to private hosts.
    """

    common: Common
    callback_keys: tuple[str, ...] = field(repr=False)
    allow_local_urls: LocalUrls
    window_s: float


class KeepSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of `keep_outputs`.

    Attributes:
        outputs_bucket: Empty where outputs are not kept.
        allow_local_urls: Where outputs may be on private hosts.
    """

    common: Common
    outputs_bucket: str
    allow_local_urls: LocalUrls


class Variable(msgspec.Struct, Generic[T], frozen=True):
    """One variable of the environment.

    Attributes:
        parse: Its ValueError says what was expected, never what was found: it may be a secret.
        default: As one would set it; None where it has to be set.
    """

    name: str
    parse: Callable[[str], T]
    default: str | None = None


def _json(type: Any, expected: str) -> Callable[[str], Any]:
    """Return a parser of JSON of a type."""

    def parse(text: str) -> Any:
        try:
            return msgspec.json.decode(text, type=type)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise ValueError(expected) from None

    return parse


def _one_of(values: Mapping[str, T], expected: str) -> Callable[[str], T]:
    """Return a parser of a few words, in either case."""

    def parse(text: str) -> T:
        if text.upper() not in values:
            raise ValueError(expected)
        return values[text.upper()]

    return parse


def _account_names(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names or not set(names) <= set(CATALOGUE):
        raise ValueError(f"a comma-separated list out of {', '.join(CATALOGUE)}")
    return names


def _secrets(text: str) -> tuple[str, ...]:
    secrets = tuple(one.strip() for one in text.split(",") if one.strip())
    if not secrets or min(map(len, secrets)) < SHORTEST_SECRET:
        raise ValueError(f"comma-separated secrets of at least {SHORTEST_SECRET} characters each")
    return secrets


def _secrets_if_any(text: str) -> tuple[str, ...]:
    return _secrets(text) if text else ()


def _tenants(text: str) -> Mapping[str, str]:
    tenants: dict[str, str] = {}
    for tenant, digests in _api_keys(text).items():
        for digest in digests:
            if tenants.setdefault(digest.lower(), tenant) != tenant:
                raise ValueError("such that no two tenants share a key")
    return tenants


def _local_urls(text: str) -> LocalUrls:
    if text in ("", "0", "1"):
        return text == "1"
    hosts = frozenset(host.strip().lower() for host in text.split(","))
    if not all(map(_is_host, hosts)):
        raise ValueError("1, hosts without ports such as 127.0.0.1,localhost, or unset")
    return hosts


def _is_host(text: str) -> bool:
    """Tell an address, a name with a dot or ``localhost`` from a word such as ``yes``."""
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        is_name = HOST_NAME.fullmatch(text) is not None
        return is_name and ("." in text.strip(".") or text == "localhost")


def _header_word(text: str) -> str:
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        raise ValueError("visible ASCII characters without spaces")
    return text


def _bucket(text: str) -> str:
    # Cloud Storage, "Bucket naming requirements".
    if text and not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", text):
        raise ValueError("the name of a bucket without gs://, or unset")
    return text


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", text):
        raise ValueError("an http or https URL without a query")
    return text.rstrip("/")


def _endpoint(text: str) -> str:
    return _url(text) if text else ""


def _headers(text: str) -> Mapping[str, str]:
    """Read ``name=value`` pairs, percent-encoded (OpenTelemetry specification, "OTLP Exporter")."""
    headers: dict[str, str] = {}
    for pair in filter(None, map(str.strip, text.split(","))):
        name, _, value = (unquote(part.strip()) for part in pair.partition("="))
        if not (_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value)):
            raise ValueError("comma-separated name=value pairs")
        headers[name] = value
    return headers


_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")

Name = Annotated[str, Meta(min_length=1)]
Digest = Annotated[str, Meta(pattern=r"^[0-9A-Fa-f]{64}\Z")]
_api_keys = _json(
    Annotated[dict[Name, Annotated[list[Digest], Meta(min_length=1)]], Meta(min_length=1)],
    'a JSON object {"tenant": ["sha256 hex of a key", ...]}',
)
_whole = _json(Annotated[int, Meta(ge=1)], "a whole number, at least 1")
_days = _json(
    Annotated[int, Meta(ge=1, le=MAX_DAYS)], f"a whole number of days from 1 to {MAX_DAYS}"
)
_seconds = _json(Annotated[float, Meta(ge=0, le=500)], "a number of seconds from 0 to 500")
_weights = _json(
    dict[Name, Annotated[int, Meta(ge=1, le=LARGEST_WEIGHT)]],
    f'a JSON object {{"tenant": weight}} with whole weights from 1 to {LARGEST_WEIGHT}',
)
_log_level = _one_of({one: one for one in LOG_LEVELS}, f"one of {', '.join(LOG_LEVELS)}")

PROJECT = Variable("GOOGLE_CLOUD_PROJECT", str)
DATABASE = Variable("FIRESTORE_DATABASE", str, "(default)")
COMPLETIONS_TOPIC = Variable("COMPLETIONS_TOPIC", str, "job-completions")
TICKS_TOPIC = Variable("TICKS_TOPIC", str, "poll-ticks")
JOB_TTL_DAYS: Variable[int] = Variable("JOB_TTL_DAYS", _days, "30")
LOG_LEVEL = Variable("LOG_LEVEL", _log_level, "INFO")
OTLP_ENDPOINT = Variable("OTEL_EXPORTER_OTLP_ENDPOINT", _endpoint, "")
OTLP_HEADERS = Variable("OTEL_EXPORTER_OTLP_HEADERS", _headers, "")
CLOUD_TRACE = Variable("CLOUD_TRACE", _one_of({"0": False, "1": True}, "1 or 0"), "0")
ACCOUNTS = Variable("ACCOUNTS", _account_names, ",".join(CATALOGUE))
API_KEYS = Variable("API_KEYS", _tenants)
ALLOW_LOCAL_URLS = Variable("ALLOW_LOCAL_URLS", _local_urls, "")
RAW_OPERATIONS = Variable("RAW_OPERATIONS", _one_of({"0": False, "1": True}, "1 or 0"), "1")
MAX_OPEN_JOBS: Variable[int] = Variable("MAX_OPEN_JOBS", _whole, "5000")
OUTPUTS_BUCKET = Variable("OUTPUTS_BUCKET", _bucket, "")
WEBHOOK_KEYS = Variable("WEBHOOK_KEYS", _secrets)
CALLBACK_KEYS = Variable("CALLBACK_KEYS", _secrets)
CALLBACK_KEYS_IF_ANY = Variable("CALLBACK_KEYS", _secrets_if_any, "")
WEBHOOK_BASE_URL = Variable("WEBHOOK_BASE_URL", _url)
TENANT_WEIGHTS: Variable[Mapping[str, int]] = Variable("TENANT_WEIGHTS", _weights, "{}")
TICK_WINDOW_S: Variable[float] = Variable("TICK_WINDOW_S", _seconds, "55")
# Beside these each account has PROVIDER_API_KEY and PROVIDER_BASE_URL.
LIMIT_VARIABLES = {"gepetto": "GEPETTO_CALLS_PER_MINUTE", "spacely": "SPACELY_CALLS_PER_SECOND"}


def common_settings(env: Mapping[str, str]) -> Common:
    """Read the settings that all functions share.

    Raises:
        LookupError: As `api_settings`.
    """
    read = _Reader(env)
    settings = _common(read)
    read.raise_if_any()
    return settings


def api_settings(env: Mapping[str, str]) -> ApiSettings:
    """Read the settings of `jobs_api`.

    Raises:
        LookupError: Names every missing or malformed variable at once, so that one failed
            deploy is enough to fix them all.
    """
    read = _Reader(env)
    threads = Variable("THREADS", _whole, str((os.cpu_count() or 1) * THREADS_PER_CPU))
    settings = ApiSettings(
        common=_common(read),
        limits={name: _limit(read, name) for name in read(ACCOUNTS) or ()},
        tenants=read(API_KEYS),
        allow_local_urls=read(ALLOW_LOCAL_URLS),
        callback_keys=read(CALLBACK_KEYS_IF_ANY),
        raw_operations=read(RAW_OPERATIONS),
        max_open_jobs=read(MAX_OPEN_JOBS),
        threads=read(threads),
        outputs_bucket=read(OUTPUTS_BUCKET),
    )
    read.raise_if_any()
    return settings


def webhook_settings(env: Mapping[str, str]) -> WebhookSettings:
    """Read the settings of `provider_webhook`.

    Raises:
        LookupError: As `api_settings`.
    """
    read = _Reader(env)
    settings = WebhookSettings(common=_common(read), webhook_keys=read(WEBHOOK_KEYS))
    read.raise_if_any()
    return settings


def pump_settings(env: Mapping[str, str]) -> PumpSettings:
    """Read the settings of `poll_tick`.

    Raises:
        LookupError: As `api_settings`.
    """
    read = _Reader(env)
    settings = PumpSettings(
        common=_common(read),
        accounts={name: _account(read, name) for name in read(ACCOUNTS) or ()},
        tenant_weights=read(TENANT_WEIGHTS),
        webhook_base_url=read(WEBHOOK_BASE_URL),
        webhook_keys=read(WEBHOOK_KEYS),
        window_s=read(TICK_WINDOW_S),
    )
    read.raise_if_any()
    return settings


def callback_settings(env: Mapping[str, str]) -> CallbackSettings:
    """Read the settings of `deliver_callbacks`.

    Raises:
        LookupError: As `api_settings`.
    """
    read = _Reader(env)
    settings = CallbackSettings(
        common=_common(read),
        callback_keys=read(CALLBACK_KEYS),
        allow_local_urls=read(ALLOW_LOCAL_URLS),
        window_s=read(TICK_WINDOW_S),
    )
    read.raise_if_any()
    return settings


def keep_settings(env: Mapping[str, str]) -> KeepSettings:
    """Read the settings of `keep_outputs`.

    Raises:
        LookupError: As `api_settings`.
    """
    read = _Reader(env)
    settings = KeepSettings(
        common=_common(read),
        outputs_bucket=read(OUTPUTS_BUCKET),
        allow_local_urls=read(ALLOW_LOCAL_URLS),
    )
    read.raise_if_any()
    return settings


class _Reader:
    """Reads variables and remembers what is wrong with them."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._complaints: list[str] = []

    def __call__(self, variable: Variable[T]) -> T:
        """Return the parsed variable; None, which is never used, if that cannot be."""
        text = self._env.get(variable.name, "").strip() or variable.default
        try:
            if text is not None:
                return variable.parse(text)
            self._complaints.append(f"{variable.name} is not set")
        except ValueError as error:
            self._complaints.append(f"{variable.name} must be {error}")
        return cast("T", None)

    def refuse(self, complaint: str) -> None:
        """Remember what is wrong with several variables together."""
        self._complaints.append(complaint)

    def raise_if_any(self) -> None:
        """Raise LookupError if anything was wrong."""
        if self._complaints:
            raise LookupError("; ".join(self._complaints))


def _common(read: _Reader) -> Common:
    return Common(
        project=read(PROJECT),
        database=read(DATABASE),
        completions_topic=read(COMPLETIONS_TOPIC),
        ticks_topic=read(TICKS_TOPIC),
        time_to_live=timedelta(days=read(JOB_TTL_DAYS) or 0),
        log_level=read(LOG_LEVEL),
        traces=_traces(read),
    )


def _traces(read: _Reader) -> TraceSettings | None:
    endpoint, headers, to_cloud_trace = read(OTLP_ENDPOINT), read(OTLP_HEADERS), read(CLOUD_TRACE)
    if endpoint and to_cloud_trace:
        read.refuse(f"only one of {OTLP_ENDPOINT.name} and {CLOUD_TRACE.name} may be set")
    if not endpoint and not to_cloud_trace:
        return None
    return TraceSettings(endpoint=endpoint, headers=headers)


def _account(read: _Reader, name: str) -> AccountSettings:
    prefix = name.upper()
    return AccountSettings(
        base_url=read(Variable(f"{prefix}_BASE_URL", _url, CATALOGUE[name].base_url)),
        api_key=read(Variable(f"{prefix}_API_KEY", _header_word)),
        limit=_limit(read, name),
    )


def _limit(read: _Reader, name: str) -> Limit:
    documented = CATALOGUE[name].limit
    variable = Variable(LIMIT_VARIABLES[name], _whole, str(documented.calls))
    return Limit(calls=read(variable), window_s=documented.window_s)
