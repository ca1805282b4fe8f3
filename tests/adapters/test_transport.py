"""The transport against servers on this machine that misbehave in every way we know of."""

import gzip
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from relay.adapters.providers.response_classifier import NOT_JSON, parse_json
from relay.adapters.transport import Answer, Bounds, NotSent, PerhapsSent, Transport
from relay.domain.account import CALL_ARRIVES_WITHIN_S

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
PATIENT = Bounds(body_bytes=1000)
HASTY = Bounds(connect_s=1.0, read_s=0.8, call_s=1.0, body_bytes=1000)
# What a loaded machine may add; the servers below would hold us for a minute.
SOON_S = 30.0
HTML = b"<html>Bad Gateway</html>"

Script = Callable[[socket.socket], None]


def a_transport(bounds: Bounds = PATIENT) -> Transport:
    return Transport(bounds=bounds, now=lambda: NOON)


def reply(status: str, body: bytes = b"{}", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def read_request(connection: socket.socket) -> bytes:
    """Read a request, its body included if it says how long that is."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        if not piece:
            return received
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(
        (int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def says(*pieces: bytes) -> Script:
    """Read a request, then send these pieces and hang up."""

    def script(connection: socket.socket) -> None:
        read_request(connection)
        for piece in pieces:
            connection.sendall(piece)

    return script


def drips(start: bytes, drop: bytes) -> Script:
    """Read a request, then send drop after drop for as long as anybody listens."""

    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(start)
        for _ in range(6_000):
            connection.sendall(drop)
            time.sleep(0.01)

    return script


def resets(connection: socket.socket) -> None:
    """Read a request, then break the connection."""
    read_request(connection)
    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def is_silent(connection: socket.socket) -> None:
    """Read a request, and wait until the other side hangs up."""
    read_request(connection)
    connection.recv(1)


@contextmanager
def serving(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[int]]]:
    """Run a server; yield its URL and a list with an entry for each connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    connections: list[int] = []

    def attend(connection: socket.socket) -> None:
        try:
            with connection:
                if tls is None:
                    script(connection)
                    return
                with tls.wrap_socket(connection, server_side=True) as secured:
                    script(secured)
        except OSError:
            return

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connections.append(connection.fileno())
            threading.Thread(target=attend, args=(connection,), daemon=True).start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    scheme = "http" if tls is None else "https"
    try:
        yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}", connections
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that nobody signed, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = built.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(pem)
    return path


@pytest.fixture(scope="session")
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_an_answer_is_its_status_and_its_body() -> None:
    with serving(says(reply("200 OK", b'{"a": 1}'))) as (url, _):
        assert a_transport().get(url, headers={}) == Answer(200, b'{"a": 1}', None)


def test_an_encoding_that_nobody_asked_for_is_undone() -> None:
    encoded = reply("200 OK", gzip.compress(b"[1]"), "Content-Encoding: gzip")

    with serving(says(encoded)) as (url, _):
        assert a_transport().get(url, headers={}).body == b"[1]"


def test_a_call_says_who_it_is_and_nothing_of_the_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    requests: list[bytes] = []

    def script(connection: socket.socket) -> None:
        requests.append(read_request(connection))
        connection.sendall(reply("200 OK", b"{}", "Set-Cookie: a=b", "Connection: close"))

    with serving(script) as (url, _):
        transport = a_transport()
        transport.post(url + "/x?y=z", headers={"Authorization": "Bearer k"}, body=b'{"a":1}')
        transport.get(url, headers={})

    head, _, body = requests[0].partition(b"\r\n\r\n")
    first, *headers = head.decode().split("\r\n")
    assert first == "POST /x?y=z HTTP/1.1"
    assert body == b'{"a":1}'
    assert {"User-Agent: render-relay", "Authorization: Bearer k"} < set(headers)
    assert {"Content-Type: application/json", "Accept-Encoding: identity"} < set(headers)
    assert b"Cookie" not in requests[1]
    assert b"Authorization" not in requests[1]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/",
        "http://no-such-host.invalid/",
        "http://",
        "http://127.0.0.1:99999/",
        "http://[::1/",
        "http://.a/",
        "http://" + "a" * 70 + ".invalid/",
        "http://*/",
        "127.0.0.1/x",
        "ftp://127.0.0.1/",
        "",
    ],
)
def test_what_cannot_be_sent_was_surely_not_sent(url: str) -> None:
    with pytest.raises(NotSent) as failed:
        a_transport().post(url, headers={}, body=b"{}")

    assert not url or url not in str(failed.value)


@pytest.mark.parametrize("header", ["a\r\nb", "clé\u2028"], ids=["line break", "not latin-1"])
def test_a_header_that_cannot_be_written_was_surely_not_sent(header: str) -> None:
    with serving(says(reply("200 OK"))) as (url, _), pytest.raises(NotSent):
        a_transport().get(url, headers={"X": header})


def test_a_host_that_does_not_answer_was_surely_not_reached() -> None:
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    waiting = [socket.socket() for _ in range(3)]
    for one in waiting:
        one.setblocking(False)
        one.connect_ex(full.getsockname())

    with pytest.raises(NotSent, match="TimeoutError"):
        a_transport(HASTY).get(f"http://127.0.0.1:{full.getsockname()[1]}/", headers={})

    for one in (full, *waiting):
        one.close()


def test_a_certificate_that_nobody_trusts_ends_the_call_before_anything_is_sent(
    server_tls: ssl.SSLContext,
) -> None:
    with serving(says(reply("200 OK")), server_tls) as (url, _), pytest.raises(NotSent):
        a_transport().post(url, headers={}, body=b"{}")


def test_a_certificate_of_another_host_ends_the_call_before_anything_is_sent(
    server_tls: ssl.SSLContext, certificate: Path
) -> None:
    transport = Transport(bounds=PATIENT, ca_file=str(certificate))

    with serving(says(reply("200 OK")), server_tls) as (url, _), pytest.raises(NotSent):
        transport.get(url.replace("127.0.0.1", "localhost"), headers={})


def test_a_server_without_tls_is_not_spoken_to_in_the_clear() -> None:
    with serving(says(reply("200 OK"))) as (url, _), pytest.raises(NotSent):
        a_transport(HASTY).get(url.replace("http:", "https:"), headers={})


def test_a_server_that_never_shakes_hands_was_surely_not_reached() -> None:
    with serving(is_silent) as (url, _), pytest.raises(NotSent):
        a_transport(HASTY).get(url.replace("http:", "https:"), headers={})


def test_a_trusted_certificate_is_good(server_tls: ssl.SSLContext, certificate: Path) -> None:
    transport = Transport(bounds=PATIENT, ca_file=str(certificate))

    with serving(says(reply("200 OK")), server_tls) as (url, _):
        assert transport.post(url, headers={}, body=b"{}").status == 200


def test_the_certificates_are_read_by_the_first_call_alone(tmp_path: Path) -> None:
    transport = Transport(ca_file=str(tmp_path / "missing"))

    with pytest.raises(FileNotFoundError):
        transport.get("https://127.0.0.1:1", headers={})


def test_a_handshake_that_was_good_and_a_reset_after_it_is_perhaps(
    server_tls: ssl.SSLContext, certificate: Path
) -> None:
    transport = Transport(bounds=PATIENT, ca_file=str(certificate))

    with serving(resets, server_tls) as (url, _), pytest.raises(PerhapsSent):
        transport.post(url, headers={}, body=b"{}")


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
GZIPPED = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Encoding: gzip\r\n\r\n"
LYING = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
ENDLESS = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(resets, id="reset"),
        pytest.param(says(), id="hung up without an answer"),
        pytest.param(says(b"HTTP/1.1 20"), id="hung up within the status"),
        pytest.param(is_silent, id="silent"),
        pytest.param(says(b"\x00\xff garbage\r\n\r\n"), id="no HTTP"),
        pytest.param(says(b"HTTP/1.1 abc OK\r\n\r\n"), id="status without a number"),
        pytest.param(says(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000), id="endless header"),
        pytest.param(says(b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 200 + b"\r\n"), id="200 headers"),
        pytest.param(
            says(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}"),
            id="two lengths",
        ),
        pytest.param(says(LYING + b"{}"), id="shorter than it says"),
        pytest.param(says(CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n"), id="broken chunk"),
        pytest.param(says(CHUNKED + b"2\r\n{}\r\n"), id="no last chunk"),
        pytest.param(says(GZIPPED + b"{}"), id="broken gzip"),
        pytest.param(says(reply("200 OK", b"a" * 1001)), id="too large"),
        pytest.param(
            says(reply("200 OK", gzip.compress(bytes(50_000_000), 1), "Content-Encoding: gzip")),
            id="too large once inflated",
        ),
        pytest.param(says(ENDLESS + b"a" * 1001), id="too large without a length"),
        pytest.param(drips(ENDLESS, b"a"), id="drips its body"),
        pytest.param(drips(CHUNKED, b"1\r\na\r\n"), id="drips chunks"),
        pytest.param(drips(CHUNKED + b"1;", b"a"), id="drips within a chunk's line"),
        pytest.param(drips(b"HTTP/1.1 200 OK\r\nX: ", b"a"), id="drips its headers"),
        pytest.param(drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), id="says continue for ever"),
    ],
)
def test_what_goes_wrong_after_sending_is_perhaps_and_soon_over(script: Script) -> None:
    with serving(script) as (url, connections):
        started = time.monotonic()
        with pytest.raises(PerhapsSent):
            a_transport(HASTY).post(url, headers={}, body=b"{}")

        assert time.monotonic() - started < SOON_S
        assert len(connections) == 1


def test_the_bound_of_the_call_holds_where_a_read_might_take_longer() -> None:
    transport = a_transport(Bounds(read_s=60.0, call_s=1.0))

    with serving(is_silent) as (url, _):
        started = time.monotonic()
        with pytest.raises(PerhapsSent):
            transport.get(url, headers={})

        assert time.monotonic() - started < SOON_S


def test_the_time_of_a_call_is_told_by_the_clock_that_was_given() -> None:
    ticks = iter([0.0, 1.0, 2.0, 3.0, 16.0])
    transport = Transport(monotonic=lambda: next(ticks))

    with serving(drips(ENDLESS, b"a")) as (url, _), pytest.raises(PerhapsSent, match="Timeout"):
        transport.get(url, headers={})


def test_a_call_whose_time_is_up_before_anything_was_sent_is_not_sent() -> None:
    ticks = iter([0.0, 16.0])
    transport = Transport(monotonic=lambda: next(ticks))

    with serving(says(reply("200 OK"))) as (url, _), pytest.raises(NotSent):
        transport.post(url, headers={}, body=b"{}")


@pytest.mark.parametrize("status", ["400 No", "404 No", "429 Busy", "503 Busy"])
@pytest.mark.parametrize(
    "start",
    ["Content-Length: 9", "Transfer-Encoding: chunked", "Content-Encoding: gzip"],
)
def test_a_refusal_stands_whatever_becomes_of_its_body(status: str, start: str) -> None:
    head = f"HTTP/1.1 {status}\r\nRetry-After: 3\r\n{start}\r\n\r\n".encode()

    with serving(says(head, b"zz\r\n")) as (url, _):
        answer = a_transport().post(url, headers={}, body=b"{}")

    assert answer == Answer(int(status[:3]), b"", 3.0)


@pytest.mark.parametrize("location", ["{url}/other", "http://[", "//", "\xff"])
def test_no_redirect_is_followed_or_even_read(location: str) -> None:
    with serving(says(reply("307 Go", HTML, "Location: " + location))) as (url, connections):
        answer = a_transport().post(url, headers={}, body=b"{}")

        assert answer == Answer(307, HTML)
        assert len(connections) == 1


def test_an_endless_redirect_does_not_hold_us() -> None:
    start = b"HTTP/1.1 302 Go\r\nLocation: /other\r\n\r\n"

    with serving(drips(start, b"a" * 100)) as (url, connections):
        started = time.monotonic()
        with pytest.raises(PerhapsSent):
            a_transport(HASTY).get(url, headers={})

        assert time.monotonic() - started < SOON_S
        assert len(connections) == 1


def keeps_answering(connection: socket.socket) -> None:
    """Answer request after request on the same connection."""
    while read_request(connection):
        connection.sendall(reply("200 OK"))


def test_polls_share_a_connection_and_a_submission_has_its_own() -> None:
    with serving(keeps_answering) as (url, connections):
        transport = a_transport()
        transport.get(url, headers={})
        transport.get(url, headers={})
        assert len(connections) == 1

        transport.post(url, headers={}, body=b"{}")
        assert len(connections) == 2

        transport.get(url, headers={})
        transport.post(url, headers={}, body=b"{}")
        assert len(connections) == 3


def test_a_connection_that_was_idle_is_not_used_again() -> None:
    now = [0.0]
    transport = Transport(monotonic=lambda: now[0])

    with serving(keeps_answering) as (url, connections):
        transport.get(url, headers={})
        now[0] += 2.0
        transport.get(url, headers={})
        assert len(connections) == 1

        now[0] += 4.0
        transport.get(url, headers={})
        assert len(connections) == 2


def test_threads_do_not_share_connections() -> None:
    with serving(keeps_answering) as (url, connections):
        transport = a_transport()
        together = threading.Barrier(4)
        statuses: list[int] = []

        def call() -> None:
            together.wait()
            for _ in range(5):
                statuses.append(transport.get(url, headers={}).status)

        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert statuses == [200] * 20
        assert len(connections) == 4


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        (format_datetime(NOON + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOON - timedelta(seconds=90), usegmt=True), 0.0),
        ("Fri, 02 Jan 2026 12:01:00 -0000", 60.0),
        ("999999999", 86_400.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400.0),
        ("9" * 400, None),
        ("-1", None),
        ("1.5", None),
        ("\xb2", None),
        ("soon", None),
        ("", None),
        ("Fri, 99 Jan 99999999 12:00:00 GMT", None),
        ("Fri, 02 Jan 2026 12:00:00 +999999999", None),
        ("Fri, 02 Jan 2026 12:00:00 -9999999999999999999999", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_nothing(header: str, expected: float | None) -> None:
    answered = reply("429 Busy", b"", "X: y").replace(
        b"X: y", b"Retry-After: " + header.encode("latin-1")
    )

    with serving(says(answered)) as (url, _):
        assert a_transport().get(url, headers={}).retry_after_s == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nothing",
        HTML,
        b"{",
        b'{"a": 1} x',
        b"\xff\xfe{\x00}\x00",
        b'"\xff"',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 5000,
    ],
    ids=[
        "empty",
        "text",
        "html",
        "open",
        "rest",
        "utf-16",
        "not utf-8",
        "deep",
        "deeper",
        "digits",
    ],
)
def test_what_is_not_json_is_said_to_be_not_json(body: bytes) -> None:
    assert parse_json(body) is NOT_JSON


@pytest.mark.parametrize(
    ("body", "parsed"),
    [
        (b"null", None),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'{"a": 1e999}', {"a": float("inf")}),
        (b'{"a": "\\ud83d"}', {"a": "\ud83d"}),
        (b'{"a": 123456789012345678901234567890}', {"a": 123456789012345678901234567890}),
    ],
    ids=["null", "byte order mark", "twice", "infinite", "half an emoji", "long number"],
)
def test_odd_json_is_json(body: bytes, parsed: object) -> None:
    assert parse_json(body) == parsed


@given(body=st.binary() | st.text().map(str.encode))
def test_parsing_never_raises(body: bytes) -> None:
    parsed = parse_json(body)

    assert parsed is NOT_JSON or json.dumps(parsed)


def test_a_call_that_stood_still_before_it_was_sent_is_not_sent() -> None:
    """The pump may have been paused, and another may hold its lease by now."""
    seen: list[bytes] = []
    ticks = iter([0.0, 5.0])
    transport = Transport(monotonic=lambda: next(ticks))

    def listens(connection: socket.socket) -> None:
        seen.append(connection.recv(1))

    with serving(listens) as (url, _), pytest.raises(NotSent):
        transport.post(url, headers={}, body=b"{}")

    assert seen in ([], [b""])


def test_a_call_is_sent_in_less_time_than_a_pump_allows_for_its_arrival():
    """The next pump counts the calls of one that died by this; a second is for the network."""
    assert Bounds().send_s + 1.0 <= CALL_ARRIVES_WITHIN_S
