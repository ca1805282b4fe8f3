"""Everything that can go wrong, and whether trying again can help.

RelayError
├── Permanent               trying again gives the same answer
│   ├── Invalid             the request is wrong, in one place or several
│   │   ├── InvalidRequest  its body                                     -> 422
│   │   │   └── InvalidSubmission  its body in a provider's shape        -> 400
│   │   └── InvalidQuery    its query                                    -> 400
│   ├── Unauthenticated     no key                                       -> 401
│   │   └── WrongKey        a key of no tenant                           -> 401
│   ├── JobNotFound         no job of this tenant has this id            -> 404
│   ├── KeyReused           an idempotency key with another body         -> 409
│   ├── JobFinal            the job has ended, and is to be cancelled    -> 409
│   ├── NotRetryable        the job is not one that can be retried       -> 409
│   ├── NotRedeliverable    the job has nothing to be delivered again    -> 409
│   ├── NotRendered         the job that a caller waits for has no picture -> 502
│   ├── JobExists           the store has a document of this id already  -> read it
│   ├── UnreadableJob       a document that does not parse               -> set aside
│   ├── CallForbidden       a URL leads where nothing of ours may call   -> not called
│   ├── TooLarge            an output is larger than what is kept        -> not kept
│   ├── OutputNotKept       there is no copy of an output                -> 404
│   ├── JobRefused          the provider will not take this job          -> the job fails
│   └── AccountRefused      the provider will not serve this account     -> the account on hold
└── Transient               the same call may succeed later
    ├── LostRace            another writer was faster                    -> read and step again
    ├── StoreUnavailable    the store does not answer                    -> 503, or the next tick
    ├── ListNotFetched      there is no copy of the provider's list yet  -> 503
    ├── TooManyOpenJobs     the tenant has as many as it may             -> 429
    ├── TooManyLargeBatches as many as memory allows                     -> 429
    ├── TooManyWaiting      as many callers wait as may                  -> 503
    ├── NotRenderedYet      the job that a caller waits for is not done  -> 504
    ├── PictureNotFetched   its picture is there and could not be had    -> 502
    ├── PublishFailed       the topic did not take the message           -> the pump, later
    ├── CallUnanswered      a caller's or an output's host did not answer -> tried again
    ├── CutShort            an output ended before its length            -> fetched again
    ├── BucketUnavailable   the bucket does not answer, or not as it should -> 503, or redelivery
    ├── OutputsUndecided    some outputs of a job could not be fetched yet -> redelivery
    ├── PerhapsAccepted     the provider may or may not have taken it    -> unconfirmed
    └── AskAgain            the provider may be asked the same again
        ├── NotAccepted     it certainly did not take the job            -> submitted again
        └── NoAnswer        a poll brought no answer                     -> polled again
"""

from collections.abc import Sequence
from typing import Self

# A body can be wrong in thousands of places.
MAX_MISTAKES = 20
_SUMMARISED = 3


class RelayError(Exception):
    """Anything that this package raises on purpose."""


class Permanent(RelayError):
    """Trying again gives the same answer."""


class Transient(RelayError):
    """The same call may succeed later."""


class Invalid(Permanent):
    """A request is wrong, in one place or in several.

    Args:
        where: The place.
        expected: What would have been right, as a sentence that names the place.
    """

    def __init__(self, where: str, expected: str) -> None:
        super().__init__(expected)
        self.where = where
        self.expected = expected
        self._several: tuple[Self, ...] = ()

    @property
    def mistakes(self) -> tuple[Self, ...]:
        """Each place on its own, `MAX_MISTAKES` at most."""
        return self._several or (self,)

    @classmethod
    def joined(cls, mistakes: Sequence[Self]) -> Self:
        """Return one error for all of these; its place is that of the first."""
        first, *others = mistakes
        if not others:
            return first
        shown = "; ".join(one.expected for one in mistakes[:_SUMMARISED])
        more = "; ..." if len(mistakes) > _SUMMARISED else ""
        joined = cls(first.where, f"{len(mistakes)} mistakes: {shown}{more}")
        joined._several = tuple(mistakes)
        return joined


class InvalidRequest(Invalid):
    """The caller's input is wrong.

    Args:
        pointer: JSON Pointer (RFC 6901) to the culprit, empty for the whole body.
        expected: What would have been right, as a sentence that names the field.
    """

    def __init__(self, pointer: str, expected: str) -> None:
        super().__init__(pointer, expected)
        self.pointer = pointer


class InvalidSubmission(InvalidRequest):
    """A body in a provider's shape is wrong."""


class InvalidQuery(Invalid):
    """A query parameter is wrong.

    Args:
        parameter: Its name.
        expected: What would have been right, as a sentence that names the parameter.
    """

    def __init__(self, parameter: str, expected: str) -> None:
        super().__init__(parameter, expected)
        self.parameter = parameter


class Unauthenticated(Permanent):
    """No key was given."""


class WrongKey(Unauthenticated):
    """A key was given that belongs to no tenant.

    Args:
        header: The header that it was in.
    """

    def __init__(self, header: str) -> None:
        super().__init__(f"the key in `{header}` is wrong")


class JobNotFound(Permanent):
    """No job of this tenant has this id."""


class KeyReused(Permanent):
    """The idempotency key was used before, with another body."""


class JobFinal(Permanent):
    """The job has ended, so there is nothing to cancel."""


class NotRetryable(Permanent):
    """The job can not be retried.

    Args:
        why: As a sentence.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class NotRedeliverable(Permanent):
    """Nothing of the job can be delivered again; the text says why."""


class NotRendered(Permanent):
    """The job that a caller waits for ended without a picture; the text says why."""


class JobExists(Permanent):
    """The store has a document of this id already."""


class UnreadableJob(Permanent):
    """The job's document does not parse."""


class CallForbidden(Permanent):
    """A URL that a caller or a provider named leads where nothing of ours may call."""


class TooLarge(Permanent):
    """An output is larger than what is kept."""


class OutputNotKept(Permanent):
    """There is no copy of an output.

    Args:
        why: As a sentence, for the caller.
    """


class JobRefused(Permanent):
    """The provider looked at the job and will not take it.

    Args:
        status: HTTP status of the refusal.
        reason: An excerpt of what the provider said; empty if it said nothing.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.reason = reason


class AccountRefused(Permanent):
    """The provider will not serve this account now: its key, its credits or a block.

    Args:
        status: HTTP status of the refusal.
        retry_after_s: What the provider asked for in ``Retry-After``; None if nothing.
        reason: An excerpt of what the provider said; empty if it said nothing.
    """

    def __init__(
        self, status: int, retry_after_s: float | None = None, *, reason: str = ""
    ) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.reason = reason
        self.retry_after_s = retry_after_s


class LostRace(Transient):
    """The document changed since it was read."""


class StoreUnavailable(Transient):
    """The store did not answer, or every try was beaten by another writer."""


class TooManyOpenJobs(Transient):
    """The tenant has as many open jobs in the account as it may.

    Args:
        most: How many that are.
        retry_after_s: When jobs that have ended meanwhile are seen at the latest.
    """

    def __init__(self, account: str, *, most: int, retry_after_s: float) -> None:
        super().__init__(f"{account} may have {most} open jobs of yours: wait for some to end")
        self.retry_after_s = retry_after_s


class ListNotFetched(Transient):
    """There is no copy of a provider's list yet.

    Args:
        retry_after_s: When there may be one at the earliest.
        failure: Why the last fetch failed; None if it did not.
    """

    def __init__(
        self, account: str, name: str, *, retry_after_s: float, failure: str | None
    ) -> None:
        why = "" if failure is None else f"; the last attempt failed: {failure}"
        super().__init__(f"the relay has yet to fetch {name!r} from {account}{why}")
        self.retry_after_s = retry_after_s


class TooManyLargeBatches(Transient):
    """The instance has as many large batches and pages in hand as its memory allows."""


class TooManyWaiting(Transient):
    """As many callers wait for their jobs as the instance allows."""


class NotRenderedYet(Transient):
    """The job that a caller waits for has no picture within the time that it may wait."""


class PictureNotFetched(Transient):
    """The picture of a job that succeeded could not be fetched.

    Args:
        why: As the rest of a sentence.
    """

    def __init__(self, why: str) -> None:
        super().__init__(f"the job succeeded, but its picture could not be fetched: {why}")


class PublishFailed(Transient):
    """The topic did not confirm the message; it may have taken it all the same."""


class CallUnanswered(Transient):
    """The host of a URL that a caller or a provider named did not answer."""


class CutShort(Transient):
    """An output ended before the length that its host had told."""


class BucketUnavailable(Transient):
    """The bucket did not answer, or refused what it should have taken."""


class OutputsUndecided(Transient):
    """Some outputs of a job could not be fetched; their message should be delivered again."""


class AskAgain(Transient):
    """The provider may be asked the same again.

    Args:
        why: One phrase for the job's history or the log.
        retry_after_s: What the provider asked for in ``Retry-After``; None if nothing.
        is_throttled: Whether it answered 429.
    """

    def __init__(
        self, why: str, retry_after_s: float | None = None, *, is_throttled: bool = False
    ) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s
        self.is_throttled = is_throttled


class NotAccepted(AskAgain):
    """The provider certainly did not take the job."""


class PerhapsAccepted(Transient):
    """The provider may have taken the job; sending it again may pay twice."""


class NoAnswer(AskAgain):
    """The provider was asked about a job and gave no answer that says anything of it."""
