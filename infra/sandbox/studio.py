"""Carries renders through: from acceptance to the picture and the webhook."""

import logging
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from infra.sandbox.clock import Clock
from infra.sandbox.download import InputUnusableError
from infra.sandbox.drawing.render import Commission
from infra.sandbox.gallery import Gallery
from infra.sandbox.jobs import Jobs, RenderJob, State
from infra.sandbox.timetable import Timetable
from infra.sandbox.webhooks import Send, deliver, planned

log = logging.getLogger("sandbox")


class Download(Protocol):
    """Fetches an input image; raises InputUnusableError."""

    def __call__(self, url: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Studio:
    """Renders what was accepted.

    Attributes:
        download: None leaves inputs alone and draws rooms in their place.
    """

    clock: Clock
    timetable: Timetable
    jobs: Jobs
    gallery: Gallery
    download: Download | None
    send: Send

    def accept(self, job: RenderJob) -> None:
        """Take a job on; with `webhook-early` it is over when this returns."""
        self.jobs.add(job)
        log.info("%s accepted %s as %s", job.provider, job.operation, job.ref)
        if job.plan.has("webhook-early"):
            self._finish(job, at_once=True)
        else:
            self.timetable.at(job.due, partial(self._finish, job, at_once=False))

    def _finish(self, job: RenderJob, *, at_once: bool) -> None:
        job.state = self._render(job)
        job.finished_at = self.clock.wall()
        job.ended.set()
        log.info("%s ended %s: %s", job.provider, job.ref, job.state)
        sending = planned(job, self.jobs.another(job))
        for body in sending.bodies:
            carry = partial(deliver, job, body, send=self.send, clock=self.clock)
            if at_once:
                carry()
            else:
                self.timetable.at(self.clock.monotonic() + sending.after_s, carry)

    def _render(self, job: RenderJob) -> State:
        """Fetch the input and make the pictures available; they are drawn when looked at."""
        source = None
        if self.download is not None and job.image_url:
            try:
                source = self.gallery.source(self.download(job.image_url))
            except InputUnusableError as error:
                log.warning("the input of %s is unusable: %s", job.ref, error)
                return State.FAILED
            job.fetched_input = True
        if job.plan.has("failed") or job.plan.still("fails", job.tries):
            return State.FAILED
        self.gallery.hang(
            Commission(job.ref, job.provider, job.operation, job.pictures, job.inputs, source)
        )
        return State.SUCCEEDED
