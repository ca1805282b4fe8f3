"""How providers and receivers of callbacks can misbehave, and what one job or callback gets.

The table below is the only list: it drives parsing, `--help` and what the responses say.
A behaviour is asked for as `NAME` or `NAME=VALUE`; for the whole server also as
`NAME=VALUE@PROBABILITY` and `PROVIDER:NAME`. Several are joined by commas.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from urllib.parse import parse_qs, urlsplit

PROVIDERS = ("gepetto", "spacely")
# In place of a provider's name where a callback is received.
CALLBACKS = "callbacks"
_REQUEST = re.compile(r"(?:([a-z]+):)?([a-z0-9-]+)(?:=([^@]*))?(?:@([0-9.]+))?")
_IN_PROMPT = re.compile(r"(?<!\S)sandbox:(\S+)")
_WORD = re.compile(r"[A-Za-z0-9_-]{1,40}")

Value = float | str | None


class Takes(StrEnum):
    """The kind of value after a behaviour's name."""

    NOTHING = ""
    SECONDS = "SECONDS"
    TIMES = "N"
    WORD = "WORD"
    CODE = "CODE"


class Scope(StrEnum):
    """What can have a behaviour; any of them also for the whole server."""

    JOB = ""
    SERVER = "server-wide only"
    CALLBACK = "callbacks only"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One way to misbehave.

    Attributes:
        default: The value if none is given; None where it takes N: every time.
        codes: The statuses that it may take.
    """

    name: str
    takes: Takes
    summary: str
    default: float | str | None = None
    scope: Scope = Scope.JOB
    codes: Sequence[int] = ()


_S, _N, _W, _X = Takes.SECONDS, Takes.TIMES, Takes.WORD, Takes.NOTHING

BEHAVIOURS = (
    Behaviour("render-s", _S, "the render takes that long", 3.0),
    Behaviour("cold-s", _S, "a cold model: that long passes before the render starts", 120.0),
    Behaviour(
        "failed", _W, "the render ends with the status WORD, no picture, no webhook", "failed"
    ),
    Behaviour("fails", _N, "the renders of the first N tries end so, the next one succeeds"),
    Behaviour("odd-status", _W, "polls say WORD while the render runs", "rendering"),
    Behaviour("no-output", _X, "success for ever, but no picture in poll or webhook"),
    Behaviour("webhook-lost", _X, "the webhook is never sent"),
    Behaviour("webhook-twice", _X, "the webhook is sent twice at once"),
    Behaviour(
        "webhook-early", _X, "the render is instant, its webhook answered before the submit is"
    ),
    Behaviour("webhook-late", _S, "the webhook is sent that long after the render is done", 20.0),
    Behaviour(
        "webhook-no-output", _X, "the webhook holds only the id; sent for a failed render too"
    ),
    Behaviour("webhook-wrong-id", _X, "the webhook holds another job's id"),
    Behaviour("webhook-nonsense", _X, "the webhook's body is not JSON"),
    Behaviour("ack-late", _S, "the acknowledgement comes that long after acceptance", 10.0),
    Behaviour("ack-no-id", _X, "the acknowledgement is a 200 without an id"),
    Behaviour("submit-400", _N, "the first N tries are refused with 400"),
    Behaviour("submit-401", _N, "the first N tries are refused with 401, as an account would be"),
    Behaviour("submit-402", _N, "likewise with 402"),
    Behaviour("submit-403", _N, "likewise with 403"),
    Behaviour("submit-429", _N, "the first N tries are refused with 429, Retry-After: 2"),
    Behaviour("submit-503", _N, "the first N tries are refused with 503"),
    Behaviour("submit-500", _N, "the first N tries are answered 500, nothing was accepted"),
    Behaviour("accept-500", _N, "the first N tries are accepted but answered 500"),
    Behaviour(
        "accept-hang", _N, "the first N tries are accepted, never answered (held up to 600 s)"
    ),
    Behaviour("accept-close", _N, "the first N tries are accepted, then the connection is closed"),
    Behaviour("poll-500", _N, "the job's first N polls are answered 500"),
    Behaviour("poll-unknown", _N, "the job's first N polls do not know it (400)"),
    Behaviour("html-errors", _X, "error bodies are HTML pages"),
    Behaviour(
        "account",
        Takes.CODE,
        "every call is refused with 401, 402 or 403",
        default=402.0,
        scope=Scope.SERVER,
        codes=(401, 402, 403),
    ),
    Behaviour(
        "callback-status",
        Takes.CODE,
        "callbacks are answered so",
        default=500.0,
        scope=Scope.CALLBACK,
        codes=range(200, 600),
    ),
    Behaviour(
        "callback-fails", _N, "only an event's first N tries are answered so", scope=Scope.CALLBACK
    ),
    Behaviour(
        "callback-hang", _N, "an event's first N tries are never answered", scope=Scope.CALLBACK
    ),
    Behaviour(
        "callback-close", _N, "an event's first N tries lose the connection", scope=Scope.CALLBACK
    ),
    Behaviour("callback-slow", _S, "callbacks are answered so late", 5.0, Scope.CALLBACK),
)
NAMES = {behaviour.name: behaviour for behaviour in BEHAVIOURS}


def described() -> str:
    """Return the table as text, one line for each behaviour."""
    lines = []
    for behaviour in BEHAVIOURS:
        value = f"[={behaviour.takes}]" if behaviour.takes else ""
        default = behaviour.default
        shown = f"{default:g}" if isinstance(default, float) else default
        without = "" if default is None else f" (default {shown})"
        scope = f" ({behaviour.scope})" if behaviour.scope else ""
        lines.append(f"  {behaviour.name + value:22} {behaviour.summary}{without}{scope}")
    return "\n".join(lines)


class UnknownBehaviourError(ValueError):
    """A behaviour that is not in the table, or a value that it cannot take."""


@dataclass(frozen=True, slots=True)
class BehaviourRequest:
    """A behaviour that a job, the command line or a PUT asks for.

    Attributes:
        value: None where the behaviour takes none, or for every time.
        probability: The share of jobs that it affects.
        provider: None for both.
    """

    value: Value = None
    probability: float = 1.0
    provider: str | None = None


BehaviourRequests = Mapping[str, BehaviourRequest]
"""By `NAME` or `PROVIDER:NAME`, so that each provider can have its own."""


def parse(text: str) -> BehaviourRequests:
    """Read `[PROVIDER:]NAME[=VALUE][@PROBABILITY],...`.

    Raises:
        UnknownBehaviourError: Names the first part that cannot be read.
    """
    requests = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        found = _REQUEST.fullmatch(part)
        if found is None:
            raise UnknownBehaviourError(f"not NAME[=VALUE][@PROBABILITY]: {part!r}")
        provider, name, value, probability = found.groups()
        key = f"{provider}:{name}" if provider else name
        requests[key] = _request(name, provider, value, probability or "1")
    return requests


def _request(
    name: str, provider: str | None, value: str | None, probability: str
) -> BehaviourRequest:
    behaviour = NAMES.get(name)
    if behaviour is None:
        raise UnknownBehaviourError(f"no behaviour {name!r}; known are {', '.join(NAMES)}")
    if provider is not None and provider not in PROVIDERS:
        raise UnknownBehaviourError(f"no provider {provider!r}; known are {', '.join(PROVIDERS)}")
    if provider is not None and behaviour.scope is Scope.CALLBACK:
        raise UnknownBehaviourError(f"{name!r} is for callbacks, which no provider receives")
    try:
        return BehaviourRequest(_value(behaviour, value), _probability(probability), provider)
    except ValueError as error:
        raise UnknownBehaviourError(f"{name!r}: {error} makes no sense") from error


def _probability(text: str) -> float:
    """Raise ValueError for a text that is no probability."""
    if not 0 <= float(text) <= 1:
        raise ValueError(f"the probability {text!r}")
    return float(text)


def _value(behaviour: Behaviour, text: str | None) -> Value:
    """Raise ValueError for a value that the behaviour cannot take."""
    if text is None:
        return behaviour.default
    if behaviour.takes is Takes.WORD and _WORD.fullmatch(text):
        return text
    if behaviour.takes in (Takes.WORD, Takes.NOTHING):
        raise ValueError(f"the value {text!r}")
    number = float(text)
    is_fraction = behaviour.takes is Takes.TIMES and number != int(number)
    is_other_code = behaviour.takes is Takes.CODE and number not in behaviour.codes
    if is_fraction or is_other_code or not 0 <= number <= 86_400:
        raise ValueError(f"the value {text!r}")
    return number


def from_json(document: object) -> BehaviourRequests:
    """Read `{NAME: VALUE, ...}`, each value plain or as `as_json` writes it.

    Raises:
        UnknownBehaviourError: Names the first entry that cannot be read.
    """
    if not isinstance(document, dict):
        raise UnknownBehaviourError("not a JSON object")
    requests: dict[str, BehaviourRequest] = {}
    for key, plain in document.items():
        given = plain if isinstance(plain, dict) else {"value": plain}
        value, probability = given.get("value", True), given.get("probability", 1)
        if value is False or value is None:
            continue
        text = key if value is True else f"{key}={value}"
        requests.update(parse(f"{text}@{probability}"))
    return requests


def as_json(requests: BehaviourRequests) -> dict[str, dict[str, float | str | bool]]:
    """Return what `from_json` reads; a request without a value has true."""
    return {
        key: {
            "value": True if request.value is None else request.value,
            "probability": request.probability,
        }
        for key, request in requests.items()
    }


def asked_by_job(image_url: str, prompt: str) -> BehaviourRequests:
    """Read what a job asks for: `?sandbox=...` of its image, or `sandbox:...` in its prompt.

    Raises:
        UnknownBehaviourError: Also for a behaviour of the whole server, or of callbacks.
    """
    try:
        in_url = parse_qs(urlsplit(image_url).query).get("sandbox", [])
    except ValueError:
        in_url = []
    requests = parse(",".join([*in_url, *_IN_PROMPT.findall(prompt)]))
    for key in requests:
        name = key.rpartition(":")[2]
        if ":" not in key and NAMES[name].scope is Scope.SERVER:
            raise UnknownBehaviourError(f"{name!r} is for the whole server, not for one job")
        if NAMES[name].scope is Scope.CALLBACK:
            raise UnknownBehaviourError(f"{name!r} is for callbacks, not for renders")
    return requests


def asked_by_callback(asked: Sequence[str]) -> BehaviourRequests:
    """Read what a callback's URL asks for.

    Args:
        asked: The values of `sandbox` in its query.

    Raises:
        UnknownBehaviourError: Also for a behaviour of a render, or of the whole server.
    """
    requests = parse(",".join(asked))
    for key in requests:
        if NAMES[key.rpartition(":")[2]].scope is not Scope.CALLBACK:
            raise UnknownBehaviourError(f"{key!r} is not for callbacks")
    return requests


@dataclass(frozen=True, slots=True)
class JobBehaviour:
    """The behaviours of one job or callback, with their values."""

    values: Mapping[str, Value]

    def has(self, name: str) -> bool:
        """Return whether the job has this behaviour."""
        return name in self.values

    def seconds(self, name: str) -> float:
        """Return the behaviour's number, 0 if the job does not have it."""
        return float(self.values.get(name) or 0.0)

    def word(self, name: str, otherwise: str) -> str:
        """Return the behaviour's word, or *otherwise* if the job does not have it."""
        return str(self.values.get(name) or otherwise)

    def lasts(self, name: str, times_so_far: int) -> bool:
        """Return whether a behaviour that ends after N times still applies."""
        if name not in self.values:
            return False
        value = self.values[name]
        return value is None or times_so_far < float(value)


def draw(
    *,
    server: BehaviourRequests,
    job: BehaviourRequests,
    provider: str,
    number: int,
    seed: int,
    typical_s: float,
) -> JobBehaviour:
    """Draw the behaviour of one job or callback; the same seed and number always give the same.

    Args:
        job: Overrides *server*, as a request for one provider overrides one for both.
        provider: `CALLBACKS` for a callback.
        number: How many submissions or callbacks came before, whatever their result.
        typical_s: The typical render time; a job takes 0.6 to 1.6 times as long.
    """
    chance = Random(f"{seed}/{number}")
    values: dict[str, Value] = {"render-s": round(typical_s * chance.triangular(0.6, 1.6, 0.9), 3)}
    general_first = sorted(server.items(), key=lambda item: item[1].provider is not None)
    for key, request in (*general_first, *job.items()):
        is_for_callbacks = NAMES[key.rpartition(":")[2]].scope is Scope.CALLBACK
        if request.provider not in (None, provider) or is_for_callbacks != (provider == CALLBACKS):
            continue
        if Random(f"{seed}/{number}/{key}").random() < request.probability:
            values[key.removeprefix(f"{provider}:")] = request.value
    return JobBehaviour(values)
