"""How the catalogue describes an operation, and the check of an input against it."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from relay.domain.answers import MAX_URL_LENGTH
from relay.domain.job import Json
from relay.domain.limits import Limit
from relay.domain.rhythm import Rhythm
from relay.errors import InvalidRequest

# Translated to the IPv4 address in its last 32 bits (RFC 6052).
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class Kind(StrEnum):
    """What a field holds."""

    TEXT = "text"
    IMAGE_URL = "image_url"
    NUMBER = "number"
    FLAG = "flag"
    TEXTS = "texts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of an operation's input, in the provider's own spelling.

    Attributes:
        values: The only values it takes; empty if any will do.
        least: Smallest number it takes, None if there is no bound.
        most: Largest number it takes, None if there is no bound.
        may_be_empty: Whether the provider's own samples send an empty text.
    """

    name: str
    kind: Kind
    required: bool
    values: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    may_be_empty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing that a provider can do.

    Attributes:
        path: Below the provider's base URL.
        exactly_one_of: Fields of which an input has exactly one.
        is_complete: Whether the documentation shows every field: then others are refused.
        credits: What it costs by the price list, None where that is unknown.
        source: The page of the provider's documentation.
    """

    name: str
    path: str
    fields: tuple[Field, ...]
    exactly_one_of: tuple[str, ...] = ()
    is_complete: bool
    credits: float | None
    source: str

    def check(self, given: Mapping[str, Json], *, allow_local_urls: bool) -> None:
        """Refuse an input that the provider's documentation says is wrong.

        Args:
            allow_local_urls: Let image URLs be ``http`` and on private hosts.

        Raises:
            InvalidRequest: Names the field, and what was expected.
        """
        known = {field.name: field for field in self.fields}
        for name, value in given.items():
            if name in known:
                _check_value(known[name], value, allow_local_urls=allow_local_urls)
            elif self.is_complete:
                raise _wrong(name, f"is not a field of {self.name}; it has {', '.join(known)}")
        for field in self.fields:
            if field.required and field.name not in given:
                raise _wrong(field.name, "is required")
        present = [name for name in self.exactly_one_of if name in given]
        if self.exactly_one_of and len(present) != 1:
            choices = " and ".join(self.exactly_one_of)
            raise InvalidRequest("/input", f"input must have exactly one of {choices}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFacts:
    """One provider as its documentation shows it.

    Attributes:
        limit: The documented call limit of an account.
        calls_back: Whether it calls a webhook that is handed over with a submission.
    """

    name: str
    base_url: str
    limit: Limit
    rhythm: Rhythm
    calls_back: bool
    operations: Mapping[str, Operation]


def _check_value(field: Field, value: Json, *, allow_local_urls: bool) -> None:
    match field.kind:
        case Kind.TEXT:
            _check_text(field, value)
        case Kind.IMAGE_URL:
            _check_image_url(field, value, allow_local_urls=allow_local_urls)
        case Kind.NUMBER:
            _check_number(field, value)
        case Kind.FLAG:
            if not isinstance(value, bool):
                raise _wrong(field.name, "must be true or false")
        case Kind.TEXTS:
            if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
                raise _wrong(field.name, "must be an array of strings")


def _check_text(field: Field, value: Json) -> None:
    if not isinstance(value, str):
        raise _wrong(field.name, "must be a string")
    if not value and not field.may_be_empty:
        raise _wrong(field.name, "must not be empty")
    if field.values and value not in field.values:
        raise _wrong(field.name, f"must be one of {', '.join(field.values)}")


def _check_number(field: Field, value: Json) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _wrong(field.name, "must be a number")
    if field.least is not None and value < field.least:
        raise _wrong(field.name, f"must be at least {field.least:g}")
    if field.most is not None and value > field.most:
        raise _wrong(field.name, f"must be at most {field.most:g}")


def _check_image_url(field: Field, value: Json, *, allow_local_urls: bool) -> None:
    if isinstance(value, str) and not value and field.may_be_empty:
        return
    if not isinstance(value, str) or len(value) > MAX_URL_LENGTH or not value.isprintable():
        raise _wrong(field.name, f"must be a URL of at most {MAX_URL_LENGTH} characters")
    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError:
        raise _wrong(field.name, "must be a URL") from None
    schemes = ("http", "https") if allow_local_urls else ("https",)
    if parts.scheme not in schemes or not host or " " in value:
        raise _wrong(field.name, f"must be an {' or '.join(schemes)} URL")
    if not allow_local_urls and not _is_public(host):
        raise _wrong(field.name, "must have a public host name")


def _is_public(host: str) -> bool:
    try:
        return _is_public_address(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        # Folds other alphabets' dots and digits as resolvers do.
        name = host.encode("idna").decode().rstrip(".").lower()
    except UnicodeError:
        return False
    last = name.rpartition(".")[2]
    # A last label of digits is an IPv4 address in a shorthand that resolvers understand.
    looks_numeric = last.isdigit() or last.startswith("0x")
    return "." in name and not looks_numeric and last not in ("localhost", "local", "internal")


def _is_public_address(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return inner.is_global
    return address.is_global


def _wrong(name: str, expected: str) -> InvalidRequest:
    escaped = name.replace("~", "~0").replace("/", "~1")
    return InvalidRequest(f"/input/{escaped}", f"input.{name} {expected}")
