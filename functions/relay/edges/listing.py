"""``GET /v1/jobs``: its query, and the tokens that say where a list goes on."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated

import msgspec
from itsdangerous import BadData, Signer
from werkzeug.datastructures import MultiDict

from relay.application.list_position import ListPosition
from relay.application.ports import Cursor, JobFilter
from relay.domain.answers import MAX_ID_LENGTH
from relay.domain.catalogue import CATALOGUE
from relay.domain.job import Status
from relay.domain.spelling import one_of, unknown
from relay.domain.validation import Mistakes, shortened
from relay.edges.bodies import LONGEST_METADATA_KEY, LONGEST_METADATA_VALUE
from relay.errors import MAX_MISTAKES, InvalidQuery

DEFAULT_PAGE_SIZE = 20
LARGEST_PAGE_SIZE = 100
PARAMETERS = (
    "provider",
    "operation",
    "status",
    "providerJobId",
    "createdAfter",
    "createdBefore",
    "endedAfter",
    "pageSize",
    "pageToken",
)
REPEATABLE = frozenset({"status"})
# Whichever provider's: filters combine, and one that fits no job gives an empty list.
OPERATIONS = tuple(dict.fromkeys(name for one in CATALOGUE.values() for name in one.operations))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SIZE = re.compile(r"[1-9][0-9]{0,5}")
# Clients that are generated write a map's keys in brackets.
_METADATA = re.compile(r"metadata(?:\.(?P<dotted>.*)|\[(?P<bracketed>.*)\])", re.DOTALL)
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class ListQuery(msgspec.Struct, frozen=True, kw_only=True):
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
    metadata_names = [name for name in given if _METADATA.fullmatch(name)]
    for error in islice(_odd_names(given), MAX_MISTAKES):
        mistakes.add(error)
    if len(metadata_names) > 1:
        mistakes.add(InvalidQuery(metadata_names[1], "metadata.KEY may be given once"))
    read = mistakes.attempt
    query = ListQuery(
        wanted=JobFilter(
            provider=read(_one_of, given, "provider", tuple(CATALOGUE)),
            operation=read(_one_of, given, "operation", OPERATIONS),
            statuses=read(_statuses, given) or (),
            metadata=read(_metadata, metadata_names[0], given) if metadata_names else None,
            provider_job_id=read(_provider_job_id, given),
            created_after=read(_moment, given, "createdAfter"),
            created_before=read(_moment, given, "createdBefore"),
            ended_after=read(_moment, given, "endedAfter"),
        ),
        page_size=read(_page_size, given) or DEFAULT_PAGE_SIZE,
        page_token=given.get("pageToken"),
    )
    mistakes.raise_if_any()
    return query


def _odd_names(given: MultiDict[str, str]) -> Iterator[InvalidQuery]:
    known = (*PARAMETERS, "metadata.KEY")
    for name in given:
        if name not in PARAMETERS and not _METADATA.fullmatch(name):
            yield InvalidQuery(name, unknown("there is no such parameter", name, known))
        elif name not in REPEATABLE and len(given.getlist(name)) > 1:
            yield InvalidQuery(name, f"{shortened(name)} may be given once")


def _one_of(given: MultiDict[str, str], name: str, values: tuple[str, ...]) -> str | None:
    value = given.get(name)
    if value is not None and value not in values:
        raise InvalidQuery(name, f"{name} {one_of(value, values)}")
    return value


def _statuses(given: MultiDict[str, str]) -> tuple[Status, ...]:
    words = given.getlist("status")
    for word in words:
        if word not in tuple(Status):
            raise InvalidQuery("status", f"status {one_of(word, tuple(Status))}")
    return tuple(status for status in Status if status in words)


def _provider_job_id(given: MultiDict[str, str]) -> str | None:
    value = given.get("providerJobId")
    if value is not None and not 1 <= len(value) <= MAX_ID_LENGTH:
        raise InvalidQuery("providerJobId", f"providerJobId has 1 to {MAX_ID_LENGTH} characters")
    return value


def _moment(given: MultiDict[str, str], name: str) -> datetime | None:
    text = given.get(name)
    if text is None:
        return None
    try:
        return msgspec.convert(text, _Moment).astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        raise InvalidQuery(
            name,
            f"{name} must be a time as RFC 3339 has it, such as 2026-01-02T12:00:00Z;"
            " a + in it is sent as %2B",
        ) from None


def _metadata(name: str, given: MultiDict[str, str]) -> tuple[str, str]:
    match = _METADATA.fullmatch(name)
    key = (match["dotted"] or match["bracketed"] or "") if match else ""
    value = given[name]
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

    A token is the position at which a page ended, signed for a tenant and its filters. One of a
    list of ended jobs is good with any ``endedAfter``: it can be kept for weeks. The key is
    made from the digests in ``API_KEYS``: ``jobs_api`` has no other secret. When a key is added or
    removed, lists that are being read have to be begun again.

    Args:
        tenants: The tenant of each key, by the key's SHA-256 digest in hex.
    """

    def __init__(self, tenants: Mapping[str, str]) -> None:
        self._key = json.dumps(["render-relay page token", sorted(tenants)])

    def write(self, tenant: str, wanted: JobFilter, end: ListPosition) -> str:
        """Return the token of the page after this position."""
        text = f"{_micros(end.place.at)}.{end.place.job_id}"
        if end.settled is not None:
            text = f"{text}.{_micros(end.settled)}"
        return self._signer(tenant, wanted).sign(text).decode()

    def read(self, tenant: str, wanted: JobFilter, text: str) -> ListPosition:
        """Return the position that a token stands for.

        Raises:
            InvalidQuery: It is not one of ours, or was made for something else.
        """
        try:
            at, job_id, *settled = self._signer(tenant, wanted).unsign(text).decode().split(".")
            end = ListPosition(Cursor(_time(at), job_id), _time(settled[0]) if settled else None)
        except (BadData, ValueError):
            raise _wrong_token() from None
        # The signature is also accepted in other spellings of base64.
        if self.write(tenant, wanted, end) != text:
            raise _wrong_token()
        return end

    def _signer(self, tenant: str, wanted: JobFilter) -> Signer:
        created = (wanted.created_after, wanted.created_before)
        bound_to = [
            tenant,
            wanted.provider,
            wanted.operation,
            wanted.statuses,
            wanted.metadata,
            wanted.provider_job_id,
            [None if moment is None else _micros(moment) for moment in created],
            wanted.ended_after is not None,
        ]
        salt = json.dumps(bound_to)
        return Signer(self._key, salt, key_derivation="hmac", digest_method=hashlib.sha256)


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _time(micros: str) -> datetime:
    return _EPOCH + int(micros) * _MICROSECOND


def _wrong_token() -> InvalidQuery:
    return InvalidQuery(
        "pageToken", "pageToken must be the nextPageToken of a list with the same filters"
    )
