"""The types of inputs and their fields, and which pictures a provider can fetch.

Fields are in snake case here and in the providers' camel case outside.
"""

import ipaddress
import re
from typing import Annotated, Any, TypeAlias
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from relay.domain.answers import MAX_URL_LENGTH
from relay.domain.public_addresses import is_public_address

# Anything else in a host is read differently by different programs.
HOST_NAME = re.compile(r"[a-z0-9._-]+")
# RFC 1035, 2.3.4, less what surrounds the labels there.
LONGEST_HOST_NAME = 253

# On every host, on none, or on the hosts with these names or addresses, in lower case.
LocalUrls: TypeAlias = bool | frozenset[str]


class PartialInput(msgspec.Struct, rename="camel"):
    """An input of which the documentation may not show every field: others pass unchecked."""


class CompleteInput(PartialInput, forbid_unknown_fields=True):
    """An input of which the documentation shows every field: others are refused."""


class ImageUrl(str):
    """URL from which the provider fetches a picture."""

    __slots__ = ()


class ImageUrlOrEmpty(ImageUrl):
    """An image's URL, or the empty string that the provider's own samples send."""

    __slots__ = ()


Length = Annotated[float, Meta(gt=0)]
# The provider's pages name no unit.
X = Annotated[float, Meta(description="From the picture's left edge.", examples=[40])]
Y = Annotated[float, Meta(description="From the picture's top edge.", examples=[60])]
Width = Annotated[Length, Meta(description="Width, in the unit of `x`.", examples=[120])]
Height = Annotated[Length, Meta(description="Height, in the unit of `y`.", examples=[80])]


class PartialPoint(msgspec.Struct):
    """A point; coordinates may be fractions and negative."""

    x: X
    y: Y


class Point(PartialPoint, forbid_unknown_fields=True):
    """A point with nothing but coordinates."""


class PartialBox(msgspec.Struct):
    """A rectangle that may begin outside of the picture."""

    x: X
    y: Y
    w: Width
    h: Height


class BoxInPicture(msgspec.Struct, forbid_unknown_fields=True):
    """A rectangle; the origin is the picture's top left corner."""

    x: Annotated[X, Meta(ge=0)]
    y: Annotated[Y, Meta(ge=0)]
    w: Width
    h: Height


def read_image_url(type: type[ImageUrl], value: object, *, allow_local_urls: LocalUrls) -> ImageUrl:
    """Return the URL of an image.

    Args:
        allow_local_urls: Where it may be ``http`` and on a private host.

    Raises:
        ValueError: Says what was expected, as the rest of a sentence.
    """
    if value == "" and issubclass(type, ImageUrlOrEmpty):
        return type()
    if not isinstance(value, str) or len(value) > MAX_URL_LENGTH or not value.isprintable():
        raise ValueError(f"must be a URL of at most {MAX_URL_LENGTH} characters")
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("must be a URL") from None
    may_be_local = is_local_host(host, allow_local_urls)
    schemes = ("http", "https") if may_be_local else ("https",)
    if parts.scheme not in schemes or not host or any(mark in value for mark in " \\"):
        raise ValueError(f"must be an {' or '.join(schemes)} URL")
    if not may_be_local and not _is_public(host):
        raise ValueError("must have a public host name")
    return type(value)


def is_local_host(host: str | None, local_urls: LocalUrls) -> bool:
    """Return whether URLs on a host may be ``http``, and private."""
    return local_urls if isinstance(local_urls, bool) else host in local_urls


def image_url_schema(type: type[Any]) -> dict[str, Any]:
    """Return the JSON Schema of image URLs, which are ``https`` in a deployed relay."""
    url = {
        "type": "string",
        "format": "uri",
        "pattern": "^[hH][tT][tT][pP][sS]://",
        "maxLength": MAX_URL_LENGTH,
    }
    return {"anyOf": [{"const": ""}, url]} if issubclass(type, ImageUrlOrEmpty) else url


def _is_public(host: str) -> bool:
    try:
        return is_public_address(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        # Folds other alphabets' dots and digits as resolvers do.
        name = host.encode("idna").decode().rstrip(".").lower()
    except UnicodeError:
        return False
    if len(name) > LONGEST_HOST_NAME or not HOST_NAME.fullmatch(name):
        return False
    last = name.rpartition(".")[2]
    # A last label of digits is an IPv4 address in a shorthand that resolvers understand.
    looks_numeric = last.isdigit() or last.startswith("0x")
    return "." in name and not looks_numeric and last not in ("localhost", "local", "internal")
