"""Whether a provider can fetch a picture from a URL, as far as the URL itself tells."""

import ipaddress
import re
from urllib.parse import urlsplit

from relay.domain.answers import MAX_URL_LENGTH
from relay.domain.job import Json

# Translated to the IPv4 address in its last 32 bits (RFC 6052).
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# IPv4 addresses written as IPv6 ones, long deprecated (RFC 4291, 2.5.5.1).
IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")
# Anything else in a host is read differently by different programs.
HOST_NAME = re.compile(r"[a-z0-9._-]+")


def image_url_complaint(value: Json, allow_local_urls: bool) -> str | None:
    """Return what is wrong with an image's URL, as the rest of a sentence; None if nothing is."""
    if not isinstance(value, str) or len(value) > MAX_URL_LENGTH or not value.isprintable():
        return f"must be a URL of at most {MAX_URL_LENGTH} characters"
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "must be a URL"
    schemes = ("http", "https") if allow_local_urls else ("https",)
    if parts.scheme not in schemes or not host or any(mark in value for mark in " \\"):
        return f"must be an {' or '.join(schemes)} URL"
    if not allow_local_urls and not _is_public(host):
        return "must have a public host name"
    return None


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
    if not HOST_NAME.fullmatch(name):
        return False
    last = name.rpartition(".")[2]
    # A last label of digits is an IPv4 address in a shorthand that resolvers understand.
    looks_numeric = last.isdigit() or last.startswith("0x")
    return "." in name and not looks_numeric and last not in ("localhost", "local", "internal")


def _is_public_address(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in NAT64 or address in IPV4_COMPATIBLE:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return _is_public_address(inner)
    return address.is_global and not address.is_multicast
