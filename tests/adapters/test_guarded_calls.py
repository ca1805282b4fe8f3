"""Guarded calls as a hostile tenant would attack them; docs/reliability.md names these tests."""

import gzip
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from relay.adapters.guarded_calls import GET_BOUNDS, POST_BOUNDS, GuardedCalls, connect_to
from relay.application.ports import Download, EndpointReply
from relay.errors import CallForbidden, CallUnanswered, CutShort, TooLarge
from tests.adapters.test_transport import (
    SOON_S,
    Script,
    certificate,
    drips,
    is_silent,
    read_request,
    reply,
    says,
    server_tls,
    serving,
)

__all__ = ["certificate", "server_tls"]

LOCAL = frozenset({"127.0.0.1"})
PUBLIC = "93.184.215.14"
MIB = 1024 * 1024


class Network:
    """Names with scripted addresses; every connection is noted, and leads to one local port."""

    def __init__(self, *answers: Sequence[str], port: int = 0) -> None:
        self._answers = list(answers)
        self._port = port
        self.asked: list[str] = []
        self.connected: list[tuple[str, int]] = []

    def resolve(self, host: str, port: int) -> Sequence[str]:
        del port
        self.asked.append(host)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def connect(self, address: str, port: int, timeout_s: float) -> socket.socket:
        self.connected.append((address, port))
        if not self._port:
            raise ConnectionRefusedError
        return connect_to("127.0.0.1", self._port, timeout_s)

    def calls(self, ca_file: Path | None = None) -> GuardedCalls:
        if ca_file is None:
            return GuardedCalls(resolve=self.resolve, connect=self.connect)
        return GuardedCalls(resolve=self.resolve, connect=self.connect, ca_file=str(ca_file))


def hasty(call_s: float = 1.0) -> GuardedCalls:
    bounds = msgspec.structs.replace(
        GET_BOUNDS, connect_s=call_s, send_s=call_s, read_s=call_s, call_s=call_s
    )
    return GuardedCalls(local_hosts=LOCAL, post_bounds=bounds, get_bounds=bounds)


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


@pytest.fixture
def listening() -> Iterator[tuple[int, list[int]]]:
    """A server on loopback that nothing may reach."""
    with serving(says(reply("200 OK"))) as (url, connections):
        yield port_of(url), connections


def test_a_reply_is_its_status_and_what_it_asks_to_wait() -> None:
    seen: list[bytes] = []

    def script(connection: socket.socket) -> None:
        seen.append(read_request(connection))
        connection.sendall(reply("503 Busy", b"{}", "Retry-After: 7"))

    with serving(script) as (url, _):
        answer = GuardedCalls(local_hosts=LOCAL).post(url, headers={"webhook-id": "a"}, body=b"[]")

    assert answer == EndpointReply(503, 7.0)
    assert b"webhook-id: a\r\n" in seen[0]
    assert b"Content-Type: application/json\r\n" in seen[0]
    assert b"Accept-Encoding: identity\r\n" in seen[0]
    assert seen[0].endswith(b"\r\n\r\n[]")


INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (INTERIM + reply("200 OK"), 200),
        (INTERIM * 3 + b"HTTP/1.1 100 Continue\r\n\r\n" + INTERIM + reply("410 Gone"), 410),
        (b"HTTP/1.1 102 Processing\r\n\r\n" + reply("299 Soft"), 299),
        (b"HTTP/1.1 199 Soon\r\n\r\nHTTP/1.0 200 OK\r\n\r\n", 200),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", 101),
        (reply("600 Odd"), 600),
        (reply("999 Odd"), 999),
    ],
    ids=lambda one: str(one)[:40],
)
def test_the_answer_is_the_final_one_whatever_comes_before_it(sent: bytes, status: int) -> None:
    with serving(says(sent)) as (url, _):
        answer = GuardedCalls(local_hosts=LOCAL).post(url, headers={}, body=b"[]")

    assert answer.status == status


@pytest.mark.parametrize("sent", [INTERIM, b"HTTP/1.1 103 \r\n", b"HTTP/1.1 99 Low\r\n\r\n"])
def test_interim_answers_alone_are_none(sent: bytes) -> None:
    with serving(says(sent)) as (url, _), pytest.raises(CallUnanswered):
        hasty(2.0).post(url, headers={}, body=b"[]")


def test_a_long_body_arrives_whole() -> None:
    seen: list[bytes] = []
    body = b"0123456789" * 50_000

    def script(connection: socket.socket) -> None:
        seen.append(read_request(connection))
        connection.sendall(reply("204 No Content"))

    with serving(script) as (url, _):
        GuardedCalls(local_hosts=LOCAL).post(url, headers={}, body=body)

    assert seen[0].endswith(b"\r\n\r\n" + body)


def test_a_download_is_its_body_only_if_its_status_is_200() -> None:
    calls = GuardedCalls(local_hosts=LOCAL)

    with serving(says(reply("200 OK", b"picture"))) as (url, _):
        assert calls.get(url) == Download(200, b"picture")
    with serving(says(reply("404 Not Found", b"page"))) as (url, _):
        assert calls.get(url) == Download(404, b"")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",  # noqa: S104
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.9",
        "192.0.0.170",
        "192.88.99.1",
        "198.18.0.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
    ],
)
def test_a_name_with_an_address_that_is_not_public_is_refused(address: str) -> None:
    network = Network([address])

    with pytest.raises(CallForbidden, match="the address is not public"):
        network.calls().get("https://pictures.example/a.png")

    assert network.connected == []


@pytest.mark.parametrize("addresses", [[PUBLIC, "10.0.0.1"], ["10.0.0.1", PUBLIC]])
def test_one_private_address_among_public_ones_is_enough_to_refuse(addresses: list[str]) -> None:
    network = Network(addresses)

    with pytest.raises(CallForbidden, match="not public"):
        network.calls().post("https://hooks.example/", headers={}, body=b"{}")

    assert network.connected == []


def test_a_name_that_is_private_the_next_time_is_resolved_once() -> None:
    network = Network([PUBLIC], ["127.0.0.1"])

    with pytest.raises(CallUnanswered):
        network.calls().get("https://rebinding.example/")

    assert network.asked == ["rebinding.example"]
    assert network.connected == [(PUBLIC, 443)]


def test_each_call_resolves_and_checks_anew(server_tls: ssl.SSLContext, certificate: Path) -> None:
    with serving(says(reply("200 OK")), server_tls) as (url, connections):
        network = Network([PUBLIC], ["10.0.0.1"], port=port_of(url))
        calls = network.calls(certificate)

        assert calls.get("https://127.0.0.1/").status == 200
        with pytest.raises(CallForbidden):
            calls.get("https://127.0.0.1/")

    assert len(connections) == 1


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "0x7f.1", "127.1", "127.0.1", "0"],
)
def test_loopback_is_refused_in_every_spelling(host: str) -> None:
    with pytest.raises(CallForbidden, match="not public"):
        GuardedCalls().get(f"https://{host}/")


@pytest.mark.parametrize(
    "host",
    ["[::1]", "[::]", "[::ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[fd00::1]"],
)
def test_ipv6_is_not_called(host: str) -> None:
    network = Network([PUBLIC])

    with pytest.raises(CallForbidden, match="not an IPv4 one"):
        network.calls().get(f"https://{host}/")

    assert network.asked == []
    assert network.connected == []


@pytest.mark.parametrize(
    "url",
    [
        "https://169.254.169.254/computeMetadata/v1/",
        "https://metadata.google.internal/",
        "https://metadata.google.internal./",
        "https://METADATA.google.internal/",
        "https://metadata/",
        "https://localhost./",
    ],
)
def test_the_metadata_server_is_refused_under_every_name(url: str) -> None:
    network = Network(["169.254.169.254"])

    with pytest.raises(CallForbidden, match="not public"):
        network.calls().get(url)

    assert network.connected == []


@pytest.mark.parametrize(
    "location", ["http://169.254.169.254/", "https://10.0.0.1/", "//127.0.0.1/", "/elsewhere"]
)
def test_a_redirect_is_a_status_and_is_not_followed(location: str) -> None:
    moved = says(reply("302 Found", b"", f"Location: {location}"))

    with serving(moved) as (url, connections):
        calls = GuardedCalls(local_hosts=LOCAL)

        assert calls.get(url) == Download(302, b"")
        assert calls.post(url, headers={}, body=b"{}").status == 302

    assert len(connections) == 2


@pytest.mark.parametrize("port", [80, 22, 8443, 6379])
def test_no_port_but_443_is_called(port: int) -> None:
    network = Network([PUBLIC])

    with pytest.raises(CallForbidden, match="the port is not 443"):
        network.calls().get(f"https://pictures.example:{port}/")

    assert network.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "http://pictures.example/",
        "http://pictures.example:443/",
        "file:///etc/passwd",
        "gopher://pictures.example/",
        "ftp://pictures.example/",
        "//pictures.example/",
        "https://",
    ],
)
def test_nothing_but_https_is_called(url: str) -> None:
    network = Network([PUBLIC])

    with pytest.raises(CallForbidden, match=r"not https|cannot be read"):
        network.calls().get(url)

    assert network.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "https://user:secret@pictures.example/",
        "https://user@pictures.example/",
        "https://pictures.example:443@10.0.0.1/",
    ],
)
def test_a_url_that_names_a_user_is_refused(url: str) -> None:
    network = Network([PUBLIC])

    with pytest.raises(CallForbidden, match="names a user"):
        network.calls().get(url)

    assert network.asked == []


@pytest.mark.parametrize(
    "url",
    [
        r"https://pictures.example\@127.0.0.1/",
        "https://pictures.example#@127.0.0.1/",
        "https://127.0.0.1\t.pictures.example/",
        "https://127.0.0.1\r\nHost: pictures.example/",
        "https://127.0.0.1%23.pictures.example/",
        "https://127。0。0。1/",
        "https://pictures.example:443:80/",
    ],
)
def test_a_url_that_programs_read_differently_reaches_nothing_private(url: str) -> None:
    connected: list[str] = []

    def connect(address: str, port: int, timeout_s: float) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError

    calls = GuardedCalls(
        resolve=lambda host, _: ["127.0.0.1" if host == "127.0.0.1" else PUBLIC],
        connect=connect,
    )

    with pytest.raises((CallForbidden, CallUnanswered)):
        calls.get(url)

    assert "127.0.0.1" not in connected


def test_a_local_host_is_local_and_no_other_is(listening: tuple[int, list[int]]) -> None:
    port, connections = listening

    with pytest.raises(CallForbidden):
        GuardedCalls(local_hosts=frozenset({"localhost"})).get(f"http://127.0.0.1:{port}/")
    assert connections == []
    assert GuardedCalls(local_hosts=True).get(f"http://127.0.0.1:{port}/").status == 200


def test_neither_proxy_nor_netrc_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, listening: tuple[int, list[int]]
) -> None:
    proxy_port, proxied = listening
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy_port}")
    seen: list[bytes] = []

    def script(connection: socket.socket) -> None:
        seen.append(read_request(connection))
        connection.sendall(reply("200 OK", b"{}", "Set-Cookie: a=b"))

    with serving(script) as (url, _):
        calls = GuardedCalls(local_hosts=LOCAL)
        calls.get(url)
        calls.get(url)

    assert proxied == []
    assert len(seen) == 2
    assert not any(b"Authorization" in one or b"Cookie" in one for one in seen)


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\n", b"X"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", b"b"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nb\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    ],
    ids=["status", "header", "headers", "continue", "hints", "body", "chunks", "chunk size"],
)
def test_a_dripping_server_is_left_when_the_time_is_over(start: bytes, drop: bytes) -> None:
    with serving(drips(start, drop)) as (url, _):
        started_at = time.monotonic()
        with pytest.raises(CallUnanswered, match="took longer than 1 s"):
            hasty().get(url)

    assert time.monotonic() - started_at < SOON_S


def test_a_silent_server_is_left_when_the_time_is_over() -> None:
    with (
        serving(is_silent) as (url, _),
        pytest.raises(CallUnanswered, match="longer than 1 s"),
    ):
        hasty().post(url, headers={}, body=b"{}")


def test_a_dripping_body_does_not_change_the_status_of_a_reply() -> None:
    start = b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n"

    with serving(drips(start, b"b")) as (url, _):
        assert hasty(3.0).post(url, headers={}, body=b"{}") == EndpointReply(200)


def test_a_name_that_is_not_resolved_in_time_is_given_up() -> None:
    hung = threading.Event()

    def resolve(host: str, port: int) -> Sequence[str]:
        hung.wait(30)
        return [PUBLIC]

    bounds = msgspec.structs.replace(POST_BOUNDS, call_s=0.05)
    calls = GuardedCalls(resolve=resolve, post_bounds=bounds)

    with pytest.raises(CallUnanswered, match="could not be reached"):
        calls.post("https://hooks.example/", headers={}, body=b"{}")
    hung.set()


def sends_a_gigabyte(start: bytes, block: bytes, sent: list[int]) -> Script:
    """Send so much unless the other side hangs up, and count."""

    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(start)
        sent.append(0)
        while sent[0] < 1024 * MIB:
            connection.sendall(block)
            sent[0] += len(block)

    return script


@pytest.mark.parametrize(
    ("start", "block", "error"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536, TooLarge),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"10000\r\n" + b"x" * 65536 + b"\r\n",
            TooLarge,
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", b"x" * 65536, TooLarge),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x" * 65536, CallUnanswered),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 1000, CallUnanswered),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, CallUnanswered),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"0" * 65536,
            CallUnanswered,
        ),
    ],
    ids=["until the end", "chunked", "announced", "header", "headers", "continue", "chunk size"],
)
def test_an_endless_answer_is_read_up_to_its_bound(
    start: bytes, block: bytes, error: type[Exception]
) -> None:
    sent: list[int] = []

    with serving(sends_a_gigabyte(start, block, sent)) as (url, _):
        with pytest.raises(error):
            GuardedCalls(local_hosts=LOCAL).get(url)
        # What the two sockets' buffers hold comes on top.
        assert sum(sent) < 40 * MIB


def test_a_gigabyte_in_answer_to_a_post_is_not_read() -> None:
    sent: list[int] = []
    start = b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n"

    with serving(sends_a_gigabyte(start, b"x" * 65536, sent)) as (url, _):
        assert GuardedCalls(local_hosts=LOCAL).post(url, headers={}, body=b"").status == 200
        assert sum(sent) < 16 * MIB


def test_a_picture_of_exactly_25_mib_is_kept_and_a_byte_more_is_not() -> None:
    calls = GuardedCalls(local_hosts=LOCAL)

    with serving(says(reply("200 OK", b"x" * 25 * MIB))) as (url, _):
        assert len(calls.get(url).body) == 25 * MIB
    longer = says(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (25 * MIB + 1))
    with serving(longer) as (url, _), pytest.raises(TooLarge, match="larger than 26214400 bytes"):
        calls.get(url)


def test_a_gzip_bomb_stays_as_it_is() -> None:
    bomb = gzip.compress(bytes(50 * MIB))

    with serving(says(reply("200 OK", bomb, "Content-Encoding: gzip"))) as (url, _):
        assert GuardedCalls(local_hosts=LOCAL).get(url).body == bomb


@pytest.mark.parametrize(
    "cut",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf",
    ],
    ids=["length", "chunk"],
)
def test_a_body_that_ends_before_its_length_is_cut_short(cut: bytes) -> None:
    with serving(says(cut)) as (url, _), pytest.raises(CutShort):
        GuardedCalls(local_hosts=LOCAL).get(url)


def test_a_certificate_is_checked_against_the_name_and_not_the_address(
    server_tls: ssl.SSLContext, certificate: Path
) -> None:
    seen: list[int] = []

    def script(connection: socket.socket) -> None:
        seen.append(len(read_request(connection)))

    with serving(script, server_tls) as (url, _):
        calls = Network([PUBLIC], port=port_of(url)).calls(certificate)
        with pytest.raises(CallUnanswered, match="SSLCertVerificationError"):
            calls.get("https://pictures.example/")

    assert sum(seen) == 0


def test_a_certificate_that_nobody_trusts_ends_the_call(server_tls: ssl.SSLContext) -> None:
    with serving(says(reply("200 OK")), server_tls) as (url, _):
        calls = Network([PUBLIC], port=port_of(url)).calls()
        with pytest.raises(CallUnanswered, match="SSLCertVerificationError"):
            calls.get("https://127.0.0.1/")


def test_the_next_checked_address_is_tried_if_one_does_not_answer() -> None:
    network = Network([PUBLIC, "93.184.215.15"])

    with pytest.raises(CallUnanswered, match="ConnectionRefusedError"):
        network.calls().get("https://pictures.example/")

    assert network.connected == [(PUBLIC, 443), ("93.184.215.15", 443)]


@pytest.mark.parametrize(
    "url",
    [
        "https://pictures.example/a?sig=hush",
        "http://hush.example/",
        "https://hush:x@pictures.example/",
        "https://pictures.example:444/hush",
    ],
)
def test_neither_errors_nor_logs_quote_the_url(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)

    with pytest.raises((CallForbidden, CallUnanswered)) as caught:
        Network([PUBLIC]).calls().get(url)

    assert "hush" not in str(caught.value) + caplog.text
    assert caught.value.__cause__ is None
