"""One HTTP call: bounded in time and size, never repeated, sorted by what it did.

Whether a failed call may have reached the provider is not guessed from the error that urllib3
wraps around another: our connections note the first byte that they write. Everything before it
(name, connection, TLS handshake) is `NotSent`, everything after it `PerhapsSent`.
"""

import http
import http.client
import io
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeAlias, TypeVar

import certifi
import msgspec
import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from relay.errors import Transient

MAX_BODY_BYTES = 1024 * 1024
CHUNK_BYTES = 64 * 1024
# Headers, and what chunks add to a body.
MAX_FRAMING_BYTES = 1024 * 1024
# Small enough that each piece may be waited for anew.
PIECE_BYTES = 16 * 1024

# Servers hang up on idle connections, and a paused instance does not hear of it.
KEPT_FOR_S = 3.0

# Longer than anyone honours; keeps arithmetic on dates within bounds.
LONGEST_RETRY_AFTER_S = 86_400.0

# Everything that requests, urllib3, http.client, ssl and the codecs are known to raise.
VENDOR_ERRORS = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,
)


class _Unanswered(Transient):
    """There is no answer.

    Attributes:
        timed_out: Whether it took too long.
    """

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out


class NotSent(_Unanswered):
    """The call surely did not reach its host."""


class PerhapsSent(_Unanswered):
    """The call may have reached its host; what it did there is not known."""


class Answer(msgspec.Struct, frozen=True):
    """What a provider answered.

    Attributes:
        body: Empty also where a refusal's body could not be read: its status says enough.
        retry_after_s: What ``Retry-After`` asks for, up to a day; None if nothing readable.
        content_type: Empty if the provider sent none.
    """

    status: int
    body: bytes
    retry_after_s: float | None = None
    content_type: str = ""


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What one call may take.

    Attributes:
        connect_s: For each address of the host, and for the TLS handshake.
        send_s: From the start of the call to its first byte on the way: later it is not sent.
            A pump that was paused in between may have lost its lease; see `relay.domain.account`.
        read_s: Between two pieces of the answer.
        call_s: From the start of the call to the last byte of the answer.
    """

    connect_s: float = 2.0
    send_s: float = 2.0
    read_s: float = 10.0
    call_s: float = 15.0
    body_bytes: int = MAX_BODY_BYTES


class Target(msgspec.Struct, frozen=True):
    """Where a connection is to go.

    Attributes:
        connect_s: How long connecting to one address may take.
    """

    host: str
    port: int
    is_tls: bool
    connect_s: float


# Connects, given what remains of the call's time.
Dial: TypeAlias = Callable[[Target, Callable[[], float]], socket.socket]
T = TypeVar("T")


class Transport:
    """Calls providers over HTTP, from any number of threads.

    Nothing is taken from the environment (``trust_env`` is off): a netrc entry would replace
    our Authorization header, and a proxy or a CA bundle that was set for another program
    would get to see the providers' keys.

    Args:
        monotonic: Seconds on a clock that is never set.
        now: The time of day (aware), for a ``Retry-After`` that is a date.
        ca_file: The certificate authorities that are trusted, in PEM.
        dial: Connects, if not as usual.
    """

    def __init__(
        self,
        *,
        bounds: Bounds | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        ca_file: str = certifi.where(),
        dial: Dial | None = None,
    ) -> None:
        self._dial = dial
        self._bounds = bounds or Bounds()
        self._monotonic = monotonic
        self._now = now
        self._ca_file = ca_file
        self._mine = threading.local()

    def get(self, url: str, *, headers: Mapping[str, str]) -> Answer:
        """Ask for something, on the connection of a call just before if there was one.

        Raises:
            NotSent, PerhapsSent: There is no answer.
        """
        return self._call("GET", url, headers=headers, body=None)

    def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send JSON, on a connection of its own.

        A kept connection may have died unseen, and what is lost on it might have been
        accepted as far as anybody can tell.

        Raises:
            NotSent, PerhapsSent: There is no answer.
        """
        headers = {**headers, "Content-Type": "application/json"}
        return self._call("POST", url, headers=headers, body=body)

    def call_once(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        read: Callable[[requests.Response], T],
    ) -> T:
        """Call on a connection that is closed afterwards, and read the response with *read*.

        Raises:
            NotSent, PerhapsSent: There is no answer.
        """
        started_at = self._monotonic()
        with _Session(_trust_in(self._ca_file)) as session:
            return self._exchange(session, started_at, method, url, headers, body, read)

    def _call(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        started_at = self._monotonic()
        session = self._session(started_at, fresh=method == "POST")
        return self._exchange(session, started_at, method, url, headers, body, self._read)

    def _exchange(
        self,
        session: requests.Session,
        started_at: float,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        read: Callable[[requests.Response], T],
    ) -> T:
        call = _Call(
            self._monotonic,
            send_by=started_at + self._bounds.send_s,
            ends_at=started_at + self._bounds.call_s,
            left_bytes=self._bounds.body_bytes + MAX_FRAMING_BYTES,
            dial=self._dial,
        )
        token = _CALL.set(call)
        try:
            request = session.prepare_request(
                requests.Request(method, url, headers=headers, data=body)
            )
            timeout = (self._bounds.connect_s, self._bounds.read_s)
            response = session.send(request, timeout=timeout, stream=True)
            with response:
                return read(response)
        except VENDOR_ERRORS as error:
            # Without its cause, whose text quotes the whole URL.
            root = _root(error)
            why, timed_out = type(root).__name__, isinstance(root, TimeoutError)
            if call.is_sent:
                raise PerhapsSent(f"no whole answer came ({why})", timed_out=timed_out) from None
            raise NotSent(f"the request could not be sent ({why})", timed_out=timed_out) from None
        finally:
            _CALL.reset(token)

    def _read(self, response: requests.Response) -> Answer:
        wait_s = retry_after_s(response.headers.get("Retry-After"), now=self._now())
        try:
            body = self._body(response)
        except (PerhapsSent, *VENDOR_ERRORS):
            if response.ok:
                raise
            body = b""
        content_type = response.headers.get("Content-Type", "")
        return Answer(response.status_code, body, wait_s, content_type)

    def _body(self, response: requests.Response) -> bytes:
        body = bytearray()
        for chunk in response.iter_content(CHUNK_BYTES):
            body += chunk
            if len(body) > self._bounds.body_bytes:
                raise PerhapsSent(f"the answer is longer than {self._bounds.body_bytes} bytes")
        return bytes(body)

    def _session(self, now: float, *, fresh: bool) -> requests.Session:
        """Return this thread's session, without a connection that is not to be used."""
        session: requests.Session | None = getattr(self._mine, "session", None)
        if session is None:
            session = self._mine.session = _Session(_trust_in(self._ca_file))
        elif fresh or now - self._mine.used_at > KEPT_FOR_S:
            session.close()
        self._mine.used_at = now
        return session


@dataclass(slots=True)
class _Call:
    """The call that this thread is making."""

    monotonic: Callable[[], float]
    send_by: float = field(kw_only=True)
    ends_at: float = field(kw_only=True)
    left_bytes: int = field(kw_only=True)
    dial: Dial | None = field(kw_only=True)
    is_sent: bool = False

    def begin_to_send(self) -> None:
        if not self.is_sent and self.monotonic() > self.send_by:
            raise TimeoutError("the call could not be sent in time")
        self.left_s()
        self.is_sent = True

    def left_s(self) -> float:
        left_s = self.ends_at - self.monotonic()
        if left_s <= 0:
            raise TimeoutError("the call took too long")
        return left_s

    def count(self, received: int) -> None:
        """Count bytes as they arrive: urllib3 reads the size of a chunk, however long it is."""
        self.left_bytes -= received
        if self.left_bytes < 0:
            raise OSError("the answer is too long")


_reading = threading.Lock()


def _trust_in(ca_file: str) -> ssl.SSLContext:
    """Return the TLS settings; made once, because reading the bundle takes 13 ms.

    By the first call, not by a cold start: most instances of `jobs_api` never call anybody.
    """
    with _reading:
        return _read_tls(ca_file)


@cache
def _read_tls(ca_file: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)


_CALL: ContextVar[_Call] = ContextVar("_CALL")


class _Session(requests.Session):
    """A session that sends each request once, to the host it was meant for."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.headers.clear()
        self.headers.update({"User-Agent": "render-relay", "Accept": "application/json"})
        # Unset, http.client would ask for this and urllib3 for encodings that inflate.
        self.headers["Accept-Encoding"] = "identity"
        self.mount("https://", _Adapter(tls))
        self.mount("http://", _Adapter(tls))

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Find no target, ever: requests reads a redirect's body whole, even to ignore it."""
        del resp
        return None


class _Adapter(HTTPAdapter):
    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        super().__init__(max_retries=0)

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **kw: Any
    ) -> None:
        super().init_poolmanager(connections, maxsize, block, ssl_context=self._tls, **kw)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave it to our context; requests would have the bundle read for each connection."""


class _Reply(http.client.HTTPResponse):
    """A response that the call's time bounds from its first byte to its last."""

    def __init__(self, sock: socket.socket, *args: Any, **kw: Any) -> None:
        super().__init__(sock, *args, **kw)
        self.fp = io.BufferedReader(_UntilTheEnd(sock, self.fp))

    def _read_status(self) -> tuple[str, int, str]:
        """Skip interim answers (RFC 9110, 15.2), such as 103: http.client knows of 100 alone."""
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not http.HTTPStatus.PROCESSING <= status < http.HTTPStatus.OK:
                return version, status, reason
            while self.fp.readline(CHUNK_BYTES).strip():
                pass


class _UntilTheEnd(io.RawIOBase):
    """The bytes of a socket, for as long as the call may take.

    Here and not between chunks of the body, because a server can drip the headers too.
    """

    def __init__(self, sock: socket.socket, stream: io.BufferedReader) -> None:
        self._sock = sock
        self._stream = stream
        self._read_s = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left_s = _CALL.get().left_s()
        self._sock.settimeout(left_s if self._read_s is None else min(self._read_s, left_s))
        count = self._stream.readinto1(buffer)
        _CALL.get().count(count)
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()


class _Connection(HTTPConnection):
    """Notes in the call that something is about to be written."""

    response_class = _Reply
    is_tls = False

    def send(self, data: Any) -> None:
        if self.sock is None:
            # http.client would connect from within its own send, after the note.
            self.connect()
        call = _CALL.get()
        call.begin_to_send()
        longest_s = self.sock.gettimeout()
        # Not in one piece: TLS waits anew for each record that a slow reader takes.
        for start in range(0, len(data), PIECE_BYTES):
            left_s = call.left_s()
            self.sock.settimeout(left_s if longest_s is None else min(longest_s, left_s))
            super().send(data[start : start + PIECE_BYTES])
        self.sock.settimeout(longest_s)

    def _new_conn(self) -> socket.socket:
        call = _CALL.get()
        if call.dial is None:
            return super()._new_conn()
        target = Target(self._dns_host, self.port, self.is_tls, self.timeout or call.left_s())
        sock = call.dial(target, call.left_s)
        # For the TLS handshake.
        sock.settimeout(min(target.connect_s, call.left_s()))
        return sock


class _TlsConnection(_Connection, HTTPSConnection):
    is_tls = True


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def _root(error: BaseException) -> BaseException:
    """Return the error that all the others were wrapped around."""
    while error.__context__ is not None:
        error = error.__context__
    return error


def retry_after_s(header: str | None, *, now: datetime | None = None) -> float | None:
    """Read ``Retry-After`` (RFC 9110, 10.2.3): seconds, or a date; up to a day."""
    if header is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", header.strip()):
        return min(float(header), LONGEST_RETRY_AFTER_S)
    try:
        moment = parsedate_to_datetime(header)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        wait_s = (moment - (now or datetime.now(UTC))).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(max(wait_s, 0.0), LONGEST_RETRY_AFTER_S)
