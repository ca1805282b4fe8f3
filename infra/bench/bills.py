"""Figure 3 in words: operations a job, the price list, and the cost of a million jobs."""

from collections.abc import Iterator, Sequence

from infra.bench.costs import Alternative, alternatives, price_cells, relay_costs
from infra.bench.counting import FOUND, QUERY, READ, WRITE
from infra.bench.figure import Check, Figure, Table
from infra.bench.operations import JOB_READS, JOB_WRITES, PER_MINUTE, WEBHOOK, Cost, Kind, Used
from infra.bench.prices import PRICES, READ_ON
from relay.domain.account import RENEW_EVERY_S

POLLED = "provider poll"


def figure(costs: Sequence[Cost], *, chart: str) -> Figure:
    """Say what was counted, and what that costs."""
    return Figure(
        title="Operations and cost of a job",
        notes=(
            """
            Counted at the real Firestore client's channel, on the emulator, while the
            application runs on a virtual clock: its pumps, leases and looks are the product's
            own; the provider, the topics and the scheduler (a tick a minute) are stood in for,
            and publishes and calls are counted there.
            """,
            f"""
            *Alone*: one job, nothing else in its account, from its creation until no pump works
            any more: it pays for its whole pump, the lease that is renewed every
            {RENEW_EVERY_S:g} s and the looks every second. *Among others*:
            {PER_MINUTE:.0f} jobs a minute, a million in thirty days, while as many end as begin:
            they share all that. A query is billed as at least one read. The delete is the
            document's, after its time to live.
            """,
        ),
        tables=(
            _operations(costs, busy=False),
            _operations(costs, busy=True),
            _money(costs),
            _elsewhere(costs),
            Table(
                caption=f"The price list, in US dollars, read on {READ_ON}",
                head=("what", "price", "for", "source"),
                rows=tuple(price_cells(price) for price in PRICES),
            ),
        ),
        checks=tuple(_checks(costs)),
        chart=chart,
    )


def _operations(costs: Sequence[Cost], *, busy: bool) -> Table:
    return Table(
        caption="Operations a job, among others" if busy else "Operations of a job alone",
        head=(
            "job", "writes", "reads by name", "found by queries", "queries", "lease writes",
            "lease reads", "durations w / r", "events", "ticks", "calls of functions", "pump, s",
            "submits", "polls", "deletes",
        ),
        rows=tuple(
            (one.kind.name, *_cells(one.busy if busy else one.lonely)) for one in costs
        ),
    )  # fmt: skip


def _cells(used: Used) -> tuple[str, ...]:
    figures = (
        used.job_writes, used.job_reads, used.of(FOUND, "jobs"), used.of(QUERY, "jobs"),
        used.of(WRITE, "accounts"), used.of(READ, "accounts"),
    )  # fmt: skip
    learnt = f"{used.of(WRITE, 'durations'):.2g} / {used.of(READ, 'durations'):.2g}"
    others = (
        used.done("event"), used.done("tick"),
        used.done("jobs_api", "provider_webhook", "poll_tick"), used.pump_s,
        used.done("provider submit"), used.done(POLLED),
    )  # fmt: skip
    return (*map(_short, figures), learnt, *map(_short, others), "1")


def _short(number: float) -> str:
    return f"{number:.0f}" if number == round(number) else f"{number:.1f}"


def _money(costs: Sequence[Cost]) -> Table:
    items = tuple(relay_costs(costs[0].busy))
    rows = []
    for one in costs:
        for where, used in (("among others", one.busy), ("alone", one.lonely)):
            usd = relay_costs(used)
            rows.append(
                (one.kind.name, where, f"**${sum(usd.values()):,.0f}**",
                 *(f"${usd[item]:,.2f}" for item in items))
            )  # fmt: skip
    return Table(
        caption="A million jobs in the relay, US dollars; no free tier, without logs and storage",
        head=("job", "", "in all", *items),
        rows=tuple(rows),
    )


def _elsewhere(costs: Sequence[Cost]) -> Table:
    rows = [
        (one.kind.name, other.name, f"${other.usd:,.0f}", other.arithmetic)
        for one in costs
        for other in elsewhere(one)
    ]
    return Table(
        caption="The same million jobs in what people use instead, US dollars a month",
        head=("job", "service", "in all", "arithmetic"),
        rows=tuple(rows),
    )


def elsewhere(cost: Cost) -> tuple[Alternative, ...]:
    """Return what this kind of job costs elsewhere."""
    return alternatives(polls=cost.busy.done(POLLED), calls_back=not cost.kind.polls_for_its_end)


def _checks(costs: Sequence[Cost]) -> Iterator[Check]:
    for one in costs:
        if one.kind is WEBHOOK:
            yield _webhook_check(one.lonely)
        else:
            yield _polled_check(one.kind, one.lonely)


def _webhook_check(used: Used) -> Check:
    return Check(
        figure="job document, webhook job",
        target=f"{JOB_WRITES} writes and {JOB_READS} reads",
        measured=f"{used.job_writes:.0f} writes, {used.job_reads:.0f} read by name",
        holds=used.job_writes <= JOB_WRITES and used.job_reads <= JOB_READS,
    )


def _polled_check(kind: Kind, used: Used) -> Check:
    # The last window ends with the job, which is one of its five writes.
    more = used.tally.windows - 1
    return Check(
        figure=f"job document, {kind.name}",
        target=f"at most 1 write a window more: {JOB_WRITES + more}",
        measured=f"{used.job_writes:.0f} writes in {used.tally.windows} windows",
        holds=used.job_writes <= JOB_WRITES + more and used.job_reads <= JOB_READS,
    )
