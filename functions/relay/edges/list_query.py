"""The query of ``GET /v1/jobs``."""

import re
from dataclasses import dataclass

from werkzeug.datastructures import MultiDict

from relay.application.ports import JobFilter
from relay.domain.catalogue import CATALOGUE
from relay.domain.job import Status
from relay.edges.create_body import LONGEST_METADATA_KEY, LONGEST_METADATA_VALUE
from relay.errors import InvalidQuery

DEFAULT_PAGE_SIZE = 20
LARGEST_PAGE_SIZE = 100
METADATA = "metadata."
PARAMETERS = ("provider", "operation", "status", "pageSize", "pageToken")
# Whichever provider's: filters combine, and one that fits no job gives an empty list.
OPERATIONS = tuple(dict.fromkeys(name for one in CATALOGUE.values() for name in one.operations))
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
        InvalidQuery: Names the parameter that is unknown, repeated or wrong.
    """
    metadata_keys = [name for name in given if name.startswith(METADATA)]
    for name in given:
        if name not in PARAMETERS and name not in metadata_keys:
            known = ", ".join((*PARAMETERS, f"{METADATA}KEY"))
            raise InvalidQuery(name, f"there is no such parameter; there are {known}")
        if len(given.getlist(name)) > 1:
            raise InvalidQuery(name, f"{name} may be given once")
    if len(metadata_keys) > 1:
        raise InvalidQuery(metadata_keys[1], f"{METADATA}KEY may be given once")
    return ListQuery(
        wanted=JobFilter(
            provider=_one_of(given, "provider", tuple(CATALOGUE)),
            operation=_one_of(given, "operation", OPERATIONS),
            status=_status(given),
            metadata=_metadata(metadata_keys[0], given) if metadata_keys else None,
        ),
        page_size=_page_size(given),
        page_token=given.get("pageToken"),
    )


def _one_of(given: MultiDict[str, str], name: str, values: tuple[str, ...]) -> str | None:
    value = given.get(name)
    if value is not None and value not in values:
        raise InvalidQuery(name, f"{name} must be one of {', '.join(values)}")
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
