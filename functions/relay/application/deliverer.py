"""Delivers the callback of one job: posts the event whose turn it is, and notes what came of it."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from relay.application.ports import Clock, Endpoints, Stored
from relay.application.store import JobStore
from relay.application.tracer import UNTRACED, Step, Tracer
from relay.domain.callback import CallbackShape, Delivery, after_attempt
from relay.domain.job import Announcement, Job
from relay.domain.signatures import signed_headers
from relay.errors import CallForbidden, CallUnanswered

log = logging.getLogger(__name__)


class Deliverer:
    """Posts events to callers' URLs; thread-safe.

    Args:
        bodies: Writes the body of a callback in each shape.
        keys: `CALLBACK_KEYS`.
        may_call: Whether the pump's lease still allows calls.
    """

    def __init__(
        self,
        *,
        store: JobStore,
        endpoints: Endpoints,
        bodies: Callable[[CallbackShape, Job, Announcement], bytes],
        keys: Sequence[str],
        clock: Clock,
        may_call: Callable[[], bool],
        tracer: Tracer = UNTRACED,
    ) -> None:
        self._store = store
        self._endpoints = endpoints
        self._bodies = bodies
        self._keys = keys
        self._clock = clock
        self._may_call = may_call
        self._tracer = tracer

    def deliver(self, job_id: str) -> Stored:
        """Post the job's event whose turn it is, if it is due, and write what came of that.

        If the result cannot be written, the same event is posted again, under the same id.

        Raises:
            JobNotFound: The document has gone.
            UnreadableJob: It does not parse.
            StoreUnavailable: The result could not be written.
        """
        stored = self._store.read(job_id)
        callback = stored.job.callback
        pending = None if callback is None else callback.pending
        if callback is None or pending is None or pending.next_at is None:
            return stored
        if pending.next_at > self._clock.now() or not self._may_call():
            return stored
        event = next(one for one in stored.job.announcements if one.id == pending.event_id)
        http_status, retry_after_s, why = self._post(
            stored.job, callback.url, event, attempt=pending.attempts + 1
        )
        after = partial(
            _attempted,
            tried=pending,
            http_status=http_status,
            retry_after_s=retry_after_s,
            at=self._clock.now(),
        )
        stored = self._store.change(stored, after)
        _log_attempt(stored.job, pending, http_status, why)
        return stored

    def _post(
        self, job: Job, url: str, event: Announcement, *, attempt: int
    ) -> tuple[int | None, float | None, str | None]:
        """Return the status of the answer, its ``Retry-After``, and why there is none."""
        assert job.callback is not None  # noqa: S101 - see `deliver`
        body = self._bodies(job.callback.shape, job, event)
        headers = signed_headers(
            self._keys, tenant=job.tenant, event_id=event.id, body=body, at=self._clock.now()
        )
        try:
            with self._tracer.step(Step.DELIVER, job, event_id=event.id) as span:
                span.note(event_type=event.type.value, attempt=attempt)
                if span.context is not None:
                    headers |= span.context.headers
                reply = self._endpoints.post(url, headers=headers, body=body)
                span.note(http_status=reply.status)
        except (CallForbidden, CallUnanswered) as error:
            return None, None, str(error)
        return reply.status, reply.retry_after_s, None


def _attempted(
    job: Job,
    *,
    tried: Delivery,
    http_status: int | None,
    retry_after_s: float | None,
    at: datetime,
) -> Job:
    if job.callback is None:
        return job
    after = after_attempt(
        job.callback, tried, http_status=http_status, retry_after_s=retry_after_s, at=at
    )
    return job if after is job.callback else replace(job, callback=after)


def _log_attempt(job: Job, tried: Delivery, http_status: int | None, why: str | None) -> None:
    now = (
        None
        if job.callback is None
        else next((one for one in job.callback.deliveries if one.event_id == tried.event_id), None)
    )
    status = "unknown" if now is None else now.status.value
    fields: dict[str, object] = {
        "job_id": job.id,
        "tenant": job.tenant,
        "event_id": tried.event_id,
        "attempt": tried.attempts + 1,
        "status": status,
    }
    if http_status is not None:
        fields["http_status"] = http_status
    if why is not None:
        fields["why"] = why
    is_delivered = http_status is not None and 200 <= http_status < 300
    if is_delivered:
        log.info("callback delivered", extra={"fields": fields})
    elif status == "failed":
        log.error("callback failed", extra={"fields": fields})
    else:
        log.warning("callback not delivered", extra={"fields": fields})
