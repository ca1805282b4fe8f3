"""When a list is fetched, and what a caller without a copy is told."""

from dataclasses import replace
from datetime import timedelta

import pytest

from relay.domain.provider_list import ListRequest, asked, fetched, not_fetched, tried
from tests.factories import NOON

NEW = ListRequest(asked_at=NOON)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BEGUN = tried(NEW, at=NOON)
KEPT = fetched(BEGUN, at=NOON)
FAILED = not_fetched(BEGUN, why="HTTP 404")


@pytest.mark.parametrize(
    ("request_", "after", "is_due"),
    [
        (NEW, timedelta(0), True),
        (NEW, timedelta(seconds=-1), True),
        (NEW, 7 * DAY - timedelta(seconds=1), True),
        (NEW, 7 * DAY, False),
        (BEGUN, timedelta(minutes=59), False),
        (BEGUN, HOUR, True),
        (FAILED, timedelta(minutes=59), False),
        (FAILED, HOUR, True),
        (KEPT, DAY - timedelta(seconds=1), False),
        (KEPT, DAY, True),
        (KEPT, 7 * DAY, False),
        (tried(KEPT, at=NOON + DAY), DAY + timedelta(minutes=59), False),
        (tried(KEPT, at=NOON + DAY), DAY + HOUR, True),
    ],
)
def test_a_list_is_due_once_a_day_once_an_hour_if_it_failed_and_never_if_nobody_asks(
    request_, after, is_due
):
    assert request_.is_due(NOON + after) is is_due


def test_a_request_is_noted_once_a_day_and_changes_nothing_else():
    assert asked(None, at=NOON) == NEW
    assert asked(FAILED, at=NOON + DAY - timedelta(seconds=1)) is FAILED
    assert asked(FAILED, at=NOON + DAY) == replace(FAILED, asked_at=NOON + DAY)


def test_a_list_that_is_not_due_is_not_tried():
    assert tried(KEPT, at=NOON + HOUR) is KEPT


@pytest.mark.parametrize(
    ("request_", "after", "retry_after_s"),
    [
        (NEW, timedelta(0), 5),
        (BEGUN, timedelta(seconds=1), 5),
        (KEPT, timedelta(seconds=1), 5),
        (FAILED, timedelta(seconds=1), 3599),
        (FAILED, timedelta(minutes=59, seconds=58), 5),
        (FAILED, 2 * HOUR, 5),
        (tried(FAILED, at=NOON + HOUR), HOUR, 5),
    ],
)
def test_a_caller_comes_back_soon_or_when_a_failed_fetch_is_repeated(
    request_, after, retry_after_s
):
    assert request_.retry_after_s(NOON + after) == retry_after_s
