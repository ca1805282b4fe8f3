"""What the benchmarks make of their measurements."""

import io
from collections import Counter

import pytest

from infra.bench.__main__ import benchmarks_page
from infra.bench.deliveries import ALL_HEALTHY, CASES, Delivered
from infra.bench.growth import BusyAccounts, Tick, draw_growth
from infra.bench.http_functions import SENDERS, ColdStart, draw_throughput
from infra.bench.memory import Peak
from infra.bench.neighbours import NEIGHBOURS, Waited
from infra.bench.operations import KINDS, Cost, Usage, draw_cost
from infra.bench.pump import Pumped
from infra.bench.report import Check, Percentiles, show
from infra.bench.store import FOUND, QUERY, READ, WRITE
from tests.infra.bench.test_http_functions import a_comparison


def test_percentiles_are_in_milliseconds():
    percentiles = Percentiles.of([0.001] * 99 + [1.0])

    assert percentiles.p50 == pytest.approx(1.0)
    assert percentiles - percentiles == Percentiles(p50=0.0, p95=0.0, p99=0.0)


@pytest.mark.parametrize(("holds", "verdict"), [(True, "holds"), (False, "FAILS")])
def test_every_check_is_on_the_page_and_in_the_terminal(holds, verdict):
    check = Check("speed", "at most 1", "2", holds)
    terminal = io.StringIO()

    page = benchmarks_page({}, [check], seconds=1.0)
    show(page, to=terminal)

    assert f"| speed | at most 1 | 2 | {verdict if holds else f'**{verdict}**'} |" in page
    assert any(
        line.split()[0] == "speed" and line.split()[-1] == verdict
        for line in terminal.getvalue().splitlines()
        if line.strip()
    )


def test_every_result_has_its_rows_on_the_page():
    """All but operations, which are counted in test_operations."""
    comparisons = [a_comparison((100,), (200,))]
    neighbour = NEIGHBOURS[0]
    waits = Percentiles.of([0.25])
    page = benchmarks_page(
        {
            "callbacks": comparisons,
            "creates": comparisons,
            "documented_create": comparisons[0],
            "ticks": [
                Tick(
                    stored=1_000,
                    took_s=0.1,
                    counts=Counter(
                        {(READ, "a"): 1, (FOUND, "b"): 2, (QUERY, "b"): 3, (WRITE, "a"): 4}
                    ),
                )
            ],
            "accounts": [BusyAccounts(accounts=16, calls_per_s=120.0, cores=0.5)],
            "starts": [
                ColdStart("bare", 9, answered_s=0.2, cpu_s=0.1, memory_mib=70.0),
                ColdStart("jobs_api", 9, answered_s=0.25, cpu_s=0.11, memory_mib=75.0),
            ],
            "pumped": Pumped(idle_s=[0.05], busy_s=[0.5], calls=1480, over_s=10.0),
            "waited": [Waited(neighbour=neighbour, queued=20_000, waits=waits, use=0.9)],
            "delivered": [
                Delivered(case=ALL_HEALTHY, backlog=400, per_s=200.0, delays_s=[0.5]),
                Delivered(case=CASES[1], backlog=400, per_s=150.0, delays_s=[0.6]),
            ],
            "peaks": [Peak(function="jobs_api", load="a load", at_rest_mib=75, most_mib=200)],
        },
        [],
        seconds=1.0,
    )

    for row in (
        "| 8 | 100 | 200 | 0.50 | 0.50 to 0.50 | 1.00 | 1.00 |",
        "| 8 | 10.0 | 10.0 | 10.0 | 5.0 | 5.0 | 5.0 | 5.0 | 5.0 | 5.0 |",
        "| 8 | 8000.0 | 8000.0 | 8000.0 | 8000.0 | 8000.0 | 8000.0 | 0.0 | 0.0 | 0.0 |",
        "| 1,000 | 3 | 3 | 4 | 100 |",
        "| 16 | 120.0 | 1.0 | 0.50 |",
        "| jobs_api | 250 | 1.25 | 110 | 1.10 | 75 |",
        "| 200 ms | 1480 | 148 |",
        "| idle | 1 | 50 | 50 | 50 |",
        "| spacely | 20,000 | 0 | 60 | 0.25 | 0.25 | 90% |",
        "| all endpoints healthy | 200 | 1 | 500 | 500 | 500 | 1.00 |",
        "| one of another tenant hangs | 150 | 1 | 600 | 600 | 600 | 1.20 |",
        "| jobs_api | a load | 75 | 200 |",
    ):
        assert row in page.splitlines()


def test_every_chart_is_drawn(tmp_path):
    comparisons = [a_comparison((100,), (200,), senders=senders) for senders in SENDERS]
    usage = Usage(
        operations=Counter({(WRITE, "jobs/a"): 5}),
        calls=Counter({"event": 1}),
        pump_s=1.0,
        windows=1,
        event_bytes=800,
    )
    costs = [Cost(kind=kind, alone=usage, among_others=usage) for kind in KINDS]
    ticks = [
        Tick(stored=stored, took_s=0.1, counts=Counter({(READ, "jobs/a"): 102}))
        for stored in (10, 1_000)
    ]
    accounts = [BusyAccounts(accounts=one, calls_per_s=7.5 * one, cores=0.1) for one in (1, 4)]

    draw_throughput(comparisons, comparisons, to=tmp_path / "charts" / "throughput.png")
    draw_cost(costs, to=tmp_path / "charts" / "cost.png")
    draw_growth(ticks, accounts, to=tmp_path / "charts" / "growth.png")

    assert [one.stat().st_size > 10_000 for one in (tmp_path / "charts").iterdir()] == [True] * 3


def test_the_page_stands_although_no_pump_made_a_call():
    busy = BusyAccounts(accounts=1, calls_per_s=0.0, cores=0.0)
    tick = Tick(stored=10, took_s=0.1, counts=Counter())

    page = benchmarks_page({"ticks": [tick], "accounts": [busy]}, [], seconds=1.0)

    assert "| 1 | 0.0 | 0.0 | 0.00 |" in page
