"""Tell what an account's pump does: its lease, what stops its calls, and the work that waits."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from infra.operate.counts import Counts
from infra.operate.outcome import Outcome, moment_json, plural, span_text, table, when_text
from relay.application.ports import Jobs, Queued, StoredAccount
from relay.domain.account import calls_to_assume, free_in
from relay.domain.admission import Hold, Stop
from relay.domain.callback import CALLBACKS
from relay.domain.catalogue import CATALOGUE
from relay.domain.delivery_queue import due_at, due_keys, endpoint_keys, endpoint_of_key
from relay.domain.due import wake_at
from relay.domain.queue import FIRST, LAST, Span, created_at, keys_of, tenant_of_key

MAX_LINES = 30
# No job is due so late.
FAR = timedelta(days=400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What waits of one tenant, or for one endpoint of a tenant.

    Attributes:
        jobs: How many; *due* is how many of them could go now.
        head_at: When the next of them was created; for an endpoint, when it is due.
        endpoint: None in an account's queue.
    """

    tenant: str
    jobs: int
    due: int
    head_at: datetime
    endpoint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReport:
    """An account's state and what waits for its pump.

    Attributes:
        due: How many jobs have a ``wakeAt`` that has passed; next_wake_at: The earliest to come.
        has_more_lines: Whether more tenants or endpoints wait than *lines* has.
    """

    name: str
    stored: StoredAccount
    lines: tuple[Line, ...]
    has_more_lines: bool
    due: int
    next_wake_at: datetime | None


def read_report(
    stored: StoredAccount, jobs: Jobs, counts: Counts, *, now: datetime
) -> AccountReport:
    """Read what waits for an account's pump, or for the callbacks'.

    Costs a read for each tenant that waits, and one for every thousand jobs.

    Raises:
        StoreUnavailable: The store did not answer.
    """
    name = stored.account.name
    is_callbacks = name == CALLBACKS
    found = list(_deliveries(jobs, counts, now) if is_callbacks else _queue(name, jobs, counts))
    return AccountReport(
        name=name,
        stored=stored,
        lines=tuple(found[:MAX_LINES]),
        has_more_lines=len(found) > MAX_LINES,
        due=0 if is_callbacks else counts.due(name, until=now),
        next_wake_at=None if is_callbacks else _next_wake(name, jobs, now),
    )


def _next_wake(account: str, jobs: Jobs, now: datetime) -> datetime | None:
    page = jobs.due(account, after=now, until=now + FAR, limit=1)
    return next(map(wake_at, page.jobs), None)


def outcome_of(report: AccountReport, *, now: datetime) -> Outcome:
    """Return the report in words, and as data."""
    account, age_s = report.stored.account, report.stored.age_s
    breakers = [one for one in account.tenants if one.stop is not None]
    lines = [_lease_text(report)]
    lines += [text for text in (_hold_text(account.hold, now),) if text]
    lines += _stop_lines(account.pause, "The provider said slow down", now)
    lines += _stop_lines(account.outage, "The provider is taken to be down (outage)", now)
    for one in breakers:
        lines += _stop_lines(one.stop, f"The breaker of {one.tenant} is open", now)
    lines += [
        f"{plural(one.failures, 'submission')} in a row of {one.tenant} ended unknown."
        for one in account.tenants
        if one.failures and one.stop is None
    ]
    if len(lines) == 1 and report.name != CALLBACKS:
        lines.append("Nothing stops its calls: no hold, no pause, no outage, no open breaker.")
    counted = _calls(report)
    if counted is not None:
        limit = CATALOGUE[report.name].limit
        lines.append(
            f"{plural(counted, 'call')} may count against the limit now"
            f" (documented: {limit.calls} in {limit.window_s:g} s)."
        )
    lines += _waiting(report, now)
    data = {
        "account": report.name,
        "lease": {
            "state": _lease_state(report),
            "holder": account.holder,
            "writtenAgoS": None if report.stored.version is None else round(age_s, 3),
        },
        "hold": _stop_json(account.hold),
        "pause": _stop_json(account.pause),
        "outage": _stop_json(account.outage),
        "breakers": [{"tenant": one.tenant, **(_stop_json(one.stop) or {})} for one in breakers],
        "callsCounted": counted,
        "waiting": [_line_json(one, report.name) for one in report.lines],
        "hasMoreWaiting": report.has_more_lines,
        "dueJobs": report.due,
        "nextWakeAt": moment_json(report.next_wake_at),
    }
    return Outcome(lines=lines, data=data)


def _lease_state(report: AccountReport) -> str:
    account, age_s = report.stored.account, report.stored.age_s
    if report.stored.version is None:
        return "never"
    if account.holder is None:
        return "free"
    return "held" if free_in(account, age_s=age_s) > 0 else "expired"


def _lease_text(report: AccountReport) -> str:
    ago = f"{span_text(report.stored.age_s)} ago"
    return {
        "never": f"No pump has worked for {report.name} yet.",
        "free": f"No pump works for {report.name}: the last one gave its lease back {ago}.",
        "held": f"A pump works for {report.name}: it renewed its lease {ago}.",
        "expired": f"The pump of {report.name} died or froze: it last renewed its lease {ago}.",
    }[_lease_state(report)]


def _hold_text(hold: Hold | None, now: datetime) -> str:
    if hold is None:
        return ""
    why = f"{hold.code}, HTTP {hold.status}"
    began = when_text(hold.since, now=now)
    return f"On hold ({why}) since {began}: only probes, {_probe_text(hold, now)}."


def _stop_lines(stop: Stop | None, what: str, now: datetime) -> list[str]:
    if stop is None:
        return []
    return [f"{what} since {when_text(stop.since, now=now)}: {_probe_text(stop, now)}."]


def _probe_text(stop: Stop, now: datetime) -> str:
    if stop.probe_at <= now:
        return f"the next probe is due since {span_text(now - stop.probe_at)}"
    return f"the next one {when_text(stop.probe_at, now=now)}"


def _calls(report: AccountReport) -> int | None:
    """Return how many calls a pump would have to count now; None for the callbacks."""
    if report.name not in CATALOGUE:
        return None
    limit = CATALOGUE[report.name].limit
    account, age_s = report.stored.account, report.stored.age_s
    assumed = calls_to_assume(account, limit=limit, age_s=age_s)
    return sum(ago_s < limit.window_s for ago_s in assumed)


def _waiting(report: AccountReport, now: datetime) -> Iterator[str]:
    rows: list[tuple[str, ...]]
    count = sum(one.jobs for one in report.lines)
    more = " at least" if report.has_more_lines else ""
    if report.name == CALLBACKS:
        yield f"Jobs with something to deliver:{more} {count:,}."
        rows = [("tenant", "endpoint", "jobs", "due", "next")]
        rows += [
            (
                one.tenant,
                one.endpoint or "",
                f"{one.jobs:,}",
                f"{one.due:,}",
                when_text(one.head_at, now=now),
            )
            for one in report.lines
        ]
    else:
        yield f"In the queue:{more} {plural(count, 'job')}. Due now: {plural(report.due, 'job')}."
        if report.next_wake_at is not None:
            yield f"The next job is due {when_text(report.next_wake_at, now=now)}."
        rows = [("tenant", "jobs", "next created")]
        rows += [
            (one.tenant, f"{one.jobs:,}", when_text(one.head_at, now=now)) for one in report.lines
        ]
    if report.lines:
        yield from (f"  {line}" for line in table(rows))


def _queue(account: str, jobs: Jobs, counts: Counts) -> Iterator[Line]:
    def first(span: Span) -> Queued | None:
        return next(iter(jobs.queued(account, spans=[span], limit=1)), None)

    for head, span in _heads(first, lambda key: keys_of(tenant_of_key(key))):
        count = counts.queued(account, span)
        yield Line(
            tenant=tenant_of_key(head.key), jobs=count, due=count, head_at=created_at(head.key)
        )


def _deliveries(jobs: Jobs, counts: Counts, now: datetime) -> Iterator[Line]:
    def first(span: Span) -> Queued | None:
        return next(iter(jobs.deliveries(span=span, limit=1)), None)

    def its_span(key: str) -> Span:
        return endpoint_keys(tenant_of_key(key), endpoint_of_key(key))

    for head, span in _heads(first, its_span):
        tenant, endpoint = tenant_of_key(head.key), endpoint_of_key(head.key)
        yield Line(
            tenant=tenant,
            endpoint=endpoint,
            jobs=counts.deliveries(span),
            due=counts.deliveries(due_keys(tenant, endpoint, at=now)),
            head_at=due_at(head.key),
        )


def _heads(
    first: Callable[[Span], Queued | None], span_of: Callable[[str], Span]
) -> Iterator[tuple[Queued, Span]]:
    """Yield the first entry of each span, one more than are shown at most."""
    after = FIRST
    for _ in range(MAX_LINES + 1):
        head = first(Span(after, LAST))
        if head is None:
            return
        span = span_of(head.key)
        yield head, span
        after = span.before


def _stop_json(stop: Stop | None) -> dict[str, object] | None:
    if stop is None:
        return None
    why = {"code": stop.code.value, "status": stop.status} if isinstance(stop, Hold) else {}
    return {
        **why,
        "since": moment_json(stop.since),
        "probeAt": moment_json(stop.probe_at),
        "jobId": stop.job_id,
        "tenant": stop.tenant,
    }


def _line_json(line: Line, name: str) -> dict[str, object]:
    if name == CALLBACKS:
        return {
            "tenant": line.tenant,
            "endpoint": line.endpoint,
            "jobs": line.jobs,
            "due": line.due,
            "nextAt": moment_json(line.head_at),
        }
    return {"tenant": line.tenant, "jobs": line.jobs, "nextCreatedAt": moment_json(line.head_at)}
