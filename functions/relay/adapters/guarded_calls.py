"""Calls to URLs that callers or providers name: public addresses only, bounded in time and bytes.

What is checked is what the connection uses: its own host, port and address, not a second reading
of the URL. See contract, section 5a, "Guarded calls".
"""

import http.client
import io
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address
from typing import TypeVar

import certifi
import requests
import urllib3

from relay.adapters.transport import (
    CHUNK_BYTES,
    VENDOR_ERRORS,
    Bounds,
    NotSent,
    PerhapsSent,
    Target,
    Transport,
    retry_after_s,
)
from relay.application.ports import Download, EndpointReply
from relay.domain.catalogue.fields import LocalUrls
from relay.domain.public_addresses import is_public_address
from relay.errors import CallForbidden, CallUnanswered, CutShort, TooLarge

HTTPS_PORT = 443
POST_BOUNDS = Bounds(connect_s=5.0, send_s=15.0, read_s=15.0, call_s=15.0, body_bytes=64 * 1024)
GET_BOUNDS = Bounds(
    connect_s=5.0, send_s=60.0, read_s=60.0, call_s=60.0, body_bytes=25 * 1024 * 1024
)

Resolve = Callable[[str, int], Sequence[str]]
Connect = Callable[[str, int, float], socket.socket]
T = TypeVar("T")


def resolve_ipv4(host: str, port: int) -> Sequence[str]:
    """Return the IPv4 addresses of a host, as this machine's resolver knows them."""
    found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def connect_to(address: str, port: int, timeout_s: float) -> socket.socket:
    """Connect to an address, within so many seconds."""
    sock = socket.create_connection((address, port), timeout_s)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


class GuardedCalls:
    """Calls callers' endpoints and fetches outputs; each call has a connection of its own.

    Args:
        local_hosts: Where it may be ``http``, on any port and at a private address.
        resolve: Returns the IPv4 addresses of a host.
        connect: Connects to an address and port within a number of seconds.
        monotonic: Seconds on a clock that is never set.
        ca_file: The certificate authorities that are trusted, in PEM.
    """

    def __init__(
        self,
        *,
        local_hosts: LocalUrls = False,
        post_bounds: Bounds = POST_BOUNDS,
        get_bounds: Bounds = GET_BOUNDS,
        resolve: Resolve = resolve_ipv4,
        connect: Connect = connect_to,
        monotonic: Callable[[], float] = time.monotonic,
        ca_file: str = certifi.where(),
    ) -> None:
        self._local_hosts = local_hosts
        self._resolve = resolve
        self._connect = connect
        self._post_bounds = post_bounds
        self._get_bounds = get_bounds
        self._posts, self._gets = (
            Transport(bounds=bounds, dial=self._dial, monotonic=monotonic, ca_file=ca_file)
            for bounds in (post_bounds, get_bounds)
        )

    def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> EndpointReply:
        """Post JSON and return the answer, whatever its status, within 15 s.

        Raises:
            CallForbidden: The URL leads to an address that is not to be called.
            CallUnanswered: No answer came, or none in time.
        """
        headers = {**headers, "Content-Type": "application/json"}
        within_s = self._post_bounds.call_s
        return self._call(
            within_s,
            url,
            lambda: self._posts.call_once(
                "POST", url, headers=headers, body=body, read=self._read_reply
            ),
        )

    def get(self, url: str) -> Download:
        """Fetch what a URL leads to, of 25 MiB and within 60 s at most.

        Raises:
            CallForbidden: The URL leads to an address that is not to be called.
            TooLarge: It is larger than that.
            CutShort: It ended before its ``Content-Length``.
            CallUnanswered: No answer came, or none in time.
        """
        headers = {"Accept": "*/*"}
        within_s = self._get_bounds.call_s
        return self._call(
            within_s,
            url,
            lambda: self._gets.call_once(
                "GET", url, headers=headers, body=None, read=self._read_download
            ),
        )

    def _call(self, within_s: float, url: str, call: Callable[[], T]) -> T:
        _check(url)
        try:
            return call()
        except NotSent as error:
            raise CallUnanswered(f"the host could not be reached: {error}") from None
        except PerhapsSent as error:
            if error.timed_out:
                raise CallUnanswered(f"the answer took longer than {within_s:g} s") from None
            raise CallUnanswered(str(error)) from None

    def _dial(self, target: Target, left_s: Callable[[], float]) -> socket.socket:
        """Connect to an address of the host, after having checked all of them."""
        is_local = self._is_local(target.host)
        if not is_local and not target.is_tls:
            raise CallForbidden("the URL is not https")
        if not is_local and target.port != HTTPS_PORT:
            raise CallForbidden(f"the port is not {HTTPS_PORT}")
        if ":" in target.host:
            raise CallForbidden("the address is not an IPv4 one")
        addresses = self._addresses(target, left_s())
        if not is_local and not all(is_public_address(IPv4Address(one)) for one in addresses):
            raise CallForbidden("the address is not public")
        failed: OSError = OSError("the host has no address")
        for address in addresses:
            try:
                return self._connect(address, target.port, min(target.connect_s, left_s()))
            except OSError as error:
                failed = error
                left_s()
        raise failed

    def _is_local(self, host: str) -> bool:
        if isinstance(self._local_hosts, bool):
            return self._local_hosts
        return host.lower() in self._local_hosts

    def _addresses(self, target: Target, timeout_s: float) -> Sequence[str]:
        """Resolve in a thread of its own, for a resolver takes no time limit.

        It gives up by itself, after 5 s for each try and name server unless configured otherwise.
        """
        answers: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()

        def resolve() -> None:
            try:
                answers.put(self._resolve(target.host, target.port))
            except (OSError, ValueError) as error:
                answers.put(error)

        threading.Thread(target=resolve, daemon=True).start()
        try:
            answer = answers.get(timeout=timeout_s)
        except queue.Empty:
            raise TimeoutError("the name was not resolved in time") from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _read_reply(self, response: requests.Response) -> EndpointReply:
        asked_s = retry_after_s(response.headers.get("Retry-After"))
        try:
            count = 0
            # Read, so that a server may finish what it began to say.
            for piece in response.raw.stream(CHUNK_BYTES, decode_content=False):
                count += len(piece)
                if count >= self._post_bounds.body_bytes:
                    break
        except VENDOR_ERRORS:
            # The status has come, and nothing else counts.
            pass
        return EndpointReply(response.status_code, asked_s)

    def _read_download(self, response: requests.Response) -> Download:
        if response.status_code != requests.codes.ok:
            return Download(response.status_code, b"")
        most = self._get_bounds.body_bytes
        if (response.raw.length_remaining or 0) > most:
            raise TooLarge(f"it is larger than {most} bytes")
        # Gives its bytes away without a copy, unlike a bytearray.
        body = io.BytesIO()
        try:
            for piece in response.raw.stream(CHUNK_BYTES, decode_content=False):
                if body.tell() + len(piece) > most:
                    raise TooLarge(f"it is larger than {most} bytes")
                body.write(piece)
        except urllib3.exceptions.ProtocolError as error:
            if not isinstance(error.__cause__, http.client.IncompleteRead):
                raise
            raise CutShort("it ended before its length") from None
        return Download(response.status_code, body.getvalue())


def _check(url: str) -> None:
    """Refuse what no connection sees, read as `requests` reads it."""
    try:
        parts = urllib3.util.parse_url(url)
    except urllib3.exceptions.LocationParseError:
        raise CallForbidden("the URL cannot be read") from None
    if parts.scheme not in ("https", "http") or not parts.host:
        raise CallForbidden("the URL is not https")
    if parts.auth is not None:
        raise CallForbidden("the URL names a user")
