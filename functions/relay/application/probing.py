"""Keeps an account on hold: no calls but one probe at a time, until one is answered normally."""

import logging
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime, timedelta

from relay.application.lease import Lease
from relay.application.ports import Clock
from relay.application.work import Outcome, refusal_code
from relay.domain.account import Hold, held
from relay.errors import AccountRefused

log = logging.getLogger(__name__)


class Probing:
    """The hold of one pump's account; asked only from the pump's own thread."""

    def __init__(self, lease: Lease, *, clock: Clock) -> None:
        self._lease = lease
        self._clock = clock
        self._probe: Future[Outcome] | None = None

    def may_call(self) -> bool:
        """Return whether a call may start now: any without a hold, else the next probe."""
        hold = self._lease.hold
        return hold is None or (self._probe is None and self._clock.now() >= hold.probe_at)

    def is_held_beyond(self, moment: datetime) -> bool:
        """Return whether no call at all may start before this moment."""
        return self._lease.hold is not None and self._lease.hold.probe_at > moment

    def started(self, call: Future[Outcome]) -> None:
        """Note a call to the provider; under a hold it is the probe."""
        if self._lease.hold is not None:
            self._probe = call

    def ended(self, call: Future[Outcome], outcome: Outcome) -> None:
        """Begin, prolong or end the hold, as the provider's answer to the call says.

        Calls that were in the air when the hold began say nothing about it.
        """
        was_probe = call is self._probe
        if was_probe:
            self._probe = None
        hold = self._lease.hold
        if outcome.refusal is not None and (hold is None or was_probe):
            self._refused(hold, outcome.refusal)
        elif was_probe and hold is not None and outcome.answered:
            log.error("account off hold", extra=self._fields(hold.code.value))
            self._lease.put_on_hold(None)
        elif was_probe and hold is not None:
            # It proved nothing: the same again.
            probe_at = self._clock.now() + timedelta(seconds=hold.gap_s)
            self._lease.put_on_hold(replace(hold, probe_at=probe_at))

    def _refused(self, hold: Hold | None, refusal: AccountRefused) -> None:
        code = refusal_code(refusal)
        if hold is None:
            log.error("account on hold", extra=self._fields(code.value))
        self._lease.put_on_hold(
            held(
                hold,
                code=code,
                status=refusal.status,
                retry_after_s=refusal.retry_after_s,
                at=self._clock.now(),
            )
        )

    def _fields(self, code: str) -> dict[str, dict[str, str]]:
        return {"fields": {"account": self._lease.account, "code": code}}
