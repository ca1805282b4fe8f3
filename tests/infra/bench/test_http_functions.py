"""Comparisons of the HTTP functions with the floor."""

from dataclasses import dataclass
from itertools import count

import pytest

from infra.bench.http_functions import (
    ColdStart,
    Comparison,
    Endpoint,
    Measured,
    Round,
    UnexpectedStatus,
    cold_start_checks,
    compare,
    throughput_checks,
)
from infra.bench.load_generator import Request, Response
from infra.bench.servers import Server


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


@dataclass(frozen=True, kw_only=True)
class Scripted(Endpoint):
    """Answers the requests of each round with the next of these statuses, then as it should."""

    statuses: list[int]
    sent: list[str]

    def send(self, requests, *, senders):
        del senders
        self.sent.extend(one.key for one in requests)
        if self.statuses and (status := self.statuses.pop(0)) != self.status:
            raise UnexpectedStatus(f"answered {status}")
        return a_round(10.0)


def scripted(*statuses: int) -> Scripted:
    keys = map(str, count())
    return Scripted(
        name="a",
        server=Server(port=1, pid=1),
        headers={},
        requests=lambda _: [Request(key=next(keys), path="/", body="")],
        status=200,
        statuses=list(statuses),
        sent=[],
    )


def test_a_round_with_an_unexpected_answer_is_repeated_with_new_requests():
    relay, floor = scripted(), scripted(200, 500, 503)

    (comparison,) = compare(relay, floor, rounds=1, requests={1: 1}, at=[1])

    assert len(comparison.floor.rounds) == len(comparison.relay.rounds) == 1
    assert floor.sent == ["0", "1", "2", "3"]
    assert relay.sent == ["0", "1"]


def test_a_function_that_never_answers_as_it_should_ends_the_benchmark():
    with pytest.raises(UnexpectedStatus, match="answered 500"):
        compare(scripted(), scripted(*[500] * 9), rounds=1, requests={1: 1}, at=[1])


def test_events_that_were_not_received_are_left_out():
    responses = [Response(key, 1.0, 1.1, 200) for key in ("a", "b")]
    measured = Measured([Round(responses, 0.001)], {"a": 1.5})

    assert measured.to_event.p99 == pytest.approx(500.0)
    assert measured.without_event == {"b"}
