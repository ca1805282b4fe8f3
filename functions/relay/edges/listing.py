"""``GET /v1/jobs``: its query, and the tokens that say where a list goes on."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from itsdangerous import BadData, Signer
from werkzeug.datastructures import MultiDict

from relay.application.ports import Cursor, JobFilter
from relay.domain.catalogue import CATALOGUE
from relay.domain.job import Status
from relay.domain.spelling import one_of, unknown
from relay.domain.validation import Mistakes, shortened
from relay.edges.bodies import LONGEST_METADATA_KEY, LONGEST_METADATA_VALUE
from relay.errors import MOST_MISTAKES, InvalidQuery

DEFAULT_PAGE_SIZE = 20
LARGEST_PAGE_SIZE = 100
METADATA = "metadata."
PARAMETERS = ("provider", "operation", "status", "pageSize", "pageToken")
# Whichever provider's: filters combine, and one that fits no job gives an empty list.
OPERATIONS = tuple(dict.fromkeys(name for one in CATALOGUE.values() for name in one.operations))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SIZE = re.compile(r"[1-9][0-9]{0,5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """What a caller wants to see.

    Attributes:
        page_token: As it was sent, unread; None for the first page.
    """

    wanted: JobFilter
    page_size: int
    page_token: str | None


def read_list_query(given: MultiDict[str, str]) -> ListQuery:
    """Return what the query asks for.

    Raises:
        InvalidQuery: Names the parameters that are unknown, repeated or wrong.
    """
    mistakes = Mistakes()
    metadata_keys = [name for name in given if name.startswith(METADATA)]
    for error in islice(_odd_names(given), MOST_MISTAKES):
        mistakes.add(error)
    if len(metadata_keys) > 1:
        mistakes.add(InvalidQuery(metadata_keys[1], f"{METADATA}KEY may be given once"))
    read = mistakes.attempt
    query = ListQuery(
        wanted=JobFilter(
            provider=read(_one_of, given, "provider", tuple(CATALOGUE)),
            operation=read(_one_of, given, "operation", OPERATIONS),
            status=read(_status, given),
            metadata=read(_metadata, metadata_keys[0], given) if metadata_keys else None,
        ),
        page_size=read(_page_size, given) or DEFAULT_PAGE_SIZE,
        page_token=given.get("pageToken"),
    )
    mistakes.complain()
    return query


def _odd_names(given: MultiDict[str, str]) -> Iterator[InvalidQuery]:
    known = (*PARAMETERS, f"{METADATA}KEY")
    for name in given:
        if name not in PARAMETERS and not name.startswith(METADATA):
            yield InvalidQuery(name, unknown("there is no such parameter", name, known))
        elif len(given.getlist(name)) > 1:
            yield InvalidQuery(name, f"{shortened(name)} may be given once")


def _one_of(given: MultiDict[str, str], name: str, values: tuple[str, ...]) -> str | None:
    value = given.get(name)
    if value is not None and value not in values:
        raise InvalidQuery(name, f"{name} {one_of(value, values)}")
    return value


def _status(given: MultiDict[str, str]) -> Status | None:
    word = _one_of(given, "status", tuple(Status))
    return None if word is None else Status(word)


def _metadata(name: str, given: MultiDict[str, str]) -> tuple[str, str]:
    key, value = name.removeprefix(METADATA), given[name]
    if not 1 <= len(key) <= LONGEST_METADATA_KEY:
        raise InvalidQuery(name, f"the key has 1 to {LONGEST_METADATA_KEY} characters")
    if len(value) > LONGEST_METADATA_VALUE:
        raise InvalidQuery(name, f"the value has at most {LONGEST_METADATA_VALUE} characters")
    return key, value


def _page_size(given: MultiDict[str, str]) -> int:
    text = given.get("pageSize")
    if text is None:
        return DEFAULT_PAGE_SIZE
    if not _SIZE.fullmatch(text) or int(text) > LARGEST_PAGE_SIZE:
        raise InvalidQuery("pageSize", f"pageSize must be a number from 1 to {LARGEST_PAGE_SIZE}")
    return int(text)


class PageTokens:
    """Writes page tokens and reads them back.

    A token is the place at which a page ended, signed for a tenant and its filters. The key is
    made from the digests in ``API_KEYS``: ``jobs_api`` has no other secret. When a key is added or
    removed, lists that are being read have to be begun again.

    Args:
        tenants: The tenant of each key, by the key's SHA-256 digest in hex.
    """

    def __init__(self, tenants: Mapping[str, str]) -> None:
        self._key = json.dumps(["render-relay page token", sorted(tenants)])

    def write(self, tenant: str, wanted: JobFilter, end: Cursor) -> str:
        """Return the token of the page after this place."""
        micros = (end.created_at - _EPOCH) // _MICROSECOND
        return self._signer(tenant, wanted).sign(f"{micros}.{end.job_id}").decode()

    def read(self, tenant: str, wanted: JobFilter, text: str) -> Cursor:
        """Return the place that a token stands for.

        Raises:
            InvalidQuery: It is not one of ours, or was made for something else.
        """
        try:
            place = self._signer(tenant, wanted).unsign(text).decode()
            micros, _, job_id = place.partition(".")
            end = Cursor(_EPOCH + int(micros) * _MICROSECOND, job_id)
        except (BadData, ValueError):
            raise _wrong_token() from None
        # The signature is also accepted in other spellings of base64.
        if self.write(tenant, wanted, end) != text:
            raise _wrong_token()
        return end

    def _signer(self, tenant: str, wanted: JobFilter) -> Signer:
        bound_to = [tenant, wanted.provider, wanted.operation, wanted.status, wanted.metadata]
        salt = json.dumps(bound_to)
        return Signer(self._key, salt, key_derivation="hmac", digest_method=hashlib.sha256)


def _wrong_token() -> InvalidQuery:
    return InvalidQuery(
        "pageToken", "pageToken must be the nextPageToken of a list with the same filters"
    )
