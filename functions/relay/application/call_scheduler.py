"""Decides which job gets the next call to the provider.

Submissions and polls alternate, and within each the tenants take turns. While a hold, a pause or an
outage stops calls, only probes are made: not for the job stopped last, and for another tenant first
(contract, section 1a).
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from relay.application.due_jobs import DueJob, DueJobs, Lane
from relay.application.ports import Stored
from relay.application.submission_queue import SubmissionQueue
from relay.domain.admission import Admission, CallKind, CallReport, Flight, Hold, Stop
from relay.domain.round_robin import WeightedRoundRobin

log = logging.getLogger(__name__)

# A tenant may have this many times as many calls of a kind in flight as are left free, and this
# share of all, so that hanging calls take only a share, however many tenants have them.
TIMES_FREE = 2
LARGEST_SHARE = 0.75
# Logged when a hold, a pause and an outage begin and end; alerts and metrics match these lines.
STOP_LINES = (
    ("account on hold", "account off hold"),
    ("provider throttled", "provider throttles no more"),
    ("provider down", "provider back"),
)


class Call(msgspec.Struct, frozen=True):
    """A call that may be made now.

    Attributes:
        due_job: The due job to poll; None for a submission.
        is_suspect: Whether the provider refused the job before.
    """

    kind: CallKind
    stored: Stored
    due_job: DueJob | None
    is_suspect: bool


class _Avoid(msgspec.Struct, frozen=True):
    """The jobs and tenants that a probe avoids while there are others."""

    job_ids: frozenset[str]
    tenants: frozenset[str]

    @classmethod
    def stopped_by(cls, *stops: Stop | None) -> "_Avoid":
        """Avoid the jobs stopped last, and their tenants."""
        there = [stop for stop in stops if stop is not None]
        return cls(
            frozenset(stop.job_id for stop in there if stop.job_id is not None),
            frozenset(stop.tenant for stop in there if stop.tenant is not None),
        )


class CallScheduler:
    """Chooses the calls of one run and applies their results to admission.

    Args:
        account: The account's name, for the log.
        queue: The source of submissions.
        due_jobs: The source of polls.
        most_in_flight: The maximum number of calls in flight.
        poll_starts: The starts of poll turns that the last pump handed over.
        last_kind: The kind of the last pump's last call.
    """

    def __init__(
        self,
        admission: Admission,
        *,
        account: str,
        queue: SubmissionQueue,
        due_jobs: DueJobs,
        most_in_flight: int,
        weights: Mapping[str, int],
        poll_starts: Mapping[str, float],
        last_kind: CallKind,
    ) -> None:
        self._admission = admission
        self._account = account
        self._queue = queue
        self._due_jobs = due_jobs
        self._most_in_flight = most_in_flight
        self.poll_turns = WeightedRoundRobin(weights, poll_starts)
        self.last_kind = last_kind

    def next(self, now: datetime) -> Call | None:
        """Return the next call to make; None if none may be made now."""
        kinds = [CallKind.SUBMIT, CallKind.POLL]
        if self.last_kind is CallKind.SUBMIT:
            kinds.reverse()
        elif not self._queue.can_serve(now=now):
            # It is a submission's turn, but the queue has not been read yet.
            return None
        admission = self._admission
        if not admission.is_anything_stopped:
            return self._next(kinds[0], now) or self._next(kinds[1], now)
        if admission.is_outage_alone:
            early = self._next_submission(now, avoid=None, is_early=True)
            if early is not None:
                return early
        kinds = [kind for kind in kinds if admission.may_call(kind, at=now)]
        stopped = [kind for kind in kinds if admission.stop_of(kind) is not None]
        if not stopped:
            return next(filter(None, (self._next(kind, now) for kind in kinds)), None)
        if len(stopped) < len(kinds):
            # An outage stops only submissions; polls continue.
            free = next(kind for kind in kinds if kind not in stopped)
            if self.last_kind is not free or self._next(CallKind.SUBMIT, now) is None:
                call = self._next(free, now)
                if call is not None:
                    return call
        return self._probe(stopped, now)

    def begin(self, call: Call) -> Flight:
        """Record that a call begins."""
        tenant = call.stored.job.tenant
        self.last_kind = call.kind
        if call.kind is CallKind.POLL:
            self.poll_turns.take_turn(tenant)
        else:
            self._queue.turns.take_turn(tenant)
            self._queue.check_out(call.stored)
        return self._admission.begin(call.kind, call.stored.job, is_suspect=call.is_suspect)

    def end(self, flight: Flight, report: CallReport, *, at: datetime) -> bool:
        """Apply a call's result; return whether the account should be written at once.

        Logs every hold, pause, outage and breaker that begins or ends, and every longer pause. What
        stops the whole account is an error even when it ends, because alerts go by these lines.
        """
        admission = self._admission
        before = (admission.hold, admission.pause, admission.outage)
        tenant_before = admission.state_of(flight.tenant).stop
        admission.end(flight, report, at=at)
        after = (admission.hold, admission.pause, admission.outage)
        for (begins, ends), old, new in zip(STOP_LINES, before, after, strict=True):
            if old is new:
                continue
            if new is None:
                log.error(ends, extra=self._fields())
            elif old is None or new is admission.pause:
                code = {"code": new.code.value} if isinstance(new, Hold) else {}
                fields = self._fields(job_id=flight.job_id, tenant=flight.tenant, **code)
                log.error(begins, extra=fields)
        tenant_after = admission.state_of(flight.tenant).stop
        if tenant_after is not tenant_before and None in (tenant_before, tenant_after):
            closed = tenant_after is None
            word = "tenant's breaker closed" if closed else "tenant's breaker opened"
            log.warning(word, extra=self._fields(tenant=flight.tenant))
        return tenant_after is not tenant_before or any(
            old is not new for old, new in zip(before, after, strict=True)
        )

    def _next(self, kind: CallKind, now: datetime) -> Call | None:
        """Return the next call of this kind, in the tenants' turn."""
        if kind is CallKind.POLL:
            return self._next_poll(now, avoid=None)
        return self._next_submission(now, avoid=None)

    def _probe(self, kinds: Sequence[CallKind], now: datetime) -> Call | None:
        admission = self._admission
        avoid = _Avoid.stopped_by(admission.hold, admission.pause, admission.outage)
        calls: list[Call | None] = []
        if CallKind.POLL in kinds:
            calls.append(self._next_poll(now, avoid=avoid))
        if CallKind.SUBMIT in kinds:
            calls.append(self._next_submission(now, avoid=avoid, may_be_suspect=False))
            calls.append(self._next_submission(now, avoid=avoid))
        return min(
            (one for one in calls if one is not None),
            key=lambda one: (
                one.stored.job.id in avoid.job_ids,
                one.stored.job.tenant in avoid.tenants,
                # A job that was refused before makes a poor probe, but a better one than none for
                # another tenant: else one tenant's jobs alone could prolong the hold for ever.
                one.is_suspect,
            ),
            default=None,
        )

    def _next_poll(self, now: datetime, *, avoid: _Avoid | None) -> Call | None:
        def first(tenant: str) -> DueJob | None:
            avoided = avoid.job_ids if avoid else ()
            return self._due_jobs.first(Lane.POLL, at=now, tenant=tenant, avoid=avoided)

        waiting = self._due_jobs.tenants_to_poll(at=now)
        tenants = [one for one in waiting if self._has_share(one, CallKind.POLL)]
        tenant = self.poll_turns.next(_others_first(tenants, avoid, first), delayed=waiting)
        due_job = None if tenant is None else first(tenant)
        if due_job is None:
            return None
        return Call(CallKind.POLL, due_job.stored, due_job, is_suspect=False)

    def _next_submission(
        self,
        now: datetime,
        *,
        avoid: _Avoid | None,
        is_early: bool = False,
        may_be_suspect: bool = True,
    ) -> Call | None:
        if not self._queue.can_serve(now=now):
            # The tenant read first must not take all the first calls.
            return None
        admission = self._admission
        suspects = may_be_suspect and admission.may_try_suspect()

        def first(tenant: str) -> Stored | None:
            avoided = avoid or _Avoid.stopped_by(admission.state_of(tenant).stop)
            return self._queue.first(tenant, now=now, suspects=suspects, avoid=avoided.job_ids)

        waiting = [
            one
            for one in self._queue.ready_tenants(now=now, suspects=suspects)
            if admission.may_submit_for(one, at=now)
        ]
        tenants = [one for one in waiting if self._has_share(one, CallKind.SUBMIT)]
        if is_early:
            tenants = [one for one in tenants if admission.may_probe_early(one)]
        if admission.outage is not None:
            # A tenant whose own breaker is open makes a poor probe.
            sound = [one for one in tenants if admission.state_of(one).stop is None]
            tenants = sound or tenants
        tenants = _others_first(tenants, avoid, first)
        delayed = [*waiting, *self._queue.tenants_to_read()]
        tenant = self._queue.turns.next(tenants, delayed=delayed)
        stored = None if tenant is None else first(tenant)
        if stored is None:
            return None
        is_suspect = stored.job.refusal is not None and not stored.job.is_ready
        return Call(CallKind.SUBMIT, stored, None, is_suspect)

    def _has_share(self, tenant: str, kind: CallKind) -> bool:
        """Return whether the tenant may have one more call of this kind in flight."""
        most, in_flight = self._most_in_flight, self._admission.in_flight
        if in_flight(tenant) >= max(2, int(most * LARGEST_SHARE)):
            return False
        # Counted by kind: a tenant that submits much must not get fewer polls for it.
        return in_flight(tenant, kind) < max(1, TIMES_FREE * (most - in_flight()))

    def _fields(self, **more: str) -> dict[str, dict[str, str]]:
        return {"fields": {"account": self._account, **more}}


def _others_first(
    tenants: list[str], avoid: _Avoid | None, first: Callable[[str], DueJob | Stored | None]
) -> list[str]:
    """Return the tenants that a probe may be for: other tenants than the last one, if possible."""
    if avoid is None:
        return tenants
    with_other_jobs = [
        one
        for one in tenants
        if (job := first(one)) is not None and job.job.id not in avoid.job_ids
    ]
    others = [one for one in with_other_jobs if one not in avoid.tenants]
    return others or with_other_jobs or tenants
