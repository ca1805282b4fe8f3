"""One delivery of an event, as a consumer of the topic sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One delivery of one copy of an event.

    Attributes:
        message_id: The topic's; a copy that was published again has another.
        published_at: When the topic took it.
    """

    message_id: str
    published_at: datetime
    ordering_key: str
    attributes: Mapping[str, str]
    data: bytes

    @property
    def event_id(self) -> str:
        """The event's CloudEvents id."""
        return self.attributes.get("ce-id", "")

    @property
    def job_id(self) -> str:
        """The job that the event is about."""
        return self.attributes.get("ce-subject", "")
