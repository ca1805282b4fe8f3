"""A pump: consecutive runs of one kind of work, each under its own lease."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from relay.application.lease import Lease
from relay.application.ports import Accounts, Clock, Topics
from relay.domain.limits import Limit
from relay.errors import PublishFailed

log = logging.getLogger(__name__)

LONGEST_PASS = timedelta(seconds=30)


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """The time in which a run works.

    Attributes:
        until: Its end.
        is_one_pass: Scan once, do what is due, and stop.
        begin_until: After this, nothing new is begun: the end of the window, or of the longest
            pass.
    """

    until: datetime
    is_one_pass: bool
    begin_until: datetime


class Run(Protocol):
    """The work under one lease."""

    @property
    def was_cut_short(self) -> bool:
        """Whether the lease was lost before the window or the work was over."""

    def work(self) -> None:
        """Work until nothing is left to do, the window is over, or the lease is lost."""

    def leaves_work(self) -> bool:
        """Return whether the window ended before the work did."""

    def is_something_new_due(self) -> bool:
        """Scan once more; return whether something is due that this run has not seen."""


class OpenRun(Protocol):
    """Makes the run for a lease."""

    def __call__(self, *, lease: Lease, window: Window) -> Run:
        """Return a run that has not begun."""


class PumpSetup(msgspec.Struct, frozen=True, kw_only=True):
    """What a pump works for, and how.

    Attributes:
        name: Of its lease and its ticks: the account's.
        limit: Of the calls that its lease counts.
        at_once: The maximum number of calls in flight.
        window_s: How long one tick may work; 0 makes one pass over what is due.
        new_token: Returns a unique name for the holder of a lease.
        is_stopping: Whether the pump's server was told to stop.
    """

    name: str
    limit: Limit
    at_once: int
    window_s: float
    accounts: Accounts
    topics: Topics
    clock: Clock
    new_token: Callable[[], str]
    is_stopping: Callable[[], bool]


class Pump:
    """Works on one account, or on the callbacks."""

    def __init__(self, setup: PumpSetup, *, open_run: OpenRun) -> None:
        self._setup = setup
        self._open_run = open_run

    def run(self) -> None:
        """Work until the window is over or nothing more will fall due in it.

        After giving its lease back it looks once more, for a job whose wake-up came just before
        that. If the window ends before the work, or the server stops, it wakes the next pump. A run
        that lost its lease because the store was slow resumes under a new lease; a long pass leaves
        the rest to the next pump, which looks again.

        Raises:
            StoreUnavailable: The tick should be delivered again.
        """
        setup = self._setup
        began_at = setup.clock.now()
        until = began_at + timedelta(seconds=setup.window_s)
        is_one_pass = setup.window_s <= 0
        begin_until = began_at + LONGEST_PASS if is_one_pass else until
        window = Window(until=until, is_one_pass=is_one_pass, begin_until=begin_until)
        while True:
            lease = Lease.take(
                setup.accounts,
                name=setup.name,
                limit=setup.limit,
                holder=setup.new_token(),
                at_once=setup.at_once,
                clock=setup.clock,
            )
            if lease is None:
                log.debug("another pump works", extra={"fields": {"account": setup.name}})
                return
            run = self._open_run(lease=lease, window=window)
            try:
                run.work()
            finally:
                lease.give_back()
            if setup.is_stopping():
                self._wake_next()
                return
            if not run.leaves_work() and not run.is_something_new_due():
                return
            if setup.clock.now() >= (begin_until if run.was_cut_short else until):
                self._wake_next()
                return

    def _wake_next(self) -> None:
        try:
            self._setup.topics.publish_tick(self._setup.name)
        except PublishFailed:
            log.warning("tick not published", extra={"fields": {"account": self._setup.name}})
