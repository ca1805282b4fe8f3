"""Page tokens: where a list goes on, in a text that only we can write.

A token is bound to the tenant and the filters that it was made for. Its key is made from the
digests in ``API_KEYS``: ``jobs_api`` has no other secret. When a key is added or removed, lists
that are being read have to be begun again.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from relay.application.ports import Cursor, JobFilter
from relay.domain.job import is_job_id
from relay.errors import InvalidQuery

MAC_BYTES = 16
TIME_BYTES = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class PageTokens:
    """Writes page tokens and reads them back.

    Args:
        tenants: The tenant of each key, by the key's SHA-256 digest in hex.
    """

    def __init__(self, tenants: Mapping[str, str]) -> None:
        seed = json.dumps(["render-relay page token", sorted(tenants)])
        self._key = hashlib.sha256(seed.encode()).digest()

    def write(self, tenant: str, wanted: JobFilter, end: Cursor) -> str:
        """Return the token of the page after this place."""
        micros = (end.created_at - _EPOCH) // _MICROSECOND
        place = micros.to_bytes(TIME_BYTES, "big") + end.job_id.encode()
        return _encoded(self._mac(tenant, wanted, place) + place)

    def read(self, tenant: str, wanted: JobFilter, text: str) -> Cursor:
        """Return the place that a token stands for.

        Raises:
            InvalidQuery: It is not one of ours, or was made for something else.
        """
        token = _decoded(text)
        mac, place = token[:MAC_BYTES], token[MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(tenant, wanted, place)):
            raise _wrong()
        job_id = place[TIME_BYTES:].decode()
        if not is_job_id(job_id):
            raise _wrong()
        micros = int.from_bytes(place[:TIME_BYTES], "big")
        return Cursor(_EPOCH + micros * _MICROSECOND, job_id)

    def _mac(self, tenant: str, wanted: JobFilter, place: bytes) -> bytes:
        bound_to = json.dumps(
            [tenant, wanted.provider, wanted.operation, wanted.status, wanted.metadata]
        )
        return hmac.digest(self._key, bound_to.encode() + b"\0" + place, "sha256")[:MAC_BYTES]


def _decoded(text: str) -> bytes:
    try:
        token = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _wrong() from None
    # The decoder takes some other texts for the same bytes.
    if _encoded(token) != text:
        raise _wrong()
    return token


def _encoded(token: bytes) -> str:
    return base64.urlsafe_b64encode(token).decode().rstrip("=")


def _wrong() -> InvalidQuery:
    return InvalidQuery(
        "pageToken", "pageToken must be the nextPageToken of a list with the same filters"
    )
