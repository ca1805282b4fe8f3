"""Calls URLs that callers and providers name: so far only on hosts of the local stack."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import requests

from relay.application.ports import Download, EndpointReply
from relay.domain.catalogue.fields import LocalUrls, is_local_host
from relay.errors import CallForbidden, CallUnanswered, TooLarge

MAX_BYTES: Final = 25 * 1024 * 1024
TIMEOUT_S: Final = 15.0


class GuardedCalls:
    """Posts callbacks and fetches outputs.

    Args:
        local_hosts: Where calls may go; every other host is refused.
    """

    def __init__(self, *, local_hosts: LocalUrls = False) -> None:
        self._local_hosts = local_hosts

    def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> EndpointReply:
        """Post JSON and return the answer.

        Raises:
            CallForbidden: The host is not a local one.
            CallUnanswered: No answer came, or none in time.
        """
        sent = {**headers, "Content-Type": "application/json"}
        return EndpointReply(self._call("POST", url, headers=sent, body=body).status_code)

    def get(self, url: str) -> Download:
        """Fetch what a URL leads to.

        Raises:
            CallForbidden: The host is not a local one.
            TooLarge: It has more than 25 MiB.
            CallUnanswered: No answer came, or none in time.
        """
        answer = self._call("GET", url, headers={}, body=None)
        if len(answer.content) > MAX_BYTES:
            raise TooLarge
        return Download(answer.status_code, answer.content if answer.status_code == 200 else b"")

    def _call(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None
    ) -> requests.Response:
        if not is_local_host(urlsplit(url).hostname, self._local_hosts):
            raise CallForbidden("not a local host")
        try:
            return requests.request(
                method, url, headers=headers, data=body, timeout=TIMEOUT_S, allow_redirects=False
            )
        except requests.RequestException as error:
            raise CallUnanswered(type(error).__name__) from error
