"""The levers of the bill: what is measured, held against targets and shown."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from infra.bench.__main__ import benchmarks_page
from infra.bench.bill import (
    CASES,
    LEVERS,
    LONG,
    MAX_ALONE_USD,
    SHORT,
    Bill,
    Noticing,
    Row,
    Way,
    checks,
    deployment,
    million_usd,
    pumps,
)
from infra.bench.operations import INSTANCE, MILLION, WEBHOOK, Usage, count_alone, relay_usd
from relay.application.lease import Lease

pytestmark = pytest.mark.thorough


def a_bill(default_usd: Sequence[float], *, later: float = 1.0) -> Bill:
    """Return a bill with these dollars for the default, and more for every other lever."""
    rows = [
        Row(lever=one, usd=default_usd if one.is_default else [usd + 1e6 for usd in default_usd])
        for one in LEVERS
    ]
    before = Noticing(way=Way.STAY, short_s=[5.0] * 20, long_s=[30.0])
    after = Noticing(way=Way.LEAVE, short_s=[5.0 * later] * 20, long_s=[70.0])
    return Bill(rows=rows, noticed=[before, after])


def test_one_lever_is_the_default():
    assert sum(one.is_default for one in LEVERS) == 1


def test_the_default_is_held_against_every_target():
    found = list(checks(a_bill([40.0, 40.0, 500.0, 5e3, 5e3, 2000.0], later=1.2)))

    assert [one.holds for one in found] == [True] * 4


@pytest.mark.parametrize(
    ("case", "usd"),
    [((WEBHOOK, "among others"), 40.01), ((SHORT, "among others"), 40.01), ((LONG, "alone"), 2001)],
    ids=["webhooks", "short renders", "lonely long renders"],
)
def test_a_default_that_costs_too_much_misses_its_target(case, usd):
    dollars = [usd if one == case else 1.0 for one in CASES]

    assert [one.holds for one in checks(a_bill(dollars))].count(False) == 1


def test_renders_that_are_noticed_too_late_miss_their_target():
    last = list(checks(a_bill([1.0] * len(CASES), later=1.21)))[-1]

    assert not last.holds
    assert "1.21" in last.measured


def test_levers_and_noticing_are_on_the_page():
    bill = a_bill([31.0, 32.0, 33.0, 34.0, 35.0, MAX_ALONE_USD])

    page = benchmarks_page({"bill": bill}, list(checks(bill)))

    dollars = "| $31.00 | $32.00 | $33.00 | $34.00 | $35.00 | $2,000.00 |".replace("$", "")
    assert f"| **0.3 vCPU, 512 MiB; pumps leave (default)** {dollars}" in page
    assert f"| {LEVERS[0].name} | 1,000,031.00 |" in page
    assert f"| {Way.LEAVE} | 5.0 | 70.0 |" in page


@pytest.mark.emulator
def test_an_alarm_clock_would_wake_pumps_on_time_and_be_billed(firestore_emulator: str) -> None:
    relay = deployment(firestore_emulator, SHORT, Way.ALARM)
    with pumps(Way.ALARM):
        usage = count_alone(relay)

    polls = usage.calls_per_job("provider poll")
    added_usd = million_usd(usage, INSTANCE) - sum(relay_usd(usage, pump=INSTANCE).values())
    assert polls <= usage.calls["alarm"] <= polls + 2
    assert usage.pump_s < 15
    assert added_usd == pytest.approx(usage.calls["alarm"] * (0.8e-6 + 0.3 * 25.25e-6) * MILLION)


@pytest.mark.emulator
def test_a_pump_with_an_alarm_clock_does_not_come_back_at_once(
    firestore_emulator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, runs = Lease.take, count(1)

    def counted(*given: Any, **named: Any) -> Lease | None:
        assert next(runs) < 100
        return take(*given, **named)

    monkeypatch.setattr(Lease, "take", counted)
    relay = deployment(firestore_emulator, SHORT, Way.ALARM)
    with pumps(Way.ALARM):
        for number in range(6):
            relay.clock.after(2.6 * number, relay.create)
        relay.clock.run_until(20.0)

    assert relay.usage().windows > 1


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("take_s", "is_left"), [(60.0, False), (200.0, True)], ids=["a minute", "more than two"]
)
def test_a_lonely_render_costs_less_only_from_two_minutes_on(
    firestore_emulator: str, take_s: float, is_left: bool
) -> None:
    def followed(way: Way) -> tuple[Usage, float]:
        relay = deployment(firestore_emulator, replace(SHORT, take_s=take_s), way)
        with pumps(way):
            usage = count_alone(relay)
        return usage, relay.noticed_s[0]

    (stays, noticed_s), (leaves, noticed_later_s) = followed(Way.STAY), followed(Way.LEAVE)

    if is_left:
        assert leaves.pump_s < stays.pump_s - 20
        assert sum(relay_usd(leaves).values()) < sum(relay_usd(stays).values())
        assert noticed_later_s < 61
    else:
        assert leaves.operations == stays.operations
        assert noticed_later_s == noticed_s
