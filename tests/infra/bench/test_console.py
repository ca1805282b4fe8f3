"""The console's figures: their targets, and their section of the page."""

from dataclasses import replace
from typing import Any

from infra.bench.console import HEADING, ConsoleFigures, checks, section, with_section


def figures(**changes: Any) -> ConsoleFigures:
    good = ConsoleFigures(
        page_bytes=50_000, requests=23, first_card_s=(0.1, 0.2, 0.25), calls_per_minute=30.0
    )
    return replace(good, **changes)


def test_a_console_within_its_targets_holds_them():
    assert all(one.holds for one in checks(figures()))


def test_each_figure_can_miss_its_target():
    bad = figures(page_bytes=60_001, first_card_s=(0.4, 0.4), calls_per_minute=31.0)

    assert not any(one.holds for one in checks(bad))


def test_the_section_takes_the_place_of_the_one_before():
    text = section(figures(), list(checks(figures())))
    page = with_section("# Benchmarks\n\n## 8. Memory\n\nsome\n", text)

    assert page.count(HEADING) == 1
    assert with_section(page, text) == page
    assert "| 3 | 200 | " in page
    assert page.startswith("# Benchmarks\n\n## 8. Memory\n\nsome\n\n## 9. The console\n")
