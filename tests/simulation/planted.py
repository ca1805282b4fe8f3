"""Thirteen faults to plant in a copy of the relay, to see that the simulator finds them."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Fault:
    """One change of one file, by which one mechanism is lost.

    Attributes:
        breaks: The promise that does not hold without it.
    """

    name: str
    breaks: str
    file: str
    old: str
    new: str


FAULTS = (
    Fault(
        "claim after the call instead of before",
        "P4",
        "application/work.py",
        """\
        stored = self._store.change(held.stored, partial(steps.claimed, claim=claim, at=now))
        if stored.job.claim != claim:
            return self._settled(stored)
        if not self._may_call():
            return self._put_back(stored, claim, note="the pump lost its lease", call_at=now)
        call = _Call(self._clock)
        try:
            accepted = call.timed(partial(self._provider.submit, stored.job))
""",
        """\
        stored = held.stored
        if not self._may_call():
            return Outcome()
        call = _Call(self._clock)
        try:
            accepted = call.timed(partial(self._provider.submit, stored.job))
            stored = self._store.change(stored, partial(steps.claimed, claim=claim, at=now))
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
        "application/shift.py",
        "may_call=lease.may_call,",
        "may_call=lambda: True,",
    ),
    Fault(
        "final state overwritten by a late poll",
        "P1",
        "domain/steps.py",
        """\
    if job.is_final:
        return announce(replace(job, late_outputs""",
        """\
    if job.is_final and by is Actor.POLL:
        return replace(job, status=Status.SUCCEEDED, outputs=tuple(outputs), error=None)
    if job.is_final:
        return announce(replace(job, late_outputs""",
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
    ),
    Fault(
        "late result dropped",
        "P6",
        "domain/steps.py",
        """\
        return announce(replace(job, late_outputs=tuple(outputs)), EventType.LATE_RESULT, at=at)
""",
        """\
        return job
""",
    ),
    Fault(
        "resubmit after a read timeout",
        "P4",
        "application/work.py",
        """\
        except NotAccepted as error:
            log.warning("submission not accepted", extra=_fields(stored.job, why=str(error)))
            call_at = self._try_again_at(stored.job.tries, error.retry_after_s)
""",
        """\
        except (NotAccepted, PerhapsAccepted) as error:
            log.warning("submission not accepted", extra=_fields(stored.job, why=str(error)))
            call_at = self._try_again_at(stored.job.tries, None)
""",
    ),
    Fault(
        "ack before the write",
        "P6",
        "application/callbacks.py",
        """\
        after = self._store.change(stored, step)
""",
        """\
        try:
            after = self._store.change(stored, step)
        except Exception:
            return
""",
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
