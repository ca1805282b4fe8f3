"""Waits for a render as its provider's own blocking call does, and fetches the picture."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from relay.application.job_reader import JobReader
from relay.application.ports import Clock, Downloads
from relay.application.slots import Slots
from relay.domain.job import Job, Status
from relay.errors import (
    CallForbidden,
    CallUnanswered,
    CutShort,
    NotRendered,
    NotRenderedYet,
    PictureNotFetched,
    RelayError,
    StoreUnavailable,
    TooLarge,
)

LONGEST_S = 300.0
TRIES = 3
RETRY_AFTER_S = 1.0

_WHY: dict[type[RelayError], str] = {
    CallForbidden: "its URL leads to an address that may not be called",
    TooLarge: "it is larger than 25 MiB",
    CallUnanswered: "its host did not answer in time",
    CutShort: "it ended before its length",
}


class PictureReader:
    """Reads the first output of callers' jobs, as soon as it is there.

    Args:
        slots: Of the pictures that may be in memory at a time.
    """

    def __init__(
        self, *, reader: JobReader, downloads: Downloads, slots: Slots, clock: Clock
    ) -> None:
        self._reader = reader
        self._downloads = downloads
        self._slots = slots
        self._clock = clock

    @contextmanager
    def picture(self, tenant: str, job_id: str) -> Iterator[bytes]:
        """Wait for the tenant's job for at most `LONGEST_S`, and yield its first output.

        A store that does not answer does not end the wait: without an idempotency key the caller
        could only pay for another render.

        Raises:
            NotRendered: The job ended without an output.
            NotRenderedYet: It did not end in time; it goes on.
            PictureNotFetched: Its output could not be fetched.
        """
        until = self._clock.monotonic() + LONGEST_S
        job = self._ended(tenant, job_id, until=until)
        if not job.outputs:
            raise NotRendered(_without_picture(job))
        with ExitStack() as held:
            while not held.enter_context(self._slots.take(tenant)):
                self._pause(until=until)
            yield self._fetched(job.outputs[0], until=until)

    def _ended(self, tenant: str, job_id: str, *, until: float) -> Job:
        while True:
            try:
                left_s = max(until - self._clock.monotonic(), 0.0)
                job = self._reader.get(tenant, job_id, wait_s=left_s)
            except StoreUnavailable:
                self._pause(until=until)
                continue
            if not job.is_final:
                raise NotRenderedYet
            return job

    def _fetched(self, url: str, *, until: float) -> bytes:
        for tries_left in reversed(range(TRIES)):
            try:
                download = self._downloads.get(url)
            except (CallForbidden, TooLarge) as error:
                raise PictureNotFetched(_WHY[type(error)]) from None
            except (CallUnanswered, CutShort) as error:
                why = _WHY[type(error)]
            else:
                if download.status == 200 and download.body:
                    return download.body
                why = f"its host answered {download.status}"
                if not download.may_pass:
                    break
            if not tries_left or self._clock.monotonic() + RETRY_AFTER_S > until:
                break
            self._clock.sleep(RETRY_AFTER_S)
        raise PictureNotFetched(why)

    def _pause(self, *, until: float) -> None:
        if self._clock.monotonic() + RETRY_AFTER_S > until:
            raise NotRenderedYet
        self._clock.sleep(RETRY_AFTER_S)


def _without_picture(job: Job) -> str:
    if job.status is Status.CANCELLED:
        return "the job was cancelled"
    return "the job failed" if job.error is None else f"the job failed: {job.error.message}"
