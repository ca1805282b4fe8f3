"""The queue of an account: keys in the order of sending, and the spans between them."""

from itertools import pairwise

import pytest

from relay.domain.job import Priority, Status
from relay.domain.queue import (
    FIRST,
    LAST,
    Span,
    created_at,
    fresh_keys_until,
    is_fresh,
    is_low,
    keys_of,
    low_keys_start,
    queue_key,
    tenant_of_key,
    uncovered_spans,
)
from tests.factories import NOON, a_job, job_id, job_in, later

ODD_TENANTS = ["a", "a-b", "a/b", "a0", "a.b", "a~", "~", "ü", "%2F", "A", "日本"]
TENANT_PAIRS = [(one, two) for one in ODD_TENANTS for two in ODD_TENANTS if one != two]


def key(**changes) -> str:
    found = queue_key(a_job(**changes))
    assert found is not None
    return found


def is_in(span: Span, one: str) -> bool:
    return span.after < one < span.before


def test_a_tenants_jobs_stand_by_priority_then_returned_ones_first_then_by_age():
    in_order = [
        key(created_at=later(9), tries=1, id=job_id(1)),
        key(created_at=later(10), tries=1, id=job_id(0)),
        key(created_at=later(-5), id=job_id(2)),
        key(created_at=NOON, id=job_id(3)),
        key(created_at=NOON, id=job_id(4)),
        key(created_at=later(0.000001), id=job_id(0)),
        key(created_at=later(11), tries=2, priority=Priority.LOW),
        key(created_at=later(-99), priority=Priority.LOW),
    ]

    assert in_order == sorted(in_order)


def test_keys_are_those_of_the_documents_that_are_stored_already():
    fresh = key(created_at=later(1.234567))
    returned = key(tenant="a/b", priority=Priority.LOW, tries=1)

    assert fresh == f"demo/01/01767355201234567/{job_id(1)}"
    assert returned == f"a%2Fb/10/01767355200000000/{job_id(1)}"


@pytest.mark.parametrize("job", [a_job(call_at=NOON), *(job_in(one) for one in Status)])
def test_only_a_job_that_is_ready_has_a_place(job):
    assert (queue_key(job) is not None) == (job.status is Status.QUEUED and job.call_at is None)


@pytest.mark.parametrize("tenant", ODD_TENANTS)
def test_a_key_says_whose_it_is_and_what_it_is_made_of(tenant):
    fresh = key(tenant=tenant, created_at=later(1.234567))
    returned = key(tenant=tenant, tries=1, priority=Priority.LOW)

    assert (tenant_of_key(fresh), tenant_of_key(returned)) == (tenant, tenant)
    assert (is_low(fresh), is_low(returned)) == (False, True)
    assert (is_fresh(fresh), is_fresh(returned)) == (True, False)
    assert created_at(fresh) == later(1.234567)
    assert FIRST < fresh < LAST
    assert fresh.isascii()


@pytest.mark.parametrize(("one", "two"), TENANT_PAIRS)
def test_the_keys_of_a_tenant_stand_together_and_apart_from_all_others(one, two):
    keys = [key(tenant=one), key(tenant=one, tries=3, priority=Priority.LOW)]

    assert all(is_in(keys_of(one), found) for found in keys)
    assert not any(is_in(keys_of(two), found) for found in keys)


@pytest.mark.parametrize("tenant", ODD_TENANTS)
def test_low_keys_start_after_all_normal_ones(tenant):
    start = low_keys_start(tenant)

    assert key(tenant=tenant, created_at=later(1e6)) < start
    assert key(tenant=tenant, tries=1) < start
    assert start < key(tenant=tenant, created_at=later(-1e6), tries=1, priority=Priority.LOW)


@pytest.mark.parametrize("priority", Priority)
def test_the_span_of_a_floor_holds_the_fresh_jobs_of_one_priority_from_before_it(priority):
    span = fresh_keys_until("demo", priority, NOON)

    inside = [later(-1e8), later(-0.000001)]
    outside = [NOON, later(0.000001), later(1e8)]
    assert all(is_in(span, key(priority=priority, created_at=at)) for at in inside)
    assert not any(is_in(span, key(priority=priority, created_at=at)) for at in outside)
    assert not is_in(span, key(priority=priority, created_at=later(-1), tries=1))
    for other in set(Priority) - {priority}:
        assert not is_in(span, key(priority=other, created_at=later(-1)))
    assert not is_in(span, key(priority=priority, created_at=later(-1), tenant="demo2"))


@pytest.mark.parametrize(
    ("covered", "uncovered"),
    [
        ([], [("", LAST)]),
        ([("b", "d")], [("", "b"), ("d", LAST)]),
        ([("f", "g"), ("b", "d")], [("", "b"), ("d", "f"), ("g", LAST)]),
        ([("b", "d"), ("d", "f")], [("", "b"), ("f", LAST)]),
        ([("b", "f"), ("c", "d")], [("", "b"), ("f", LAST)]),
        ([("b", "d"), ("c", "f")], [("", "b"), ("f", LAST)]),
        ([("", "c")], [("c", LAST)]),
        ([("b", "b")], [("", "b"), ("b", LAST)]),
    ],
    ids=["none", "one", "two", "touching", "inside", "overlapping", "from the first", "empty"],
)
def test_beside_what_is_covered_stands_all_the_rest(covered, uncovered):
    assert uncovered_spans(Span(*one) for one in covered) == [Span(*one) for one in uncovered]


def test_no_two_uncovered_spans_overlap_and_every_key_but_the_last_read_is_in_one_or_covered():
    covered = [keys_of(one) for one in ODD_TENANTS]

    uncovered = uncovered_spans(covered)

    assert all(one.before <= two.after for one, two in pairwise(uncovered))
    for tenant in [*ODD_TENANTS, "b", "z", "a!"]:
        found = key(tenant=tenant)
        places = sum(is_in(span, found) for span in [*uncovered, *covered])
        assert places == 1
