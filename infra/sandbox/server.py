"""Serves the sandbox: one process of many threads, started after the fork."""

import logging
import socket
import sys

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from infra.sandbox.app import Application
from infra.sandbox.clock import SystemClock
from infra.sandbox.settings import Settings
from infra.sandbox.world import World

THREADS = 128
KEEP_ALIVE_S = 75
STOP_WITHIN_S = 1


class SandboxServer(BaseApplication):  # type: ignore[misc]
    """The sandbox under gunicorn.

    One worker, because everything is remembered in its memory. It announces itself once it
    can answer, and leaves within `STOP_WITHIN_S` of a signal whatever it is busy with.
    """

    def __init__(self, settings: Settings, listener: socket.socket, *, verbose: bool) -> None:
        self._settings = settings
        self._listener = listener
        self._verbose = verbose
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn up; the listener is bound already."""
        host, port = self._listener.getsockname()[:2]

        def announce(_: object) -> None:
            sys.stdout.write(f"sandbox listening on http://{host}:{port}\n")
            sys.stdout.flush()

        wanted = {
            "bind": f"fd://{self._listener.fileno()}",
            "worker_class": "gthread",
            "workers": 1,
            "threads": THREADS,
            "worker_connections": 2048,
            "keepalive": KEEP_ALIVE_S,
            "graceful_timeout": STOP_WITHIN_S,
            "timeout": 120,
            "loglevel": "warning",
            "control_socket_disable": True,
            "post_worker_init": announce,
        }
        for name, value in wanted.items():
            self.cfg.set(name, value)

    def load(self) -> Application:
        """Build the sandbox, in the worker."""
        level = logging.INFO if self._verbose else logging.ERROR
        logging.basicConfig(level=level, format="%(asctime)s %(message)s", stream=sys.stderr)
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        return Application(World.started(self._settings, SystemClock()))


def listening(host: str, port: int) -> socket.socket:
    """Return a socket bound to a port, a free one for 0.

    Raises:
        OSError: The port is taken, or the host is not ours.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener
