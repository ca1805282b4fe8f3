"""When to ask a provider about a job, and when to try it again after it was busy."""

from dataclasses import dataclass
from datetime import datetime, timedelta

LONGEST_RETRY_AFTER_S = 600.0
FIRST_RETRY_S = 5.0
LONGEST_RETRY_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How often one provider is asked about a job; all times in seconds.

    Attributes:
        first_s: Age of a submission at its first poll: the time a webhook has to come first.
        shortest_s: Least time between two polls.
        longest_s: Most time between two polls.
        share_of_age: The gap in between, as a share of the submission's age.
        resubmit_after_s: How long an unconfirmed submission may still report before it is
            sent again (where the caller wants that).
    """

    first_s: float
    shortest_s: float
    longest_s: float
    share_of_age: float
    resubmit_after_s: float


def next_poll_at(rhythm: Rhythm, *, submitted_at: datetime, now: datetime, draw: float) -> datetime:
    """Return when to ask next, from the age of the submission.

    The gap grows with age, because the longer a render has taken the longer it is likely to
    take, and is spread by a tenth either way, so that jobs sent together do not stay together.

    Args:
        draw: A random number from 0 up to 1.
    """
    age_s = (now - submitted_at).total_seconds()
    gap_s = min(max(age_s * rhythm.share_of_age, rhythm.shortest_s), rhythm.longest_s)
    gap_s = max(gap_s, rhythm.first_s - age_s)
    return now + timedelta(seconds=gap_s * (0.9 + 0.2 * draw))


def next_try_at(*, tries: int, retry_after_s: float | None, now: datetime, draw: float) -> datetime:
    """Return when to call a busy provider again: as it asked, else after a growing gap.

    Args:
        tries: How often it was called in vain so far, at least 1.
        retry_after_s: What the provider asked for; honoured up to 10 minutes.
        draw: A random number from 0 up to 1.
    """
    if retry_after_s is not None:
        return now + timedelta(seconds=min(max(retry_after_s, 1.0), LONGEST_RETRY_AFTER_S))
    gap_s = min(FIRST_RETRY_S * 2 ** min(tries - 1, 10), LONGEST_RETRY_S)
    return now + timedelta(seconds=gap_s * (0.75 + 0.5 * draw))
