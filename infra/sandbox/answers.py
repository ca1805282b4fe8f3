"""Answers, and the refusal to give one."""

import errno
import json
import select
import socket

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

from infra.sandbox.clock import Clock

HELD_S = 600.0
_STEP_S = 0.5


class HungUpError(ConnectionResetError):
    """The connection is closed without an answer; the server takes it as a reset."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "hung up on purpose")


def document(body: object) -> Response:
    """Return a JSON answer."""
    return Response(json.dumps(body), mimetype="application/json")


def refusal(status: int, message: str, *, html: bool) -> Response:
    """Return an error; no provider documents its body, so nobody may rely on this one."""
    if not html:
        return Response(message + "\n", status, mimetype="text/plain")
    page = f"<!DOCTYPE html><html><title>{status}</title><h1>{status}</h1><p>{message}</html>\n"
    return Response(page, status, mimetype="text/html")


def from_exception(error: HTTPException) -> Response:
    """Return what a routing error answers."""
    return refusal(error.code or 500, error.name, html=False)


def hold(request: Request, clock: Clock) -> None:
    """Keep the caller waiting until it gives up, or for `HELD_S`."""
    connection = request.environ.get("gunicorn.socket")
    until = clock.monotonic() + HELD_S
    while clock.monotonic() < until:
        if isinstance(connection, socket.socket):
            readable, _, _ = select.select([connection], [], [], _STEP_S)
            if readable and not _peeked(connection):
                return
            if readable:
                clock.sleep(_STEP_S)
        else:
            clock.sleep(_STEP_S)


def _peeked(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1, socket.MSG_PEEK)
    except OSError:
        return b""
