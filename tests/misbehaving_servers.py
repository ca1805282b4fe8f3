"""Servers on this machine that misbehave in every way we know of, and a certificate for them."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Script = Callable[[socket.socket], None]


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
        for _ in range(500):
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
