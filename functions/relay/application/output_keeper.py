"""Copies the outputs of one job into the bucket, and has that announced."""

import hashlib
import logging
import threading
from collections.abc import Sequence
from functools import partial

from relay.application.announcer import Announcer
from relay.application.ports import Clock, Downloads, OutputBucket, Stored
from relay.application.store import JobStore
from relay.application.tracer import UNTRACED, Step, Tracer
from relay.domain.job import Job
from relay.domain.kept_output import NEVER_REACHED, KeptOutput, object_name
from relay.domain.output_keeping import (
    RESULTS,
    decided,
    has_unreached,
    is_given_up,
    results,
    undecided,
)
from relay.domain.picture import picture_type
from relay.errors import CallForbidden, CallUnanswered, CutShort, OutputsUndecided, TooLarge

log = logging.getLogger(__name__)

TRIES = 3
PAUSE_S = 1.0
# A try may wait 60 s for memory, 60 s for the picture and as long for the bucket, and the function
# is stopped after 540 s.
LAST_CALL_AFTER_S = 350.0
# A picture may have 25 MiB, and takes up to twice as much while it is received.
PICTURES_AT_ONCE = 2
WAIT_FOR_MEMORY_S = 60.0


class OutputKeeper:
    """Copies outputs; thread-safe."""

    def __init__(
        self,
        *,
        store: JobStore,
        downloads: Downloads,
        bucket: OutputBucket,
        announcer: Announcer,
        clock: Clock,
        tracer: Tracer = UNTRACED,
    ) -> None:
        self._store = store
        self._downloads = downloads
        self._bucket = bucket
        self._announcer = announcer
        self._clock = clock
        self._tracer = tracer
        self._memory = threading.BoundedSemaphore(PICTURES_AT_ONCE)

    def keep(self, job_id: str) -> None:
        """Copy each output of the job that is not decided yet; announce when all are.

        Every output is tried in turn and then again, three times in all, so that one that hangs
        does not hold up the others.

        Raises:
            OutputsUndecided: A host could not be reached: the message should come again. Also if it
                was given up for that, so that the message ends among the dead letters.
            BucketUnavailable: Likewise, as the bucket could not be written.
            JobNotFound, UnreadableJob, StoreUnavailable: As `JobStore.read`.
        """
        stored = self._store.read(job_id)
        result = next((one for one in stored.job.announcements if one.type in RESULTS), None)
        event_id = None if result is None else result.id
        with self._tracer.step(Step.KEEP, stored.job, event_id=event_id):
            self._keep(stored)

    def _keep(self, stored: Stored) -> None:
        until_s = self._clock.monotonic() + LAST_CALL_AFTER_S
        unreached: set[int] = set()
        for attempt in range(TRIES):
            if attempt and undecided(stored.job):
                self._clock.sleep(PAUSE_S * attempt)
            for index in self._in_turn(stored.job):
                if self._clock.monotonic() < until_s:
                    is_last = attempt == TRIES - 1
                    stored = self._try(stored, index, is_last=is_last, unreached=unreached)
        if is_given_up(stored.job, at=self._clock.now()):
            # Not those that this message had neither memory nor time for.
            for index in unreached.intersection(undecided(stored.job)):
                stored = self._decide(stored, KeptOutput(index=index, error=NEVER_REACHED))
        # A result published from here would come back here as a message, and while the topic's
        # answers are lost or marks cannot be written each message would make more of them. So the
        # pump announces both.
        if not any(event.type in RESULTS for event in stored.job.unpublished):
            self._announcer.announce_or_leave(stored)
        if undecided(stored.job) or has_unreached(stored.job):
            raise OutputsUndecided(stored.job.id)

    def _in_turn(self, job: Job) -> Sequence[int]:
        """Return the undecided outputs, from another one on at every delivery.

        Time may run out on those that hang, and those behind them must get their turn too.
        """
        indexes = undecided(job)
        start = int(self._clock.now().timestamp()) % max(len(indexes), 1)
        return (*indexes[start:], *indexes[:start])

    def _try(self, stored: Stored, index: int, *, is_last: bool, unreached: set[int]) -> Stored:
        """Copy an output; decide against it only on its last try.

        Args:
            unreached: Takes the output in if its host gave no usable answer.
        """
        if not self._memory.acquire(timeout=WAIT_FOR_MEMORY_S):
            return stored
        try:
            kept = self._copied(stored.job, index)
        except _NotKept as error:
            if not is_last:
                return stored
            kept = KeptOutput(index=index, error=str(error))
        except CallUnanswered as error:
            _log_failure(stored.job, index, str(error))
            unreached.add(index)
            return stored
        finally:
            self._memory.release()
        return self._decide(stored, kept)

    def _copied(self, job: Job, index: int) -> KeptOutput:
        body = self._fetched(results(job)[index])
        picture = picture_type(body)
        if picture is None:
            raise _NotKept("it is no JPEG, PNG or WebP picture")
        there = self._bucket.put(
            object_name(job.id, index, picture.extension),
            body,
            content_type=picture.content_type,
            sha256=hashlib.sha256(body).hexdigest(),
        )
        return KeptOutput(
            index=index,
            uri=there.uri,
            content_type=there.content_type,
            bytes=there.bytes,
            sha256=there.sha256,
        )

    def _fetched(self, url: str) -> bytes:
        try:
            answer = self._downloads.get(url)
        except TooLarge:
            raise _NotKept("it is larger than 25 MiB") from None
        except CutShort:
            raise _NotKept("it ended before its Content-Length") from None
        except CallForbidden:
            raise _NotKept("its URL leads to an address that must not be called") from None
        if answer.status == 200:
            return answer.body
        if answer.may_pass:
            raise CallUnanswered(f"HTTP {answer.status}")
        raise _NotKept(_refusal(answer.status))

    def _decide(self, stored: Stored, kept: KeptOutput) -> Stored:
        fields: dict[str, object] = {"job_id": stored.job.id, "index": kept.index}
        stored = self._store.change(stored, partial(decided, kept=kept, at=self._clock.now()))
        if kept.error is None:
            log.info("output kept", extra={"fields": fields | {"bytes": kept.bytes}})
        else:
            log.warning("output not kept", extra={"fields": fields | {"why": kept.error}})
        return stored


class _NotKept(Exception):
    """An output cannot be kept.

    Args:
        why: For its caller.
    """


def _refusal(status: int) -> str:
    if 300 <= status < 400:
        return f"its URL redirects (HTTP {status}), which is not followed"
    return f"its URL answered HTTP {status}"


def _log_failure(job: Job, index: int, why: str) -> None:
    fields = {"job_id": job.id, "index": index, "why": why}
    log.warning("output not reached", extra={"fields": fields})
