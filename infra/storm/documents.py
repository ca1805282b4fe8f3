"""One version of a document, as Firestore shows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One version of a document.

    Attributes:
        at: When it was written, by the store's clock; its `update_time`.
        fields: None if there is no such document (any more).
    """

    collection: str
    id: str
    at: datetime
    fields: Mapping[str, Any] | None
