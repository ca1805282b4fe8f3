"""Which calls an account admits: holds, pauses and breakers, by what calls bring."""

from datetime import datetime

import pytest

from relay.adapters.document import from_fields, to_fields
from relay.domain.account import Account
from relay.domain.admission import (
    FAILURES_TO_OPEN,
    MAX_RECORDS,
    RECORDED,
    Admission,
    CallKind,
    CallReport,
    CallResult,
    Flight,
    TenantState,
    starts_of,
    tenants_by_name,
)
from relay.domain.job import ErrorCode, Job
from tests.factories import NOON, a_job, job_id, later

WINDOW_S = 60.0


def an_admission() -> Admission:
    return Admission(WINDOW_S)


def job_of(tenant: str = "demo", number: int = 1, **changes) -> Job:
    return a_job(tenant=tenant, id=job_id(number), **changes)


def begin(
    admission: Admission,
    *,
    kind: CallKind = CallKind.SUBMIT,
    job: Job | None = None,
    is_suspect: bool = False,
) -> Flight:
    return admission.begin(kind, job or job_of(), is_suspect=is_suspect)


def reported(
    result: CallResult, *, status: int = 0, retry_after_s: float | None = None
) -> CallReport:
    return CallReport(result=result, ended_s=0.0, status=status, retry_after_s=retry_after_s)


def call(
    admission: Admission,
    result: CallResult,
    *,
    at: datetime = NOON,
    kind: CallKind = CallKind.SUBMIT,
    job: Job | None = None,
    status: int = 401,
    retry_after_s: float | None = None,
) -> None:
    """Make one call, from its beginning to its end."""
    flight = begin(admission, kind=kind, job=job)
    report = reported(result, status=status, retry_after_s=retry_after_s)
    admission.end(flight, report, at=at)


def fail(admission: Admission, tenant: str, *, times: int = FAILURES_TO_OPEN, at=NOON) -> None:
    for number in range(times):
        call(admission, CallResult.UNKNOWN, job=job_of(tenant, number), at=at)


def held(status: int = 401) -> Admission:
    admission = an_admission()
    call(admission, CallResult.REFUSED, status=status)
    return admission


def paused() -> Admission:
    admission = an_admission()
    call(admission, CallResult.THROTTLED)
    return admission


def broken(*tenants: str) -> Admission:
    admission = an_admission()
    for tenant in tenants:
        fail(admission, tenant)
    return admission


# What each result of a call does to an account that nothing stops.


@pytest.mark.parametrize("kind", CallKind)
@pytest.mark.parametrize("result", CallResult)
def test_of_an_account_that_nothing_stops_only_a_refusal_and_a_429_stop_anything(kind, result):
    admission = an_admission()

    call(admission, result, kind=kind)

    assert (admission.hold is not None) == (result is CallResult.REFUSED)
    assert (admission.pause is not None) == (result is CallResult.THROTTLED)
    assert admission.outage is None
    assert admission.state_of("demo").stop is None
    assert admission.state_of("demo").failures == (
        kind is CallKind.SUBMIT and result is CallResult.UNKNOWN
    )
    for other in CallKind:
        stops = result in (CallResult.REFUSED, CallResult.THROTTLED)
        assert admission.may_call(other, at=NOON) != stops


# Holds


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, ErrorCode.PROVIDER_AUTH),
        (402, ErrorCode.PROVIDER_OUT_OF_CREDITS),
        (403, ErrorCode.PROVIDER_AUTH),
    ],
)
def test_a_refused_account_is_on_hold_for_half_a_minute(status, code):
    hold = held(status).hold

    assert hold is not None
    assert (hold.code, hold.status, hold.since, hold.probe_at) == (code, status, NOON, later(30))


def test_the_gaps_between_probes_of_a_hold_double_up_to_ten_minutes():
    admission, at, gaps_s = held(), NOON, []
    for _ in range(7):
        hold = admission.hold
        assert hold is not None
        gaps_s.append((hold.probe_at - at).total_seconds())
        at = hold.probe_at
        call(admission, CallResult.REFUSED, at=at)

    assert gaps_s == [30, 60, 120, 240, 480, 600, 600]
    assert admission.hold is not None
    assert admission.hold.since == NOON


@pytest.mark.parametrize(
    ("retry_after_s", "wait_s"), [(None, 30), (0, 30), (10, 30), (100, 100), (10_000, 600)]
)
def test_what_a_refusal_asks_for_counts_where_it_is_longer(retry_after_s, wait_s):
    admission = an_admission()

    call(admission, CallResult.REFUSED, retry_after_s=retry_after_s)

    assert admission.hold is not None
    assert admission.hold.probe_at == later(wait_s)


@pytest.mark.parametrize("kind", CallKind)
def test_an_account_on_hold_is_probed_by_one_call_at_a_time_of_whatever_kind(kind):
    admission = held()

    assert not admission.may_call(kind, at=later(29.999))
    assert admission.may_call(kind, at=later(30))

    flight = begin(admission, kind=CallKind.POLL)

    assert not any(admission.may_call(one, at=later(30)) for one in CallKind)

    admission.end(flight, reported(CallResult.INCONCLUSIVE), at=later(31))

    assert not admission.may_call(kind, at=later(60.999))
    assert admission.may_call(kind, at=later(61))


@pytest.mark.parametrize("kind", CallKind)
@pytest.mark.parametrize("result", CallResult)
def test_only_a_probe_that_is_answered_normally_ends_a_hold(kind, result):
    admission = held()

    call(admission, result, kind=kind, at=later(30), job=job_of("other", 2))

    assert (admission.hold is None) == (result in (CallResult.ACCEPTED, CallResult.ANSWERED))
    if admission.hold is not None and result is not CallResult.THROTTLED:
        assert (admission.hold.job_id, admission.hold.tenant) == (job_id(2), "other")
        assert admission.hold.gap_s == (60 if result is CallResult.REFUSED else 30)


@pytest.mark.parametrize("result", CallResult)
def test_a_call_that_was_in_flight_when_the_hold_began_says_nothing_about_it(result):
    admission = an_admission()
    stray = begin(admission, job=job_of("other", 2))
    call(admission, CallResult.REFUSED)
    before = admission.hold

    admission.end(stray, reported(result, status=402), at=later(1))

    assert admission.hold == before


# Pauses


def test_a_429_without_a_wish_pauses_the_account_for_one_window_then_twice_as_long():
    admission, at, gaps_s = paused(), NOON, []
    for _ in range(5):
        pause = admission.pause
        assert pause is not None
        gaps_s.append((pause.probe_at - at).total_seconds())
        at = pause.probe_at
        call(admission, CallResult.THROTTLED, at=at)

    assert gaps_s == [60, 120, 240, 300, 300]


@pytest.mark.parametrize(
    ("retry_after_s", "wait_s"), [(0, 1), (0.2, 1), (7, 7), (600, 600), (10_000, 600)]
)
def test_a_429_is_believed_between_a_second_and_ten_minutes(retry_after_s, wait_s):
    admission = an_admission()

    call(admission, CallResult.THROTTLED, retry_after_s=retry_after_s)

    assert admission.pause is not None
    assert admission.pause.probe_at == later(wait_s)


def test_a_probes_429_does_not_shorten_a_pause_that_was_asked_for_meanwhile():
    admission = an_admission()
    earlier = begin(admission, job=job_of("other"))
    call(admission, CallResult.THROTTLED)
    probe = begin(admission)

    admission.end(earlier, reported(CallResult.THROTTLED, retry_after_s=300.0), at=later(61))
    admission.end(probe, reported(CallResult.THROTTLED, retry_after_s=2.0), at=later(62))

    assert admission.pause is not None
    assert admission.pause.probe_at == later(361)


@pytest.mark.parametrize("kind", CallKind)
def test_a_paused_account_makes_no_call_until_the_pause_is_over(kind):
    admission = paused()

    assert not admission.may_call(kind, at=later(59.999))
    assert admission.may_call(kind, at=later(60))


@pytest.mark.parametrize("result", CallResult)
def test_after_a_pause_only_another_429_pauses_again(result):
    admission = paused()

    call(admission, result, at=later(60), job=job_of(number=2))

    assert (admission.pause is not None) == (result is CallResult.THROTTLED)
    assert (admission.hold is not None) == (result is CallResult.REFUSED)


@pytest.mark.parametrize("kind", CallKind)
def test_a_job_whose_429_comes_while_others_pass_is_delayed_alone(kind):
    admission = an_admission()
    call(admission, CallResult.ANSWERED, job=job_of("other"), kind=CallKind.POLL, at=later(5))

    call(admission, CallResult.THROTTLED, job=job_of(throttled_at=NOON), kind=kind, at=later(6))

    assert admission.pause is None


def test_a_job_whose_429s_come_while_nothing_passes_pauses_the_account():
    admission = an_admission()
    call(admission, CallResult.ANSWERED, job=job_of("other"), at=later(-5))

    call(admission, CallResult.THROTTLED, job=job_of(throttled_at=NOON), at=later(6))

    assert admission.pause is not None


def test_a_tenant_whose_429s_come_while_others_pass_pauses_nobody_the_second_time():
    admission = paused()
    call(admission, CallResult.ACCEPTED, job=job_of("other"), at=later(60))

    call(admission, CallResult.THROTTLED, job=job_of(number=7), at=later(61))

    assert admission.pause is None


# Breakers


def test_a_breaker_opens_after_five_submissions_in_a_row_of_unknown_fate():
    admission = an_admission()

    fail(admission, "demo", times=4)
    assert admission.state_of("demo").stop is None

    fail(admission, "demo", times=1)
    stop = admission.state_of("demo").stop
    assert stop is not None
    assert stop.probe_at == later(30)
    assert not admission.may_submit_for("demo", at=later(29.999))
    assert admission.may_submit_for("demo", at=later(30))
    assert admission.may_submit_for("other", at=NOON)
    assert admission.outage is None


@pytest.mark.parametrize("result", [CallResult.ACCEPTED, CallResult.ANSWERED])
def test_an_answer_in_between_begins_the_row_anew(result):
    admission = an_admission()
    fail(admission, "demo", times=4)

    call(admission, result)
    fail(admission, "demo", times=4)

    assert admission.state_of("demo").stop is None


def test_unanswered_polls_open_no_breaker():
    admission = an_admission()

    for _ in range(9):
        call(admission, CallResult.UNKNOWN, kind=CallKind.POLL)

    assert admission.state_of("demo").failures == 0


def test_no_more_than_five_submissions_are_unknown_even_with_calls_in_flight():
    admission = an_admission()
    flights = [begin(admission, job=job_of(number=number)) for number in range(3)]
    admission.end(flights.pop(), reported(CallResult.UNKNOWN), at=NOON)

    while admission.may_submit_for("demo", at=NOON):
        flights.append(begin(admission))

    assert len(flights) == FAILURES_TO_OPEN - 1


def test_an_open_breaker_lets_one_submission_through_at_a_time():
    admission = broken("demo")

    flight = begin(admission)

    assert not admission.may_submit_for("demo", at=later(31))
    admission.end(flight, reported(CallResult.INCONCLUSIVE), at=later(31))
    assert not admission.may_submit_for("demo", at=later(60))
    assert admission.may_submit_for("demo", at=later(61))


def test_a_call_that_was_in_flight_when_the_breaker_opened_does_not_move_its_probe():
    admission = an_admission()
    early = begin(admission, job=job_of(number=9))
    fail(admission, "demo")
    stop = admission.tenants["demo"].stop
    assert stop is not None

    admission.end(early, reported(CallResult.INCONCLUSIVE), at=later(20))

    assert admission.tenants["demo"].stop == stop


def test_the_gaps_of_a_breaker_double_up_to_ten_minutes():
    admission, at, gaps_s = broken("demo"), NOON, []
    for _ in range(7):
        stop = admission.state_of("demo").stop
        assert stop is not None
        gaps_s.append((stop.probe_at - at).total_seconds())
        at = stop.probe_at
        call(admission, CallResult.UNKNOWN, at=at)

    assert gaps_s == [30, 60, 120, 240, 480, 600, 600]


@pytest.mark.parametrize("result", CallResult)
def test_an_acknowledgement_or_a_refusal_of_the_job_closes_a_breaker(result):
    admission = broken("demo")

    call(admission, result, at=later(30))

    is_closed = result in (CallResult.ACCEPTED, CallResult.ANSWERED)
    assert (admission.state_of("demo").stop is None) == is_closed
    assert (admission.state_of("demo").failures == 0) == is_closed


def test_polls_go_on_while_submissions_are_stopped():
    admission = broken("demo", "other")

    assert admission.outage is not None
    assert admission.may_call(CallKind.POLL, at=NOON)
    assert not admission.may_call(CallKind.SUBMIT, at=later(29))

    call(admission, CallResult.ANSWERED, kind=CallKind.POLL, at=later(1))

    assert admission.outage is not None


def test_two_tenants_breakers_are_an_outage_with_one_submission_at_a_time():
    admission = broken("demo", "other")

    assert not admission.may_call(CallKind.SUBMIT, at=later(29.999))
    assert admission.may_call(CallKind.SUBMIT, at=later(30))

    begin(admission, job=job_of("third"))

    assert not admission.may_call(CallKind.SUBMIT, at=later(30))


def test_two_tenants_breakers_are_no_outage_if_a_third_tenant_passed_meanwhile():
    admission = broken("demo")
    call(admission, CallResult.ACCEPTED, job=job_of("third"), at=later(1))

    fail(admission, "other", at=later(2))

    assert admission.outage is None
    assert admission.may_submit_for("third", at=later(2))


def test_a_third_tenant_that_passed_before_the_first_breaker_opened_does_not_count():
    admission = an_admission()
    call(admission, CallResult.ACCEPTED, job=job_of("third"), at=later(-1))

    fail(admission, "demo", at=NOON)
    fail(admission, "other", at=later(2))

    assert admission.outage is not None


def test_what_passed_before_the_latest_breaker_opened_does_not_count():
    admission = broken("one")
    call(admission, CallResult.ACCEPTED, job=job_of("fine"), at=later(5))
    fail(admission, "two", at=later(10))
    assert admission.outage is None

    fail(admission, "three", at=later(11))

    assert admission.outage is not None


def test_a_breaker_that_has_closed_since_long_makes_no_outage_with_another():
    admission = broken("one")
    stop = admission.state_of("one").stop
    assert stop is not None
    call(admission, CallResult.ACCEPTED, job=job_of("one"), at=stop.probe_at)
    assert admission.state_of("one").stop is None

    fail(admission, "two", at=later(3600))

    assert admission.state_of("two").stop is not None
    assert admission.outage is None


def test_a_tenant_without_failures_probes_an_outage_at_once_one_call_at_a_time():
    admission = broken("demo", "other")

    assert admission.may_probe_early("third")
    assert not admission.may_probe_early("demo")

    begin(admission, job=job_of("third"))

    assert not admission.may_probe_early("fourth")


def test_a_poll_is_no_probe_of_an_outage():
    admission = broken("demo", "other")

    begin(admission, job=job_of("third"), kind=CallKind.POLL)

    assert admission.may_call(CallKind.SUBMIT, at=later(30))
    assert admission.may_probe_early("fourth")


@pytest.mark.parametrize("first", [CallResult.REFUSED, CallResult.THROTTLED])
def test_an_account_that_is_on_hold_and_paused_waits_for_both(first):
    admission = an_admission()
    (second,) = {CallResult.REFUSED, CallResult.THROTTLED} - {first}
    flights = [begin(admission, job=job_of(number=number)) for number in range(2)]
    for flight, result in zip(flights, (first, second), strict=True):
        admission.end(flight, reported(result, status=401), at=NOON)

    # A hold of 30 s, and a pause of one window.
    assert not admission.may_call(CallKind.SUBMIT, at=later(59.9))
    assert admission.may_call(CallKind.SUBMIT, at=later(60))


def test_a_tenant_whose_submissions_were_accepted_probes_an_outage_at_once():
    admission = an_admission()
    call(admission, CallResult.ACCEPTED, job=job_of("third"), at=later(-1))
    for tenant in ("demo", "other"):
        fail(admission, tenant)

    assert admission.may_probe_early("third")


@pytest.mark.parametrize("result", [CallResult.UNKNOWN, CallResult.INCONCLUSIVE])
def test_a_submission_from_before_an_outage_neither_is_its_probe_nor_moves_it(result):
    admission = an_admission()
    early = begin(admission, job=job_of("third"))
    for tenant in ("demo", "other"):
        fail(admission, tenant)
    outage = admission.outage

    assert admission.may_call(CallKind.SUBMIT, at=later(30))
    admission.end(early, reported(result), at=later(31))

    assert admission.outage == outage


def test_a_probe_that_proves_nothing_does_not_open_a_breaker_that_was_closed_meanwhile():
    admission = an_admission()
    early = begin(admission, job=job_of(number=9))
    fail(admission, "demo")
    probe = begin(admission)

    admission.end(early, reported(CallResult.ACCEPTED), at=later(31))
    admission.end(probe, reported(CallResult.INCONCLUSIVE), at=later(32))

    assert admission.state_of("demo").stop is None


def test_in_an_outage_a_tenants_own_breaker_keeps_no_probe_back():
    admission = broken("demo", "other")

    # What keeps submissions back then is the outage.
    assert admission.may_submit_for("demo", at=NOON)
    assert not admission.may_call(CallKind.SUBMIT, at=NOON)


def test_nobody_probes_early_whose_own_submission_broke_last():
    admission = broken("demo", "other")

    call(admission, CallResult.UNKNOWN, job=job_of("third"), at=later(1))

    assert not admission.may_probe_early("third")
    assert admission.may_probe_early("fourth")


@pytest.mark.parametrize("result", [CallResult.REFUSED, CallResult.THROTTLED])
def test_nobody_probes_early_during_a_hold_or_a_pause(result):
    admission = broken("demo", "other")
    call(admission, result, job=job_of("third"), at=later(1))

    assert not admission.may_probe_early("fourth")
    assert not an_admission().may_probe_early("fourth")


@pytest.mark.parametrize("result", CallResult)
def test_an_outage_ends_with_the_first_submission_that_is_answered(result):
    admission = broken("demo", "other")

    call(admission, result, job=job_of("third"), at=later(30))

    if result in (CallResult.ACCEPTED, CallResult.ANSWERED):
        assert admission.outage is None
    else:
        assert admission.outage is not None


def test_an_outage_that_ended_while_it_was_probed_does_not_begin_again():
    admission = an_admission()
    early = begin(admission, job=job_of("fourth"))
    for tenant in ("demo", "other"):
        fail(admission, tenant)
    probe = begin(admission, job=job_of("third"))

    admission.end(early, reported(CallResult.ACCEPTED), at=later(31))
    admission.end(probe, reported(CallResult.UNKNOWN), at=later(32))

    assert admission.outage is None


def test_the_gaps_of_an_outage_double_up_to_ten_minutes():
    admission, at, gaps_s = broken("demo", "other"), NOON, []
    for number in range(7):
        assert admission.outage is not None
        gaps_s.append((admission.outage.probe_at - at).total_seconds())
        at = admission.outage.probe_at
        call(admission, CallResult.UNKNOWN, at=at, job=job_of("third", number))

    assert gaps_s == [30, 60, 120, 240, 480, 600, 600]


def test_an_outage_probe_that_proves_nothing_is_followed_by_another_only_after_the_gap():
    admission = broken("demo", "other")

    call(admission, CallResult.INCONCLUSIVE, job=job_of("third"), at=later(30))

    assert not admission.may_call(CallKind.SUBMIT, at=later(31))
    assert admission.may_call(CallKind.SUBMIT, at=later(60))


# Whose refusal it is


@pytest.mark.parametrize(
    ("accepted_at", "is_own"), [(None, False), (later(-1), False), (NOON, False), (later(1), True)]
)
def test_a_refusal_is_the_jobs_own_if_another_was_accepted_since_its_last(accepted_at, is_own):
    admission = an_admission()
    if accepted_at is not None:
        call(admission, CallResult.ACCEPTED, job=job_of("other"), at=accepted_at)

    flight = begin(admission, job=job_of(refused_at=NOON), is_suspect=True)

    assert flight.evidence.refusal_is_own is is_own


def test_that_polls_are_answered_does_not_make_a_refused_submission_the_jobs_own():
    admission = an_admission()
    call(admission, CallResult.ANSWERED, kind=CallKind.POLL, job=job_of("other"), at=later(5))

    flight = begin(admission, job=job_of(refused_at=NOON), is_suspect=True)

    assert not flight.evidence.refusal_is_own


def test_a_refusal_that_is_the_jobs_own_holds_nobody():
    admission = an_admission()
    call(admission, CallResult.ACCEPTED, job=job_of("other"), at=later(1))

    call(admission, CallResult.REFUSED, job=job_of(refused_at=NOON), at=later(2))

    assert admission.hold is None
    assert admission.state_of("demo").stop is None


def test_a_tenant_that_is_refused_again_while_others_pass_stops_only_itself():
    admission = held()
    call(admission, CallResult.ACCEPTED, job=job_of("other"), at=later(30))

    call(admission, CallResult.REFUSED, job=job_of(number=9), at=later(31))

    assert admission.hold is None
    assert admission.state_of("demo").opened_at == later(31)
    assert not admission.may_submit_for("demo", at=later(60))
    assert admission.may_submit_for("other", at=later(31))
    assert admission.may_submit_for("demo", at=later(61))


def test_that_the_tenants_own_jobs_pass_does_not_make_its_refusal_its_own():
    admission = held()
    call(admission, CallResult.ACCEPTED, job=job_of(number=8), at=later(30))
    assert admission.hold is None

    call(admission, CallResult.REFUSED, job=job_of(number=9), at=later(31))

    assert admission.hold is not None


@pytest.mark.parametrize(("after_s", "is_own"), [(600, True), (600.001, False)])
def test_a_tenants_own_trouble_counts_for_ten_minutes(after_s, is_own):
    admission = held()
    call(admission, CallResult.ACCEPTED, job=job_of("other"), at=later(30))

    call(admission, CallResult.REFUSED, job=job_of(number=9), at=later(after_s))

    assert (admission.hold is None) is is_own


def test_jobs_that_were_refused_are_tried_again_one_at_a_time():
    admission = an_admission()
    assert admission.may_try_suspect()

    flight = begin(admission, job=job_of(refused_at=NOON), is_suspect=True)
    begin(admission, job=job_of("other"))

    assert not admission.may_try_suspect()
    admission.end(flight, reported(CallResult.ACCEPTED), at=NOON)
    assert admission.may_try_suspect()


# What is passed on


def test_what_is_stopped_survives_the_accounts_document():
    admission = broken("demo", "a/b")
    call(admission, CallResult.REFUSED, kind=CallKind.POLL, status=402)
    admission.pause = paused().pause
    admission.accepted_at = later(-7)
    admission.state_of("a/b").turn = -0.5
    admission.state_of("a/b").normal_floor = later(-60)
    account = Account(
        name="gepetto",
        hold=admission.hold,
        pause=admission.pause,
        outage=admission.outage,
        accepted_at=admission.accepted_at,
        tenants=tuple(admission.tenants.values()),
    )

    again = from_fields(Account, to_fields(account))

    assert again == account
    assert tenants_by_name(again.tenants) == admission.tenants
    assert starts_of(tenants_by_name(again.tenants), CallKind.SUBMIT) == {"a/b": -0.5}


def test_a_pump_that_takes_over_knows_of_the_failures_before_it():
    admission = an_admission()
    fail(admission, "demo", times=3)

    again = Admission(WINDOW_S, tenants=tenants_by_name(admission.tenants.values()))
    fail(again, "demo", times=2)

    assert again.state_of("demo").stop is not None
    assert admission.state_of("demo").failures == 3


def test_records_are_kept_for_an_hour_and_those_that_still_stop_something_for_longer():
    admission = broken("stopped")
    call(admission, CallResult.ACCEPTED, job=job_of("fine"))

    def kept(at):
        return {one.tenant for one in admission.records_to_keep(at=at)}

    assert kept(NOON + RECORDED) == {"stopped", "fine"}
    assert kept(NOON + RECORDED + RECORDED) == {"stopped"}


@pytest.mark.parametrize(
    "state",
    [
        TenantState(tenant="demo", turn=0.5),
        TenantState(tenant="demo", poll_turn=0.5),
        TenantState(tenant="demo", failures=1),
    ],
    ids=["turn", "poll turn", "one failure"],
)
def test_a_record_is_kept_as_long_as_it_says_anything_of_the_tenants_next_call(state):
    admission = Admission(WINDOW_S, tenants={"demo": state})

    assert admission.records_to_keep(at=NOON) == [state]
    assert (
        Admission(WINDOW_S, tenants={"demo": TenantState(tenant="demo")}).records_to_keep(at=NOON)
        == []
    )


def test_of_too_many_records_those_that_stop_calls_are_kept_and_then_those_used_last():
    admission = broken("stopped")
    for number in range(MAX_RECORDS):
        call(admission, CallResult.ACCEPTED, job=job_of(f"fine-{number}"), at=later(1 + number))

    kept = [one.tenant for one in admission.records_to_keep(at=later(MAX_RECORDS))]

    latest = [f"fine-{number}" for number in range(MAX_RECORDS)]
    assert kept == ["stopped", *reversed(latest[1:])]


@pytest.mark.parametrize("kind", CallKind)
def test_the_next_moment_for_a_call_is_when_what_stops_it_ends(kind):
    admission = held()

    assert admission.opens_at(kind, [], at=NOON) == later(30)
    assert admission.opens_at(kind, [], at=later(30)) is None


def test_the_next_moment_for_a_submission_may_be_that_of_a_tenants_breaker():
    admission = broken("demo")

    assert admission.opens_at(CallKind.SUBMIT, ["demo"], at=NOON) == later(30)
    assert admission.opens_at(CallKind.SUBMIT, ["other"], at=NOON) is None
    assert admission.opens_at(CallKind.POLL, ["demo"], at=NOON) is None


def test_the_next_moment_for_a_submission_is_that_of_the_first_breaker_to_be_probed():
    admission = broken("demo")
    call(admission, CallResult.ACCEPTED, job=job_of("third"), at=later(5))
    fail(admission, "other", at=later(10))

    assert admission.outage is None
    assert admission.opens_at(CallKind.SUBMIT, ["other", "demo"], at=later(10)) == later(30)
    assert admission.opens_at(CallKind.SUBMIT, ["other", "demo"], at=later(30)) == later(40)


def test_calls_in_flight_are_counted_by_tenant_and_by_kind():
    admission = an_admission()
    begin(admission, job=job_of("a"))
    begin(admission, job=job_of("a"), kind=CallKind.POLL)
    begin(admission, job=job_of("b"), kind=CallKind.POLL)

    assert admission.in_flight() == 3
    assert admission.in_flight("a") == 2
    assert admission.in_flight("a", CallKind.SUBMIT) == admission.in_flight("b") == 1
    assert admission.in_flight(kind=CallKind.POLL) == 2
    assert admission.in_flight("b", CallKind.SUBMIT) == 0
