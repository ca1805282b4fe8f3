"""Faults to plant in a copy of the relay, to see that the simulator or the tests find them."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Fault:
    """One change of one file, by which one mechanism is lost.

    Attributes:
        breaks: The promise that does not hold without it.
        profile: The scenario of the simulator in which it shows soon; None for the usual mixture.
        histories: Which option of the simulator brings it out; empty for the usual mixture.
        tests: The tests that find it instead, where the simulator has its own in this place.
        seed: Where the search for a history that shows it begins: at one that did.
    """

    name: str
    breaks: str
    file: str
    old: str
    new: str
    profile: str | None = None
    histories: str = ""
    tests: str = ""
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
        seed=244,
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
        seed=302,
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
            step: Change = partial(
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
            step: Change = partial(
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
        seed=160,
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
        seed=43,
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
        seed=14,
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
        seed=1,
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
    Fault(
        "posted before published",
        "P10",
        "domain/events.py",
        """\
    return replace(job, announcements=(*job.announcements, event))
""",
        """\
    job = replace(job, announcements=(*job.announcements, event))
    if job.callback is None:
        return job
    return replace(job, callback=with_delivery(job.callback, event.id, at=at))
""",
        histories="--callbacks",
        seed=21,
    ),
    Fault(
        "marked delivered before posted",
        "P10",
        "application/deliverer.py",
        """\
        http_status, retry_after_s, why = self._post(
            stored.job, callback.url, event, attempt=pending.attempts + 1
        )
""",
        """\
        taken = partial(
            _attempted, tried=pending, http_status=200, retry_after_s=None, at=self._clock.now()
        )
        stored = self._store.change(stored, taken)
        http_status, retry_after_s, why = self._post(
            stored.job, callback.url, event, attempt=pending.attempts + 1
        )
""",
        histories="--callbacks",
    ),
    Fault(
        "retry schedule ignored",
        "P10",
        "domain/callback.py",
        "delay = RETRY_AFTER[tried.attempts]",
        "delay = RETRY_AFTER[0]",
        histories="--callbacks",
    ),
    Fault(
        "what an endpoint asks for is ignored",
        "P10",
        "domain/callback.py",
        "if retry_after_s is not None:",
        "if False:",
        histories="--callbacks",
        seed=295,
    ),
    Fault(
        "endpoint limit missing",
        "P10",
        "application/delivery_queue.py",
        "self._at_endpoint[name] < MAX_AT_ENDPOINT",
        "self._at_endpoint[name] < 100",
        histories="--callbacks",
    ),
    Fault(
        "tenant limit missing",
        "P10",
        "application/delivery_queue.py",
        "if line.in_flight >= MAX_OF_TENANT:",
        "if line.in_flight >= 100:",
        histories="--callbacks",
    ),
    Fault(
        "tenants not in turn for callbacks",
        "P10",
        "application/delivery_queue.py",
        "tenant = self._turns.next(waiting)",
        "tenant = max(waiting, default=None)",
        histories="--callbacks",
    ),
    Fault(
        "a redirect counts as delivered",
        "P10",
        "domain/callback.py",
        "200 <= http_status < 300",
        "200 <= http_status < 400",
        histories="--callbacks",
        seed=15,
    ),
    Fault(
        "the newest event first",
        "P10",
        "domain/callback.py",
        "return next((one for one in self.deliveries if",
        "return next((one for one in reversed(self.deliveries) if",
        seed=28,
    ),
    Fault(
        "posts without a lease",
        "P10",
        "application/delivery_run.py",
        "deps.open_deliverer(lease.may_call)",
        "deps.open_deliverer(lambda: True)",
        histories="--callbacks",
        seed=76,
    ),
    Fault(
        "a lease given back with posts in flight",
        "P10",
        "application/delivery_run.py",
        "self._tasks.close(timeout_s=STOPS_WITHIN_S if is_stopping else None)",
        "pass",
        histories="--callbacks",
        seed=280,
    ),
    Fault(
        "callbacks leave the index after three attempts",
        "P10",
        "domain/delivery_queue.py",
        "return None if pending is None else pending.next_at",
        "return None if pending is None or pending.attempts > 2 else pending.next_at",
        histories="--callbacks",
    ),
    Fault(
        "an output given up at its first try",
        "P2",
        "application/output_keeper.py",
        """\
            if not is_last:
                return stored
""",
        "",
        histories="--copies",
    ),
    Fault(
        "an output decided twice",
        "P2",
        "domain/output_keeping.py",
        "if kept.index not in undecided(job):",
        "if not results(job):",
        histories="--copies",
    ),
    Fault(
        "copies announced one by one",
        "P2",
        "domain/output_keeping.py",
        "return after if undecided(after) else with_event(",
        "return with_event(",
        histories="--copies",
    ),
    Fault(
        "copies said to be there before they are",
        "P2",
        "application/output_keeper.py",
        """\
        there = self._bucket.put(
""",
        """\
        for known in (self._store.read(job.id),):
            early = KeptOutput(
                index=index,
                uri=f"gs://simulated/{object_name(job.id, index, picture.extension)}",
                content_type=picture.content_type,
                bytes=len(body),
                sha256=hashlib.sha256(body).hexdigest(),
            )
            self._store.change(known, partial(decided, kept=early, at=self._clock.now()))
        there = self._bucket.put(
""",
        histories="--copies",
    ),
    Fault(
        "a message acknowledged with outputs undecided",
        "P2",
        "application/output_keeper.py",
        "if undecided(stored.job) or has_unreached(stored.job):",
        "if False:",
        histories="--copies",
    ),
    Fault(
        "a host that is down given up at once",
        "P2",
        "domain/kept_output.py",
        "GIVE_UP_AFTER = timedelta(hours=12)",
        "GIVE_UP_AFTER = timedelta(0)",
        histories="--copies",
    ),
    Fault(
        "long render left over its deadline",
        "P3",
        "domain/due.py",
        "age >= PATIENT_AFTER and job.deadline_at - at > NEXT_TICK_WITHIN",
        "age >= PATIENT_AFTER",
        tests="tests/unit/test_pump_leaving.py",
    ),
    Fault(
        "copy not conditional",
        "P2",
        "adapters/cloud_storage.py",
        'params={"uploadType": "multipart", "ifGenerationMatch": "0"},',
        'params={"uploadType": "multipart"},',
        tests="tests/adapters/test_cloud_storage.py",
    ),
    Fault(
        "private address let through",
        "P10",
        "adapters/guarded_calls.py",
        "if not is_local and not all(is_public_address(IPv4Address(one)) for one in addresses):",
        "if not is_local and not any(is_public_address(IPv4Address(one)) for one in addresses):",
        tests="tests/adapters/test_guarded_calls.py",
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
