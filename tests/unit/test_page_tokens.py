"""Page tokens: what cannot be seen through one instance of the API."""

from datetime import timedelta

import pytest

from relay.application.list_position import ListPosition
from relay.application.ports import Cursor, JobFilter
from relay.domain.job import Status
from relay.edges.listing import PageTokens
from relay.errors import InvalidQuery
from tests.factories import JOB_ID, NOON

TENANTS = {"a" * 64: "demo", "b" * 64: "other"}
ANY = JobFilter()
PLACE = ListPosition(Cursor(NOON + timedelta(microseconds=1), JOB_ID))


@pytest.mark.parametrize(
    "at",
    [PLACE.place.at, NOON.replace(year=1970, month=1, day=1, hour=0), NOON.replace(year=9999)],
    ids=str,
)
def test_a_place_comes_back_to_the_microsecond(at):
    tokens = PageTokens(TENANTS)
    place = ListPosition(Cursor(at, JOB_ID))

    assert tokens.read("demo", ANY, tokens.write("demo", ANY, place)) == place


def test_every_instance_reads_what_another_wrote():
    token = PageTokens(TENANTS).write("demo", ANY, PLACE)

    assert PageTokens(dict(reversed(TENANTS.items()))).read("demo", ANY, token) == PLACE


def test_nobody_without_the_same_keys_writes_a_token():
    token = PageTokens(TENANTS | {"c" * 64: "demo"}).write("demo", ANY, PLACE)

    with pytest.raises(InvalidQuery):
        PageTokens(TENANTS).read("demo", ANY, token)


@pytest.mark.parametrize(
    "wanted",
    [
        JobFilter(provider="raw"),
        JobFilter(operation="raw"),
        JobFilter(metadata=("raw", "")),
        JobFilter(metadata=("", "raw")),
        JobFilter(statuses=(Status.QUEUED,)),
        JobFilter(statuses=(Status.QUEUED, Status.FAILED)),
        JobFilter(provider_job_id="gepetto"),
        JobFilter(created_after=NOON),
        JobFilter(created_before=NOON),
        JobFilter(ended_after=NOON),
        JobFilter(operation="queued"),
    ],
    ids=[
        "provider",
        "operation",
        "key",
        "value",
        "status",
        "two statuses",
        "render",
        "after",
        "before",
        "ended",
        "its word",
    ],
)
def test_no_two_filters_share_a_token(wanted):
    tokens = PageTokens(TENANTS)
    token = tokens.write("demo", JobFilter(provider="gepetto"), PLACE)

    with pytest.raises(InvalidQuery):
        tokens.read("demo", wanted, token)
    with pytest.raises(InvalidQuery):
        tokens.read("demo", ANY, tokens.write("demo", wanted, PLACE))
