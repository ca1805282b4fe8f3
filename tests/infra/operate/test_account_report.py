"""What an account's pump does is told in words that need no knowledge of its documents."""

from dataclasses import replace

import pytest

from infra.operate.account_report import MAX_LINES, outcome_of, read_report
from relay.domain.account import Account, given_back
from relay.domain.admission import Stop, TenantState
from relay.domain.callback import CALLBACKS, Callback, Delivery, DeliveryStatus
from relay.domain.job import Status
from tests.factories import NOON, a_hold, a_job, busy_account, finished_job, job_id, later
from tests.infra.operate.deployments import deployment_of


def told(world, name="gepetto"):
    deployment = deployment_of(world)
    now = world.clock.now()
    stored = deployment.adapters.accounts.read(name)
    report = read_report(stored, deployment.adapters.jobs, deployment.counts, now=now)
    return outcome_of(report, now=now)


def test_an_account_that_was_never_worked_on(world):
    outcome = told(world)

    assert outcome.lines == [
        "No pump has worked for gepetto yet.",
        "Nothing stops its calls: no hold, no pause, no outage, no open breaker.",
        "0 calls may count against the limit now (documented: 120 in 60 s).",
        "In the queue: 0 jobs. Due now: 0 jobs.",
    ]
    assert outcome.data["lease"] == {"state": "never", "holder": None, "writtenAgoS": None}


@pytest.mark.parametrize(
    ("account", "age_s", "state", "said"),
    [
        (busy_account(), 1.0, "held", "A pump works for gepetto: it renewed its lease 1.0 s ago."),
        (busy_account(), 30.0, "expired", "The pump of gepetto died or froze"),
        (
            given_back(busy_account(), calls_ago_s=(), at=NOON),
            300.0,
            "free",
            "the last one gave its lease back 5 min ago.",
        ),
    ],
    ids=["held", "expired", "free"],
)
def test_the_lease_is_told(world, account, age_s, state, said):
    world.accounts.put(account)
    world.clock.advance(age_s)

    outcome = told(world)

    assert outcome.data["lease"]["state"] == state
    assert said in outcome.lines[0]


def test_everything_that_stops_calls_is_told(world):
    stop = Stop(since=NOON, probe_at=later(90), gap_s=30.0, job_id=job_id(7), tenant="shop")
    world.accounts.put(
        replace(
            Account(name="gepetto", written_at=NOON),
            hold=a_hold(probe_at=later(45)),
            pause=replace(stop, probe_at=later(20)),
            outage=stop,
            tenants=(
                TenantState(tenant="shop", failures=5, stop=stop),
                TenantState(tenant="studio", failures=2),
            ),
        )
    )
    world.clock.advance(30)

    outcome = told(world)

    assert outcome.lines[1:6] == [
        "On hold (provider_auth, HTTP 401) since 30 s ago: only probes, the next one in 15 s.",
        "The provider said slow down since 30 s ago: the next probe is due since 10 s.",
        "The provider is taken to be down (outage) since 30 s ago: the next one in 60 s.",
        "The breaker of shop is open since 30 s ago: the next one in 60 s.",
        "2 submissions in a row of studio ended unknown.",
    ]
    assert outcome.data["hold"]["code"] == "provider_auth"
    assert [one["tenant"] for one in outcome.data["breakers"]] == ["shop"]


def test_calls_of_a_pump_that_may_be_dead_are_counted(world):
    world.accounts.put(busy_account(calls_ago_s=(1.0, 70.0), granted=5))

    # One that was recorded within the minute, and five that may have been made since.
    assert told(world).data["callsCounted"] == 6


def test_the_queue_is_told_tenant_by_tenant(world):
    world.jobs.put(
        a_job(id=job_id(1), tenant="shop", created_at=later(-600)),
        a_job(id=job_id(2), tenant="shop"),
        a_job(id=job_id(3), tenant="a/b"),
        a_job(id=job_id(4), tenant="shop", provider="spacely"),
    )

    outcome = told(world)

    assert {one["tenant"]: one["jobs"] for one in outcome.data["waiting"]} == {"shop": 2, "a/b": 1}
    assert "In the queue: 3 jobs. Due now: 0 jobs." in outcome.lines
    assert any(line.split() == ["shop", "2", "10", "min", "ago"] for line in outcome.lines)


def test_more_tenants_than_fit_are_not_passed_over_in_silence(world):
    world.jobs.put(*(a_job(id=job_id(n), tenant=f"t{n:03}") for n in range(MAX_LINES + 2)))

    outcome = told(world)

    assert outcome.data["hasMoreWaiting"] is True
    assert len(outcome.data["waiting"]) == MAX_LINES
    assert f"In the queue: at least {MAX_LINES} jobs. Due now: 0 jobs." in outcome.lines


def test_callbacks_are_told_by_tenant_and_endpoint(world):
    def waiting(number, host, in_s):
        delivery = Delivery(
            event_id=f"{job_id(number)}.succeeded",
            status=DeliveryStatus.PENDING,
            next_at=later(in_s),
        )
        callback = Callback(url=f"https://{host}/relay", deliveries=(delivery,))
        return finished_job(Status.SUCCEEDED, id=job_id(number), callback=callback)

    world.jobs.put(
        waiting(1, "a.example.com", -5), waiting(2, "a.example.com", 300), waiting(3, "b.test", 60)
    )

    outcome = told(world, CALLBACKS)

    assert [(one["endpoint"], one["jobs"], one["due"]) for one in outcome.data["waiting"]] == [
        ("a.example.com:443", 2, 1),
        ("b.test:443", 1, 0),
    ]
    assert "Jobs with something to deliver: 3." in outcome.lines
    assert outcome.data["callsCounted"] is None
