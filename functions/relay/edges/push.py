"""What Pub/Sub pushes: ticks run pumps, and completion events have outputs kept."""

import base64
import binascii
import logging
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from relay.application.output_keeper import OutputKeeper
from relay.application.pump import Pump
from relay.domain.job import EventType, is_job_id
from relay.domain.output_keeping import RESULTS
from relay.domain.readable import readable
from relay.errors import JobNotFound

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
    encoded = _message(data).get("data")
    if not isinstance(encoded, str):
        return None
    try:
        tick = msgspec.json.decode(base64.b64decode(encoded, validate=True), type=Tick)
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError):
        return None
    return tick.account


class Completions:
    """Keeps outputs.

    Args:
        keeper: None where outputs are not kept.
    """

    def __init__(self, keeper: OutputKeeper | None) -> None:
        self._keeper = keeper

    def receive(self, data: object) -> None:
        """Keep the outputs of the job that the message is about, if it is about a result.

        A message that names no job can never work: it is logged and acknowledged.

        Args:
            data: The CloudEvent's data: a Pub/Sub push envelope.

        Raises:
            OutputsUndecided, BucketUnavailable, StoreUnavailable, UnreadableJob: The message should
                come again, and end among the dead letters if that does not help.
        """
        if self._keeper is None:
            return
        event_type, job_id = attribute_of(data, "ce-type"), attribute_of(data, "ce-subject")
        if event_type in tuple(EventType) and event_type not in RESULTS:
            return
        if event_type not in RESULTS or not is_job_id(job_id):
            fields = {"type": event_type[:100], "subject": job_id[:100]}
            log.error("event about no result", extra={"fields": fields})
            return
        try:
            self._keeper.keep(job_id)
        except JobNotFound:
            log.warning("job has gone before its outputs", extra={"fields": {"job_id": job_id}})


def attribute_of(data: object, name: str) -> str:
    """Return an attribute of a push envelope's message; empty if it has none of that name."""
    attributes = _message(data).get("attributes")
    value = attributes.get(name) if isinstance(attributes, Mapping) else None
    return value if isinstance(value, str) else ""


def _message(data: object) -> Mapping[str, Any]:
    """Return the message of a push envelope; an empty one if there is none."""
    message = data.get("message") if isinstance(data, Mapping) else None
    return message if isinstance(message, Mapping) else {}
