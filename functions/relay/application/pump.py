"""The pump of one provider account: consecutive runs, each under its own lease."""

import logging
from datetime import timedelta

from relay.application.lease import Lease
from relay.application.pump_run import PumpDependencies, PumpRun
from relay.errors import PublishFailed

__all__ = ["Pump", "PumpDependencies"]

log = logging.getLogger(__name__)

LONGEST_PASS = timedelta(seconds=30)


class Pump:
    """Works on one account.

    Args:
        window_s: How long one tick may work; 0 makes one pass over what is due.
    """

    def __init__(self, deps: PumpDependencies, *, window_s: float) -> None:
        self._deps = deps
        self._window_s = window_s

    def run(self) -> None:
        """Work until the window is over or nothing more will fall due in it.

        After giving its lease back it looks once more, for a job whose wake-up came just before
        that. If the window ends before the work, or the server stops, it wakes the next pump. A run
        that lost its lease because the store was slow resumes under a new lease; a long pass leaves
        the rest to the next pump, which looks again.

        Raises:
            StoreUnavailable: The tick should be delivered again.
        """
        deps = self._deps
        began_at = deps.clock.now()
        until = began_at + timedelta(seconds=self._window_s)
        is_one_pass = self._window_s <= 0
        begin_until = began_at + LONGEST_PASS if is_one_pass else until
        while True:
            lease = Lease.take(
                deps.accounts,
                name=deps.provider.name,
                limit=deps.provider.limit,
                holder=deps.new_token(),
                at_once=deps.concurrency.calls,
                clock=deps.clock,
            )
            if lease is None:
                log.debug("another pump works", extra={"fields": {"account": deps.provider.name}})
                return
            run = PumpRun(
                deps,
                lease=lease,
                until=until,
                is_one_pass=is_one_pass,
                begin_until=begin_until,
            )
            try:
                run.work()
            finally:
                lease.give_back()
            if deps.is_stopping():
                self._wake_next()
                return
            if not run.leaves_work() and not run.is_something_new_due():
                return
            if deps.clock.now() >= (begin_until if run.was_cut_short else until):
                self._wake_next()
                return

    def _wake_next(self) -> None:
        try:
            self._deps.topics.publish_tick(self._deps.provider.name)
        except PublishFailed:
            log.warning(
                "tick not published", extra={"fields": {"account": self._deps.provider.name}}
            )
