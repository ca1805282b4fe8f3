"""The providers' own lists: callers read copies, which the pump fetches while somebody asks.

So `jobs_api` calls no provider, and lists count against the account's call limit like jobs.
"""

import logging
import threading
from collections.abc import Callable, Collection, Sequence
from functools import partial

from relay.application.ports import Clock, ListDocuments, Provider
from relay.application.waker import Waker
from relay.domain.catalogue import CATALOGUE
from relay.domain.provider_list import (
    RENEW_EVERY,
    ListRequest,
    ProviderList,
    asked,
    fetched,
    not_fetched,
    tried,
)
from relay.errors import ListNotFetched, LostRace, NoAnswer, StoreUnavailable

log = logging.getLogger(__name__)

# Every list of an account is noted in the same document.
NOTE_TRIES = 4


class ListReader:
    """Reads the copies, and notes that somebody asked for them.

    Args:
        accounts: The accounts that are switched on.
    """

    def __init__(
        self,
        documents: ListDocuments,
        *,
        waker: Waker,
        clock: Clock,
        accounts: Collection[str],
    ) -> None:
        self._documents = documents
        self._waker = waker
        self._clock = clock
        self._accounts = accounts
        self._noted_until_s: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    @property
    def known(self) -> Sequence[tuple[str, str]]:
        """The lists that can be read: each account with the name of the list."""
        return [
            (account, name)
            for account, facts in CATALOGUE.items()
            if account in self._accounts
            for name in facts.lists
        ]

    def read(self, account: str, name: str) -> ProviderList:
        """Return the copy of a list.

        Raises:
            ListNotFetched: There is none yet; the pump was woken to fetch it.
            StoreUnavailable: The store did not answer.
        """
        copy = self._documents.copy(account, name)
        if copy is None:
            request = self._note(account, name)
            now = self._clock.now()
            if request.is_due(now):
                self._waker.wake(account)
            raise ListNotFetched(
                account, name, retry_after_s=request.retry_after_s(now), failure=request.failure
            )
        if self._is_to_be_noted(account, name):
            try:
                self._note(account, name)
            except StoreUnavailable as error:
                log.warning("request for a list not noted", extra=_fields(account, name, error))
        return copy

    def _is_to_be_noted(self, account: str, name: str) -> bool:
        with self._lock:
            return self._clock.monotonic() >= self._noted_until_s.get((account, name), 0.0)

    def _note(self, account: str, name: str) -> ListRequest:
        step = partial(asked, at=self._clock.now())
        request = _change(self._documents, account, name, step)
        age = self._clock.now() - request.asked_at
        with self._lock:
            left_s = (RENEW_EVERY - age).total_seconds()
            self._noted_until_s[account, name] = self._clock.monotonic() + left_s
        return request


class ListFetcher:
    """Fetches one account's lists, for one run of its pump.

    Only whole answers with status 200 are kept. No other answer stops calls for jobs, because it
    may be about the list alone; it only puts off the next fetch.

    Args:
        may_call: Whether the pump's lease still allows calls.
    """

    def __init__(
        self,
        documents: ListDocuments,
        *,
        provider: Provider,
        may_call: Callable[[], bool],
        clock: Clock,
    ) -> None:
        self._documents = documents
        self._provider = provider
        self._may_call = may_call
        self._clock = clock

    def next_due(self) -> str | None:
        """Return the list to fetch next; None if none is due.

        Raises:
            StoreUnavailable: The store did not answer.
        """
        requests, _ = self._documents.requests(self._provider.name)
        now = self._clock.now()
        return next(
            (
                name
                for name in self._provider.lists
                if name in requests and requests[name].is_due(now)
            ),
            None,
        )

    def fetch(self, name: str) -> float | None:
        """Fetch a list and keep its copy; a list that fails is left for later.

        The attempt is noted before the call, so that not even crashes repeat it at once.

        Returns:
            When the call ended, on the monotonic clock; None if none was made.
        """
        account, now = self._provider.name, self._clock.now()
        try:
            request = self._change(name, partial(tried, at=now))
        except StoreUnavailable as error:
            log.warning("list left for later", extra=_fields(account, name, error))
            return None
        if request.tried_at != now or not self._may_call():
            return None
        try:
            copy, failure = self._provider.lists[name](), None
        except NoAnswer as error:
            copy, failure = None, error
        ended_s = self._clock.monotonic()
        try:
            if copy is None:
                log.warning("list not fetched", extra=_fields(account, name, failure))
                self._change(name, partial(not_fetched, why=str(failure)))
            else:
                self._documents.keep(account, name, copy)
                self._change(name, partial(fetched, at=self._clock.now()))
                log.info("list fetched", extra=_fields(account, name))
        except StoreUnavailable as error:
            log.warning("list not kept", extra=_fields(account, name, error))
        return ended_s

    def _change(self, name: str, step: Callable[[ListRequest], ListRequest]) -> ListRequest:
        def taken(request: ListRequest | None) -> ListRequest:
            return step(request or ListRequest(asked_at=self._clock.now()))

        return _change(self._documents, self._provider.name, name, taken)


def _change(
    documents: ListDocuments,
    account: str,
    name: str,
    step: Callable[[ListRequest | None], ListRequest],
) -> ListRequest:
    """Take one step with the request for a list; write it if that changes it.

    Raises:
        StoreUnavailable: The store did not answer, or other writers were faster each time.
    """
    for _ in range(NOTE_TRIES):
        requests, version = documents.requests(account)
        before = requests.get(name)
        after = step(before)
        if after == before:
            return after
        try:
            documents.replace_requests(account, {**requests, name: after}, version=version)
        except LostRace:
            continue
        return after
    raise StoreUnavailable(f"lists of {account}")


def _fields(account: str, name: str, error: Exception | None = None) -> dict[str, dict[str, str]]:
    why = {} if error is None else {"why": str(error)}
    return {"fields": {"account": account, "list": name, **why}}
