"""Being asked to stop."""

from infra.local.errors import Stopped


class StopRequest:
    """Remembers that somebody asked the stack to stop.

    A bare flag and not a `threading.Event`: it is set by signal handlers, and an event's
    lock may be held by the very thread that the signal interrupts.
    """

    def __init__(self) -> None:
        self.made = False

    def make(self) -> None:
        """Ask for the stop."""
        self.made = True

    def check(self) -> None:
        """Do nothing as long as nobody has asked.

        Raises:
            Stopped: Somebody has.
        """
        if self.made:
            raise Stopped("stopped before everything answered")
