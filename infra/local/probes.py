"""Finding out whether something really answers."""

import http.client
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from infra.local.errors import StackFailed
from infra.local.ports import HOST

_ASK_EVERY_S = 0.05
_ANSWER_WITHIN_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A GET, and the statuses that show the right program answered it."""

    port: int
    path: str
    statuses: frozenset[int]

    def is_answered(self) -> bool:
        """Ask once."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=_ANSWER_WITHIN_S)
        try:
            connection.request("GET", self.path)
            return connection.getresponse().status in self.statuses
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def wait_until_answered(
    probes: Mapping[str, Probe], *, timeout_s: float, check: Callable[[], None]
) -> None:
    """Ask all of them over and over until each has answered once.

    Args:
        probes: By the name of what is asked.
        check: Called between the rounds; raises if waiting has lost its sense.

    Raises:
        StackFailed: Names those that have not answered in time.
    """
    silent = dict(probes)
    give_up_at = time.monotonic() + timeout_s
    while True:
        check()
        silent = {name: probe for name, probe in silent.items() if not probe.is_answered()}
        if not silent:
            return
        if time.monotonic() > give_up_at:
            raise StackFailed(f"no answer within {timeout_s:g} s from {', '.join(silent)}")
        time.sleep(_ASK_EVERY_S)
