"""Sends requests over so many connections at once, and notes when each was answered.

Run as a process of its own, so that neither what it measures nor what receives the events
shares an interpreter with it: `python -m infra.bench.volley` reads a `Volley` as JSON from
standard input and writes `[key, sent_at, answered_at, status]` for each request, times on the
machine's monotonic clock. One thread and bare sockets: it competes for the same cores.
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
LONGEST_S = 60.0
# A server may close a kept connection just as it is used; more than this is another matter.
MOST_RECONNECTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One POST of JSON; the key tells it from the others."""

    key: str
    path: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Volley:
    """What to send, and over how many connections."""

    port: int
    senders: int
    headers: Mapping[str, str]
    shots: Sequence[Shot]


@dataclass(frozen=True, slots=True)
class Answered:
    """When a request was sent and answered, and with what."""

    key: str
    sent_at: float
    answered_at: float
    status: int


def fire(volley: Volley) -> list[Answered]:
    """Send a volley from a process of its own.

    Raises:
        subprocess.CalledProcessError: Somebody hung up, or was silent for a minute.
    """
    ran = subprocess.run(
        (sys.executable, "-m", "infra.bench.volley"),
        input=json.dumps(asdict(volley)).encode(),
        cwd=Path(__file__).resolve().parents[2],
        stdout=subprocess.PIPE,
        check=True,
        timeout=2 * LONGEST_S,
    )
    return [Answered(*one) for one in json.loads(ran.stdout)]


@dataclass(slots=True)
class _Sender:
    sock: socket.socket
    key: str = ""
    sent_at: float = 0.0
    received: bytearray = field(default_factory=bytearray)

    request: bytes = b""

    def send(self, key: str, request: bytes) -> None:
        self.key = key
        self.request = request
        self.received.clear()
        self.sent_at = time.monotonic()
        self.sock.sendall(request)

    def send_again(self, port: int) -> None:
        """Repeat the request on a new connection, the time going on."""
        self.sock.close()
        self.sock = _connected(port)
        self.received.clear()
        self.sock.sendall(self.request)

    def take(self) -> int | None:
        """Receive; return the status once the answer is whole."""
        chunk = self.sock.recv(65536)
        if not chunk:
            raise ConnectionResetError(self.key)
        self.received += chunk
        head, end, body = bytes(self.received).partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return None
        return int(head.split(b" ", 2)[1])


def _connected(port: int) -> socket.socket:
    sock = socket.create_connection((HOST, port), timeout=LONGEST_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _encoded(shot: Mapping[str, str], headers: Mapping[str, str]) -> bytes:
    body = shot["body"].encode()
    lines = [
        f"POST {shot['path']} HTTP/1.1",
        f"Host: {HOST}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _main() -> None:
    volley = json.load(sys.stdin)
    waiting = [(shot["key"], _encoded(shot, volley["headers"])) for shot in volley["shots"]]
    waiting.reverse()
    senders = min(volley["senders"], len(waiting))
    answered: list[tuple[str, float, float, int]] = []
    ready = selectors.DefaultSelector()
    for _ in range(senders):
        sender = _Sender(_connected(volley["port"]))
        ready.register(sender.sock, selectors.EVENT_READ, sender)
        sender.send(*waiting.pop())
    reconnects = 0
    give_up_at = time.monotonic() + LONGEST_S
    while len(answered) < len(volley["shots"]):
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"{len(answered)} of {len(volley['shots'])} answered")
        for selected, _ in ready.select(1.0):
            sender = selected.data
            try:
                status = sender.take()
            except ConnectionError:
                reconnects += 1
                if reconnects > MOST_RECONNECTS:
                    raise
                ready.unregister(sender.sock)
                sender.send_again(volley["port"])
                ready.register(sender.sock, selectors.EVENT_READ, sender)
                continue
            if status is None:
                continue
            answered.append((sender.key, sender.sent_at, time.monotonic(), status))
            if waiting:
                sender.send(*waiting.pop())
    if reconnects:
        print(f"port {volley['port']}: {reconnects} connections made anew", file=sys.stderr)
    json.dump(answered, sys.stdout)


if __name__ == "__main__":
    _main()
