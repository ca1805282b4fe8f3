"""Sends requests over a number of connections and notes when each was answered.

It runs as a process of its own, so that it shares no interpreter with what it measures:
`python -m infra.bench.load_generator` reads a `Load` as JSON from standard input and writes
`[key, sent_at, answered_at, status]` for each request, times on the machine's monotonic clock.
One thread and bare sockets, because it competes for the same cores.
"""

import json
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

HOST = "127.0.0.1"
TIMEOUT_S = 60.0
# A server may close a kept connection just as it is used: a few, or on a busy machine each once.
RECONNECTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One POST of JSON; the key identifies it in the results."""

    key: str
    path: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What to send, and over how many connections."""

    port: int
    connections: int
    headers: Mapping[str, str]
    requests: Sequence[Request]


@dataclass(frozen=True, slots=True)
class Response:
    """When a request was sent and answered, and with which status."""

    key: str
    sent_at: float
    answered_at: float
    status: int


def send(load: Load) -> list[Response]:
    """Send a load from a process of its own.

    Raises:
        subprocess.CalledProcessError: The server hung up, or took longer than a minute.
    """
    ran = subprocess.run(
        (sys.executable, "-m", "infra.bench.load_generator"),
        input=json.dumps(asdict(load)).encode(),
        cwd=Path(__file__).resolve().parents[2],
        stdout=subprocess.PIPE,
        check=True,
        timeout=2 * TIMEOUT_S,
    )
    return [Response(*one) for one in json.loads(ran.stdout)]


@dataclass(slots=True)
class _Connection:
    port: int
    sock: socket.socket
    key: str = ""
    request: bytes = b""
    sent_at: float = 0.0
    received: bytearray = field(default_factory=bytearray)

    def send(self, key: str, request: bytes) -> None:
        self.key, self.request = key, request
        self.received.clear()
        self.sent_at = time.monotonic()
        self.sock.sendall(request)

    def resend(self) -> None:
        """Repeat the request on a new connection; its time goes on."""
        self.sock.close()
        self.sock = _connect(self.port)
        self.received.clear()
        self.sock.sendall(self.request)

    def receive(self) -> int | None:
        """Receive; return the status once the response is complete."""
        chunk = self.sock.recv(65536)
        if not chunk:
            raise ConnectionResetError(self.key)
        self.received += chunk
        head, end, body = bytes(self.received).partition(b"\r\n\r\n")
        if not end or len(body) < _content_length(head):
            return None
        return int(head.split(b" ", 2)[1])


def _connect(port: int) -> socket.socket:
    sock = socket.create_connection((HOST, port), timeout=TIMEOUT_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _encode(request: Mapping[str, str], headers: Mapping[str, str]) -> bytes:
    body = request["body"].encode()
    lines = [
        f"POST {request['path']} HTTP/1.1",
        f"Host: {HOST}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _main() -> None:
    load = json.load(sys.stdin)
    port, count = load["port"], len(load["requests"])
    unsent = [(one["key"], _encode(one, load["headers"])) for one in reversed(load["requests"])]
    answered: list[tuple[str, float, float, int]] = []
    ready = selectors.DefaultSelector()
    for _ in range(min(load["connections"], count)):
        connection = _Connection(port, _connect(port))
        ready.register(connection.sock, selectors.EVENT_READ, connection)
        connection.send(*unsent.pop())
    reconnects, max_reconnects = 0, max(RECONNECTS, load["connections"])
    give_up_at = time.monotonic() + TIMEOUT_S
    while len(answered) < count:
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"{len(answered)} of {count} answered")
        for selected, _ in ready.select(1.0):
            connection = selected.data
            try:
                status = connection.receive()
            except ConnectionError:
                reconnects += 1
                if reconnects > max_reconnects:
                    raise
                ready.unregister(connection.sock)
                connection.resend()
                ready.register(connection.sock, selectors.EVENT_READ, connection)
                continue
            if status is None:
                continue
            answered.append((connection.key, connection.sent_at, time.monotonic(), status))
            if unsent:
                connection.send(*unsent.pop())
    if reconnects:
        print(f"port {port}: {reconnects} reconnects", file=sys.stderr)
    json.dump(answered, sys.stdout)


if __name__ == "__main__":
    _main()
