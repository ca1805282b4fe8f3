"""Lets jobs run through time, many at once, and notes when each result was noticed."""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random

from infra.bench.askers import Asked, Asker


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """How one job went.

    Attributes:
        delay_s: From ready to noticed.
        by_webhook: Whether a webhook brought it.
    """

    duration_s: float
    delay_s: float
    polls: int
    by_webhook: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks:
    """What a provider does beside being asked.

    Attributes:
        delay_s: How long after a render is ready its webhook comes.
        lost: The share of webhooks that never come.
    """

    delay_s: float
    lost: float


def run(
    durations_s: Sequence[float],
    asker: Asker,
    *,
    jobs_per_s: float,
    seed: str,
    webhooks: Webhooks | None = None,
) -> list[Noticed]:
    """Run jobs that are submitted at random moments; a result teaches what comes after it.

    Args:
        durations_s: In the order of submission; the asker never sees them.
    """
    chance = Random(f"{seed} arrivals")
    # (when, job, its submission, its last poll, its polls): a job is asked about at each of
    # these but the first, which submits it.
    due: list[tuple[float, int, float, float, int]] = []
    comes_at_age_s: list[float | None] = []
    now_s = 0.0
    for job, duration_s in enumerate(durations_s):
        now_s += chance.expovariate(jobs_per_s)
        due.append((now_s, job, now_s, 0.0, -1))
        is_sent = webhooks is not None and chance.random() >= webhooks.lost
        comes_at_age_s.append(duration_s + webhooks.delay_s if webhooks and is_sent else None)
    noticed: list[Noticed | None] = [None] * len(durations_s)
    while due:
        now_s, job, submitted_s, asked_s, polls = heappop(due)
        age_s, duration_s, webhook_s = now_s - submitted_s, durations_s[job], comes_at_age_s[job]
        polls += 1
        is_webhook = webhook_s is not None and polls > 0 and age_s >= webhook_s
        if polls > 0 and (is_webhook or age_s >= duration_s):
            if webhook_s is not None and is_webhook:
                polls, age_s, asked_s = polls - 1, webhook_s, webhook_s
            asker.found(after_s=asked_s, by_s=age_s)
            noticed[job] = Noticed(
                duration_s=duration_s,
                delay_s=age_s - duration_s,
                polls=polls,
                by_webhook=is_webhook,
            )
            continue
        next_s = submitted_s + asker.next_age_s(Asked(age_s=age_s, polls=polls, now_s=now_s))
        if webhook_s is not None:
            next_s = min(next_s, submitted_s + webhook_s + 1e-6)
        heappush(due, (next_s, job, submitted_s, age_s, polls))
    return [one for one in noticed if one is not None]
