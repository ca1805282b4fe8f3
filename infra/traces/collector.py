"""An OTLP collector that writes all spans to a file."""

import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from google.protobuf.message import DecodeError

from infra.traces.spans import append, spans_of

PATH = "/v1/traces"
PROTOBUF = "application/x-protobuf"


def collector(*, host: str, port: int, file: Path) -> ThreadingHTTPServer:
    """Return a server that appends what is posted to ``/v1/traces`` to *file*.

    Args:
        port: 0 for one that is free.
    """
    writing = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(HTTPStatus.OK)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path != PATH:
                return self._answer(HTTPStatus.NOT_FOUND)
            if self.headers.get("Content-Type") != PROTOBUF:
                return self._answer(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
            try:
                spans = list(spans_of(body))
            except DecodeError:
                return self._answer(HTTPStatus.BAD_REQUEST)
            with writing:
                append(file, spans)
            return self._answer(HTTPStatus.OK)

        def log_message(self, format: str, *args: object) -> None:
            """Stay quiet: the file says what came."""

        def _answer(self, status: HTTPStatus) -> None:
            self.send_response(status)
            self.send_header("Content-Type", PROTOBUF)
            self.send_header("Content-Length", "0")
            self.end_headers()

    return ThreadingHTTPServer((host, port), Handler)
