"""The load generator against a server of this process."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from infra.bench.load_generator import Load, Request, send


class Handler(BaseHTTPRequestHandler):
    """Answers with the status that the body asks for; hangs up once if the path says so."""

    protocol_version = "HTTP/1.1"
    hung_up: set[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/hang-up") and self.path not in self.hung_up:
            self.hung_up.add(self.path)
            self.close_connection = True
            return
        self.send_response(int(body))
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"done")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    Handler.hung_up = set()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def sent(port: int, *requests: Request) -> list[tuple[str, int]]:
    responses = send(Load(port=port, connections=2, headers={"X-A": "b"}, requests=requests))
    assert all(one.sent_at < one.answered_at for one in responses)
    return sorted((one.key, one.status) for one in responses)


def test_every_request_is_answered_over_few_connections(port):
    requests = [Request(key=f"{number}", path="/", body=f"{200 + number}") for number in range(5)]

    assert sent(port, *requests) == [(f"{number}", 200 + number) for number in range(5)]


def test_a_request_is_sent_again_if_the_server_hangs_up(port):
    request = Request(key="a", path="/hang-up", body="200")

    assert sent(port, request) == [("a", 200)]
    assert Handler.hung_up == {"/hang-up"}
