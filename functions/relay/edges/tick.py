"""Ticks from Pub/Sub: run the pump of the account that a message names."""

import base64
import binascii
import logging
from collections.abc import Callable, Mapping

import msgspec

from relay.application.pump import Pump
from relay.domain.readable import readable
from relay.edges.push import message_of

log = logging.getLogger(__name__)


@readable
class Tick(msgspec.Struct):
    """A tick's data."""

    account: str


class Ticks:
    """Runs pumps.

    Args:
        pumps: How to make the pump of each account that is switched on.
    """

    def __init__(self, pumps: Mapping[str, Callable[[], Pump]]) -> None:
        self._pumps = pumps

    def receive(self, data: object) -> None:
        """Run the pump of the account that the message names.

        A message that names none can never work: it is logged and acknowledged.

        Args:
            data: The CloudEvent's data: a Pub/Sub push envelope.

        Raises:
            StoreUnavailable: The message should come again.
        """
        account = account_of(data)
        if account is None or account not in self._pumps:
            log.error("tick for no account", extra={"fields": {"account": str(account)[:100]}})
            return
        self._pumps[account]().run()


def account_of(data: object) -> str | None:
    """Return the account that a Pub/Sub push envelope's message names, None if none."""
    encoded = message_of(data).get("data")
    if not isinstance(encoded, str):
        return None
    try:
        tick = msgspec.json.decode(base64.b64decode(encoded, validate=True), type=Tick)
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError):
        return None
    return tick.account
