"""Comparisons of the HTTP functions with the floor."""

import pytest

from infra.bench.http_functions import (
    ColdStart,
    Comparison,
    Measured,
    Round,
    cold_start_checks,
    throughput_checks,
)
from infra.bench.load_generator import Response


def a_round(per_s: float) -> Round:
    return Round([Response("a", 1.0, 1.0 + 1 / per_s, 200)], 0.001)


def a_comparison(
    relay: tuple[float, ...], floor: tuple[float, ...], *, senders: int = 8
) -> Comparison:
    events_s = {"a": 9.0}
    return Comparison(
        senders=senders,
        relay=Measured([a_round(one) for one in relay], events_s),
        floor=Measured([a_round(one) for one in floor], events_s),
    )


def test_a_ratio_is_that_of_the_median_round():
    comparison = a_comparison((10, 80, 30), (100, 100, 100))

    assert comparison.ratio == pytest.approx(0.3)


def test_a_relay_that_is_too_slow_fails_its_checks():
    comparisons = [a_comparison((79,), (100,), senders=senders) for senders in (1, 32)]

    checks = list(throughput_checks(comparisons, comparisons[1]))

    assert [(one.measured, one.holds) for one in checks] == [
        ("0.79", False),
        ("2.7 ms", False),
        ("0.79", False),
    ]


def test_a_function_that_starts_too_slowly_fails_its_check():
    starts = [ColdStart(name, 9, seconds, 0.1, 70.0) for name, seconds in (("bare", 1), ("a", 1.2))]

    assert [(one.measured, one.holds) for one in cold_start_checks(starts)] == [("1.20", False)]
