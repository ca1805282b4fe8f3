"""Recorded answers of the providers, and a server on this machine that gives them."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from relay.errors import RelayError

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Recording:
    """One answer, and what it must be read as."""

    name: str
    call: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    expected: Mapping[str, Any]


def recordings(provider: str, *calls: str) -> list[Recording]:
    """Return a provider's recordings of these calls, in the order of their names."""
    paths = sorted((HERE / provider).glob("*.json"))
    found = [_recording(path) for path in paths]
    return [one for one in found if one.call in calls]


def assert_outcome(outcome: object, expected: Mapping[str, Any]) -> None:
    """Check the type of what came out, and each attribute that is expected of it."""
    assert type(outcome).__name__ == expected["type"], outcome
    for name, value in expected.items():
        if name != "type":
            found = getattr(outcome, name)
            assert (list(found) if isinstance(found, tuple) else found) == value


def outcome_of(call: Callable[[], object]) -> object:
    """Return what came out: a value, or one of our errors; any other fails the test."""
    try:
        return call()
    except RelayError as error:
        return error


@dataclass(frozen=True)
class Seen:
    """A request as the server got it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


@dataclass
class Stub:
    """A provider that always says the same; `says` changes it."""

    url: str = ""
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    def says(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        """Give this answer from now on, and forget what was seen."""
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.headers = headers or {}
        self.seen.clear()


@contextmanager
def stub_provider() -> Iterator[Stub]:
    """Run a stub on a free port of this machine."""
    stub = Stub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            stub.seen.append(Seen(self.command, self.path, dict(self.headers), body))
            self.send_response(stub.status)
            for name, value in stub.headers.items():
                self.send_header(name, value)
            if stub.status != 204:
                self.send_header("Content-Length", str(len(stub.body)))
            self.end_headers()
            self.wfile.write(stub.body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _recording(path: Path) -> Recording:
    recorded = json.loads(path.read_text())
    text = recorded["body_text"] if "body_text" in recorded else json.dumps(recorded["body"])
    return Recording(
        name=path.stem,
        call=recorded["call"],
        status=recorded["http_status"],
        headers=recorded.get("headers", {}),
        body=text.encode(),
        expected=recorded["expected"],
    )
