"""What the benchmarks make of their measurements."""

import pytest

from infra.bench.costs import temporal_usd
from infra.bench.duel import Duel, Side
from infra.bench.figure import Check, Figure, Table
from infra.bench.page import Machine, lines, markdown
from infra.bench.spread import Spread
from infra.bench.virtual import BEGINNING, VirtualClock
from infra.bench.volley import Answered


def a_side(*per_s: float) -> Side:
    return Side(per_s=per_s, cpu_s=(0.001,), answered=(Answered("a", 1.0, 1.5, 200),))


def a_figure(*, holds: bool) -> Figure:
    return Figure(
        title="Speed",
        notes=("How it   was measured.",),
        tables=(Table(caption="Times", head=("what", "ms"), rows=(("a", "1"),)),),
        checks=(Check(figure="speed", target="at most 1", measured="2", holds=holds),),
    )


def test_a_ratio_is_that_of_the_median_round():
    duel = Duel(senders=8, relay=a_side(10, 80, 30), floor=a_side(100, 100, 100))

    assert duel.ratio == pytest.approx(0.3)


def test_a_spread_is_in_milliseconds():
    spread = Spread.of([0.001] * 99 + [1.0])

    assert spread.p50 == pytest.approx(1.0)
    assert spread.above(spread) == Spread(p50=0.0, p95=0.0, p99=0.0)


@pytest.mark.parametrize(
    ("actions", "usd"),
    [(0, 100), (1e6, 100), (5e6, 300), (12.25e6, 250 + 225 + 50 + 100), (101e6, 3425 * 1.05)],
)
def test_actions_are_billed_by_tiers_above_those_of_the_plan(actions, usd):
    assert temporal_usd(actions) == pytest.approx(usd, rel=0.01)


@pytest.mark.parametrize(("holds", "verdict"), [(True, "holds"), (False, "FAILS")])
def test_every_check_is_on_the_page_and_in_the_terminal(holds, verdict):
    figure = a_figure(holds=holds)

    page = markdown([figure], Machine(cores=2, python="3.11", seconds=1.0))

    assert verdict in page
    assert "How it was measured." in page
    assert any(line.startswith("speed") and line.endswith(verdict) for line in lines([figure]))


def test_what_waits_in_virtual_time_lets_happen_what_is_planned_meanwhile():
    clock, seen = VirtualClock(), []
    clock.after(1.0, lambda: clock.sleep(5.0))
    clock.after(2.0, lambda: seen.append(clock.now() - BEGINNING))

    clock.run_until(3.0)

    assert [one.total_seconds() for one in seen] == [2.0]
    assert clock.monotonic() == 6.0
