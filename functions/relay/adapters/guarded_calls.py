"""Calls URLs that others name; a placeholder that calls none of them."""

from collections.abc import Mapping

from relay.application.ports import Download, EndpointReply
from relay.domain.catalogue.fields import LocalUrls
from relay.errors import CallUnanswered


class GuardedCalls:
    """Fulfils `Endpoints` and `Downloads`."""

    def __init__(self, *, local_hosts: LocalUrls = False) -> None:
        del local_hosts

    def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> EndpointReply:
        """See `Endpoints`."""
        del url, headers, body
        raise CallUnanswered("calls are not built yet")

    def get(self, url: str) -> Download:
        """See `Downloads`."""
        del url
        raise CallUnanswered("calls are not built yet")
