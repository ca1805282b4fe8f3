"""The counted figures of docs/benchmarks.md, on the emulator: what jobs cost, what a tick reads."""

import pytest

from infra.bench import growth
from infra.bench.costs import relay_costs
from infra.bench.counting import READ, WRITE
from infra.bench.operations import KINDS, WEBHOOK, Kind, count_lonely
from relay.domain.account import RENEW_EVERY_S

pytestmark = pytest.mark.emulator


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_job_costs_five_writes_and_at_most_one_more_for_each_further_window(
    firestore_emulator: str, kind: Kind
) -> None:
    used = count_lonely(firestore_emulator, kind)

    assert used.job_writes <= 5 + used.tally.windows - 1
    # To be sent, and for its end: no query reads an input.
    assert used.job_reads <= 2
    assert used.done("event") == 1
    assert used.done("provider submit") == 1


def test_a_webhook_job_alone_pays_a_lease_that_is_renewed_all_the_time(
    firestore_emulator: str,
) -> None:
    used = count_lonely(firestore_emulator, WEBHOOK)

    assert used.pump_s < 30
    assert used.of(WRITE, "accounts") <= used.pump_s / RENEW_EVERY_S + 2
    # The tick that its pump starts with, and those of the scheduler that meet the lease.
    assert used.of(READ, "accounts") == used.done("poll_tick")


def test_the_bill_of_a_million_jobs_is_what_was_counted_times_the_prices(
    firestore_emulator: str,
) -> None:
    used = count_lonely(firestore_emulator, WEBHOOK)

    usd = relay_costs(used)

    assert usd["Firestore writes"] == pytest.approx(used.writes * 0.90)
    assert usd["Firestore reads"] == pytest.approx(used.reads * 0.30)
    assert usd["pump"] == pytest.approx(used.pump_s * 26.5, rel=0.1)


def test_a_tick_reads_as_many_documents_however_many_jobs_are_stored(
    firestore_emulator: str,
) -> None:
    few, many = growth.measure(growth.fill(firestore_emulator, stored=(10, 1_000)), ticks=1)

    assert few.documents_read == many.documents_read
    # Each of them by the query, and by name for its end.
    assert few.documents_read <= 2 * growth.DUE + 5
    # The lease is written again every 1.2 s, however long the machine takes.
    assert few.of(WRITE, below="jobs/") == many.of(WRITE, below="jobs/") == 2 * growth.DUE
