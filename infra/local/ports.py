"""Free ports of this machine."""

import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

from infra.local.errors import PortTaken

HOST = "127.0.0.1"

_ATTEMPTS = 3

Started = TypeVar("Started")


def free_ports(count: int) -> tuple[int, ...]:
    """Choose that many different ports which nobody listens on right now."""
    with ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return tuple(each.getsockname()[1] for each in sockets)


def start_on_free_ports(start: Callable[[ExitStack], Started], *, cleanup: ExitStack) -> Started:
    """Start something; if another program was faster at a port, once more from the beginning.

    Args:
        start: Chooses its ports anew each time, and leaves on the stack that it is given
            whatever undoes it.
        cleanup: Takes over what undoes the start that succeeded.
    """
    for _ in range(_ATTEMPTS - 1):
        with ExitStack() as undo:
            try:
                started = start(undo)
            except PortTaken:
                continue
            cleanup.push(undo.pop_all())
            return started
    return start(cleanup)
