"""The topics and push subscriptions, as terraform/ has them."""

from collections.abc import Sequence
from dataclasses import dataclass

PUMP_FUNCTION = "poll_tick"
ACK_DEADLINE_S = 600
"""On a push subscription this is the request's timeout, and a pump uses its whole window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSubscription:
    """One subscription that pushes a topic's messages to a function."""

    name: str
    topic: str
    function: str
    ack_deadline_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """Every topic and push subscription of one deployment."""

    completions_topic: str
    ticks_topics: dict[str, str]
    push_subscriptions: tuple[PushSubscription, ...]

    @property
    def topics(self) -> tuple[str, ...]:
        """The names of all topics."""
        return (self.completions_topic, *self.ticks_topics.values())


def topology(*, completions_topic: str, ticks_topic: str, accounts: Sequence[str]) -> Topology:
    """Lay out the topics: one for completions, one of ticks per account, each pushed.

    Args:
        ticks_topic: The part of the tick topics' names before `-{account}`.
    """
    ticks_topics = {account: f"{ticks_topic}-{account}" for account in accounts}
    return Topology(
        completions_topic=completions_topic,
        ticks_topics=ticks_topics,
        push_subscriptions=tuple(
            PushSubscription(
                name=f"{topic}-push",
                topic=topic,
                function=PUMP_FUNCTION,
                ack_deadline_s=ACK_DEADLINE_S,
            )
            for topic in ticks_topics.values()
        ),
    )
