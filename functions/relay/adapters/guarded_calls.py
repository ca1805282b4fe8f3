"""Calls of URLs that a caller or a provider has named: to public addresses only.

See contract, section 5a, "Guarded calls". A name is resolved once, and the connection goes to one
of the addresses that were checked; what else the name may stand for later does not matter.
"""

import http.client
import io
import ipaddress
import socket
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

import certifi
import requests
import urllib3

from relay.adapters.transport import (
    CHUNK_BYTES,
    Bounds,
    NotSent,
    PerhapsSent,
    Target,
    Transport,
)
from relay.application.ports import Download, EndpointReply
from relay.domain.addresses import is_public_address
from relay.domain.catalogue.fields import LocalUrls
from relay.errors import CallForbidden, CallUnanswered, CutShort, TooLarge

TLS_PORT = 443
MAX_DOWNLOAD_BYTES = 25 * 1024 * 1024
MAX_REPLY_BYTES = 64 * 1024
POST = Bounds(connect_s=5.0, send_s=10.0, read_s=15.0, call_s=15.0)
GET = Bounds(connect_s=5.0, send_s=20.0, read_s=30.0, call_s=60.0)
# Some hosts have dozens of addresses, and each may take its time.
MOST_ADDRESSES = 3

Resolve = Callable[[str, int], Sequence[str]]
OpenSocket = Callable[[tuple[str, int], float], socket.socket]


def resolve_ipv4(host: str, port: int) -> Sequence[str]:
    """Return the IPv4 addresses of a host; raise OSError."""
    found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class GuardedCalls:
    """Posts to callers' endpoints and fetches outputs, from any number of threads.

    Args:
        local_hosts: Where ``http``, other ports and private addresses are allowed: for the local
            stack only.
        resolve: Returns the IPv4 addresses of a host at a port.
        open_socket: Connects to an address and port, within so many seconds.
        bounds: Of all calls, instead of those for posts and for downloads.
        ca_file: The certificate authorities that are trusted, in PEM.
    """

    def __init__(
        self,
        *,
        local_hosts: LocalUrls = False,
        resolve: Resolve = resolve_ipv4,
        open_socket: OpenSocket = socket.create_connection,
        bounds: Bounds | None = None,
        ca_file: str = certifi.where(),
    ) -> None:
        self._local_hosts = local_hosts
        self._resolve = resolve
        self._open_socket = open_socket
        self._posts = Transport(bounds=bounds or POST, connect=self._connect, ca_file=ca_file)
        self._gets = Transport(bounds=bounds or GET, connect=self._connect, ca_file=ca_file)

    def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> EndpointReply:
        """See `Endpoints`; of the answer's body at most 64 KiB are read, and dropped."""
        _require_plain(url)

        def read(response: requests.Response) -> EndpointReply:
            _drop(response)
            return EndpointReply(response.status_code, self._posts.retry_after_s(response))

        headers = {**headers, "Content-Type": "application/json"}
        try:
            return self._posts.call(
                "POST", url, headers=headers, body=body, read=read, is_kept=False
            )
        except (NotSent, PerhapsSent) as error:
            raise CallUnanswered(str(error)) from None

    def get(self, url: str) -> Download:
        """See `Downloads`; a redirect is not followed, and nothing is inflated."""
        _require_plain(url)
        headers = {"Accept": "image/*"}
        try:
            return self._gets.call(
                "GET", url, headers=headers, body=None, read=_read_download, is_kept=False
            )
        except (NotSent, PerhapsSent) as error:
            raise CallUnanswered(str(error)) from None

    def _connect(self, target: Target, timeout_s: float) -> socket.socket:
        """Connect to an address of the host, all of which are public.

        Raises:
            CallForbidden: It has another one, or is to be called otherwise than by TLS at 443.
            OSError: Its name is not known, or none of its first addresses answers.
        """
        host = target.host.rstrip(".").lower()
        is_local = self._is_local(host)
        if not is_local and not (target.is_tls and target.port == TLS_PORT):
            raise CallForbidden("only https on port 443 may be called")
        if ":" in host:
            raise CallForbidden("an IPv6 address may not be called")
        addresses = self._resolve(host, target.port)
        if not is_local and not all(
            is_public_address(ipaddress.IPv4Address(one)) for one in addresses
        ):
            raise CallForbidden("the host has an address that is not public")
        return self._first_connection(addresses[:MOST_ADDRESSES], target.port, timeout_s)

    def _first_connection(
        self, addresses: Sequence[str], port: int, timeout_s: float
    ) -> socket.socket:
        failure = OSError("the host has no IPv4 address")
        for address in addresses:
            try:
                return self._open_socket((address, port), timeout_s / len(addresses))
            except OSError as error:
                failure = error
        raise failure

    def _is_local(self, host: str) -> bool:
        if isinstance(self._local_hosts, bool):
            return self._local_hosts
        return host in self._local_hosts


def _require_plain(url: str) -> None:
    """Refuse what would be called otherwise than its host's own URLs."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        raise CallForbidden("the URL cannot be read") from None
    if parts.scheme not in ("http", "https") or not host:
        raise CallForbidden("the URL is neither https nor http")
    if "@" in parts.netloc or "\\" in url:
        raise CallForbidden("the URL has a user name or a backslash")


def _drop(response: requests.Response) -> None:
    """Read some of a body that nobody looks at, so that its sender sees it taken."""
    left = MAX_REPLY_BYTES
    try:
        while left > 0 and (chunk := response.raw.read1(min(left, CHUNK_BYTES))):
            left -= len(chunk)
    except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError):
        # The status has come, and says enough.
        return


def _read_download(response: requests.Response) -> Download:
    if response.status_code != requests.codes.ok:
        return Download(response.status_code, b"")
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > MAX_DOWNLOAD_BYTES:
        raise TooLarge(f"it has more than {MAX_DOWNLOAD_BYTES:,} bytes")
    body = io.BytesIO()
    try:
        for chunk in response.raw.stream(CHUNK_BYTES, decode_content=False):
            body.write(chunk)
            if body.tell() > MAX_DOWNLOAD_BYTES:
                raise TooLarge(f"it has more than {MAX_DOWNLOAD_BYTES:,} bytes")
    except urllib3.exceptions.ProtocolError as error:
        if not any(isinstance(one, http.client.IncompleteRead) for one in error.args):
            raise
        raise CutShort("it ended before its length") from None
    return Download(response.status_code, body.getvalue())
