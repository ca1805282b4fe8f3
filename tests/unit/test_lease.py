"""One pump's lease, as it is taken, renewed, lost and given back."""

from dataclasses import replace
from functools import partial

import pytest

from relay.application.lease import TAKE_TRIES, Lease
from relay.domain.account import LAST_CALL_BEFORE_S, LEASE_S, RENEW_EVERY_S, Account, given_back
from relay.domain.limits import Limit
from relay.errors import LostRace, StoreUnavailable
from tests.factories import NOON, busy_account

LIMIT = Limit(calls=10, window_s=60.0)


def take(world, *, holder="me", limit=LIMIT):
    return Lease.take(
        world.accounts, name="gepetto", limit=limit, holder=holder, at_once=4, clock=world.clock
    )


def test_a_free_lease_is_written_before_it_is_had(world):
    lease = take(world)

    account = world.accounts.account()
    assert lease.may_call()
    assert (account.holder, account.lease_s, account.granted) == ("me", LEASE_S, 1)
    assert account.at_once == 4


def test_the_last_call_begins_half_a_second_before_others_may_take_over(world):
    lease = take(world)

    world.clock.advance(3.49)
    assert lease.may_call()
    world.clock.advance(0.02)
    assert not lease.may_call()


def test_a_lease_that_another_has_is_not_had(world):
    take(world, holder="another")

    assert take(world) is None


def test_one_whose_reply_was_lost_is_ours_and_nothing_was_called_under_it(world):
    world.accounts.lose_replies()

    lease = take(world)

    assert lease.may_call()
    assert world.accounts.account().calls_ago_s == ()


def test_nothing_can_be_told_of_a_lease_when_the_store_is_away(world):
    world.accounts.is_down = True

    with pytest.raises(StoreUnavailable):
        take(world)


@pytest.mark.parametrize("store", ["away", "faster"])
def test_it_is_tried_for_six_times(world, store):
    if store == "away":
        world.accounts.is_down = True
        with pytest.raises(StoreUnavailable):
            take(world)
    else:
        for number in range(9):
            another = given_back(Account(name="gepetto"), calls_ago_s=(float(number),), at=NOON)
            world.accounts.before_next_write(partial(world.accounts.put, another))
        assert take(world) is None

    assert world.accounts.calls.count("read") == 6


def test_it_is_had_at_last_from_a_store_that_is_slow_to_answer(world):
    world.accounts.lose_requests(TAKE_TRIES - 1)

    assert take(world).may_call()


def test_it_allows_calls_until_shortly_before_others_may_take_it(world):
    lease = take(world)

    world.clock.advance(LEASE_S - LAST_CALL_BEFORE_S - 0.001)
    assert lease.may_call()

    world.clock.advance(0.001)
    assert not lease.may_call()


def test_a_clock_that_is_set_back_does_not_prolong_it(world):
    lease = take(world)
    world.clock.advance(LEASE_S)
    world.clock.set_back(LEASE_S)

    assert not lease.may_call()


def test_one_that_a_machine_slept_through_is_over(world):
    """Its clock that is never set may have slept as well."""
    lease = take(world)
    world.clock.set_back(-LEASE_S)

    assert not lease.may_call()


def test_renewed_it_lasts_from_then_on(world):
    lease = take(world)

    world.clock.advance(3)
    lease.renew_if_due()
    world.clock.advance(3)

    assert lease.may_call()
    assert world.accounts.read("gepetto").age_s == 3


def test_a_renewal_that_says_nothing_new_is_a_write_all_the_same(world):
    """One that changes nothing leaves the time of Firestore's last write as it was."""
    lease = take(world)
    before = world.accounts.account()
    world.clock.advance(3)
    lease.renew_if_due()

    renewed = world.accounts.account()
    assert replace(renewed, written_at=before.written_at) == before
    assert world.accounts.read("gepetto").age_s == 0


def test_it_is_not_written_more_often_than_it_must_be(world):
    lease = take(world)

    for _ in range(100):
        world.clock.advance(0.1)
        lease.renew_if_due()

    assert world.accounts.calls.count("replace") == 1 + int(10 / RENEW_EVERY_S)


def test_one_that_should_have_been_renewed_is_waited_for_and_taken(world):
    take(world, holder="dead")
    world.clock.advance(LEASE_S - 1)

    lease = take(world)

    assert lease.may_call()
    assert world.clock.naps == [1]


def test_calls_count_by_their_age_when_the_lease_is_had_not_when_it_was_waited_for(world):
    world.accounts.put(busy_account(calls_ago_s=(50.0,), granted=0))
    world.clock.advance(LEASE_S - 1)

    lease = take(world)

    now_s = world.clock.monotonic()
    assert [now_s - ended_s for ended_s in lease.window.recent(now_s)] == [50 + LEASE_S]


def test_one_that_is_renewed_late_is_left_to_its_holder(world):
    slow = take(world, holder="slow")
    world.clock.advance(LEASE_S - 1)
    world.clock.after(0.5, slow.renew_if_due)

    assert take(world) is None
    assert slow.may_call()


def test_its_grant_is_written_again_before_it_is_exceeded(world):
    lease = take(world)

    made = [lease.start_call() for _ in range(5)]

    assert made == [True] * 5
    # The four that were in the air at the last write, and one more.
    assert world.accounts.account().granted == 4 + 1
    assert world.accounts.account().calls_ago_s == ()


def test_nothing_is_granted_that_the_limit_has_no_place_for(world):
    world.accounts.put(Account(name="gepetto", calls_ago_s=(1.0,) * LIMIT.used_calls))

    take(world)

    assert world.accounts.account().granted == 0


def test_without_a_grant_there_is_no_call(world):
    lease = take(world)
    lease.start_call()
    world.accounts.is_down = True

    assert lease.start_call() is False


def test_no_more_calls_start_than_the_limit_has_places(world):
    lease = take(world)

    made = [lease.start_call() for _ in range(12)]

    assert made.count(True) == LIMIT.used_calls == 9


def test_one_that_ran_out_is_kept_if_nobody_took_it(world):
    lease = take(world)
    world.clock.advance(LEASE_S + 10)

    assert lease.is_kept()
    assert lease.may_call()


def test_one_that_ran_out_is_kept_after_a_renewal_whose_reply_was_lost(world):
    lease = take(world)
    world.clock.advance(RENEW_EVERY_S)
    world.accounts.lose_replies()
    lease.renew_if_due()
    world.clock.advance(LEASE_S)

    assert lease.is_kept()


def test_one_that_ran_out_and_another_took_is_not_kept(world):
    lease = take(world)
    world.clock.advance(LEASE_S)
    take(world, holder="another")

    assert not lease.is_kept()
    assert not lease.is_kept()
    assert world.accounts.account().holder == "another"


def test_once_another_has_it_it_is_lost_for_good(world):
    lease = take(world)
    world.accounts.put(busy_account(holder="b"))
    world.clock.advance(3)

    lease.renew_if_due()

    assert not lease.may_call()
    tried = world.accounts.writes
    assert not lease.is_kept()
    assert world.accounts.writes == tried
    lease.give_back()
    assert world.accounts.account().holder == "b"


def renewed_without_a_reply(world):
    """Return a lease whose renewal a second ago was written, but not heard of."""
    lease = take(world)
    world.clock.advance(2)
    world.accounts.lose_replies()
    lease.renew_if_due()
    world.clock.advance(1)
    return lease


def test_a_renewal_whose_reply_was_lost_is_recognised_by_the_next(world):
    lease = renewed_without_a_reply(world)

    lease.renew_if_due()
    lease.renew_if_due()

    world.clock.advance(3)
    assert lease.may_call()


def test_one_whose_holder_cannot_be_read_after_a_lost_reply_is_not_lost(world):
    lease = renewed_without_a_reply(world)

    def away(_name):
        raise StoreUnavailable("simulated")

    world.accounts.read = away
    lease.renew_if_due()

    assert lease.is_kept()


def test_a_renewal_that_failed_is_tried_again_half_a_second_later(world):
    lease = take(world)
    world.clock.advance(RENEW_EVERY_S)
    world.accounts.is_down = True
    lease.renew_if_due()
    world.accounts.is_down = False
    world.accounts.calls.clear()

    world.clock.advance(0.49)
    lease.renew_if_due()
    assert world.accounts.calls == []

    world.clock.advance(0.01)
    lease.renew_if_due()
    assert world.accounts.calls == ["replace"]


def test_given_back_it_passes_on_the_calls_that_still_count(world):
    world.accounts.put(Account(name="gepetto", calls_ago_s=(50.0, 100.0)))
    lease = take(world)
    lease.start_call()
    world.clock.advance(3)
    lease.window.end(world.clock.monotonic())

    lease.give_back()

    account = world.accounts.account()
    assert (account.holder, account.granted) == (None, 0)
    assert account.calls_ago_s == (53.0, 0.0)
    assert not lease.may_call()


def test_it_is_given_back_with_three_tries(world):
    lease = take(world)
    world.accounts.is_down = True
    tried = world.accounts.calls.count("replace")

    lease.give_back()

    assert world.accounts.calls.count("replace") - tried == 3


def test_one_that_ran_out_is_renewed_with_two_tries(world):
    lease = take(world)
    world.clock.advance(LEASE_S)
    tried = world.accounts.calls.count("replace")
    # The lease stays ours, but no write of it is ever answered.
    world.accounts.replace = partial(lose_race, world)

    assert not lease.is_kept()
    assert world.accounts.calls.count("replace") - tried == 2


def lose_race(world, *_args, **_more):
    world.accounts.calls.append("replace")
    raise LostRace("gepetto")


def test_one_that_cannot_be_given_back_runs_out_by_itself(world):
    lease = take(world)
    world.accounts.is_down = True

    lease.give_back()

    assert not lease.may_call()
    assert world.accounts.account().holder == "me"


def test_it_is_given_back_even_if_the_reply_to_its_last_renewal_was_lost(world):
    lease = take(world)
    world.clock.advance(3)
    world.accounts.lose_replies()
    lease.renew_if_due()

    lease.give_back()

    assert world.accounts.account().holder is None


def test_one_that_somebody_else_holds_by_now_is_not_given_back(world):
    lease = take(world)
    world.accounts.put(replace(world.accounts.account(), holder="another"))

    lease.give_back()

    assert world.accounts.account().holder == "another"


def test_a_write_of_ours_that_landed_late_is_no_other_pump(world):
    """It was given up as unanswered, and then beat our second try."""
    mine = busy_account(holder="mine")
    world.accounts.before_next_write(lambda: world.accounts.put(mine))

    lease = take(world, holder="mine")

    assert lease is not None
    assert lease.may_call()
