"""The jobs of a storm, drawn from its seed, and the callers that create them."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from random import Random
from typing import Self
from urllib.parse import parse_qs, urlencode, urlsplit

from infra.demo.relay_api import Refused, RelayApi, Unanswered
from infra.local.processes import HOST
from infra.local.settings import DEMO_TENANT

GEPETTO = "gepetto"
SPACELY = "spacely"
HOSTILE_TENANT = "hostile"
# Another name of this machine.
HOSTILE_HOST = "localhost"
# Known to a stack that only this machine reaches.
HOSTILE_KEY = "storm-key-of-the-hostile-tenant"

SHORTEST_DEADLINE_S = 60
LONGEST_DEADLINE_S = 180
REPEATED_WITHIN_S = 15.0

# The sandbox's words for what goes wrong, each with its share of the jobs.
# Of the jobs that have a webhook at all; Spacely sends none.
WEBHOOKS = {"webhook-lost": 0.20, "webhook-twice": 0.20, "webhook-early": 0.10}
# A fault of one job stops after N tries, so a resubmission succeeds.
UNANSWERED = {"accept-close=1": 0.035, "accept-hang=1": 0.015}
ERRORS = {"accept-500=1": 0.02, "submit-500=1": 0.015, "poll-500=2": 0.015}
BUSY = {"submit-503=1": 0.02, "submit-429=1": 0.01}
RENDERS = {"failed": 0.04, "no-output": 0.01, "odd-status=warming": 0.02}
# Of the hostile tenant's jobs, at every submission.
HOSTILE = ("submit-403", "submit-429", "submit-500", "accept-hang")
# Of the honest tenant's callbacks. One failure is made good after 5 s; a second would take 5 min.
GONE = "callback-status=410"
CALLBACKS = {
    "callback-fails=1": 0.06,
    "callback-fails=1,callback-status=307": 0.03,
    "callback-close=1": 0.04,
    "callback-hang=1": 0.02,
    "callback-slow=3": 0.03,
    GONE: 0.02,
}
# Of the hostile tenant's callbacks, at every try.
HOSTILE_CALLBACK = "callback-hang"

SHARE_CALLED_BACK = 0.6
SHARE_RESUBMITTED = 0.3
SHARE_REPEATED = 0.1
SHARE_LATE = 0.02
LATE_RENDER = f"render-s={SHORTEST_DEADLINE_S + 8}"

CALLERS = 8
RETRY_FOR_S = 60.0
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StormJob:
    """A job to create.

    Attributes:
        send_at_s: When its caller sends it, from the start of the storm.
        repeat_at_s: When it is sent again with the same key; None if it is not.
        faults: What goes wrong with it, in the sandbox's words.
        callback: What goes wrong with its callback, likewise; None if it has no callback.
        is_hostile: Whether it belongs to the tenant that floods the relay with bad jobs.
    """

    number: int
    provider: str
    send_at_s: float
    repeat_at_s: float | None
    deadline_s: int
    is_resubmitted: bool
    faults: tuple[str, ...]
    callback: str | None = None
    is_hostile: bool = False

    @property
    def is_gone(self) -> bool:
        """Whether its receiver wants no more callbacks."""
        return self.callback == GONE

    def callback_url(self, sandbox_url: str) -> str | None:
        """Return where its events are posted.

        The hostile tenant's endpoint has another host: one endpoint gets few calls at a time.
        """
        if self.callback is None:
            return None
        query = urlencode({"n": str(self.number), "sandbox": self.callback})
        url = f"{sandbox_url}/callbacks/{self.tenant}?{query}"
        return url.replace(HOST, HOSTILE_HOST, 1) if self.is_hostile else url

    @property
    def tenant(self) -> str:
        """Whose it is, also in the name of the receiver."""
        return HOSTILE_TENANT if self.is_hostile else DEMO_TENANT

    def body(self, sandbox_url: str) -> dict[str, object]:
        """Return the request that creates it."""
        query = {"n": str(self.number), "sandbox": ",".join(self.faults)}
        image_url = f"{sandbox_url}/rooms/living.jpg?{urlencode(query)}"
        callback_url = self.callback_url(sandbox_url)
        return {
            "provider": self.provider,
            "operation": "redesign" if self.provider == GEPETTO else "advance",
            "input": _input(self.provider, image_url),
            "metadata": {"storm": str(self.number)},
            "deadlineSeconds": self.deadline_s,
            "onUnconfirmed": "resubmit" if self.is_resubmitted else "wait",
            **({"callbackUrl": callback_url} if callback_url is not None else {}),
        }


def _input(provider: str, image_url: str) -> dict[str, object]:
    if provider == GEPETTO:
        return {"url": image_url, "styleId": "modern", "roomId": "living_room", "creativity": 14}
    return {"model": "spacely-v1", "imageUrl": image_url, "renovateType": "residential"}


def number_in(url: str) -> int | None:
    """Return the number of the job that an image or a callback is of; None if there is none."""
    (text, *_) = parse_qs(urlsplit(url).query).get("n", [""])
    return int(text) if text.isdecimal() else None


def drawn_jobs(count: int, *, seed: int, create_s: float, horizon_s: float) -> tuple[StormJob, ...]:
    """Draw the honest tenant's jobs, in the order in which they are sent.

    Args:
        create_s: The last one is sent before this.
        horizon_s: Every deadline passes before this.
    """
    rng, of_callbacks = Random(f"jobs of {seed}"), Random(f"callbacks of {seed}")
    times = sorted(rng.uniform(0.0, create_s) for _ in range(count))
    drawn = (
        _drawn(rng, number=number, send_at_s=send_at_s, horizon_s=horizon_s)
        for number, send_at_s in enumerate(times, start=1)
    )
    return tuple(
        replace(job, callback=_one_of(of_callbacks, CALLBACKS) or "")
        if of_callbacks.random() < SHARE_CALLED_BACK
        else job
        for job in drawn
    )


def hostile_jobs(
    count: int, *, seed: int, first_number: int, create_s: float, horizon_s: float
) -> tuple[StormJob, ...]:
    """Draw the hostile tenant's jobs, all of them to be resubmitted.

    Args:
        create_s: The last honest job is sent before this, the last hostile one before half of it.
        horizon_s: Every deadline passes before this.
    """
    rng = Random(f"hostile jobs of {seed}")
    times = sorted(rng.uniform(0.0, create_s / 2) for _ in range(count))
    return tuple(
        StormJob(
            number=number,
            provider=rng.choice((GEPETTO, SPACELY)),
            send_at_s=send_at_s,
            repeat_at_s=None,
            deadline_s=max(SHORTEST_DEADLINE_S, int(horizon_s - send_at_s)),
            is_resubmitted=True,
            faults=(rng.choice(HOSTILE),),
            callback=HOSTILE_CALLBACK,
            is_hostile=True,
        )
        for number, send_at_s in enumerate(times, start=first_number)
    )


def _drawn(rng: Random, *, number: int, send_at_s: float, horizon_s: float) -> StormJob:
    provider = rng.choice((GEPETTO, SPACELY))
    latest_s = min(LONGEST_DEADLINE_S, int(horizon_s - send_at_s))
    deadline_s = rng.randint(SHORTEST_DEADLINE_S, max(SHORTEST_DEADLINE_S, latest_s))
    faults = [
        fault
        for shares in (WEBHOOKS if provider == GEPETTO else {}, UNANSWERED, BUSY, RENDERS)
        if (fault := _one_of(rng, shares)) is not None
    ]
    error = _one_of(rng, ERRORS)
    if error is not None and not set(faults) & set(UNANSWERED):
        faults.append(error)
    is_late = provider == GEPETTO and rng.random() < SHARE_LATE
    if is_late and latest_s > SHORTEST_DEADLINE_S:
        faults, deadline_s = [LATE_RENDER], SHORTEST_DEADLINE_S
    repeat_s = rng.choice((0.0, rng.uniform(0.0, REPEATED_WITHIN_S)))
    return StormJob(
        number=number,
        provider=provider,
        send_at_s=send_at_s,
        repeat_at_s=send_at_s + repeat_s if rng.random() < SHARE_REPEATED else None,
        deadline_s=deadline_s,
        is_resubmitted=rng.random() < SHARE_RESUBMITTED,
        faults=tuple(faults),
    )


def _one_of(rng: Random, shares: Mapping[str, float]) -> str | None:
    """Draw at most one of several faults, each with its own probability."""
    drawn = rng.random()
    for fault, share in shares.items():
        drawn -= share
        if drawn < 0:
            return fault
    return None


def fault_counts(jobs: Sequence[StormJob]) -> dict[str, int]:
    """Count the jobs by what goes wrong with them."""
    every = (*WEBHOOKS, *UNANSWERED, *ERRORS, *BUSY, *RENDERS, LATE_RENDER, *HOSTILE)
    counts = {fault: sum(fault in job.faults for job in jobs) for fault in every}
    callbacks = Counter(job.callback for job in jobs if job.callback)
    return counts | {fault: callbacks[fault] for fault in (*CALLBACKS, HOSTILE_CALLBACK)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """A create request to be sent at a time of the storm."""

    job: StormJob
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """The outcome of one create.

    Attributes:
        at: When it was answered, in seconds since the epoch.
        job_id: None if the create was refused, or not answered for too long.
        unanswered: How many earlier tries got no answer, or a 5xx.
        why: The last error, if there is no job.
    """

    number: int
    at: float
    job_id: str | None
    unanswered: int
    why: str = ""


def all_creates(jobs: Sequence[StormJob]) -> tuple[Create, ...]:
    """Return every create, first and repeated ones, in the order of time."""
    creates = [Create(job=job, at_s=job.send_at_s) for job in jobs]
    creates += [
        Create(job=one, at_s=one.repeat_at_s) for one in jobs if one.repeat_at_s is not None
    ]
    return tuple(sorted(creates, key=lambda create: create.at_s))


class Callers:
    """Several callers that retry as real clients do, while the context is entered.

    Args:
        key: The honest tenant's API key.
        run: Makes this run's idempotency keys different from those of others.
        on_created: Called with each job's id.
    """

    def __init__(
        self,
        creates: Sequence[Create],
        *,
        api_url: str,
        key: str,
        sandbox_url: str,
        run: str,
        on_created: Callable[[str], None],
    ) -> None:
        self._left: SimpleQueue[Create] = SimpleQueue()
        for create in creates:
            self._left.put(create)
        self._api_url = api_url
        self._key = key
        self._sandbox_url = sandbox_url
        self._run = run
        self._on_created = on_created
        self._created: list[Created] = []
        self._stopping = threading.Event()
        self._started_at_s = 0.0
        self._threads = [
            threading.Thread(target=self._call, name=f"caller-{number}", daemon=True)
            for number in range(CALLERS)
        ]

    def __enter__(self) -> Self:
        self._started_at_s = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    @property
    def created(self) -> tuple[Created, ...]:
        """The outcome of every create so far."""
        return tuple(self._created)

    @property
    def are_done(self) -> bool:
        """Whether every create is over."""
        return not any(thread.is_alive() for thread in self._threads)

    def _call(self) -> None:
        with (
            RelayApi(url=self._api_url, key=self._key) as honest,
            RelayApi(url=self._api_url, key=HOSTILE_KEY) as hostile,
        ):
            while not self._stopping.is_set():
                try:
                    create = self._left.get_nowait()
                except Empty:
                    return
                self._stopping.wait(self._started_at_s + create.at_s - time.monotonic())
                created = self._create(create.job, hostile if create.job.is_hostile else honest)
                self._created.append(created)
                if created.job_id is not None:
                    self._on_created(created.job_id)

    def _create(self, job: StormJob, api: RelayApi) -> Created:
        body, key = job.body(self._sandbox_url), f"storm-{self._run}-{job.number}"
        give_up_at_s, pause_s, unanswered = time.monotonic() + RETRY_FOR_S, FIRST_PAUSE_S, 0
        while True:
            job_id, why = None, ""
            try:
                job_id = api.create(body, idempotency_key=key).id
            except Refused as error:
                why = str(error)
            except Unanswered as error:
                unanswered += 1
                why = str(error)
                if time.monotonic() < give_up_at_s and not self._stopping.wait(pause_s):
                    pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                    continue
            return Created(
                number=job.number, at=time.time(), job_id=job_id, unanswered=unanswered, why=why
            )
