"""The dead letters of ticks: counted, and replaced by one fresh tick.

A tick carries no work of its own: a pump does all that is due, whichever tick woke it. So one fresh
tick does what all dead ones asked for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import grpc
from google.api_core import exceptions as google
from google.pubsub_v1 import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from infra.operate.errors import NoDeadLetters, PubSubUnavailable
from infra.operate.outcome import Outcome, moment_json, plural
from relay.adapters.pubsub import EMULATOR_HOST
from relay.application.ports import Topics

PAGE = 500
# A pull waits for messages; one that has none for so long found them all.
PULL_S = 5.0
CALL_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A dead letter; *handle* acknowledges it."""

    handle: str
    published_at: datetime


class DeadLetters(Protocol):
    """The subscriptions that keep dead ticks.

    Raises `NoDeadLetters` for an account without one, and `PubSubUnavailable`.
    """

    def pull(self, account: str) -> list[DeadLetter]:
        """Return some of the account's dead letters; none if there are no more."""

    def drop(self, account: str, letters: list[DeadLetter]) -> None:
        """Acknowledge these, so that they are gone."""

    def put_back(self, account: str, letters: list[DeadLetter]) -> None:
        """Make these available to others at once."""


def redrive(letters: DeadLetters, topics: Topics, account: str, *, dry_run: bool) -> Outcome:
    """Publish one fresh tick in place of an account's dead ones.

    The tick goes out first: whatever fails then, none is lost.

    Raises:
        NoDeadLetters, PubSubUnavailable: See `DeadLetters`.
        PublishFailed: The dead letters are as they were.
    """
    first = letters.pull(account)
    if not first or dry_run:
        letters.put_back(account, first)
        return _outcome(account, first, is_whole=len(first) < PAGE, dry_run=dry_run)
    topics.publish_tick(account)
    seen, page = list(first), first
    while page:
        letters.drop(account, page)
        page = letters.pull(account)
        seen += page
    return _outcome(account, seen, is_whole=True, dry_run=False)


def _outcome(account: str, seen: list[DeadLetter], *, is_whole: bool, dry_run: bool) -> Outcome:
    moments = sorted(one.published_at for one in seen)
    oldest, newest = (moment_json(moments[0]), moment_json(moments[-1])) if moments else ("", "")
    found = f"{'' if is_whole else 'at least '}{plural(len(seen), 'dead tick')} of {account}"
    if not seen:
        line = f"There are no dead ticks of {account}."
    elif dry_run:
        line = f"Would replace {found}, from {oldest} to {newest}, by one fresh tick."
    else:
        line = f"Published one fresh tick and dropped {found}, from {oldest} to {newest}."
    data = {
        "account": account,
        "deadLetters": len(seen),
        "oldest": oldest or None,
        "newest": newest or None,
        "ticksPublished": 0 if dry_run or not seen else 1,
    }
    return Outcome(lines=[line], data=data)


class PubSubDeadLetters:
    """The dead letters in Pub/Sub, kept as terraform/topics.tf has it.

    Args:
        ticks_topic: The part of the tick topics' names before ``-{account}``.
    """

    def __init__(self, *, project: str, ticks_topic: str, env: Mapping[str, str]) -> None:
        self._project = project
        self._ticks_topic = ticks_topic
        self._env = env

    def pull(self, account: str) -> list[DeadLetter]:
        """See `DeadLetters`."""
        try:
            answer = self._call("pull", account, timeout=PULL_S, max_messages=PAGE)
        except google.DeadlineExceeded:
            return []
        return [
            DeadLetter(handle=one.ack_id, published_at=one.message.publish_time)
            for one in answer.received_messages
        ]

    def drop(self, account: str, letters: list[DeadLetter]) -> None:
        """See `DeadLetters`."""
        self._call("acknowledge", account, ack_ids=[one.handle for one in letters])

    def put_back(self, account: str, letters: list[DeadLetter]) -> None:
        """See `DeadLetters`."""
        if letters:
            handles = [one.handle for one in letters]
            self._call("modify_ack_deadline", account, ack_ids=handles, ack_deadline_seconds=0)

    def _call(self, method: str, account: str, *, timeout: float = CALL_S, **given: Any) -> Any:
        name = f"{self._ticks_topic}-{account}-dead-letters"
        request = {"subscription": f"projects/{self._project}/subscriptions/{name}", **given}
        try:
            call: Callable[..., Any] = getattr(_subscriber(self._env), method)
            return call(request=request, retry=None, timeout=timeout)
        except google.DeadlineExceeded:
            raise
        except google.NotFound:
            raise NoDeadLetters(f"there is no subscription {name} here") from None
        except google.GoogleAPICallError as error:
            raise PubSubUnavailable(f"{method} {name}: {type(error).__name__}") from error


def _subscriber(env: Mapping[str, str]) -> SubscriberClient:
    emulator = env.get(EMULATOR_HOST)
    if not emulator:
        return SubscriberClient()
    return SubscriberClient(
        transport=SubscriberGrpcTransport(channel=grpc.insecure_channel(emulator))
    )
