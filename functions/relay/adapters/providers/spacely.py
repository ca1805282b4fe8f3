"""The Spacely AI Enterprise API: how a job is sent and how it is asked about."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import urlencode

from relay.adapters.providers.excerpt import excerpt, failure_text
from relay.adapters.providers.response_classifier import (
    acknowledgement,
    polled_body,
    polled_id,
    polled_word,
    submission_path,
)
from relay.adapters.transport import Transport
from relay.domain.answers import (
    Accepted,
    PollAnswer,
    ProviderCallback,
    UnknownJob,
    read_status,
    usable_id,
)
from relay.domain.catalogue.spacely import SPACELY
from relay.domain.job import Job
from relay.domain.limits import Limit
from relay.domain.poll_policy import PollPolicy
from relay.domain.provider_list import ProviderList
from relay.errors import NoAnswer, PerhapsAccepted

OPEN_WORDS = frozenset({"processing"})


class Spacely:
    """One Spacely account.

    Args:
        api_key: The account's key, fit to stand in a header.
        limit: The documented call limit of the account.
    """

    def __init__(self, *, transport: Transport, base_url: str, api_key: str, limit: Limit) -> None:
        self.name: str = SPACELY.name
        self.limit: Limit = limit
        self.poll_policy: PollPolicy = SPACELY.poll_policy
        self.lists: Mapping[str, Callable[[], ProviderList]] = {}
        self._transport = transport
        self._base_url = base_url.rstrip("/")
        self._api_key = api_key

    def submit(self, job: Job) -> Accepted:
        """Send the job.

        Raises:
            NotAccepted, PerhapsAccepted, JobRefused, AccountRefused: See `relay.errors`.
        """
        body = acknowledgement(
            partial(
                self._transport.post,
                self._base_url + submission_path(job),
                headers=self._headers(),
                body=json.dumps({**(job.known_input or {})}).encode(),
            ),
            secrets=(self._api_key,),
        )
        reference = body.get("data")
        provider_job_id = usable_id(reference) if isinstance(reference, str) else None
        if provider_job_id is None:
            raise PerhapsAccepted("the provider said yes without a reference")
        return Accepted(provider_job_id=provider_job_id, provider_status=None)

    def poll(self, job: Job) -> PollAnswer:
        """Ask how the job stands (Polling Data).

        Raises:
            NoAnswer, AccountRefused: See `relay.errors`.
        """
        query = urlencode({"refId": polled_id(job)})
        url = f"{self._base_url}/generate/poll-result?{query}"
        secrets = (self._api_key,)
        body = polled_body(
            partial(self._transport.get, url, headers=self._headers()), secrets=secrets
        )
        if isinstance(body, UnknownJob):
            return body
        progress = body.get("data")
        if not isinstance(progress, dict):
            raise NoAnswer("HTTP 200 without data")
        word = polled_word(progress.get("status"))
        return read_status(
            word=word,
            outputs=progress.get("result"),
            open_words=OPEN_WORDS,
            why=lambda: excerpt(failure_text(word, progress, body), secrets=secrets),
        )

    def _headers(self) -> dict[str, str]:
        return {"X-API-KEY": self._api_key}


def read_callback(body: object) -> ProviderCallback:
    """Read nothing, whatever was posted: Spacely documents no webhook, so it is a hint at most."""
    del body
    return ProviderCallback(provider_job_id=None, outputs=())
