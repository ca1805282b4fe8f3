"""`python -m infra.sandbox` serves both providers on one port of this machine."""

import argparse
import logging
import socket
import sys
from collections.abc import Sequence
from dataclasses import fields

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from infra.sandbox.app import Application
from infra.sandbox.behaviours import BehaviourRequests, UnknownBehaviourError, described, parse
from infra.sandbox.clock import SystemClock
from infra.sandbox.state import SandboxState, Settings

THREADS = 128
KEEP_ALIVE_S = 75
STOP_WITHIN_S = 1

EPILOG = f"""\
misbehaviour, joined by commas, e.g. webhook-lost,render-s=8
  one job:       in its image's URL, .../rooms/living.jpg?sandbox=webhook-lost
                 or, without an image, in its prompt: "a loft sandbox:failed"
  one callback:  in its URL, .../callbacks/NAME?sandbox=callback-fails=1
  every job:     --behave, or PUT /sandbox/behaviour, there also with a share of the
                 jobs (webhook-lost@0.2) or for one provider (spacely:submit-503=1)

{described()}

  Where N may follow, none means every time. Tries are counted per operation and input
  (the image's URL with its query, or the prompt), so a resubmission is the next try.

not documented by the providers, so do not rely on it: Gepetto's 429 and Spacely's 403
above the call limit, how long Spacely blocks, every body of an error, `failed`.

also served: /rooms, /rooms/NAME.jpg (sample inputs), /renders/ID-N.png,
/sandbox/calls, /sandbox/jobs, /sandbox/summary, POST /sandbox/reset;
a receiver of the relay's callbacks: /callbacks/NAME, what it received:
/sandbox/callbacks, its secrets: PUT /sandbox/callbacks/NAME/secrets
"""


class SandboxServer(BaseApplication):  # type: ignore[misc]
    """The sandbox under gunicorn.

    One worker, because all state is in its memory. It announces itself once it can answer,
    and stops within `STOP_WITHIN_S` of a signal whatever it is busy with.
    """

    def __init__(self, settings: Settings, listener: socket.socket, *, verbose: bool) -> None:
        self._settings = settings
        self._listener = listener
        self._verbose = verbose
        super().__init__()

    def load_config(self) -> None:
        """Configure gunicorn; the listener is bound already."""
        host, port = self._listener.getsockname()[:2]

        def announce(_: object) -> None:
            print(f"sandbox listening on http://{host}:{port}", flush=True)

        options = {
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
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Application:
        """Build the sandbox in the worker: its threads would not survive the fork."""
        level = logging.INFO if self._verbose else logging.ERROR
        logging.basicConfig(level=level, format="%(asctime)s %(message)s", stream=sys.stderr)
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        return Application(SandboxState.started(self._settings, SystemClock()))


def main(arguments: Sequence[str]) -> int:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.sandbox",
        description="A stand-in for Gepetto (/gepetto/v1) and Spacely (/spacely/api/v1).",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    usual = Settings()
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=0, help="0, the default: a free one")
    add("--gepetto-key", default=usual.gepetto_key, help="accepted key (%(default)s)")
    add("--spacely-key", default=usual.spacely_key, help="accepted key (%(default)s)")
    add("--render-s", type=float, default=usual.render_s, help="typical render time (%(default)s)")
    add("--seed", type=int, default=usual.seed, help="of all random draws (%(default)s)")
    add("--gepetto-calls-per-minute", type=int, default=usual.gepetto_calls_per_minute,
        metavar="N", help="above: 429; 0: no limit (%(default)s)")  # fmt: skip
    add("--spacely-calls-per-second", type=int, default=usual.spacely_calls_per_second,
        metavar="N", help="above: account blocked, 403; 0: no limit (%(default)s)")  # fmt: skip
    add("--spacely-block-s", type=float, default=usual.spacely_block_s, metavar="SECONDS",
        help="how long an account stays blocked (%(default)s)")  # fmt: skip
    add("--latency-s", type=float, default=usual.latency_s, metavar="SECONDS",
        help="every call takes at least that long (%(default)s)")  # fmt: skip
    add("--no-download", dest="fetches_inputs", action="store_false",
        help="ignore inputs, use sample rooms instead")  # fmt: skip
    add("--noise", dest="draws_noise", action="store_true",
        help="pictures are small and quickly made, but show nothing")  # fmt: skip
    add(
        "--strict-ids",
        action="store_true",
        help="refuse ids (styleId, roomId, ...) that the provider's pages do not print: 400",
    )
    add("--behave", dest="behaviours", type=_behaviours, default={}, metavar="NAME[=VALUE],...",
        help="see below")  # fmt: skip
    add("--verbose", action="store_true", help="log every event on stderr")
    given = parser.parse_args(arguments)
    settings = Settings(**{field.name: getattr(given, field.name) for field in fields(Settings)})
    try:
        listener = _listen(given.host, given.port)
    except OSError as error:
        parser.error(f"cannot listen on {given.host}:{given.port}: {error.strerror}")
    SandboxServer(settings, listener, verbose=given.verbose).run()
    return 0


def _behaviours(text: str) -> BehaviourRequests:
    try:
        return parse(text)
    except UnknownBehaviourError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
