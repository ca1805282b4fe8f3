"""A hold is released by a probe that is made now, whoever works on the account."""

from dataclasses import replace

import pytest

from infra.operate.errors import StillPumping
from infra.operate.holds import TRIES, release_hold, with_probe_now
from relay.application.ports import StoredAccount
from relay.domain.account import Account, calls_to_assume, given_back
from relay.domain.limits import Limit
from tests.factories import NOON, a_hold, a_job, busy_account, later

LIMIT = Limit(calls=120, window_s=60.0)
FAR = {"probe_at": later(600), "gap_s": 600.0}


def on_hold(account: Account) -> Account:
    return replace(account, hold=a_hold(**FAR))


def release(world, *, dry_run=False):
    return release_hold(
        world.accounts, world.topics, world.clock, "gepetto", holder="operator", dry_run=dry_run
    )


def test_an_account_that_is_on_hold_is_probed_at_once(world):
    world.accounts.put(on_hold(Account(name="gepetto")))
    world.jobs.put(a_job())

    outcome = release(world)
    world.pump().run()

    assert outcome.data["released"] is True
    assert world.topics.ticks == ["gepetto"]
    assert world.provider.called("submit") == [a_job().id]
    assert world.seconds() < 60
    assert world.accounts.account().hold is None


def test_without_it_the_probe_would_come_later(world):
    world.accounts.put(on_hold(Account(name="gepetto")))
    world.jobs.put(a_job())

    world.pump().run()

    assert world.provider.called("submit") == []


def test_a_pump_that_is_working_gives_way_to_one_that_knows(world):
    world.accounts.put(on_hold(Account(name="gepetto")))
    world.jobs.put(a_job())

    def operate():
        stored = world.accounts.read("gepetto")
        written = with_probe_now(stored, holder="operator", at=world.clock.now())
        world.accounts.replace(written, version=stored.version)

    # The first write takes the lease, the second would renew it.
    world.accounts.before_next_write(lambda: None)
    world.accounts.before_next_write(operate)
    world.pump().run()
    assert world.accounts.account().hold.probe_at == world.clock.now()
    assert world.provider.called("submit") == []

    world.clock.advance(4)
    world.pump().run()

    assert world.provider.called("submit") == [a_job().id]


def test_the_tick_goes_out_when_the_old_lease_has_ended(world):
    world.accounts.put(on_hold(busy_account()))
    world.clock.advance(1.0)

    release(world)

    assert world.clock.naps == [pytest.approx(3.0)]
    assert world.topics.ticks == ["gepetto"]


@pytest.mark.parametrize("age_s", [0.0, 1.0, 3.9, 30.0])
@pytest.mark.parametrize("passed_s", [0.0, 2.0, 45.0])
@pytest.mark.parametrize("is_held", [True, False], ids=["held", "given back"])
def test_no_call_is_forgotten(age_s, passed_s, is_held):
    account = on_hold(busy_account(calls_ago_s=(-0.5, 3.0, 50.0)))
    if not is_held:
        account = given_back(account, calls_ago_s=(-0.5, 3.0, 50.0), at=NOON)

    after = with_probe_now(StoredAccount(account, 1, age_s), holder="operator", at=later(age_s))

    before = calls_to_assume(account, limit=LIMIT, age_s=age_s + passed_s)
    assert calls_to_assume(after, limit=LIMIT, age_s=passed_s) == pytest.approx(before)


def test_a_dry_run_writes_nothing(world):
    world.accounts.put(on_hold(busy_account()))

    outcome = release(world, dry_run=True)

    assert outcome.data["released"] is False
    (line,) = outcome.lines
    assert line.startswith(
        "Would have gepetto probed now instead of in 10 min: on hold since 0.0 s"
    )
    assert line.endswith("(provider_auth, HTTP 401).")
    assert (world.accounts.writes, world.topics.ticks) == (0, [])


def test_an_account_that_is_not_on_hold_is_left_alone(world):
    world.accounts.put(busy_account())

    outcome = release(world)

    assert outcome.lines == ["gepetto is not on hold."]
    assert (world.accounts.writes, world.topics.ticks) == (0, [])


def test_a_pump_that_writes_at_the_same_moment_is_met_again(world):
    world.accounts.put(on_hold(busy_account()))
    world.accounts.before_next_write(lambda: world.accounts.put(on_hold(busy_account(at=later(1)))))

    release(world)

    assert world.accounts.account().holder == "operator"


def test_a_pump_that_is_always_faster_is_reported(world):
    world.accounts.put(on_hold(busy_account()))
    for number in range(TRIES):
        again = on_hold(busy_account(at=later(number + 1)))
        world.accounts.before_next_write(lambda again=again: world.accounts.put(again))

    with pytest.raises(StillPumping, match="gepetto"):
        release(world)


def test_a_tick_that_is_lost_is_said(world):
    world.accounts.put(on_hold(Account(name="gepetto")))
    world.topics.fail()

    outcome = release(world)

    assert "scheduler's next one" in outcome.lines[0]
    assert world.accounts.account().hold.probe_at == NOON
