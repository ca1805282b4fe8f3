"""What the pumps of one account tell each other: the lease, the calls that count, the hold."""

import pytest

from relay.domain.account import (
    CALL_ARRIVES_WITHIN,
    CLOCK_SKEW,
    LEASE_S,
    Account,
    calls_to_assume,
    calls_to_grant,
    can_be_taken,
    given_back,
    held,
    taken,
)
from relay.domain.catalogue import CATALOGUE
from relay.domain.job import ErrorCode
from relay.domain.limits import Limit
from tests.factories import NOON, later

LIMIT = Limit(calls=120, window_s=60.0)
NEW = Account(name="gepetto")
BUSY = taken(NEW, holder="a", calls=(NOON,), granted=30, at=NOON)


@pytest.mark.parametrize(
    ("account", "seconds", "free"),
    [
        (NEW, 0, True),
        (BUSY, 0, False),
        (BUSY, 6, False),
        (BUSY, 7.999, False),
        (BUSY, 8, True),
        (given_back(BUSY, calls=()), 0, True),
    ],
    ids=["new", "just taken", "expired here", "perhaps not there", "expired anywhere", "returned"],
)
def test_a_lease_can_be_taken_once_no_clock_can_think_it_held(account, seconds, free):
    assert can_be_taken(account, at=later(seconds)) is free


def test_after_a_clean_hand_over_exactly_the_recorded_calls_count():
    account = given_back(BUSY, calls=(later(-5), later(-3)))

    assert calls_to_assume(account, limit=LIMIT, at=NOON) == [later(-3), later(-1)]


def test_a_call_that_is_recorded_as_still_to_come_stays_where_it_is():
    account = given_back(BUSY, calls=(later(1),))

    assert calls_to_assume(account, limit=LIMIT, at=NOON) == [later(1)]


def test_what_was_assumed_after_a_crash_survives_the_hand_over_after_it():
    assumed = calls_to_assume(BUSY, limit=LIMIT, at=later(8))
    account = given_back(BUSY, calls=tuple(assumed))

    assert calls_to_assume(account, limit=LIMIT, at=later(9))[1:] == assumed[1:]


def test_after_a_crash_the_granted_calls_count_as_made_as_late_as_they_can_be():
    assumed = calls_to_assume(BUSY, limit=LIMIT, at=later(8))

    latest = later(LEASE_S) + CALL_ARRIVES_WITHIN + CLOCK_SKEW
    assert assumed == [NOON + CLOCK_SKEW] + [latest] * 30


def test_long_after_a_crash_the_granted_calls_count_as_made_just_now():
    assumed = calls_to_assume(BUSY, limit=LIMIT, at=later(300))

    assert assumed[1:] == [later(300)] * 30


def test_no_more_calls_are_assumed_than_the_limit_allows():
    account = taken(NEW, holder="a", calls=(), granted=500, at=NOON)

    assumed = calls_to_assume(account, limit=Limit(calls=100, window_s=1.0), at=later(300))

    assert assumed == [later(300)] * 100


@pytest.mark.parametrize(("provider", "granted"), [("gepetto", 15), ("spacely", 200)])
def test_a_grant_lasts_until_the_renewal_and_is_less_than_a_window(provider, granted):
    limit = CATALOGUE[provider].limit

    assert calls_to_grant(limit, free=limit.used_calls) == granted


def test_a_grant_is_no_more_than_the_places_that_are_left():
    assert calls_to_grant(LIMIT, free=4) == 4


def test_a_lease_that_was_given_back_has_no_holder_and_nothing_granted():
    account = given_back(BUSY, calls=(later(3),))

    assert account == Account(name="gepetto", calls=(later(3),))


def test_a_hold_begins_with_a_probe_after_half_a_minute_and_keeps_its_beginning():
    first = held(None, code=ErrorCode.PROVIDER_AUTH, status=401, retry_after_s=None, at=NOON)
    second = held(first, code=ErrorCode.PROVIDER_AUTH, status=403, retry_after_s=None, at=later(30))

    assert (first.since, first.probe_at) == (NOON, later(30))
    assert (second.since, second.probe_at, second.status) == (NOON, later(90), 403)


def test_the_gaps_between_probes_double_up_to_ten_minutes():
    hold, gaps_s = None, []

    for _ in range(7):
        hold = held(hold, code=ErrorCode.PROVIDER_AUTH, status=401, retry_after_s=None, at=NOON)
        gaps_s.append((hold.probe_at - NOON).total_seconds())

    assert gaps_s == [30, 60, 120, 240, 480, 600, 600]


@pytest.mark.parametrize(
    ("retry_after_s", "wait_s"), [(None, 30), (0, 30), (10, 30), (100, 100), (10_000, 600)]
)
def test_what_the_provider_asks_for_counts_where_it_is_longer(retry_after_s, wait_s):
    code = ErrorCode.PROVIDER_OUT_OF_CREDITS

    hold = held(None, code=code, status=402, retry_after_s=retry_after_s, at=NOON)

    assert hold.probe_at == later(wait_s)
