"""What a pump does for one due job: one action, from the job in hand to its next state."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from relay.application.agenda import Held
from relay.application.announcer import Announcer
from relay.application.learning import Learning
from relay.application.ports import Clock, Provider, RenderOwners, Stored
from relay.application.store import JobStore, Step
from relay.domain import answers, steps
from relay.domain.due import Action, wake_at
from relay.domain.events import not_published
from relay.domain.job import Actor, Claim, ErrorCode, Job
from relay.domain.rhythm import next_try_at, planned_poll_at
from relay.errors import (
    AccountRefused,
    JobRefused,
    NoAnswer,
    NotAccepted,
    PerhapsAccepted,
    PublishFailed,
)

log = logging.getLogger(__name__)

# Longer than any call can last, with the writes before and after it.
CLAIM_S = 40.0

T = TypeVar("T")

REFUSALS = {402: ErrorCode.PROVIDER_OUT_OF_CREDITS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one action.

    Attributes:
        held: The job, if it is to stay in the pump's hands.
        refusal: Set if the provider refused the account.
        answered: Whether the provider answered as it does to an account in good standing.
        call_ended_s: When the call to the provider ended, on the monotonic clock; None if the
            provider was not called.
    """

    held: Held | None = None
    refusal: AccountRefused | None = None
    answered: bool = False
    call_ended_s: float | None = None


class Work:
    """Carries out actions for one account; safe to use from several threads.

    Args:
        may_call: Whether the pump's lease still allows a call.
        until: When the pump's window ends; a job with nothing to do before is let go.
        new_token: Returns a text that no other claim has.
    """

    def __init__(
        self,
        *,
        store: JobStore,
        announcer: Announcer,
        provider: Provider,
        owners: RenderOwners,
        learning: Learning,
        clock: Clock,
        draw: Callable[[], float],
        new_token: Callable[[], str],
        may_call: Callable[[], bool],
        until: datetime,
    ) -> None:
        self._store = store
        self._announcer = announcer
        self._provider = provider
        self._owners = owners
        self._learning = learning
        self._clock = clock
        self._draw = draw
        self._new_token = new_token
        self._may_call = may_call
        self._until = until

    def do(self, action: Action, held: Held) -> Outcome:
        """Carry out one action.

        Raises:
            StoreUnavailable: What was done could not be written; ``wakeAt`` stands.
        """
        match action:
            case Action.SUBMIT:
                return self._submit(held)
            case Action.POLL:
                return self._poll(held)
            case Action.PUBLISH:
                return self._publish(held)
            case Action.GIVE_UP:
                return self._take(held.stored, partial(steps.given_up, at=self._clock.now()))
            case Action.RESUBMIT:
                return self._take(held.stored, partial(steps.resubmitted, at=self._clock.now()))
            case Action.EXPIRE_CLAIM:
                now = self._clock.now()
                step = partial(expired, resubmit_at=self._resubmit_at(now), at=now)
                return self._take(held.stored, step)

    def write_ahead(self, held: Held) -> Outcome:
        """Write the bookkeeping of a job that leaves the pump's hands."""
        self._store.keep(held.stored)
        return Outcome()

    def _submit(self, held: Held) -> Outcome:
        now = self._clock.now()
        if now >= held.job.deadline_at:
            # The pump was paused: a claim now would only delay the end.
            return Outcome(held=held)
        claim = Claim(token=self._new_token(), expires_at=now + timedelta(seconds=CLAIM_S))
        stored = self._store.change(held.stored, partial(steps.claimed, claim=claim, at=now))
        if stored.job.claim != claim:
            return self._settled(stored)
        if not self._may_call():
            return self._put_back(stored, claim, note="the pump lost its lease", call_at=now)
        call = _Call(self._clock)
        try:
            accepted = call.timed(partial(self._provider.submit, stored.job))
        except NotAccepted as error:
            log.warning("submission not accepted", extra=_fields(stored.job, why=str(error)))
            call_at = self._try_again_at(stored.job.tries, error.retry_after_s)
            return self._put_back(
                stored, claim, note=str(error), call_at=call_at, call_ended_s=call.ended_s
            )
        except AccountRefused as error:
            return self._put_back(
                stored,
                claim,
                note=f"the provider refused the account: {error}",
                call_at=self._clock.now(),
                refusal=error,
                call_ended_s=call.ended_s,
            )
        except PerhapsAccepted as error:
            log.warning("submission unconfirmed", extra=_fields(stored.job, why=str(error)))
            now = self._clock.now()
            resubmit_at = self._resubmit_at(now)
            step: Step = partial(
                steps.lost, claim=claim, resubmit_at=resubmit_at, note=str(error), at=now
            )
            return self._take(stored, step, call_ended_s=call.ended_s)
        except JobRefused as error:
            step = partial(steps.refused, claim=claim, reason=error.reason, at=self._clock.now())
            return self._take(stored, step, call_ended_s=call.ended_s, answered=True)
        now = self._clock.now()
        step = partial(
            steps.accepted,
            claim=claim,
            provider_job_id=accepted.provider_job_id,
            provider_status=accepted.provider_status,
            poll_at=self._poll_at(stored.job, now),
            at=now,
        )
        return self._take(stored, step, call_ended_s=call.ended_s, answered=True)

    def _poll(self, held: Held) -> Outcome:
        job = held.job
        if not self._may_call():
            return Outcome(held=held)
        asked_at = self._clock.now()
        call = _Call(self._clock)
        try:
            reading = call.timed(partial(self._provider.poll, job))
        except NoAnswer as error:
            log.warning("poll not answered", extra=_fields(job, why=str(error)))
            now = self._clock.now()
            poll_at = self._poll_at(job, now)
            if error.retry_after_s is not None:
                poll_at = max(poll_at, self._try_again_at(1, error.retry_after_s))
            return self._asked(
                held,
                partial(steps.unanswered, poll_at=poll_at),
                call_ended_s=call.ended_s,
                now=now,
            )
        except AccountRefused as error:
            now = self._clock.now()
            step: Step = partial(steps.unanswered, poll_at=self._poll_at(job, now))
            return self._asked(held, step, call_ended_s=call.ended_s, now=now, refusal=error)
        if job.is_followed and not isinstance(reading, answers.UnknownJob):
            reading = self._unless_anothers(job, reading)
        now = self._clock.now()
        if isinstance(reading, answers.StillOpen) and not reading.is_known_word:
            log.warning("unknown status word", extra=_fields(job, word=reading.provider_status))
        step = partial(
            read, reading=reading, asked_at=asked_at, poll_at=self._poll_at(job, now), at=now
        )
        return self._asked(held, step, call_ended_s=call.ended_s, now=now, answered=True)

    def _unless_anothers(self, job: Job, reading: answers.Reading) -> answers.Reading:
        """Return what the job's tenant may know of a render that was submitted elsewhere.

        Whoever names the id of another tenant's render is told what a wrong id is told.
        """
        return answers.UnknownJob() if self._owners.is_anothers(job) else reading

    def _asked(
        self,
        held: Held,
        step: Step,
        *,
        call_ended_s: float | None,
        now: datetime,
        refusal: AccountRefused | None = None,
        answered: bool = False,
    ) -> Outcome:
        """Take the step that an answer is worth; a job past its deadline ends with it.

        As long as the job stays open nothing is written before the pump lets go of it.
        """

        def asked(job: Job) -> Job:
            return steps.given_up(step(job), at=now)

        ahead = asked(held.job)
        if ahead.status is not held.job.status:
            return self._take(
                held.stored, asked, call_ended_s=call_ended_s, refusal=refusal, answered=answered
            )
        held = Held(job=ahead, version=held.version, is_ahead=True)
        wakes_at = wake_at(ahead)
        if wakes_at is None or wakes_at > self._until:
            self._store.keep(held.stored)
            return Outcome(refusal=refusal, answered=answered, call_ended_s=call_ended_s)
        return Outcome(held=held, refusal=refusal, answered=answered, call_ended_s=call_ended_s)

    def _publish(self, held: Held) -> Outcome:
        try:
            self._announcer.announce(held.stored)
        except PublishFailed as error:
            log.warning("event not published", extra=_fields(held.job, why=str(error)))
            now = self._clock.now()

            def delayed(job: Job) -> Job:
                for event in job.unpublished:
                    job = not_published(job, event.id, at=now)
                return job

            self._store.change(held.stored, delayed)
        return Outcome()

    def _put_back(
        self,
        stored: Stored,
        claim: Claim,
        *,
        note: str,
        call_at: datetime,
        refusal: AccountRefused | None = None,
        call_ended_s: float | None = None,
    ) -> Outcome:
        code = None
        if refusal is not None:
            code = refusal_code(refusal)
        step = partial(
            steps.put_back,
            claim=claim,
            call_at=call_at,
            note=note,
            refusal=code,
            at=self._clock.now(),
        )
        return self._take(stored, step, call_ended_s=call_ended_s, refusal=refusal)

    def _take(
        self,
        stored: Stored,
        step: Step,
        *,
        call_ended_s: float | None = None,
        refusal: AccountRefused | None = None,
        answered: bool = False,
    ) -> Outcome:
        changed = self._store.change(stored, step)
        if changed.job.finished_by is Actor.POLL and not stored.job.is_final:
            self._learning.observe(changed.job)
        settled = self._settled(changed)
        return Outcome(
            held=settled.held, refusal=refusal, answered=answered, call_ended_s=call_ended_s
        )

    def _settled(self, stored: Stored) -> Outcome:
        """Announce what is to be announced; keep the job in hand if it is due again already."""
        stored = self._announcer.announce_or_leave(stored)
        wakes_at = wake_at(stored.job)
        if wakes_at is None or wakes_at > self._clock.now():
            return Outcome()
        return Outcome(held=Held(job=stored.job, version=stored.version, is_ahead=False))

    def _poll_at(self, job: Job, now: datetime) -> datetime:
        return planned_poll_at(
            self._learning.plan(job.operation),
            submitted_at=job.submitted_at or job.created_at,
            now=now,
            polls=job.polls,
            draw=self._draw(),
        )

    def _try_again_at(self, tries: int, retry_after_s: float | None) -> datetime:
        return next_try_at(
            tries=tries, retry_after_s=retry_after_s, now=self._clock.now(), draw=self._draw()
        )

    def _resubmit_at(self, now: datetime) -> datetime:
        return now + timedelta(seconds=self._provider.rhythm.resubmit_after_s)


class _Call:
    """One call to the provider; knows when it ended, however it did."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.ended_s: float | None = None

    def timed(self, call: Callable[[], T]) -> T:
        try:
            return call()
        finally:
            self.ended_s = self._clock.monotonic()


def expired(job: Job, *, resubmit_at: datetime, at: datetime) -> Job:
    """Take the step that a claim is worth whose pump has died; past its deadline the job ends."""
    after = steps.claim_expired(job, resubmit_at=resubmit_at, at=at)
    return job if after is job else steps.given_up(after, at=at)


def read(
    job: Job, *, reading: answers.Reading, asked_at: datetime, poll_at: datetime, at: datetime
) -> Job:
    """Take the step that a provider's answer to a poll is worth."""
    match reading:
        case answers.Rendered(outputs=outputs, provider_status=word):
            return steps.succeeded(job, outputs=outputs, by=Actor.POLL, at=at, provider_status=word)
        case answers.RenderFailed(provider_status=word):
            return steps.failed(
                job,
                code=ErrorCode.RENDER_FAILED,
                message=f"the provider says that the render is {word!r}",
                by=Actor.POLL,
                at=at,
                provider_status=word,
            )
        case answers.WithoutOutput(provider_status=word):
            return steps.struck(
                job,
                code=ErrorCode.OUTPUT_UNUSABLE,
                poll_at=poll_at,
                at=at,
                provider_status=word,
            )
        case answers.UnknownJob():
            return steps.struck(job, code=ErrorCode.PROVIDER_JOB_NOT_FOUND, poll_at=poll_at, at=at)
        case answers.StillOpen(provider_status=word):
            return steps.still_open(job, provider_status=word, asked_at=asked_at, poll_at=poll_at)


def refusal_code(refusal: AccountRefused) -> ErrorCode:
    """Return what a job fails with if the account is refused until its deadline."""
    return REFUSALS.get(refusal.status, ErrorCode.PROVIDER_AUTH)


def _fields(job: Job, **more: str) -> dict[str, dict[str, str]]:
    return {"fields": {"job_id": job.id, "account": job.account, **more}}
