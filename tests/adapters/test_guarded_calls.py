"""URLs that tenants and providers name, as a hostile one would; see docs/reliability.md."""

import gzip
import socket
import ssl
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from relay.adapters.guarded_calls import (
    MAX_DOWNLOAD_BYTES,
    MAX_REPLY_BYTES,
    GuardedCalls,
    resolve_ipv4,
)
from relay.adapters.transport import Bounds
from relay.application.ports import Download, EndpointReply
from relay.errors import CallForbidden, CallUnanswered, CutShort, TooLarge
from tests.misbehaving_servers import (
    Script,
    drips,
    is_silent,
    read_request,
    reply,
    resets,
    says,
    serving,
)

HOOK = "https://hooks.example.com/x"
PUBLIC = "93.184.215.14"
HASTY = Bounds(connect_s=0.3, send_s=0.3, read_s=0.3, call_s=0.3)
# What a loaded machine may add; the servers would hold us for 5 s.
SOON_S = 3.0


class Network:
    """Names and addresses as a test says; whatever is called is the server on this machine."""

    def __init__(self, *answers: Sequence[str], port: int = 1) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.called: list[tuple[str, int]] = []
        self._port = port

    def resolve(self, host: str, port: int) -> Sequence[str]:
        del port
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def open_socket(self, address: tuple[str, int], timeout_s: float) -> socket.socket:
        self.called.append(address)
        return socket.create_connection(("127.0.0.1", self._port), timeout_s)

    def calls(self, **more: Any) -> GuardedCalls:
        return GuardedCalls(resolve=self.resolve, open_socket=self.open_socket, **more)


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def local(**more: Any) -> GuardedCalls:
    """Return calls that may go to this machine, as on the local stack."""
    return GuardedCalls(local_hosts=frozenset({"127.0.0.1"}), **more)


def both(calls: GuardedCalls, url: str) -> list[Callable[[], object]]:
    return [lambda: calls.post(url, headers={}, body=b"{}"), lambda: calls.get(url)]


def refuses(calls: GuardedCalls, url: str) -> None:
    for call in both(calls, url):
        with pytest.raises(CallForbidden) as caught:
            call()
        assert url not in str(caught.value)
        assert "secret" not in str(caught.value)


def test_a_public_host_is_called_at_a_checked_address_by_its_name(
    server_tls: ssl.SSLContext, certificate: Path
) -> None:
    requests: list[bytes] = []

    def script(connection: socket.socket) -> None:
        requests.append(read_request(connection))
        connection.sendall(reply("201 Created", b"thanks", "Retry-After: 7"))

    with serving(script, server_tls) as (url, _):
        network = Network([PUBLIC], port=port_of(url))
        answer = network.calls(ca_file=str(certificate)).post(
            HOOK, headers={"webhook-id": "a"}, body=b'{"a":1}'
        )

    assert answer == EndpointReply(201, 7.0)
    assert network.called == [(PUBLIC, 443)]
    (request,) = requests
    assert request.startswith(b"POST /x HTTP/1.1\r\nHost: hooks.example.com\r\n")
    assert b"Content-Type: application/json" in request
    assert request.endswith(b'{"a":1}')


def test_a_name_that_is_public_first_and_private_next_is_asked_once_for_each_call(
    server_tls: ssl.SSLContext, certificate: Path
) -> None:
    with serving(says(reply("200 OK")), server_tls) as (url, _):
        network = Network([PUBLIC], ["127.0.0.1"], port=port_of(url))
        calls = network.calls(ca_file=str(certificate))
        calls.post(HOOK, headers={}, body=b"{}")
        with pytest.raises(CallForbidden):
            calls.post(HOOK, headers={}, body=b"{}")

    assert network.asked == ["hooks.example.com"] * 2
    assert network.called == [(PUBLIC, 443)]


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.0.0.1"],
        ["172.16.0.1"],
        ["192.168.1.1"],
        ["169.254.169.254"],
        ["100.64.0.1"],
        ["0.0.0.0"],  # noqa: S104
        ["192.0.0.170"],
        ["192.88.99.1"],
        ["198.18.0.1"],
        ["224.0.0.1"],
        ["240.0.0.1"],
        ["255.255.255.255"],
        [PUBLIC, "10.0.0.1"],
        ["10.0.0.1", PUBLIC],
    ],
    ids=",".join,
)
def test_one_address_that_is_not_public_is_enough_to_refuse(addresses: list[str]) -> None:
    network = Network(addresses)

    refuses(network.calls(), HOOK)

    assert network.called == []


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "127.0.0.1",
        "localhost",
        "0",
        "127.0.0.1.",
    ],
)
def test_this_machine_is_refused_however_it_is_written(host: str) -> None:
    opened: list[object] = []

    def open_socket(address: tuple[str, int], timeout_s: float) -> socket.socket:
        opened.append(address)
        raise OSError(timeout_s)

    for call in both(GuardedCalls(open_socket=open_socket), f"https://{host}/"):
        with pytest.raises((CallForbidden, CallUnanswered)):
            call()

    assert opened == []


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/x",
        "https://hooks.example.com:8443/x",
        "https://hooks.example.com:80/x",
        "https://user@hooks.example.com/x",
        "https://user:secret@hooks.example.com/x",
        "https://hooks.example.com\\@10.0.0.1/x",
        "https://[::1]/x",
        "https://[::ffff:10.0.0.1]/x",
        "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/x",
        "ftp://hooks.example.com/x",
        "file:///etc/passwd",
        "gopher://hooks.example.com/x",
        "https:///x",
        "//hooks.example.com/x",
        "https://[bad/x",
    ],
)
def test_only_https_at_the_usual_port_of_an_ordinary_host_is_called(url: str) -> None:
    network = Network([PUBLIC])

    refuses(network.calls(), url)

    assert network.called == []


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize("to", ["http://169.254.169.254/computeMetadata/v1/", "/elsewhere"])
def test_a_redirect_is_an_answer_and_is_not_followed(status: str, to: str) -> None:
    with serving(says(reply(status, b"", f"Location: {to}"))) as (url, connections):
        calls = local()
        answer = calls.post(url, headers={}, body=b"{}")
        download = calls.get(url)

    assert answer.status == int(status[:3])
    assert download == Download(int(status[:3]), b"")
    assert len(connections) == 2


def test_neither_a_proxy_nor_a_netrc_nor_a_cookie_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    requests: list[bytes] = []

    def script(connection: socket.socket) -> None:
        requests.append(read_request(connection))
        connection.sendall(reply("200 OK", b"{}", "Set-Cookie: a=b"))

    with serving(script) as (url, _):
        calls = local()
        for _ in range(2):
            calls.post(url, headers={}, body=b"{}")

    assert len(requests) == 2
    assert not any(b"Authorization" in one or b"Cookie" in one for one in requests)


@pytest.mark.parametrize(
    "script",
    [
        is_silent,
        resets,
        says(),
        says(b"nonsense\r\n\r\n"),
        drips(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        drips(b"", b"H"),
        says(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000 + b"\r\n"),
    ],
    ids=["silent", "reset", "hung up", "nonsense", "endless headers", "one byte", "many headers"],
)
def test_what_answers_badly_or_never_has_not_answered_and_is_soon_over(
    script: Script,
) -> None:
    with serving(script) as (url, _):
        for call in both(local(bounds=HASTY), url):
            began = time.monotonic()
            with pytest.raises(CallUnanswered):
                call()
            assert time.monotonic() - began < SOON_S


def test_a_body_that_drips_is_not_waited_for_once_the_status_of_a_post_has_come() -> None:
    with serving(drips(b"HTTP/1.1 204 No\r\nContent-Length: 9000\r\n\r\n", b"x")) as (url, _):
        began = time.monotonic()
        answer = local(bounds=HASTY).post(url, headers={}, body=b"{}")

    assert answer.status == 204
    assert time.monotonic() - began < SOON_S


def test_a_download_that_drips_ends_when_its_time_is_over() -> None:
    with serving(drips(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", b"x")) as (url, _):
        began = time.monotonic()
        with pytest.raises(CallUnanswered):
            local(bounds=HASTY).get(url)

    assert time.monotonic() - began < SOON_S


def gigabyte(taken: list[int]) -> Callable[[socket.socket], None]:
    """Send a GB to whoever reads on, and note how much was taken."""

    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(1024):
            connection.sendall(b"x" * 1024 * 1024)
            taken.append(1)

    return script


def test_of_an_endless_answer_to_a_post_little_is_read() -> None:
    taken: list[int] = []
    with serving(gigabyte(taken)) as (url, _):
        assert local().post(url, headers={}, body=b"{}").status == 200

    # What lies in the buffers of both sockets comes on top.
    assert len(taken) <= MAX_REPLY_BYTES // 1024 // 1024 + 10


def test_a_download_of_a_gigabyte_is_given_up_at_25_mib() -> None:
    taken: list[int] = []
    with serving(gigabyte(taken)) as (url, _), pytest.raises(TooLarge):
        local().get(url)

    assert len(taken) <= 25 + 10


def test_a_download_that_says_that_it_is_too_long_is_not_read() -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {MAX_DOWNLOAD_BYTES + 1}\r\n\r\n"
    with serving(says(head.encode())) as (url, _), pytest.raises(TooLarge):
        local().get(url)


def test_a_body_that_is_packed_stays_packed() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)

    with serving(says(reply("200 OK", bomb, "Content-Encoding: gzip"))) as (url, _):
        assert local().get(url).body == bomb


def test_a_download_that_ends_early_is_cut_short() -> None:
    for head in ("Content-Length: 100", "Transfer-Encoding: chunked"):
        piece = b"64\r\nabc" if "chunked" in head else b"abc"
        with (
            serving(says(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode() + piece)) as (url, _),
            pytest.raises(CutShort),
        ):
            local().get(url)


def test_the_body_of_an_error_is_not_downloaded() -> None:
    with serving(says(reply("404 Not Found", b"no"))) as (url, _):
        assert local().get(url) == Download(404, b"")


def test_a_download_takes_little_more_memory_than_it_is_long() -> None:
    body = b"x" * (20 * 1024 * 1024)
    with serving(says(reply("200 OK", body))) as (url, _):
        calls = local()
        tracemalloc.start()
        try:
            assert len(calls.get(url).body) == len(body)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert peak < 2.5 * len(body)


def test_a_certificate_of_another_name_or_of_nobody_is_refused(
    server_tls: ssl.SSLContext, certificate: Path
) -> None:
    with serving(says(reply("200 OK")), server_tls) as (url, _):
        network = Network([PUBLIC], port=port_of(url))
        for call in both(network.calls(ca_file=str(certificate)), "https://other.example.com/x"):
            with pytest.raises(CallUnanswered):
                call()
        for call in both(network.calls(), HOOK):
            with pytest.raises(CallUnanswered):
                call()


def test_of_several_addresses_the_first_that_answers_is_used(
    server_tls: ssl.SSLContext, certificate: Path
) -> None:
    with serving(says(reply("200 OK")), server_tls) as (url, _):
        network = Network([PUBLIC, "93.184.215.15"], port=port_of(url))
        opened = network.open_socket

        def first_is_dead(address: tuple[str, int], timeout_s: float) -> socket.socket:
            if address[0] == PUBLIC:
                raise OSError(timeout_s)
            return opened(address, timeout_s)

        network.open_socket = first_is_dead  # type: ignore[method-assign]
        assert network.calls(ca_file=str(certificate)).get(HOOK).status == 200


def test_a_name_without_an_address_has_not_answered() -> None:
    for call in both(Network([]).calls(), HOOK):
        with pytest.raises(CallUnanswered):
            call()


def test_names_are_resolved_to_ipv4_alone() -> None:
    assert list(resolve_ipv4("localhost", 443)) == ["127.0.0.1"]


def test_local_hosts_are_those_named_and_no_others() -> None:
    network = Network(["127.0.0.1"])
    calls = network.calls(local_hosts=frozenset({"127.0.0.1"}))

    refuses(calls, "http://localhost/x")
    refuses(calls, "http://127.0.0.1.example.com/x")
    assert network.called == []
