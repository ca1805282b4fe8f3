"""One copy of an event, as a consumer of the topic sees it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One copy of an event; there may be more, and all must be the same."""

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

    @property
    def last_word(self) -> str:
        """The last word of the event's type."""
        return self.attributes.get("ce-type", "").rpartition(".")[2]
