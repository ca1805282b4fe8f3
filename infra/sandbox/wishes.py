"""Reads which misbehaviour is wanted: from a command line, JSON, an image URL or a prompt."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from infra.sandbox.behaviour import NAMES, Behaviour, Takes

PROVIDERS = ("gepetto", "spacely")
_WISH = re.compile(r"(?:([a-z]+):)?([a-z0-9-]+)(?:=([^@]*))?(?:@([0-9.]+))?")
_IN_PROMPT = re.compile(r"(?<!\S)sandbox:(\S+)")
_WORD = re.compile(r"[A-Za-z0-9_-]{1,40}")

Value = float | str | None


class UnknownBehaviourError(ValueError):
    """What was asked for is not in the table, or its value makes no sense."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One behaviour that is wanted.

    Attributes:
        value: None where the behaviour takes none, or for every time.
        probability: The share of jobs that it befalls.
        provider: None for both.
    """

    value: Value = None
    probability: float = 1.0
    provider: str | None = None


Wishes = Mapping[str, Wish]


def parse(text: str) -> Wishes:
    """Read `NAME[=VALUE][@PROBABILITY],...`; names may have a `PROVIDER:` before them.

    Returns:
        The wishes by what stands before `=` and `@`, so that a provider can have its own.

    Raises:
        UnknownBehaviourError: Names the first wish that cannot be read.
    """
    wishes = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        found = _WISH.fullmatch(part)
        if found is None:
            raise UnknownBehaviourError(f"not NAME[=VALUE][@PROBABILITY]: {part!r}")
        provider, name, value, share = found.groups()
        key = f"{provider}:{name}" if provider else name
        wishes[key] = _wish(name, provider, value, share or "1")
    return wishes


def _wish(name: str, provider: str | None, value: str | None, share: str) -> Wish:
    behaviour = NAMES.get(name)
    if behaviour is None:
        raise UnknownBehaviourError(f"no behaviour {name!r}; known are {', '.join(NAMES)}")
    if provider is not None and provider not in PROVIDERS:
        raise UnknownBehaviourError(f"no provider {provider!r}; known are {', '.join(PROVIDERS)}")
    try:
        return Wish(_value(behaviour, value), _probability(share), provider)
    except ValueError as error:
        raise UnknownBehaviourError(f"{name!r}: {error} makes no sense") from error


def _probability(text: str) -> float:
    """Raise ValueError for a text that is no probability."""
    if not 0 <= float(text) <= 1:
        raise ValueError(f"the probability {text!r}")
    return float(text)


def _value(behaviour: Behaviour, text: str | None) -> Value:
    """Raise ValueError for a text that is no such value."""
    if text is None:
        return behaviour.default
    if behaviour.takes is Takes.NOTHING or behaviour.takes is Takes.WORD:
        if behaviour.takes is Takes.NOTHING or not _WORD.fullmatch(text):
            raise ValueError(f"the value {text!r}")
        return text
    number = float(text)
    counted = behaviour.takes is Takes.TIMES and number != int(number)
    refusal = behaviour.takes is Takes.CODE and number not in (401, 402, 403)
    if counted or refusal or not 0 <= number <= 86_400:
        raise ValueError(f"the value {text!r}")
    return number


def from_json(document: object) -> Wishes:
    """Read `{NAME: VALUE, ...}`, each value as `as_json` writes it or plain.

    Raises:
        UnknownBehaviourError: Names the first wish that cannot be read.
    """
    if not isinstance(document, dict):
        raise UnknownBehaviourError("not a JSON object")
    wishes: dict[str, Wish] = {}
    for key, plain in document.items():
        given = plain if isinstance(plain, dict) else {"value": plain}
        value, share = given.get("value", True), given.get("probability", 1)
        if value is False or value is None:
            continue
        text = key if value is True else f"{key}={value}"
        wishes.update(parse(f"{text}@{share}"))
    return wishes


def as_json(wishes: Wishes) -> dict[str, dict[str, float | str | bool]]:
    """Return what `from_json` reads: the value is true where there is none."""
    return {
        key: {
            "value": True if wish.value is None else wish.value,
            "probability": wish.probability,
        }
        for key, wish in wishes.items()
    }


def of_job(image_url: str, prompt: str) -> Wishes:
    """Read what one job asks for: `?sandbox=...` of its image, or `sandbox:...` in its prompt.

    Raises:
        UnknownBehaviourError: Also for what only a whole server can do.
    """
    try:
        marks = parse_qs(urlsplit(image_url).query).get("sandbox", [])
    except ValueError:
        marks = []
    wishes = parse(",".join([*marks, *_IN_PROMPT.findall(prompt)]))
    for name in wishes:
        if ":" not in name and NAMES[name].server_wide:
            raise UnknownBehaviourError(f"{name!r} is for the whole server, not for one job")
    return wishes
