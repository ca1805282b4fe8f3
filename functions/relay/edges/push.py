"""Push envelopes of Pub/Sub, as a CloudEvent's data holds them."""

from collections.abc import Mapping
from typing import Any


def message_of(data: object) -> Mapping[str, Any]:
    """Return the message of a push envelope; an empty one if there is none."""
    message = data.get("message") if isinstance(data, Mapping) else None
    return message if isinstance(message, Mapping) else {}
