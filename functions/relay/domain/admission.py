"""Which calls an account admits now: holds, pauses and circuit breakers, driven by call results.

Three things stop calls (contract, section 1a):

- a *hold*, when the provider refuses the account;
- a *pause*, when it says slow down;
- an open *breaker*, when submissions end with an unknown result: first the tenant's own, and the
  account's (an *outage*) when a second tenant's breaker opens too.

Each ends with a successful probe. Probes go one at a time, never for the job stopped last if there
is another, and for another tenant first.

One tenant's failures stop the others only while nothing contradicts them: if the provider has
answered others since that tenant was last stopped, the trouble is the tenant's own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import TypeVar

import msgspec

from relay.domain.job import ErrorCode, Job

FIRST_GAP_S = 30.0
LONGEST_GAP_S = 600.0
LONGEST_PAUSE_S = 300.0
LONGEST_RETRY_AFTER_S = 600.0
FAILURES_TO_OPEN = 5
# How long a tenant's own trouble counts against it.
REMEMBERED = timedelta(minutes=10)
# How long a tenant's record outlives its last call.
RECORDED = timedelta(hours=1)
MAX_RECORDS = 300

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


S = TypeVar("S", bound="Stop")


class CallKind(Enum):
    """The kind of a call to a provider."""

    SUBMIT = auto()
    POLL = auto()


class CallResult(Enum):
    """What a call's result says about the provider.

    ``ACCEPTED``: the provider took a submission. ``ANSWERED``: any other answer that an account in
    good standing gets, including the refusal of a job. ``UNKNOWN``: the provider may or may not
    have taken a submission. ``INCONCLUSIVE``: the result says nothing about the provider.
    """

    ACCEPTED = auto()
    ANSWERED = auto()
    REFUSED = auto()
    THROTTLED = auto()
    UNKNOWN = auto()
    INCONCLUSIVE = auto()

    @property
    def is_normal(self) -> bool:
        """Whether the provider answered as it does for an account in good standing."""
        return self in (CallResult.ACCEPTED, CallResult.ANSWERED)


class CallReport(msgspec.Struct, frozen=True, kw_only=True):
    """How a call to the provider ended.

    Attributes:
        ended_s: When, on the monotonic clock.
        status: The HTTP status, if the provider refused the account.
        retry_after_s: The provider's ``Retry-After``; None without one.
    """

    result: CallResult
    ended_s: float
    status: int = 0
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Calls are stopped, except for one probe at a time.

    Attributes:
        probe_at: When the next probe may be made.
        gap_s: Gap after a failed probe before the next one.
        job_id: The job whose call was stopped last; the next probe is for another job, if there is
            one.
    """

    since: datetime
    probe_at: datetime
    gap_s: float
    job_id: str | None = None
    tenant: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold(Stop):
    """The provider refuses the account.

    Attributes:
        status: HTTP status of the refusal.
    """

    code: ErrorCode
    status: int


@dataclass(slots=True, kw_only=True)
class TenantState:
    """One tenant's recent history with the provider.

    Attributes:
        failures: Consecutive submissions with an unknown result.
        stop: The tenant's open breaker; None while it is closed.
        opened_at: When the breaker last opened.
        refused_at, throttled_at: When a call was last refused or throttled.
        answered_at: When a call was last answered normally.
        accepted_at: When a submission was last accepted.
        turn, poll_turn: When the tenant's next turn starts, relative to the others; see
            `WeightedRoundRobin`.
        normal_floor, low_floor: No fresh job of this priority that still waits was created earlier.
    """

    tenant: str
    failures: int = 0
    stop: Stop | None = None
    opened_at: datetime | None = None
    refused_at: datetime | None = None
    throttled_at: datetime | None = None
    answered_at: datetime | None = None
    accepted_at: datetime | None = None
    turn: float = 0.0
    poll_turn: float = 0.0
    normal_floor: datetime | None = None
    low_floor: datetime | None = None

    @property
    def stops_calls(self) -> bool:
        """Whether the tenant's breaker is open or failures count towards it."""
        return self.stop is not None or self.failures > 0

    @property
    def last_used_at(self) -> datetime:
        """The latest of these moments; long ago if there is none."""
        moments = (self.opened_at, self.refused_at, self.throttled_at, self.answered_at)
        return max((one for one in moments if one is not None), default=_LONG_AGO)


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What was known when a call began, for judging its result.

    Attributes:
        refusal_is_own: A refusal concerns this job alone: the provider refused it before and has
            accepted another job since.
        throttle_is_own: A 429 concerns this job alone: others passed since its last one.
    """

    refusal_is_own: bool
    throttle_is_own: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Flight:
    """A call in flight.

    Attributes:
        hold, pause: What the call probes. Its result says nothing about a stop that began later.
        is_probe_of_outage, is_probe_of_tenant: Likewise.
    """

    kind: CallKind
    tenant: str
    job_id: str
    evidence: Evidence
    is_suspect: bool
    hold: Hold | None
    pause: Stop | None
    is_probe_of_outage: bool
    is_probe_of_tenant: bool

    @property
    def is_probe_of_account(self) -> bool:
        """Whether the result may end a hold or a pause."""
        return self.hold is not None or self.pause is not None


@dataclass(slots=True)
class Admission:
    """What is stopped now, and which calls are in flight.

    Args:
        window_s: The provider's window, which is the length of a first pause.
    """

    window_s: float
    hold: Hold | None = None
    pause: Stop | None = None
    outage: Stop | None = None
    accepted_at: datetime | None = None
    tenants: dict[str, TenantState] = field(default_factory=dict)
    flights: list[Flight] = field(default_factory=list)

    def state_of(self, tenant: str) -> TenantState:
        """Return the tenant's record, creating it if needed."""
        return self.tenants.setdefault(tenant, TenantState(tenant=tenant))

    @property
    def is_anything_stopped(self) -> bool:
        """Whether there is a hold, a pause or an outage."""
        return not (self.hold is None and self.pause is None and self.outage is None)

    @property
    def is_outage_alone(self) -> bool:
        """Whether there is an outage but no hold and no pause."""
        return self.outage is not None and self.hold is None and self.pause is None

    def stop_of(self, kind: CallKind) -> Stop | None:
        """Return what limits calls of this kind to probes; None if nothing does."""
        if not self.is_anything_stopped:
            return None
        stops = [self.hold, self.pause, self.outage if kind is CallKind.SUBMIT else None]
        return max((one for one in stops if one), key=lambda one: one.probe_at, default=None)

    def may_call(self, kind: CallKind, *, at: datetime) -> bool:
        """Return whether some call of this kind may begin now."""
        stop = self.stop_of(kind)
        if stop is None:
            return True
        return at >= stop.probe_at and not self._is_probing(kind)

    def may_submit_for(self, tenant: str, *, at: datetime) -> bool:
        """Return whether the tenant's own breaker lets a submission through."""
        record = self.tenants.get(tenant)
        if record is None or record.failures == 0:
            return True
        in_flight = self.in_flight(tenant, CallKind.SUBMIT)
        if record.stop is None:
            # The calls in flight may fail too: allow no more than would open the breaker.
            return record.failures + in_flight < FAILURES_TO_OPEN
        return self.outage is not None or (at >= record.stop.probe_at and in_flight == 0)

    def may_probe_early(self, tenant: str) -> bool:
        """Return whether the tenant may probe an outage at once, having no failures of its own.

        Two tenants whose jobs always break must not hold up a third.
        """
        if not self.is_outage_alone:
            return False
        record = self.tenants.get(tenant)
        return (record is None or record.failures == 0) and not self._is_probing(CallKind.SUBMIT)

    def may_try_suspect(self) -> bool:
        """Return whether a refused job may be tried again: one at a time."""
        return not any(flight.is_suspect for flight in self.flights)

    def in_flight(self, tenant: str | None = None, kind: CallKind | None = None) -> int:
        """Return how many calls are in flight, optionally of one tenant or kind."""
        return sum(
            (tenant is None or one.tenant == tenant) and (kind is None or one.kind is kind)
            for one in self.flights
        )

    def openings(self) -> list[datetime]:
        """Return the moments at which probes become possible."""
        stops = [self.hold, self.pause, self.outage, *(one.stop for one in self.tenants.values())]
        return [stop.probe_at for stop in stops if stop is not None]

    def opens_at(self, kind: CallKind, tenants: Iterable[str], *, at: datetime) -> datetime | None:
        """Return the next future moment at which another call may begin; None if unknown."""
        moments = []
        stop = self.stop_of(kind)
        if stop is not None:
            moments.append(stop.probe_at)
        if kind is CallKind.SUBMIT:
            moments += [
                record.stop.probe_at
                for tenant in tenants
                if (record := self.tenants.get(tenant)) is not None and record.stop is not None
            ]
        return min((moment for moment in moments if moment > at), default=None)

    def evidence(self, kind: CallKind, job: Job) -> Evidence:
        """Return whether trouble with this job would be its own."""
        answered = [one.answered_at for one in self.tenants.values() if one.answered_at]
        answered_at = max(answered, default=None)
        passed_at = self.accepted_at if kind is CallKind.SUBMIT else answered_at
        return Evidence(
            refusal_is_own=_is_after(passed_at, job.refused_at),
            throttle_is_own=_is_after(answered_at, job.throttled_at),
        )

    def begin(self, kind: CallKind, job: Job, *, is_suspect: bool) -> Flight:
        """Record that a call begins."""
        record = self.state_of(job.tenant)
        is_submission = kind is CallKind.SUBMIT
        flight = Flight(
            kind=kind,
            tenant=job.tenant,
            job_id=job.id,
            evidence=self.evidence(kind, job),
            is_suspect=is_suspect,
            hold=self.hold,
            pause=self.pause,
            is_probe_of_outage=is_submission and self.outage is not None,
            is_probe_of_tenant=is_submission and record.stop is not None,
        )
        self.flights.append(flight)
        return flight

    def cancel(self, flight: Flight) -> None:
        """Forget a call that was not made after all: it says nothing, and another may probe."""
        self.flights.remove(flight)

    def end(self, flight: Flight, report: CallReport, *, at: datetime) -> None:
        """Apply a call's result.

        Only probes say something about a stop; calls that began before it do not.
        """
        self.flights.remove(flight)
        record, result = self.state_of(flight.tenant), report.result
        if flight.is_probe_of_account:
            self._end_probe(flight, report, at=at)
        elif result is CallResult.REFUSED:
            self._refused(flight, record, report, at=at)
        elif result is CallResult.THROTTLED:
            self._throttled(flight, record, report, at=at)
        if flight.kind is CallKind.SUBMIT:
            self._judge_submission(flight, record, result, at=at)
        if result.is_normal:
            record.answered_at = at
        if result is CallResult.ACCEPTED:
            self.accepted_at = record.accepted_at = at
        if result is CallResult.REFUSED:
            record.refused_at = at
        if result is CallResult.THROTTLED:
            record.throttled_at = at

    def records_to_keep(self, *, at: datetime) -> list[TenantState]:
        """Return the records that the next pump needs, mostly those of the last hour.

        If there are too many, records that stop calls come first, then those used last.
        """
        kept = [
            record
            for record in self.tenants.values()
            if at - record.last_used_at <= RECORDED
            or record.stops_calls
            or record.turn
            or record.poll_turn
        ]
        kept.sort(key=lambda record: (record.stops_calls, record.last_used_at), reverse=True)
        return kept[:MAX_RECORDS]

    def _is_probing(self, kind: CallKind) -> bool:
        return any(
            flight.is_probe_of_account or (flight.is_probe_of_outage and kind is CallKind.SUBMIT)
            for flight in self.flights
        )

    def _end_probe(self, flight: Flight, report: CallReport, *, at: datetime) -> None:
        # A probe does not end a stop that began after it.
        hold = None if self.hold is flight.hold else self.hold
        pause = None if self.pause is flight.pause else self.pause
        if report.result is CallResult.REFUSED:
            self.pause = pause
            self.hold = _held(self.hold, flight, report, at=at)
        elif report.result is CallResult.THROTTLED:
            paused = self._paused(flight, report, at=at)
            # A call from before may have been told meanwhile to wait for longer.
            self.pause = max(filter(None, (paused, pause)), key=lambda one: one.probe_at)
        elif report.result.is_normal:
            self.hold, self.pause = hold, pause
        else:
            # Inconclusive: probe again with another job.
            self.pause = pause
            if self.hold is not None:
                self.hold = _repeated(self.hold, flight, at=at)

    def _refused(
        self, flight: Flight, record: TenantState, report: CallReport, *, at: datetime
    ) -> None:
        if self.hold is not None or flight.evidence.refusal_is_own:
            return
        if self._others_passed_since(record.refused_at, flight, at=at):
            record.stop = _prolonged(record.stop, flight, at=at)
            record.failures = max(record.failures, 1)
            record.opened_at = at
            return
        self.hold = _held(None, flight, report, at=at)

    def _throttled(
        self, flight: Flight, record: TenantState, report: CallReport, *, at: datetime
    ) -> None:
        if flight.evidence.throttle_is_own:
            return
        if self.pause is None:
            if not self._others_passed_since(record.throttled_at, flight, at=at):
                self.pause = self._paused(flight, report, at=at)
        elif report.retry_after_s is not None:
            # The call began before the pause, but its Retry-After may be longer.
            asked = self._paused(flight, report, at=at)
            if asked.probe_at > self.pause.probe_at:
                self.pause = replace(asked, since=self.pause.since, gap_s=self.pause.gap_s)

    def _judge_submission(
        self, flight: Flight, record: TenantState, result: CallResult, *, at: datetime
    ) -> None:
        if result.is_normal:
            record.failures, record.stop = 0, None
            self.outage = None
        elif result is CallResult.UNKNOWN:
            record.failures += 1
            if flight.is_probe_of_outage and self.outage and at >= self.outage.probe_at:
                self.outage = _prolonged(self.outage, flight, at=at)
            if flight.is_probe_of_tenant:
                record.stop = _prolonged(record.stop, flight, at=at)
                record.opened_at = at
            elif record.failures >= FAILURES_TO_OPEN and record.stop is None:
                self._open(flight, record, at=at)
        else:
            # Inconclusive: probe again with another job.
            if flight.is_probe_of_outage and self.outage is not None:
                self.outage = _repeated(self.outage, flight, at=at)
            if flight.is_probe_of_tenant and record.stop is not None:
                record.stop = _repeated(record.stop, flight, at=at)

    def _open(self, flight: Flight, record: TenantState, *, at: datetime) -> None:
        """Open the tenant's breaker, and the account's if another tenant's is open.

        The account's stays closed if calls for other tenants passed since that one opened.
        """
        record.stop = _prolonged(None, flight, at=at)
        record.opened_at = at
        others = [
            one.opened_at
            for one in self.tenants.values()
            if one.tenant != flight.tenant and one.stop is not None and one.opened_at is not None
        ]
        is_alone = not others or self._others_passed_since(max(others), flight, at=at)
        if not is_alone and self.outage is None:
            self.outage = _prolonged(None, flight, at=at)

    def _paused(self, flight: Flight, report: CallReport, *, at: datetime) -> Stop:
        gap_s = self.window_s
        if self.pause is not None:
            gap_s = min(self.pause.gap_s * 2, LONGEST_PAUSE_S)
        wait_s = gap_s
        if report.retry_after_s is not None:
            wait_s = min(max(report.retry_after_s, 1.0), LONGEST_RETRY_AFTER_S)
        return Stop(
            since=at if self.pause is None else self.pause.since,
            probe_at=at + timedelta(seconds=wait_s),
            gap_s=gap_s,
            job_id=flight.job_id,
            tenant=flight.tenant,
        )

    def _others_passed_since(
        self, moment: datetime | None, flight: Flight, *, at: datetime
    ) -> bool:
        """Return whether calls for other tenants passed since a moment.

        For submissions only accepted submissions count: an account without credits can still poll.
        """
        if moment is None or at - moment > REMEMBERED:
            return False
        return any(
            one.tenant != flight.tenant
            and _is_after(
                one.accepted_at if flight.kind is CallKind.SUBMIT else one.answered_at, moment
            )
            for one in self.tenants.values()
        )


def refusal_code(status: int) -> ErrorCode:
    """Return the error code of jobs that end while the account is refused with this status."""
    return ErrorCode.PROVIDER_OUT_OF_CREDITS if status == 402 else ErrorCode.PROVIDER_AUTH


def tenants_by_name(records: Iterable[TenantState]) -> dict[str, TenantState]:
    """Return copies of the records, by tenant."""
    return {record.tenant: replace(record) for record in records}


def starts_of(tenants: Mapping[str, TenantState], kind: CallKind) -> dict[str, float]:
    """Return the turn starts that the last pump handed over; see `WeightedRoundRobin`."""
    if kind is CallKind.POLL:
        return {record.tenant: record.poll_turn for record in tenants.values() if record.poll_turn}
    return {record.tenant: record.turn for record in tenants.values() if record.turn}


def _held(hold: Hold | None, flight: Flight, report: CallReport, *, at: datetime) -> Hold:
    """Put the account on hold, or extend the hold after a refused probe.

    The first probe comes after 30 s, later ones after gaps that double up to 10 minutes. A longer
    ``Retry-After`` wins, also up to 10 minutes.
    """
    gap_s = FIRST_GAP_S if hold is None else min(hold.gap_s * 2, LONGEST_GAP_S)
    wait_s = min(max(gap_s, report.retry_after_s or 0.0), LONGEST_GAP_S)
    return Hold(
        code=refusal_code(report.status),
        status=report.status,
        since=at if hold is None else hold.since,
        probe_at=at + timedelta(seconds=wait_s),
        gap_s=gap_s,
        job_id=flight.job_id,
        tenant=flight.tenant,
    )


def _prolonged(stop: Stop | None, flight: Flight, *, at: datetime) -> Stop:
    """Open a breaker for 30 s, or for twice the last gap after a failed probe."""
    gap_s = FIRST_GAP_S if stop is None else min(stop.gap_s * 2, LONGEST_GAP_S)
    return Stop(
        since=at if stop is None else stop.since,
        probe_at=at + timedelta(seconds=gap_s),
        gap_s=gap_s,
        job_id=flight.job_id,
        tenant=flight.tenant,
    )


def _repeated(stop: S, flight: Flight, *, at: datetime) -> S:
    """Schedule the next probe after the same gap."""
    return replace(
        stop,
        probe_at=at + timedelta(seconds=stop.gap_s),
        job_id=flight.job_id,
        tenant=flight.tenant,
    )


def _is_after(moment: datetime | None, than: datetime | None) -> bool:
    return moment is not None and than is not None and moment > than
