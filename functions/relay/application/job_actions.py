"""What a pump does for one due job: each action takes the job and returns its next state."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import msgspec

from relay.application.announcer import Announcer
from relay.application.due_jobs import DueJob
from relay.application.duration_learner import DurationLearner
from relay.application.ports import Clock, Provider, RenderOwners, Stored
from relay.application.store import Change, JobStore
from relay.domain import answers, transitions
from relay.domain.admission import CallReport, CallResult, Evidence, Hold
from relay.domain.due import Action, wake_at
from relay.domain.events import not_published
from relay.domain.job import Actor, Claim, ErrorCode, Job, ProviderReply, Status
from relay.domain.poll_policy import next_try_at, planned_poll_at
from relay.errors import (
    AccountRefused,
    JobNotFound,
    JobRefused,
    NoAnswer,
    NotAccepted,
    PerhapsAccepted,
    PublishFailed,
    StoreUnavailable,
)

log = logging.getLogger(__name__)

# Longer than any call, including the writes before and after it.
CLAIM_S = 40.0

T = TypeVar("T")


class ActionResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one action.

    Attributes:
        stored: The job as now stored, its events unpublished; None if it was not written.
        due_job: The job, if the pump should keep it in memory.
        call: The result of the call; None if the provider was not called.
    """

    stored: Stored | None = None
    due_job: DueJob | None = None
    call: CallReport | None = None


class JobActions:
    """Carries out actions for one account; thread-safe.

    Args:
        may_call: Whether the pump's lease still allows calls.
        hold: The account's hold; None if it is not on hold.
        until: The end of the pump's window; a job with nothing due before is released.
        new_token: Returns a unique claim token.
    """

    def __init__(
        self,
        *,
        store: JobStore,
        announcer: Announcer,
        provider: Provider,
        owners: RenderOwners,
        learner: DurationLearner,
        clock: Clock,
        draw: Callable[[], float],
        new_token: Callable[[], str],
        may_call: Callable[[], bool],
        hold: Callable[[], Hold | None],
        until: datetime,
    ) -> None:
        self._store = store
        self._announcer = announcer
        self._provider = provider
        self._owners = owners
        self._learner = learner
        self._clock = clock
        self._draw = draw
        self._new_token = new_token
        self._may_call = may_call
        self._hold = hold
        self._until = until

    def change(self, action: Action, stored: Stored) -> ActionResult:
        """Carry out an action that only changes the document.

        Raises:
            StoreUnavailable: The change could not be written; ``wakeAt`` stands.
        """
        now = self._clock.now()
        match action:
            case Action.QUEUE:
                return self._change(stored, transitions.made_ready)
            case Action.RESUBMIT:
                step: Change = partial(transitions.resubmitted, at=now)
                if not self._is_time_left(stored.job, now):
                    step = transitions.resubmission_skipped
                return self._change(stored, step)
            case Action.EXPIRE_CLAIM:
                return self._change(stored, partial(expired, at=now, hold=self._hold()))
            case Action.GIVE_UP:
                return self._change(
                    stored, partial(transitions.given_up, at=now, hold=self._hold())
                )
            case _:
                raise ValueError(f"{action} is no change of a document alone")

    def give_up_unsent(self, stored: Stored) -> ActionResult:
        """Fail a queued job that can no longer be rendered in time.

        Raises:
            StoreUnavailable: The change could not be written.
        """
        return self._change(stored, partial(transitions.not_sent_in_time, at=self._clock.now()))

    def repair_index_fields(self, stored: Stored) -> ActionResult:
        """Restore the ``wakeAt`` and queue key of a job that was set aside.

        Raises:
            JobNotFound: The document has gone.
            StoreUnavailable: The write may not have happened.
        """
        if not self._store.keep(stored):
            raise StoreUnavailable(f"the index fields of {stored.job.id}")
        return ActionResult(stored=self._store.read(stored.job.id))

    def publish(self, stored: Stored) -> ActionResult:
        """Publish the events that are still unpublished.

        Raises:
            StoreUnavailable: The change could not be written; ``wakeAt`` stands.
        """
        try:
            self._announcer.announce(stored)
        except PublishFailed as error:
            log.warning("event not published", extra=_fields(stored.job, why=str(error)))
            now = self._clock.now()

            def delayed(job: Job) -> Job:
                for event in job.unpublished:
                    job = not_published(job, event.id, at=now)
                return job

            self._store.change(stored, delayed)
        return ActionResult()

    def submit(self, known: Stored, evidence: Evidence) -> ActionResult:
        """Read a queued job by id, claim it and send it.

        Raises:
            JobNotFound: The document has gone.
            StoreUnavailable: The result could not be written.
        """
        stored = self._store.read(known.job.id)
        now = self._clock.now()
        if stored.job.account != known.job.account:
            # Removed, and created anew with the same idempotency key for another provider.
            raise JobNotFound(known.job.id)
        if now >= stored.job.deadline_at:
            # The pump was frozen: a claim now would only delay the job's end.
            return ActionResult(stored=stored)
        if not self._is_time_left(stored.job, now):
            return self._change(stored, partial(transitions.not_sent_in_time, at=now))
        claim = Claim(token=self._new_token(), expires_at=now + timedelta(seconds=CLAIM_S))
        stored = self._store.change(stored, partial(transitions.claimed, claim=claim, at=now))
        if stored.job.claim != claim:
            return ActionResult(stored=stored)
        # The write may have taken long.
        now = self._clock.now()
        is_time_left = self._is_time_left(stored.job, now)
        if not is_time_left or not self._may_call():
            requeue = partial(
                transitions.requeued,
                claim=claim,
                call_at=None,
                note="the pump lost its lease" if is_time_left else "claimed too late",
                at=now,
            )
            return self._change(stored, requeue)
        return self._send(stored, claim, evidence)

    def _send(self, stored: Stored, claim: Claim, evidence: Evidence) -> ActionResult:
        call = _Call(self._clock)
        try:
            accepted = call.timed(partial(self._provider.submit, stored.job))
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
        except AccountRefused as error:
            log.warning("account refused", extra=_refusal_fields(stored.job, error))
            report = call.report(CallResult.REFUSED, error.retry_after_s, status=error.status)
            now = self._clock.now()
            reply = _reply(error)
            if evidence.refusal_is_own:
                step = partial(transitions.refused, claim=claim, reply=reply, at=now)
            else:
                step = partial(
                    transitions.requeued,
                    claim=claim,
                    call_at=now,
                    note=f"the provider refused the account: {error}",
                    refusal=reply,
                    at=now,
                )
            return self._change(stored, step, report)
        except PerhapsAccepted as error:
            log.warning("submission unconfirmed", extra=_fields(stored.job, why=str(error)))
            step = partial(
                transitions.unconfirmed, claim=claim, note=str(error), at=self._clock.now()
            )
            changed = self._store.change(stored, step)
            # A callback may have come before the answer that did not. It shows that the provider
            # took the job, but not that it still takes any.
            was_taken = changed.job.status in (Status.PROCESSING, Status.SUCCEEDED)
            result = CallResult.INCONCLUSIVE if was_taken else CallResult.UNKNOWN
            return ActionResult(stored=changed, call=call.report(result))
        except JobRefused as error:
            step = partial(
                transitions.refused, claim=claim, reply=_reply(error), at=self._clock.now()
            )
            return self._change(stored, step, call.report(CallResult.ANSWERED))
        now = self._clock.now()
        step = partial(
            transitions.accepted,
            claim=claim,
            provider_job_id=accepted.provider_job_id,
            provider_status=accepted.provider_status,
            poll_at=self._poll_at(stored.job, now),
            at=now,
        )
        return self._change(stored, step, call.report(CallResult.ACCEPTED))

    def poll(self, due_job: DueJob, evidence: Evidence) -> ActionResult:
        """Poll the provider about a job.

        Raises:
            StoreUnavailable: The result could not be written; ``wakeAt`` stands.
        """
        job = due_job.job
        if not self._may_call():
            return ActionResult(due_job=due_job)
        asked_at = self._clock.now()
        call = _Call(self._clock)
        try:
            answer = call.timed(partial(self._provider.poll, job))
        except NoAnswer as error:
            log.warning("poll not answered", extra=_fields(job, why=str(error)))
            now = self._clock.now()
            poll_at = self._poll_at(job, now)
            if error.retry_after_s is not None:
                poll_at = max(poll_at, self._retry_at(1, error.retry_after_s))
            step: Change = partial(
                transitions.poll_unanswered,
                poll_at=poll_at,
                throttled_at=now if error.is_throttled else None,
            )
            result = CallResult.THROTTLED if error.is_throttled else CallResult.INCONCLUSIVE
            return self._apply_answer(
                due_job, step, call.report(result, error.retry_after_s), now=now
            )
        except AccountRefused as error:
            log.warning("account refused", extra=_refusal_fields(job, error))
            now = self._clock.now()
            poll_at = self._poll_at(job, now)
            if evidence.refusal_is_own:
                poll_at = max(poll_at, self._retry_at(job.polls + 1, error.retry_after_s))
            step = partial(
                transitions.poll_unanswered,
                poll_at=poll_at,
                refused_at=now,
                refusal=_reply(error),
            )
            report = call.report(CallResult.REFUSED, error.retry_after_s, status=error.status)
            return self._apply_answer(due_job, step, report, now=now)
        is_unknown = isinstance(answer, answers.UnknownJob)
        if job.is_followed and (is_unknown or self._owners.is_anothers(job)):
            # Another tenant's render must look like an unknown one, so neither has a reply.
            answer = answers.UnknownJob()
        now = self._clock.now()
        if isinstance(answer, answers.StillOpen) and not answer.is_known_word:
            log.warning("unknown status word", extra=_fields(job, word=answer.provider_status))
        step = partial(
            apply_poll_answer,
            answer=answer,
            asked_at=asked_at,
            poll_at=self._poll_at(job, now),
            at=now,
        )
        return self._apply_answer(due_job, step, call.report(CallResult.ANSWERED), now=now)

    def _apply_answer(
        self, due_job: DueJob, step: Change, report: CallReport, *, now: datetime
    ) -> ActionResult:
        """Apply a poll's result; past its deadline the job also ends.

        While the job stays open it is written only when the pump releases it.
        """

        def answered(job: Job) -> Job:
            return transitions.given_up(step(job), at=now, hold=self._hold())

        ahead = answered(due_job.job)
        if ahead.error is not None and ahead.error.code is ErrorCode.RENDER_FAILED:
            # With its input, which its message may give hints on and its event carries.
            return self._change(self._store.read(ahead.id), answered, report)
        if ahead.status is not due_job.job.status:
            return self._change(due_job.stored, answered, report)
        due_job = DueJob(
            job=ahead, version=due_job.version, is_ahead=True, wakes_at=due_job.wakes_at
        )
        due = wake_at(ahead)
        is_released = due is None or due > self._until
        if is_released and self._store.keep(due_job.stored):
            return ActionResult(call=report)
        return ActionResult(due_job=due_job, call=report)

    def _change(
        self, stored: Stored, step: Change, report: CallReport | None = None
    ) -> ActionResult:
        changed = self._store.change(stored, step)
        if changed.job.finished_by is Actor.POLL and not stored.job.is_final:
            self._learner.observe(changed.job)
        return ActionResult(stored=changed, call=report)

    def _is_time_left(self, job: Job, now: datetime) -> bool:
        least_s, _ = self._learner.duration_range_s(job.operation)
        return (job.deadline_at - now).total_seconds() >= least_s

    def _poll_at(self, job: Job, now: datetime) -> datetime:
        return planned_poll_at(
            self._learner.plan(job.operation),
            submitted_at=job.submitted_at or job.created_at,
            now=now,
            polls=job.polls,
            draw=self._draw(),
        )

    def _retry_at(self, tries: int, retry_after_s: float | None) -> datetime:
        return next_try_at(
            tries=tries, retry_after_s=retry_after_s, now=self._clock.now(), draw=self._draw()
        )


class _Call:
    """Times one call to the provider, whether it returns or raises."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ended_s = clock.monotonic()

    def timed(self, call: Callable[[], T]) -> T:
        try:
            return call()
        finally:
            self._ended_s = self._clock.monotonic()

    def report(
        self, result: CallResult, retry_after_s: float | None = None, *, status: int = 0
    ) -> CallReport:
        return CallReport(
            result=result, ended_s=self._ended_s, status=status, retry_after_s=retry_after_s
        )


def expired(job: Job, *, at: datetime, hold: Hold | None) -> Job:
    """Expire the claim of a dead pump; past its deadline the job ends."""
    after = transitions.claim_expired(job, at=at)
    return job if after is job else transitions.given_up(after, at=at, hold=hold)


def apply_poll_answer(
    job: Job, *, answer: answers.PollAnswer, asked_at: datetime, poll_at: datetime, at: datetime
) -> Job:
    """Apply a provider's answer to a poll."""
    match answer:
        case answers.Rendered(outputs=outputs, provider_status=word):
            return transitions.succeeded(
                job, outputs=outputs, by=Actor.POLL, at=at, provider_status=word
            )
        case answers.RenderFailed(provider_status=word, reply=reply):
            return transitions.failed(
                job,
                code=ErrorCode.RENDER_FAILED,
                by=Actor.POLL,
                at=at,
                provider_status=word,
                reply=reply,
            )
        case answers.WithoutOutput(provider_status=word):
            return transitions.with_strike(
                job,
                code=ErrorCode.OUTPUT_UNUSABLE,
                poll_at=poll_at,
                at=at,
                provider_status=word,
            )
        case answers.UnknownJob(reply=reply):
            return transitions.with_strike(
                job, code=ErrorCode.PROVIDER_JOB_NOT_FOUND, poll_at=poll_at, at=at, reply=reply
            )
        case answers.StillOpen(provider_status=word):
            return transitions.still_open(
                job, provider_status=word, asked_at=asked_at, poll_at=poll_at
            )


def _reply(error: JobRefused | AccountRefused) -> ProviderReply:
    return ProviderReply(status=error.status, message=error.reason)


def _refusal_fields(job: Job, error: AccountRefused) -> dict[str, dict[str, str]]:
    return _fields(job, why=str(error), provider_said=error.reason)


def _fields(job: Job, **more: str) -> dict[str, dict[str, str]]:
    return {"fields": {"job_id": job.id, "account": job.account, **more}}
