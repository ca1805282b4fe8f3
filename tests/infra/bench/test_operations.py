"""The counted figures of docs/benchmarks.md, on the emulator: what a job costs."""

import pytest

from infra.bench.__main__ import benchmarks_page
from infra.bench.operations import (
    KINDS,
    WEBHOOK,
    Cost,
    Deployment,
    Kind,
    checks,
    count_alone,
    relay_usd,
    temporal_usd,
)
from infra.bench.store import BILLED, READ, WRITE
from relay.domain.account import RENEW_EVERY_S

pytestmark = pytest.mark.thorough


@pytest.mark.emulator
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_job_costs_five_writes_and_at_most_one_more_for_each_further_window(
    firestore_emulator: str, kind: Kind
) -> None:
    usage = count_alone(Deployment(firestore_emulator, kind))

    added_writes, added_reads = kind.added
    assert usage.per_job(WRITE, "jobs") <= 5 + added_writes + usage.windows - 1
    # To be sent, and for its end: no query reads an input.
    assert usage.per_job(READ, "jobs") <= 2 + added_reads
    events = 1 + kind.is_kept
    assert usage.calls["event"] == events
    assert usage.calls["callback"] == kind.is_called_back * events
    assert usage.calls["class A"] == kind.is_kept
    assert usage.calls["provider submit"] == 1


@pytest.mark.emulator
def test_a_webhook_job_alone_pays_a_lease_that_is_renewed_all_the_time(
    firestore_emulator: str,
) -> None:
    usage = count_alone(Deployment(firestore_emulator, WEBHOOK))

    assert usage.pump_s < 30
    assert usage.per_job(WRITE, "accounts") <= usage.pump_s / RENEW_EVERY_S + 2
    # The tick that its pump starts with, and those of the scheduler that find the lease taken.
    assert usage.per_job(READ, "accounts") == usage.calls["poll_tick"]


@pytest.mark.emulator
def test_the_bill_of_a_million_jobs_is_what_was_counted_times_the_prices(
    firestore_emulator: str,
) -> None:
    usage = count_alone(Deployment(firestore_emulator, WEBHOOK))

    usd = relay_usd(usage)

    reads = usage.per_job(READ) + usage.per_job(BILLED)
    assert usd["Firestore writes"] == pytest.approx(usage.per_job(WRITE) * 0.90)
    assert usd["Firestore reads"] == pytest.approx(reads * 0.30)
    assert usd["pump"] == pytest.approx(usage.pump_s * 8.45, rel=0.1)


@pytest.mark.emulator
def test_a_callback_and_a_kept_output_are_billed_for_what_they_add(
    firestore_emulator: str,
) -> None:
    (both,) = (kind for kind in KINDS if kind.is_called_back and kind.is_kept)
    usage = count_alone(Deployment(firestore_emulator, both))

    plain, usd = relay_usd(count_alone(Deployment(firestore_emulator, WEBHOOK))), relay_usd(usage)

    assert usd["bucket"] == pytest.approx(5.0)
    assert usd["copying"] == pytest.approx(usage.copies_s * 25.25)
    assert usd["callbacks' pump"] == pytest.approx(usage.callbacks_s * 25.25, rel=0.1)
    assert 0.5 < usd["callbacks sent"] < 2.0
    assert usage.copies_s == pytest.approx(0.8, abs=0.1)
    assert usage.callbacks_s < 5
    assert all(usd[item] >= usd_plain for item, usd_plain in plain.items())


@pytest.mark.emulator
def test_costs_and_prices_are_on_the_page(firestore_emulator: str) -> None:
    usage = count_alone(Deployment(firestore_emulator, WEBHOOK))
    costs = [Cost(kind=WEBHOOK, alone=usage, among_others=usage)]

    page = benchmarks_page({"costs": costs}, list(checks(costs)), seconds=1.0)

    total = sum(relay_usd(usage).values())
    assert f"| webhook after 20 s | alone | **${total:,.0f}** |" in page
    assert "| webhook after 20 s | AWS Step Functions (per step) | $125 |" in page
    for price in (
        "Firestore reads | $0.03",
        "Firestore writes | $0.09",
        "Firestore deletes (time to live) | $0.01",
        "Cloud Run functions, calls | $0.40",
        "Cloud Run functions, CPU | $0.000024",
        "Cloud Run functions, memory | $0.0000025",
        "Pub/Sub, each way, at least 1,000 bytes a request | $40",
        "Cloud Storage, class A operations | $0.005",
        "Cloud Storage, standard, in one region | $0.020",
        "Data to the Internet, to the Americas and EMEA | $0.12",
        "Temporal Cloud, actions up to 5 million a month | $50",
        "Hookdeck Event Gateway, Team plan, events beyond 10,000 | $0.33",
        "AWS Step Functions, standard | $0.025",
        "Google Workflows, internal | $0.01",
        "Google Workflows, external | $0.025",
    ):
        assert f"| {price} |" in page


@pytest.mark.parametrize(
    ("actions", "usd"),
    [(0, 100), (1e6, 100), (5e6, 300), (12.25e6, 250 + 225 + 50 + 100), (101e6, 3425 * 1.05)],
)
def test_actions_are_billed_by_tiers_above_those_of_the_plan(actions, usd):
    assert temporal_usd(actions) == pytest.approx(usd, rel=0.01)
