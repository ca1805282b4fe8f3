"""The checks that the fuzzer makes beside schemathesis' own."""

from types import SimpleNamespace
from typing import Any

import pytest

from infra.describe import fuzz_hooks


def a_503(code: str) -> SimpleNamespace:
    return SimpleNamespace(status_code=503, text=f'{{"code":"{code}"}}')


def check(answer: Any) -> None:
    nothing: Any = None
    fuzz_hooks.the_store_is_mostly_there(nothing, answer, nothing)


def test_a_list_that_was_not_fetched_yet_may_be_503_for_ever():
    for _ in range(2 * fuzz_hooks.MAX_AWAY):
        check(a_503("list_not_fetched"))


def test_a_503_for_no_known_reason_fails():
    with pytest.raises(AssertionError, match="no known reason"):
        check(a_503("internal"))


def test_the_store_may_be_away_now_and_then_but_not_all_the_time(monkeypatch):
    monkeypatch.setattr(fuzz_hooks, "_times_away", iter(range(1, 100)))
    for _ in range(fuzz_hooks.MAX_AWAY):
        check(a_503("store_unavailable"))

    with pytest.raises(AssertionError, match="away more than 20 times"):
        check(a_503("store_unavailable"))
