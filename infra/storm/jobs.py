"""The jobs of a storm, drawn from its seed: what each asks for, and what befalls it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from urllib.parse import parse_qs, urlencode, urlsplit

GEPETTO = "gepetto"
SPACELY = "spacely"

SHORTEST_DEADLINE_S = 60
LONGEST_DEADLINE_S = 180
REPEATED_WITHIN_S = 15.0

# Of the jobs that have a webhook at all; Spacely sends none.
WEBHOOKS = {"webhook-lost": 0.20, "webhook-twice": 0.20, "webhook-early": 0.10}
# Of all jobs. A wish of one job wears off after N tries, so a resubmission succeeds.
UNANSWERED = {"accept-close=1": 0.035, "accept-hang=1": 0.015}
ERRORS = {"accept-500=1": 0.02, "submit-500=1": 0.015, "poll-500=2": 0.015}
BUSY = {"submit-503=1": 0.02, "submit-429=1": 0.01}
RENDERS = {"failed": 0.04, "no-output": 0.01, "odd-status=warming": 0.02}
# Of the hostile tenant's jobs, every time that they are sent.
HOSTILE = ("submit-403", "submit-429", "submit-500", "accept-hang")

SHARE_RESUBMITTED = 0.3
SHARE_REPEATED = 0.1
SHARE_LATE = 0.02
LATE_RENDER = f"render-s={SHORTEST_DEADLINE_S + 8}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StormJob:
    """One job.

    Attributes:
        send_at_s: When its caller sends it, from the beginning of the storm.
        repeat_at_s: When it is sent once more with the same key; None if it is not.
        wishes: What befalls it, in the sandbox's words.
        is_hostile: Whether it is of the tenant that floods the relay with bad jobs.
    """

    number: int
    provider: str
    send_at_s: float
    repeat_at_s: float | None
    deadline_s: int
    is_resubmitted: bool
    wishes: tuple[str, ...]
    is_hostile: bool = False

    def body(self, sandbox_url: str) -> dict[str, object]:
        """Return what is posted to the relay."""
        query = {"n": str(self.number), "sandbox": ",".join(self.wishes)}
        image_url = f"{sandbox_url}/rooms/living.jpg?{urlencode(query)}"
        return {
            "provider": self.provider,
            "operation": "redesign" if self.provider == GEPETTO else "advance",
            "input": _inputs(self.provider, image_url),
            "metadata": {"storm": str(self.number)},
            "deadlineSeconds": self.deadline_s,
            "onUnconfirmed": "resubmit" if self.is_resubmitted else "wait",
        }


def number_in(image_url: str) -> int | None:
    """Return the number of the job that an image's URL was made for, None if it is no such."""
    (text, *_) = parse_qs(urlsplit(image_url).query).get("n", [""])
    return int(text) if text.isdecimal() else None


def drawn_jobs(count: int, *, seed: int, create_s: float, horizon_s: float) -> tuple[StormJob, ...]:
    """Draw the jobs, in the order in which they are sent.

    Args:
        create_s: The last one is sent before this.
        horizon_s: Every deadline passes before this.
    """
    chance = Random(f"jobs of {seed}")
    moments = sorted(chance.uniform(0.0, create_s) for _ in range(count))
    return tuple(
        _drawn(chance, number=number, send_at_s=send_at_s, horizon_s=horizon_s)
        for number, send_at_s in enumerate(moments, start=1)
    )


def hostile_jobs(
    count: int, *, seed: int, first_number: int, create_s: float, horizon_s: float
) -> tuple[StormJob, ...]:
    """Draw the hostile tenant's jobs: a flood of jobs that are all to be sent again and again.

    Args:
        create_s: The honest tenant's last job is sent before this, the hostile one's before half.
        horizon_s: Every deadline passes before this.
    """
    chance = Random(f"hostile jobs of {seed}")
    moments = sorted(chance.uniform(0.0, create_s / 2) for _ in range(count))
    return tuple(
        StormJob(
            number=number,
            provider=chance.choice((GEPETTO, SPACELY)),
            send_at_s=send_at_s,
            repeat_at_s=None,
            deadline_s=max(SHORTEST_DEADLINE_S, int(horizon_s - send_at_s)),
            is_resubmitted=True,
            wishes=(chance.choice(HOSTILE),),
            is_hostile=True,
        )
        for number, send_at_s in enumerate(moments, start=first_number)
    )


def _drawn(chance: Random, *, number: int, send_at_s: float, horizon_s: float) -> StormJob:
    provider = chance.choice((GEPETTO, SPACELY))
    latest_s = min(LONGEST_DEADLINE_S, int(horizon_s - send_at_s))
    deadline_s = chance.randint(SHORTEST_DEADLINE_S, max(SHORTEST_DEADLINE_S, latest_s))
    wishes = [
        wish
        for table in (WEBHOOKS if provider == GEPETTO else {}, UNANSWERED, BUSY, RENDERS)
        if (wish := _one_of(chance, table)) is not None
    ]
    error = _one_of(chance, ERRORS)
    if error is not None and not set(wishes) & set(UNANSWERED):
        wishes.append(error)
    is_late = provider == GEPETTO and chance.random() < SHARE_LATE
    if is_late and latest_s > SHORTEST_DEADLINE_S:
        wishes, deadline_s = [LATE_RENDER], SHORTEST_DEADLINE_S
    repeat_s = chance.choice((0.0, chance.uniform(0.0, REPEATED_WITHIN_S)))
    return StormJob(
        number=number,
        provider=provider,
        send_at_s=send_at_s,
        repeat_at_s=send_at_s + repeat_s if chance.random() < SHARE_REPEATED else None,
        deadline_s=deadline_s,
        is_resubmitted=chance.random() < SHARE_RESUBMITTED,
        wishes=tuple(wishes),
    )


def _one_of(chance: Random, table: Mapping[str, float]) -> str | None:
    """Draw at most one of several things, each with its own probability."""
    drawn = chance.random()
    for what, probability in table.items():
        drawn -= probability
        if drawn < 0:
            return what
    return None


def wished(jobs: Sequence[StormJob]) -> dict[str, int]:
    """Count what befalls the jobs, by the sandbox's word for it."""
    every = (*WEBHOOKS, *UNANSWERED, *ERRORS, *BUSY, *RENDERS, LATE_RENDER, *HOSTILE)
    return {wish: sum(wish in job.wishes for job in jobs) for wish in every}


def _inputs(provider: str, image_url: str) -> dict[str, object]:
    if provider == GEPETTO:
        return {"url": image_url, "styleId": "modern", "roomId": "living_room", "creativity": 14}
    return {"model": "spacely-v1", "imageUrl": image_url, "renovateType": "residential"}
