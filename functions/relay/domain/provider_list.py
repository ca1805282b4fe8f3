"""Copies of the lists that providers offer to read, such as their rooms, and when to fetch them.

No provider documents all that it answers there, so it is never parsed, only handed on.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

MAX_LIST_BYTES = 512 * 1024

# A copy is fetched, and a request is noted, at most this often.
RENEW_EVERY = timedelta(days=1)
# A list that nobody asks for any more is not fetched any more.
WANTED_FOR = timedelta(days=7)
RETRY_EVERY = timedelta(hours=1)
# About as long as a woken pump takes to fetch a list.
SOON_S = 5.0


class ProviderList(msgspec.Struct, frozen=True, kw_only=True):
    """A list as its provider answered it.

    Attributes:
        content_type: As the provider sent it.
        body: At most `MAX_LIST_BYTES`.
    """

    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRequest:
    """The callers' request for a list, and how fetching it went.

    Attributes:
        asked_at: When somebody asked last, to the day.
        tried_at: When the last fetch began; None if there was none.
        fetched_at: When the copy was kept; None if there is none.
        failure: Why the last fetch failed, in a few words; None if it did not.
    """

    asked_at: datetime
    tried_at: datetime | None = None
    fetched_at: datetime | None = None
    failure: str | None = None

    @property
    def next_try_at(self) -> datetime | None:
        """When the list may be fetched again; None if it never was."""
        moments = [
            last + every
            for last, every in ((self.tried_at, RETRY_EVERY), (self.fetched_at, RENEW_EVERY))
            if last is not None
        ]
        return max(moments, default=None)

    def is_due(self, at: datetime) -> bool:
        """Return whether the list is to be fetched."""
        next_try_at = self.next_try_at
        return at < self.asked_at + WANTED_FOR and (next_try_at is None or next_try_at <= at)

    def retry_after_s(self, at: datetime) -> float:
        """Return in how many seconds a caller without a copy should ask again."""
        if self.failure is None or self.next_try_at is None:
            return SOON_S
        return max(SOON_S, (self.next_try_at - at).total_seconds())


def asked(request: ListRequest | None, *, at: datetime) -> ListRequest:
    """Note that somebody asked, unless that was noted within the last day."""
    if request is None:
        return ListRequest(asked_at=at)
    return request if at - request.asked_at < RENEW_EVERY else replace(request, asked_at=at)


def tried(request: ListRequest, *, at: datetime) -> ListRequest:
    """Note that a fetch begins, if the list is still due."""
    return replace(request, tried_at=at, failure=None) if request.is_due(at) else request


def fetched(request: ListRequest, *, at: datetime) -> ListRequest:
    """Note that the copy was kept."""
    return replace(request, fetched_at=at, failure=None)


def not_fetched(request: ListRequest, *, why: str) -> ListRequest:
    """Note why the fetch failed."""
    return replace(request, failure=why)
