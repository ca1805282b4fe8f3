"""Which calls an account admits now: holds, pauses and circuit breakers, fed by what calls bring.

Three things stop calls (design 1a). The provider refuses the account: a *hold*. It says slow down:
a *pause*. Nobody knows whether it takes what is submitted: a *breaker* opens, for one tenant first,
and for the whole account (an *outage*) when a second tenant's opens too. Each is left by a probe:
one call at a time, never for the job that was stopped last while there is another, and for another
tenant's first.

What one tenant's jobs meet stops the others only as long as nothing speaks against it: if calls for
others were answered since the tenant was stopped last, its trouble counts as its own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import TypeVar

from relay.domain.job import ErrorCode, Job

FIRST_GAP_S = 30.0
LONGEST_GAP_S = 600.0
LONGEST_PAUSE_S = 300.0
LONGEST_RETRY_AFTER_S = 600.0
FAILURES_TO_OPEN = 5
# A tenant's own trouble is held against it for so long.
REMEMBERED = timedelta(minutes=10)
# Records of tenants that have had no call for so long are dropped.
RECORDED = timedelta(hours=1)


S = TypeVar("S", bound="Stop")


class Kind(Enum):
    """What a call to a provider is for."""

    SUBMIT = auto()
    POLL = auto()


class CallResult(Enum):
    """What a call brought, as far as it speaks of the provider.

    ``ACCEPTED`` is a submission that the provider took, ``ANSWERED`` any other answer that an
    account in good standing gets, a refusal of the job included; ``UNKNOWN`` a submission of which
    nobody knows whether it was taken; ``NOTHING`` says nothing of the provider.
    """

    ACCEPTED = auto()
    ANSWERED = auto()
    REFUSED = auto()
    THROTTLED = auto()
    UNKNOWN = auto()
    NOTHING = auto()

    @property
    def is_normal(self) -> bool:
        """Whether the provider answered as it does to an account in good standing."""
        return self in (CallResult.ACCEPTED, CallResult.ANSWERED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Calls are stopped but for one probe at a time.

    Attributes:
        probe_at: From then on one call may be made.
        gap_s: How long after a probe that failed the next one comes.
        job_id: The job whose call was stopped last; not the next one's, if there is another.
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
    """What is remembered of one tenant's calls.

    Attributes:
        failures: Submissions in a row whose fate is unknown.
        stop: The tenant's own breaker; None while it is closed.
        opened_at: When it was opened last.
        refused_at, throttled_at: When a call was answered so last.
        answered_at: When a call was answered normally last.
        accepted_at: When a submission was accepted last.
    turn: How far from the others' its next turn starts; see `Turns`.
        normal_floor, low_floor: No fresh job of the priority that waits was created before.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was known when a call began, for judging its answer.

    Attributes:
        refusal_is_own: A refusal would be the job's own: it was refused before, and another job
            was accepted since.
        throttle_is_own: A 429 would be meant for this job alone: others passed since its last.
    """

    refusal_is_own: bool = False
    throttle_is_own: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """A call that has begun.

    Attributes:
        number: Tells flights apart.
        hold, pause: What it is a probe of; an answer says nothing of what began later.
        is_probe_of_outage, is_probe_of_tenant: Likewise.
    """

    number: int
    kind: Kind
    tenant: str
    job_id: str
    evidence: Evidence
    is_suspect: bool = False
    hold: Hold | None = None
    pause: Stop | None = None
    is_probe_of_outage: bool = False
    is_probe_of_tenant: bool = False

    @property
    def is_probe_of_account(self) -> bool:
        """Whether its answer may end a hold or a pause."""
        return self.hold is not None or self.pause is not None


@dataclass(slots=True)
class Admission:
    """What is stopped now, and the calls that are in flight.

    Args:
        window_s: The provider's window: how long a first pause lasts.
    """

    window_s: float
    hold: Hold | None = None
    pause: Stop | None = None
    outage: Stop | None = None
    accepted_at: datetime | None = None
    tenants: dict[str, TenantState] = field(default_factory=dict)
    flights: dict[int, Flight] = field(default_factory=dict)
    _numbers: int = 0

    def of(self, tenant: str) -> TenantState:
        """Return the tenant's record."""
        return self.tenants.setdefault(tenant, TenantState(tenant=tenant))

    @property
    def is_anything_stopped(self) -> bool:
        """Whether there is a hold, a pause or an outage."""
        return not (self.hold is None and self.pause is None and self.outage is None)

    @property
    def is_outage_alone(self) -> bool:
        """Whether there is an outage, and neither a hold nor a pause."""
        return self.outage is not None and self.hold is None and self.pause is None

    def stop_of(self, kind: Kind) -> Stop | None:
        """Return what stops all calls of a kind but probes, None if nothing does."""
        if not self.is_anything_stopped:
            return None
        stops = [self.hold, self.pause, self.outage if kind is Kind.SUBMIT else None]
        return max((one for one in stops if one), key=lambda one: one.probe_at, default=None)

    def may_call(self, kind: Kind, *, at: datetime) -> bool:
        """Return whether a call of this kind may begin now, for some job."""
        stop = self.stop_of(kind)
        if stop is None:
            return True
        return at >= stop.probe_at and not self._is_probing(kind)

    def may_submit_for(self, tenant: str, *, at: datetime) -> bool:
        """Return whether the tenant's own breaker lets a submission through."""
        record = self.tenants.get(tenant)
        if record is None or record.failures == 0:
            return True
        in_flight = self.in_flight(tenant, Kind.SUBMIT)
        if record.stop is None:
            # The calls in flight may all fail too: no more of them than would open it.
            return record.failures + in_flight < FAILURES_TO_OPEN
        return self.outage is not None or (at >= record.stop.probe_at and in_flight == 0)

    def may_probe_early(self, tenant: str) -> bool:
        """Return whether the tenant may probe an outage at once: nothing speaks against it.

        Two tenants whose jobs break whatever the provider does must not hold up a third one.
        """
        if not self.is_outage_alone:
            return False
        record = self.tenants.get(tenant)
        return (record is None or record.failures == 0) and not self._is_probing(Kind.SUBMIT)

    def may_try_suspect(self) -> bool:
        """Return whether a job that was refused may be tried again: one at a time."""
        return not any(flight.is_suspect for flight in self.flights.values())

    def in_flight(self, tenant: str | None = None, kind: Kind | None = None) -> int:
        """Return how many calls have begun and not ended, of one tenant or kind or of all."""
        return sum(
            (tenant is None or one.tenant == tenant) and (kind is None or one.kind is kind)
            for one in self.flights.values()
        )

    def openings(self) -> list[datetime]:
        """Return the moments from which on calls may be made that may not be made before."""
        stops = [self.hold, self.pause, self.outage, *(one.stop for one in self.tenants.values())]
        return [stop.probe_at for stop in stops if stop is not None]

    def opens_at(self, kind: Kind, tenants: Iterable[str], *, at: datetime) -> datetime | None:
        """Return the next moment after now at which one more call may begin, None if unknown."""
        moments = []
        stop = self.stop_of(kind)
        if stop is not None:
            moments.append(stop.probe_at)
        if kind is Kind.SUBMIT:
            moments += [
                record.stop.probe_at
                for tenant in tenants
                if (record := self.tenants.get(tenant)) is not None and record.stop is not None
            ]
        return min((moment for moment in moments if moment > at), default=None)

    def evidence(self, kind: Kind, job: Job) -> Evidence:
        """Return what speaks for a job's trouble being its own, before it is called for."""
        answered = [one.answered_at for one in self.tenants.values() if one.answered_at]
        answered_at = max(answered, default=None)
        passed_at = self.accepted_at if kind is Kind.SUBMIT else answered_at
        return Evidence(
            refusal_is_own=_is_after(passed_at, job.refused_at),
            throttle_is_own=_is_after(answered_at, job.throttled_at),
        )

    def begin(self, kind: Kind, job: Job, *, is_suspect: bool) -> Flight:
        """Note that a call begins."""
        self._numbers += 1
        record = self.of(job.tenant)
        is_submission = kind is Kind.SUBMIT
        flight = Flight(
            number=self._numbers,
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
        self.flights[flight.number] = flight
        return flight

    def end(
        self,
        flight: Flight,
        result: CallResult,
        *,
        at: datetime,
        status: int = 0,
        retry_after_s: float | None = None,
    ) -> None:
        """Note what a call brought.

        A call that began before a stop says nothing about it; its probes do.

        Args:
            status: The HTTP status, of a refusal.
            retry_after_s: What the provider asked for; None if nothing.
        """
        del self.flights[flight.number]
        record = self.of(flight.tenant)
        if flight.is_probe_of_account:
            self._end_probe(flight, result, at=at, status=status, retry_after_s=retry_after_s)
        elif result is CallResult.REFUSED:
            self._refused(flight, record, at=at, status=status, retry_after_s=retry_after_s)
        elif result is CallResult.THROTTLED:
            self._throttled(flight, record, at=at, retry_after_s=retry_after_s)
        if flight.kind is Kind.SUBMIT:
            self._judge_submission(flight, record, result, at=at)
        if result.is_normal:
            record.answered_at = at
        if result is CallResult.ACCEPTED:
            self.accepted_at = record.accepted_at = at
        if result is CallResult.REFUSED:
            record.refused_at = at
        if result is CallResult.THROTTLED:
            record.throttled_at = at

    def worth_keeping(self, *, at: datetime) -> Iterable[TenantState]:
        """Return the records that the next pump needs: those of the last hour."""
        for record in self.tenants.values():
            moments = [record.opened_at, record.refused_at, record.throttled_at, record.answered_at]
            is_recent = any(one is not None and at - one <= RECORDED for one in moments)
            if is_recent or record.stop or record.failures or record.turn or record.poll_turn:
                yield record

    def _is_probing(self, kind: Kind) -> bool:
        return any(
            flight.is_probe_of_account or (flight.is_probe_of_outage and kind is Kind.SUBMIT)
            for flight in self.flights.values()
        )

    def _end_probe(
        self,
        flight: Flight,
        result: CallResult,
        *,
        at: datetime,
        status: int,
        retry_after_s: float | None,
    ) -> None:
        # What began after the probe did is not ended by it.
        hold = None if self.hold is flight.hold else self.hold
        pause = None if self.pause is flight.pause else self.pause
        if result is CallResult.REFUSED:
            self.pause = pause
            self.hold = _held(self.hold, flight, at=at, status=status, retry_after_s=retry_after_s)
        elif result is CallResult.THROTTLED:
            self.pause = self._paused(flight, at=at, retry_after_s=retry_after_s)
        elif result.is_normal:
            self.hold, self.pause = hold, pause
        else:
            # It proved nothing: the same again, with another job.
            self.pause = pause
            if self.hold is not None:
                self.hold = _repeated(self.hold, flight, at=at)

    def _refused(
        self,
        flight: Flight,
        record: TenantState,
        *,
        at: datetime,
        status: int,
        retry_after_s: float | None,
    ) -> None:
        if self.hold is not None or flight.evidence.refusal_is_own:
            return
        if self._others_passed_since(record.refused_at, flight, at=at):
            record.stop = _prolonged(record.stop, flight, at=at)
            record.failures = max(record.failures, 1)
            record.opened_at = at
            return
        self.hold = _held(None, flight, at=at, status=status, retry_after_s=retry_after_s)

    def _throttled(
        self, flight: Flight, record: TenantState, *, at: datetime, retry_after_s: float | None
    ) -> None:
        if flight.evidence.throttle_is_own:
            return
        if self.pause is None:
            if not self._others_passed_since(record.throttled_at, flight, at=at):
                self.pause = self._paused(flight, at=at, retry_after_s=retry_after_s)
        elif retry_after_s is not None:
            # It began before the pause did, but may have been told to wait for longer.
            asked = self._paused(flight, at=at, retry_after_s=retry_after_s)
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
            # It proved nothing: the same again, with another job.
            if flight.is_probe_of_outage and self.outage is not None:
                self.outage = _repeated(self.outage, flight, at=at)
            if flight.is_probe_of_tenant and record.stop is not None:
                record.stop = _repeated(record.stop, flight, at=at)

    def _open(self, flight: Flight, record: TenantState, *, at: datetime) -> None:
        """Open the tenant's breaker, and the account's if another one is open for no reason."""
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

    def _paused(self, flight: Flight, *, at: datetime, retry_after_s: float | None) -> Stop:
        gap_s = self.window_s
        if self.pause is not None:
            gap_s = min(self.pause.gap_s * 2, LONGEST_PAUSE_S)
        wait_s = gap_s
        if retry_after_s is not None:
            wait_s = min(max(retry_after_s, 1.0), LONGEST_RETRY_AFTER_S)
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
        """Return whether such calls for other tenants passed since this one's trouble.

        That polls are answered proves nothing of submissions: an account without credits may
        still ask.
        """
        if moment is None or at - moment > REMEMBERED:
            return False
        return any(
            one.tenant != flight.tenant
            and _is_after(
                one.accepted_at if flight.kind is Kind.SUBMIT else one.answered_at, moment
            )
            for one in self.tenants.values()
        )


def refusal_code(status: int) -> ErrorCode:
    """Return what jobs fail with whose account was refused with this status until their end."""
    return ErrorCode.PROVIDER_OUT_OF_CREDITS if status == 402 else ErrorCode.PROVIDER_AUTH


def tenants_by_name(records: Iterable[TenantState]) -> dict[str, TenantState]:
    """Return copies of the records, by tenant."""
    return {record.tenant: replace(record) for record in records}


def starts_of(tenants: Mapping[str, TenantState], kind: Kind) -> dict[str, float]:
    """Return the starts of turns that were passed on; see `Turns`."""
    if kind is Kind.POLL:
        return {record.tenant: record.poll_turn for record in tenants.values() if record.poll_turn}
    return {record.tenant: record.turn for record in tenants.values() if record.turn}


def _held(
    hold: Hold | None,
    flight: Flight,
    *,
    at: datetime,
    status: int,
    retry_after_s: float | None,
) -> Hold:
    """Put the account on hold, or keep it there after a refused probe.

    The first probe comes after 30 s, the next ones after gaps that double up to 10 minutes; the
    provider's own ``Retry-After`` wins where it is longer, up to 10 minutes too.
    """
    gap_s = FIRST_GAP_S if hold is None else min(hold.gap_s * 2, LONGEST_GAP_S)
    wait_s = min(max(gap_s, retry_after_s or 0.0), LONGEST_GAP_S)
    return Hold(
        code=refusal_code(status),
        status=status,
        since=at if hold is None else hold.since,
        probe_at=at + timedelta(seconds=wait_s),
        gap_s=gap_s,
        job_id=flight.job_id,
        tenant=flight.tenant,
    )


def _prolonged(stop: Stop | None, flight: Flight, *, at: datetime) -> Stop:
    """Open a breaker for 30 s, or after a probe that failed for twice as long as before."""
    gap_s = FIRST_GAP_S if stop is None else min(stop.gap_s * 2, LONGEST_GAP_S)
    return Stop(
        since=at if stop is None else stop.since,
        probe_at=at + timedelta(seconds=gap_s),
        gap_s=gap_s,
        job_id=flight.job_id,
        tenant=flight.tenant,
    )


def _repeated(stop: S, flight: Flight, *, at: datetime) -> S:
    """Have the next probe come after the same gap again."""
    return replace(
        stop,
        probe_at=at + timedelta(seconds=stop.gap_s),
        job_id=flight.job_id,
        tenant=flight.tenant,
    )


def _is_after(moment: datetime | None, than: datetime | None) -> bool:
    return moment is not None and than is not None and moment > than
