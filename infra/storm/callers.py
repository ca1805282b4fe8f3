"""The callers: create jobs over whatever gaps the API has, as real clients do."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Self

from infra.demo.relay_api import Refused, RelayApi, Unanswered
from infra.storm.jobs import StormJob
from infra.storm.settings import HOSTILE_KEY

CALLERS = 8
PATIENCE_S = 60.0
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """One create that a caller is to make."""

    job: StormJob
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """What came of one create.

    Attributes:
        at: When the caller was given the job, in seconds since the epoch.
        job_id: None if the caller was refused, or lost its patience.
        unanswered: How many tries before got no answer, or a 5xx.
        why: What the caller was told, if it was not given a job.
    """

    number: int
    at: float
    job_id: str | None
    unanswered: int
    why: str = ""


def all_sends(jobs: Sequence[StormJob]) -> tuple[Send, ...]:
    """Return every create, first ones and repeated ones, in the order of time."""
    sends = [Send(job=job, at_s=job.send_at_s) for job in jobs]
    sends += [Send(job=job, at_s=job.repeat_at_s) for job in jobs if job.repeat_at_s is not None]
    return tuple(sorted(sends, key=lambda send: send.at_s))


class Callers:
    """Several callers at once, from when they are entered until all is sent.

    Args:
        key: The honest tenant's; the hostile one's is known.
        run: Makes this run's idempotency keys different from any other's.
        on_created: Called with the id of each job that a caller is given.
    """

    def __init__(
        self,
        sends: Sequence[Send],
        *,
        api_url: str,
        key: str,
        sandbox_url: str,
        run: str,
        on_created: Callable[[str], None],
    ) -> None:
        self._left: SimpleQueue[Send] = SimpleQueue()
        for send in sends:
            self._left.put(send)
        self._api_url = api_url
        self._key = key
        self._sandbox_url = sandbox_url
        self._run = run
        self._on_created = on_created
        self._created: list[Created] = []
        self._stopping = threading.Event()
        self._began_at_s = 0.0
        self._threads = [
            threading.Thread(target=self._call, name=f"caller-{number}", daemon=True)
            for number in range(CALLERS)
        ]

    def __enter__(self) -> Self:
        self._began_at_s = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    @property
    def created(self) -> tuple[Created, ...]:
        """What came of every create that is over."""
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
                    send = self._left.get_nowait()
                except Empty:
                    return
                self._stopping.wait(self._began_at_s + send.at_s - time.monotonic())
                created = self._carried_out(send, hostile if send.job.is_hostile else honest)
                self._created.append(created)
                if created.job_id is not None:
                    self._on_created(created.job_id)

    def _carried_out(self, send: Send, api: RelayApi) -> Created:
        number = send.job.number
        body, key = send.job.body(self._sandbox_url), f"storm-{self._run}-{number}"
        give_up_at_s, pause_s, unanswered = time.monotonic() + PATIENCE_S, FIRST_PAUSE_S, 0
        while True:
            try:
                job_id = api.create(body, idempotency_key=key).id
                return Created(number=number, at=time.time(), job_id=job_id, unanswered=unanswered)
            except Refused as error:
                why = str(error)
            except Unanswered as error:
                unanswered += 1
                why = str(error)
                if time.monotonic() < give_up_at_s and not self._stopping.wait(pause_s):
                    pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                    continue
            return Created(
                number=number, at=time.time(), job_id=None, unanswered=unanswered, why=why
            )
