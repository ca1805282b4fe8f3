"""What the pumps of one account tell each other: the lease, the calls that count."""

from dataclasses import replace
from typing import Any

import pytest

from relay.domain.account import (
    CALL_ARRIVES_WITHIN_S,
    LAST_CALL_BEFORE_S,
    LEASE_S,
    RENEW_EVERY_S,
    Account,
    calls_to_assume,
    calls_to_grant,
    free_in,
    given_back,
    is_renewal_overdue,
    taken,
)
from relay.domain.admission import Hold, Stop, TenantState
from relay.domain.catalogue import CATALOGUE
from relay.domain.job import ErrorCode
from relay.domain.limits import Limit
from tests.factories import NOON, busy_account, later

LIMIT = Limit(calls=120, window_s=60.0)
NEW = Account(name="gepetto")
BUSY = busy_account(calls_ago_s=(1.0,), granted=30, at_once=8)


@pytest.mark.parametrize(
    ("account", "age_s", "seconds"),
    [
        (NEW, 0, 0),
        (BUSY, 0, LEASE_S),
        (BUSY, LEASE_S - 0.25, 0.25),
        (BUSY, LEASE_S, 0),
        (BUSY, 300, 0),
        (given_back(BUSY, calls_ago_s=(), at=NOON), 0, 0),
    ],
    ids=["new", "just taken", "about to end", "over", "long over", "returned"],
)
def test_a_lease_is_free_once_it_is_old_enough_by_the_clock_of_the_store(account, age_s, seconds):
    assert free_in(account, age_s=age_s) == seconds


def test_a_lease_lasts_as_long_as_its_holder_said():
    assert free_in(replace(BUSY, lease_s=20.0), age_s=LEASE_S) == 20.0 - LEASE_S


def test_who_takes_a_lease_says_how_long_it_lasts_whatever_its_last_holder_said():
    account = taken(
        replace(BUSY, lease_s=20.0), holder="me", calls_ago_s=(), granted=0, at_once=1, at=NOON
    )

    assert account.lease_s == LEASE_S


@pytest.mark.parametrize(
    ("account", "age_s", "overdue"),
    [
        (BUSY, RENEW_EVERY_S, False),
        (BUSY, 2 * RENEW_EVERY_S, True),
        (NEW, 300, False),
        (given_back(BUSY, calls_ago_s=(), at=NOON), 300, False),
    ],
    ids=["at its time", "missed once", "new", "returned"],
)
def test_only_who_holds_a_lease_can_be_late_to_renew_it(account, age_s, overdue):
    assert is_renewal_overdue(account, age_s=age_s) is overdue


def test_after_a_clean_hand_over_exactly_the_recorded_calls_count():
    account = given_back(BUSY, calls_ago_s=(5.0, 3.0), at=NOON)

    assert calls_to_assume(account, limit=LIMIT, age_s=2.0) == [7.0, 5.0]


def test_what_was_assumed_after_a_crash_survives_the_hand_over_after_it():
    assumed = calls_to_assume(BUSY, limit=LIMIT, age_s=LEASE_S)
    account = given_back(BUSY, calls_ago_s=tuple(assumed), at=NOON)

    assert calls_to_assume(account, limit=LIMIT, age_s=1.0) == [ago_s + 1.0 for ago_s in assumed]


def test_after_a_crash_the_granted_calls_count_as_made_as_late_as_they_can_be():
    assumed = calls_to_assume(BUSY, limit=LIMIT, age_s=LEASE_S)

    in_the_air = LAST_CALL_BEFORE_S - CALL_ARRIVES_WITHIN_S
    assert assumed == [1.0 + LEASE_S] + [LAST_CALL_BEFORE_S] * 22 + [in_the_air] * 8


def test_no_more_calls_count_as_in_the_air_than_were_granted():
    account = busy_account(granted=3, at_once=8)

    assumed = calls_to_assume(account, limit=LIMIT, age_s=LEASE_S)

    assert assumed == [LAST_CALL_BEFORE_S - CALL_ARRIVES_WITHIN_S] * 3


def test_long_after_a_crash_nothing_counts_any_more():
    assumed = calls_to_assume(BUSY, limit=LIMIT, age_s=300)

    assert min(assumed) > LIMIT.window_s


def test_no_more_calls_are_assumed_than_the_limit_allows():
    account = busy_account(granted=500, at_once=32)

    assumed = calls_to_assume(account, limit=Limit(calls=100, window_s=1.0), age_s=LEASE_S)

    assert len(assumed) == 100


@pytest.mark.parametrize(("provider", "granted"), [("gepetto", 15), ("spacely", 120)])
def test_a_grant_lasts_until_the_renewal_and_is_less_than_a_window(provider, granted):
    limit = CATALOGUE[provider].limit

    assert calls_to_grant(limit, free=limit.used_calls) == granted


@pytest.mark.parametrize(("window_s", "granted"), [(1.2, 100), (1.3, 4)])
def test_a_grant_counts_on_places_that_calls_leave_before_the_renewal(window_s, granted):
    limit = Limit(calls=100, window_s=window_s)

    assert calls_to_grant(limit, free=4) == granted


def test_a_grant_is_no_more_than_the_places_that_are_left():
    assert calls_to_grant(LIMIT, free=4) == 4


def test_a_lease_that_was_given_back_has_no_holder_and_nothing_granted():
    account = given_back(BUSY, calls_ago_s=(3.0,), at=NOON)

    assert account == Account(name="gepetto", calls_ago_s=(3.0,), written_at=NOON)


def test_a_lease_that_was_given_back_keeps_what_the_next_pump_must_know():
    stop: dict[str, Any] = {"since": NOON, "probe_at": later(30), "gap_s": 30.0}
    hold = Hold(code=ErrorCode.PROVIDER_AUTH, status=401, **stop)
    told: dict[str, Any] = {
        "hold": hold,
        "pause": Stop(**stop),
        "outage": Stop(**stop),
        "accepted_at": NOON,
        "tenants": (TenantState(tenant="demo", failures=3),),
        "due_floor": NOON,
        "looked_back_at": NOON,
    }

    account = given_back(replace(BUSY, **told), calls_ago_s=(), at=NOON)

    assert account == Account(name="gepetto", written_at=NOON, **told)
