"""Twenty-seven faults to plant in a copy of the relay, to see that the simulator finds them."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Fault:
    """One change of one file, by which one mechanism is lost.

    Attributes:
        breaks: The promise that does not hold without it.
        profile: The scenario of the simulator in which it shows soon; None for the usual mixture.
        seed: Where the search for a history that shows it begins: at one that did.
    """

    name: str
    breaks: str
    file: str
    old: str
    new: str
    profile: str | None = None
    seed: int = 0

    @property
    def is_felt_by_others(self) -> bool:
        """Whether it shows in histories with crowds of tenants."""
        return self.breaks in ("P8", "P9")


FAULTS = (
    Fault(
        "claim after the call instead of before",
        "P4",
        "application/job_actions.py",
        """\
        stored = self._store.change(stored, partial(transitions.claimed, claim=claim, at=now))
        if stored.job.claim != claim:
            return ActionResult(stored=stored)
""",
        """\
        try:
            self._provider.submit(stored.job)
        except (NotAccepted, AccountRefused, PerhapsAccepted, JobRefused):
            return ActionResult()
        stored = self._store.change(stored, partial(transitions.claimed, claim=claim, at=now))
        if stored.job.claim != claim:
            return ActionResult(stored=stored)
""",
    ),
    Fault(
        "event id from the clock",
        "P2",
        "domain/events.py",
        "id=event_id(job.id, type), type=type",
        'id=f"{job.id}.{at:%H%M%S%f}", type=type',
    ),
    Fault(
        "no precondition on a write",
        "P1",
        "application/store.py",
        "version = self._documents.replace(after, version=stored.version)",
        "version = self._documents.replace(\n"
        "                    after, version=self._documents.read(after.id).version\n"
        "                )",
    ),
    Fault(
        "lease not checked before calling",
        "P5",
        "application/pump_run.py",
        "may_call=lease.may_call,",
        "may_call=lambda: True,",
        seed=233,
    ),
    Fault(
        "final state overwritten by a late poll",
        "P1",
        "domain/transitions.py",
        """\
    if job.is_final:
        return with_event(replace(job, late_outputs""",
        """\
    if job.is_final and by is Actor.POLL:
        return replace(job, status=Status.SUCCEEDED, outputs=tuple(outputs), error=None)
    if job.is_final:
        return with_event(replace(job, late_outputs""",
        seed=52,
    ),
    Fault(
        "mark published before publishing",
        "P2",
        "application/announcer.py",
        """\
            self._topics.publish_event(stored.job, event)
""",
        """\
            stored = self._store.change(stored, partial(published, event_id=event.id))
            self._topics.publish_event(stored.job, event)
""",
    ),
    Fault(
        "deadline ignored in unconfirmed",
        "P3",
        "domain/due.py",
        """\
        return job.claim.expires_at
""",
        """\
        return job.claim.expires_at
    if job.status is Status.UNCONFIRMED:
        return job.call_at or job.deadline_at + timedelta(hours=1)
""",
    ),
    Fault(
        "budget reset on takeover",
        "P5",
        "application/lease.py",
        "assumed = calls_to_assume(stored.account, limit=limit, age_s=stored.age_s)",
        "assumed: list[float] = []",
        seed=46,
    ),
    Fault(
        "renewal that changes nothing",
        "P5",
        "domain/account.py",
        """\
        at_once=at_once,
        written_at=at,
""",
        """\
        at_once=at_once,
""",
        seed=151,
    ),
    Fault(
        "late result dropped",
        "P6",
        "domain/transitions.py",
        """\
        return with_event(replace(job, late_outputs=tuple(outputs)), EventType.LATE_RESULT, at=at)
""",
        """\
        return job
""",
        seed=2,
    ),
    Fault(
        "resubmit after a read timeout",
        "P4",
        "application/job_actions.py",
        """\
        except NotAccepted as error:
            log.warning("submission not accepted", extra=_fields(stored.job, why=str(error)))
            step: Step = partial(
                transitions.requeued,
                claim=claim,
                call_at=self._retry_at(stored.job.tries, error.retry_after_s),
                note=str(error),
                is_throttled=error.is_throttled,
                at=self._clock.now(),
            )
            result = CallResult.THROTTLED if error.is_throttled else CallResult.INCONCLUSIVE
            return self._change(stored, step, call.report(result, error.retry_after_s))
""",
        """\
        except (NotAccepted, PerhapsAccepted) as error:
            step: Step = partial(
                transitions.requeued,
                claim=claim,
                call_at=self._retry_at(stored.job.tries, None),
                note=str(error),
                at=self._clock.now(),
            )
            return self._change(stored, step, call.report(CallResult.INCONCLUSIVE, None))
""",
    ),
    Fault(
        "ack before the write",
        "P6",
        "application/callback_receiver.py",
        """\
        after = self._store.change(stored, step)
""",
        """\
        try:
            after = self._store.change(stored, step)
        except Exception:
            return
""",
        seed=24,
    ),
    Fault(
        "wakeAt cleared too early",
        "P3",
        "domain/due.py",
        """\
        return min(
            (event.publish_at for event in job.unpublished if event.publish_at), default=None
        )
""",
        """\
        return None
""",
    ),
    Fault(
        "first come, first served for submissions",
        "P8",
        "application/call_scheduler.py",
        """\
        tenant = self._queue.turns.next(tenants, delayed=delayed)
""",
        """\
        tenant = min(tenants, default=None)
""",
    ),
    Fault(
        "first come, first served for polls",
        "P8",
        "application/call_scheduler.py",
        """\
        tenant = self.poll_turns.next(_others_first(tenants, avoid, first), delayed=waiting)
""",
        """\
        tenant = min(tenants, default=None)
""",
        seed=96,
    ),
    Fault(
        "probe the same job",
        "P8",
        "application/call_scheduler.py",
        """\
        calls: list[Call | None] = []
""",
        """\
        for tenant in self._queue.tenants():
            one = self._queue.first(tenant, now=now, suspects=True)
            if one is not None and one.job.id in avoid.job_ids:
                return Call(CallKind.SUBMIT, one, None, is_suspect=True)
        calls: list[Call | None] = []
""",
        seed=11,
    ),
    Fault(
        "no cap on resubmissions",
        "P9",
        "domain/transitions.py",
        "MAX_RESUBMISSIONS = 2",
        "MAX_RESUBMISSIONS = 1000",
        seed=1,
    ),
    Fault(
        "submissions before polls",
        "P8",
        "application/call_scheduler.py",
        """\
        if self.last_kind is CallKind.SUBMIT:
            kinds.reverse()
        elif""",
        """\
        if""",
        seed=38,
    ),
    Fault(
        "floor moved too far",
        "P8",
        "application/submission_queue.py",
        "empty_until = self.looked_at - WRITTEN_WITHIN",
        "empty_until = self.looked_at + WRITTEN_WITHIN",
    ),
    Fault(
        "pause forgotten at hand-over",
        "P8",
        "application/pump_run.py",
        "            pause=account.pause,",
        "            pause=None,",
        seed=16,
    ),
    Fault(
        "one tenant's breaker shared by all",
        "P8",
        "domain/admission.py",
        """\
        record = self.tenants.get(tenant)
        if record is None or record.failures == 0:
            return True
""",
        """\
        record = max(self.tenants.values(), key=lambda one: one.failures, default=None)
        if record is None or record.failures == 0:
            return True
""",
        seed=23,
    ),
    Fault(
        "queue's floor without a margin for late documents",
        "P8",
        "application/submission_queue.py",
        "empty_until = self.looked_at - WRITTEN_WITHIN",
        "empty_until = self.looked_at",
        profile="floors",
        seed=2,
    ),
    Fault(
        "due floor without a margin for late documents",
        "P3",
        "application/due_scan.py",
        "floor = min([self._began_at - SCAN_MARGIN - WRITTEN_WITHIN, *self._deferred.values()])",
        "floor = min([self._cursor or now, *self._deferred.values()])",
        profile="floors",
        seed=2,
    ),
    Fault(
        "jobs sent with less time than a render takes",
        "P9",
        "application/duration_learner.py",
        "return expected_s / 10, expected_s",
        "return 0.0, 0.0",
        profile="short",
        seed=9,
    ),
    Fault(
        "an outage costs every job",
        "P9",
        "domain/admission.py",
        "FAILURES_TO_OPEN = 5",
        "FAILURES_TO_OPEN = 5000",
        profile="down",
        seed=1,
    ),
    Fault(
        "a price for jobs that were never sent",
        "P2",
        "domain/job.py",
        "return 0.0\n",
        "return self.credits\n",
    ),
    Fault(
        "calls in one burst",
        "P8",
        "application/pump_run.py",
        "ahead_s=limit.window_s if window.is_one_pass else ahead_s",
        "ahead_s=limit.window_s",
        profile="flood",
        seed=2,
    ),
)


def plant(fault: Fault, package: Path) -> None:
    """Make the change in a copy of the package.

    Raises:
        LookupError: The text to change is not there, or more than once: the fault has to be
            written anew.
    """
    file = package / fault.file
    text = file.read_text()
    if text.count(fault.old) != 1:
        raise LookupError(
            f"{fault.name}: its text is {text.count(fault.old)} times in {fault.file}"
        )
    file.write_text(text.replace(fault.old, fault.new))
