"""The Gepetto API: how a job is sent, how it is asked about, what a callback says."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import quote

from relay.adapters.providers.excerpt import excerpt, failure_text
from relay.adapters.providers.response_classifier import (
    acknowledgement,
    polled_body,
    polled_id,
    polled_word,
    storable_word,
    submission_path,
    whole_list,
)
from relay.adapters.transport import Transport
from relay.domain.answers import (
    Accepted,
    PollAnswer,
    ProviderCallback,
    UnknownJob,
    read_status,
    usable_id,
    usable_outputs,
)
from relay.domain.catalogue.gepetto import GEPETTO
from relay.domain.job import Job
from relay.domain.limits import Limit
from relay.domain.poll_policy import PollPolicy
from relay.domain.provider_list import ProviderList
from relay.errors import PerhapsAccepted

OPEN_WORDS = frozenset({"pending"})


class Gepetto:
    """One Gepetto account.

    Args:
        api_key: The account's key, fit to stand in a header.
        limit: The documented call limit of the account.
        webhook_url: Makes the URL that Gepetto calls when the job is done.
    """

    def __init__(
        self,
        *,
        transport: Transport,
        base_url: str,
        api_key: str,
        limit: Limit,
        webhook_url: Callable[[Job], str],
    ) -> None:
        self.name: str = GEPETTO.name
        self.limit: Limit = limit
        self.poll_policy: PollPolicy = GEPETTO.poll_policy
        self.lists: Mapping[str, Callable[[], ProviderList]] = {
            name: partial(self._fetch_list, name) for name in GEPETTO.lists
        }
        self._transport = transport
        self._base_url = base_url.rstrip("/")
        self._api_key = api_key
        self._webhook_url = webhook_url

    def submit(self, job: Job) -> Accepted:
        """Send the job, always with our webhook: without one the call would block to the end.

        Raises:
            NotAccepted, PerhapsAccepted, JobRefused, AccountRefused: See `relay.errors`.
        """
        webhook_url = self._webhook_url(job)
        body = acknowledgement(
            partial(
                self._transport.post,
                self._base_url + submission_path(job),
                headers=self._headers(),
                body=json.dumps({**(job.known_input or {}), "webhook": webhook_url}).encode(),
            ),
            secrets=self._secrets(webhook_url),
        )
        provider_job_id = usable_id(body.get("id"))
        if provider_job_id is None:
            raise PerhapsAccepted("the provider said yes without an id")
        # The mode and the echoed inputs are wrong on several pages; see gepetto.md, 9.
        return Accepted(
            provider_job_id=provider_job_id,
            provider_status=storable_word(body.get("status")),
        )

    def poll(self, job: Job) -> PollAnswer:
        """Ask how the job stands (Get Job).

        Raises:
            NoAnswer, AccountRefused: See `relay.errors`.
        """
        provider_job_id = polled_id(job)
        if provider_job_id in (".", ".."):
            # Such a segment cannot be quoted: URLs with it mean another path.
            return UnknownJob()
        url = f"{self._base_url}/job/{quote(provider_job_id, safe='')}"
        secrets = self._secrets(self._webhook_url(job))
        body = polled_body(
            partial(self._transport.get, url, headers=self._headers()), secrets=secrets
        )
        if isinstance(body, UnknownJob):
            return body
        word = polled_word(body.get("status"))
        return read_status(
            word=word,
            outputs=body.get("output"),
            open_words=OPEN_WORDS,
            why=lambda: excerpt(failure_text(word, body), secrets=secrets),
        )

    def _secrets(self, webhook_url: str) -> tuple[str, ...]:
        """Return what must not be shown of what Gepetto says: the key and our own addresses."""
        base_url, _, _, token = webhook_url.rsplit("/", 3)
        return (self._api_key, webhook_url, base_url, base_url.partition("://")[2], token)

    def _fetch_list(self, name: str) -> ProviderList:
        url = f"{self._base_url}/{name}"
        return whole_list(partial(self._transport.get, url, headers=self._headers()))

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._api_key}"}


def read_callback(body: object) -> ProviderCallback:
    """Read what Gepetto posts to our webhook: ``{"id", "output"}``, and no status."""
    if not isinstance(body, dict):
        return ProviderCallback(provider_job_id=None, outputs=())
    given = body.get("id")
    provider_job_id = usable_id(given)
    return ProviderCallback(
        provider_job_id=provider_job_id,
        outputs=usable_outputs(body.get("output")),
        has_unusable_id=given is not None and provider_job_id is None,
    )
