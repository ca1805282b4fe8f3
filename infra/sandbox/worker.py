"""Renders the accepted jobs: fetches the input, makes the pictures, sends the webhook."""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import requests

from infra.sandbox.clock import Clock, Scheduler
from infra.sandbox.jobs import Delivery, JobStore, RenderJob, State
from infra.sandbox.pictures import InputUnusableError, Pictures
from infra.sandbox.rendering import Render

CONNECT_S, READ_S, TOTAL_S = 5.0, 10.0, 20.0
MAX_BYTES = 20 * 1024 * 1024
WEBHOOK_TIMEOUT_S = 10.0

log = logging.getLogger("sandbox")


class UndeliveredError(Exception):
    """A webhook got no response."""


Fetch = Callable[[str], bytes]
"""Downloads an input image from a URL; raises InputUnusableError."""
Send = Callable[[str, bytes], int]
"""Posts a body to a URL and returns the status of the response; raises UndeliveredError."""


@dataclass(frozen=True, slots=True)
class RenderWorker:
    """Takes a job from acceptance to its pictures and its webhook.

    Attributes:
        fetch: None ignores the inputs and starts from sample rooms instead.
    """

    clock: Clock
    scheduler: Scheduler
    jobs: JobStore
    pictures: Pictures
    fetch: Fetch | None
    send: Send

    def accept(self, job: RenderJob) -> None:
        """Take on a job; with `webhook-early` it is finished when this returns."""
        self.jobs.add(job)
        log.info("%s accepted %s as %s", job.provider, job.operation, job.ref)
        if job.behaviour.has("webhook-early"):
            self._finish(job, at_once=True)
        else:
            self.scheduler.at(job.due, partial(self._finish, job, at_once=False))

    def _finish(self, job: RenderJob, *, at_once: bool) -> None:
        job.state = self._render(job)
        job.finished_at = self.clock.wall()
        job.ended.set()
        log.info("%s ended %s: %s", job.provider, job.ref, job.state)
        delay_s = job.behaviour.seconds("webhook-late")
        for body in webhook_bodies(job, another_ref=self.jobs.another_ref(job)):
            if at_once:
                self._deliver(job, body)
            else:
                due = self.clock.monotonic() + delay_s
                self.scheduler.at(due, partial(self._deliver, job, body))

    def _render(self, job: RenderJob) -> State:
        """Make the pictures available; each is rendered when it is first looked at."""
        source = None
        if self.fetch is not None and job.image_url:
            try:
                source = self.pictures.source(self.fetch(job.image_url))
            except InputUnusableError as error:
                log.warning("the input of %s is unusable: %s", job.ref, error)
                return State.FAILED
            job.fetched_input = True
        if job.behaviour.has("failed") or job.behaviour.lasts("fails", job.tries):
            return State.FAILED
        self.pictures.add(
            Render(job.ref, job.provider, job.operation, job.pictures, job.inputs, source)
        )
        return State.SUCCEEDED

    def _deliver(self, job: RenderJob, body: bytes) -> None:
        if job.webhook_url is None:
            return
        at = self.clock.wall()
        try:
            status, error = self.send(job.webhook_url, body), None
        except UndeliveredError as undelivered:
            status, error = None, str(undelivered)
        job.webhooks.append(Delivery(at, self.clock.wall(), status, error))


def webhook_bodies(job: RenderJob, *, another_ref: str) -> tuple[bytes, ...]:
    """Return the bodies of the webhooks that an ended job sends.

    A failed render sends none without `webhook-no-output`: the documented body cannot
    express a failure, and no page says that one is sent.
    """
    behaviour = job.behaviour
    is_silent = job.state is State.FAILED and not behaviour.has("webhook-no-output")
    if job.webhook_url is None or is_silent or behaviour.has("webhook-lost"):
        return ()
    payload: dict[str, object] = {
        "id": another_ref if behaviour.has("webhook-wrong-id") else job.ref
    }
    if not behaviour.has("webhook-no-output"):
        payload["output"] = next(iter(job.urls()), None)
    body = json.dumps(payload).encode()
    if behaviour.has("webhook-nonsense"):
        body = b"<p>The render is done. \xff</p>"
    return (body, body) if behaviour.has("webhook-twice") else (body,)


def fetch(url: str) -> bytes:
    """Download a file.

    Raises:
        InputUnusableError: It is unreachable, too large or too slow.
    """
    started = time.monotonic()
    body = bytearray()
    try:
        with requests.get(url, stream=True, timeout=(CONNECT_S, READ_S)) as response:
            if response.status_code != 200:
                raise InputUnusableError(f"answered {response.status_code}")
            for part in response.iter_content(64 * 1024):
                body += part
                if len(body) > MAX_BYTES or time.monotonic() - started > TOTAL_S:
                    raise InputUnusableError("too large or too slow")
    except requests.RequestException as error:
        raise InputUnusableError(type(error).__name__) from error
    return bytes(body)


def send(url: str, body: bytes) -> int:
    """Send a webhook, once.

    Raises:
        UndeliveredError: There was no response in time.
    """
    headers = {"Content-Type": "application/json", "Connection": "close"}
    try:
        response = requests.post(
            url, data=body, headers=headers, timeout=WEBHOOK_TIMEOUT_S, allow_redirects=False
        )
    except requests.RequestException as error:
        raise UndeliveredError(type(error).__name__) from error
    return response.status_code
