"""What the functions call outside: callers' endpoints and a host of rendered pictures."""

import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from infra.local.processes import HOST, free_ports

MIB = 1024 * 1024
# The largest picture that is kept or sent in an answer.
PICTURE_BYTES = 25 * MIB
LONG_ANSWER_BYTES = 8 * MIB
# Before a long answer, so that as many as may be are on the way at a time.
LONG_ANSWER_AFTER_S = 0.2
# Longer than a delivery waits.
HANGS_S = 60.0
_PIECE = bytes(64 * 1024)


class Behaviour(StrEnum):
    """How an endpoint answers a post; the last part of its URL."""

    TAKES = "takes"
    ANSWERS_AT_LENGTH = "answers-at-length"
    HANGS = "hangs"
    REFUSES = "refuses"


@dataclass(frozen=True, slots=True)
class Post:
    """What an endpoint got.

    Attributes:
        at: Seconds since the epoch.
    """

    behaviour: str
    body: bytes
    at: float


class Outside:
    """Serves a number of ports, each as a host of its own, from threads of this process.

    Attributes:
        posts: In the order in which they came.
    """

    def __init__(self, ports: int) -> None:
        self.posts: list[Post] = []
        self._has_hung_enough = threading.Event()
        self._servers = [_Server(self) for _ in range(ports)]
        (self._nobodys_port,) = free_ports(1)
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        for server in self._servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self._undo.callback(server.server_close)
            self._undo.callback(server.shutdown)
        self._undo.callback(self.let_go)
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def hang(self) -> None:
        """Have endpoints that hang do so from now on."""
        self._has_hung_enough.clear()

    def let_go(self) -> None:
        """Have endpoints that hang answer that they are gone."""
        self._has_hung_enough.set()

    def wait(self) -> None:
        """Return when a post has hung for long enough."""
        self._has_hung_enough.wait(HANGS_S)

    def endpoints(self, behaviour: Behaviour) -> Sequence[str]:
        """Return the URL of an endpoint at each port; one where nobody listens, if it refuses."""
        if behaviour is Behaviour.REFUSES:
            return [f"http://{HOST}:{self._nobodys_port}/{behaviour}"]
        return [f"http://{HOST}:{one.server_port}/{behaviour}" for one in self._servers]

    def picture(self, number: int) -> str:
        """Return the URL of a picture as large as may be."""
        return f"http://{HOST}:{self._servers[0].server_port}/{number}.png"


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, outside: Outside) -> None:
        super().__init__((HOST, 0), _Handler)
        self.outside = outside


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """Answer with a picture."""
        self._answer(200, b"\x89PNG\r\n\x1a\n", PICTURE_BYTES)

    def do_POST(self) -> None:
        """Answer as the endpoint behaves."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        behaviour, outside = self.path.strip("/"), self.server.outside
        outside.posts.append(Post(behaviour, body, time.time()))
        match behaviour:
            case Behaviour.ANSWERS_AT_LENGTH:
                time.sleep(LONG_ANSWER_AFTER_S)
                self._answer(200, b"", LONG_ANSWER_BYTES)
            case Behaviour.HANGS:
                outside.wait()
                self._answer(410, b"", 0)
            case _:
                self._answer(204, b"", 0)

    def _answer(self, status: int, begins: bytes, count: int) -> None:
        # A delivery reads no more than it needs.
        with suppress(ConnectionError):
            self.send_response(status)
            if count:
                self.send_header("Content-Length", str(count))
            self.end_headers()
            self.wfile.write(begins)
            left = count - len(begins)
            while left > 0:
                left -= self.wfile.write(_PIECE[:left])

    def log_message(self, *_: object) -> None:
        """Log nothing."""
