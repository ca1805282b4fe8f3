"""What is sent to a webhook when a render has ended, and the sending."""

import json
from dataclasses import dataclass
from typing import Protocol

import requests

from infra.sandbox.clock import Clock
from infra.sandbox.jobs import Delivery, RenderJob, State

TIMEOUT_S = 10.0


class UndeliveredError(Exception):
    """Nobody answered a webhook."""


class Send(Protocol):
    """Posts a body to a URL and returns the answer's status; raises UndeliveredError."""

    def __call__(self, url: str, body: bytes) -> int: ...


def post(url: str, body: bytes) -> int:
    """Send a webhook, once.

    Raises:
        UndeliveredError: Nobody answered in time.
    """
    headers = {"Content-Type": "application/json", "Connection": "close"}
    try:
        answer = requests.post(
            url, data=body, headers=headers, timeout=TIMEOUT_S, allow_redirects=False
        )
    except requests.RequestException as error:
        raise UndeliveredError(type(error).__name__) from error
    return answer.status_code


@dataclass(frozen=True, slots=True)
class Sending:
    """What to send for a job: the bodies, all at once, so long after its end."""

    after_s: float
    bodies: tuple[bytes, ...]


def planned(job: RenderJob, another_ref: str) -> Sending:
    """Return what the ended *job* sends.

    A failed render sends nothing unless `webhook-no-output` wants it: the documented
    payload has no way to say so, and nothing says that one is sent.
    """
    plan = job.plan
    silent = job.state is State.FAILED and not plan.has("webhook-no-output")
    if job.webhook_url is None or silent or plan.has("webhook-lost"):
        return Sending(0.0, ())
    ref = another_ref if plan.has("webhook-wrong-id") else job.ref
    payload: dict[str, object] = {"id": ref}
    if not plan.has("webhook-no-output"):
        payload["output"] = next(iter(job.urls()), None)
    body = json.dumps(payload).encode()
    if plan.has("webhook-nonsense"):
        body = b"<p>The render is done. \xff</p>"
    return Sending(
        plan.seconds("webhook-late"), (body, body) if plan.has("webhook-twice") else (body,)
    )


def deliver(job: RenderJob, body: bytes, *, send: Send, clock: Clock) -> None:
    """Send one webhook and note with the job what came of it."""
    if job.webhook_url is None:
        return
    at = clock.wall()
    try:
        status, error = send(job.webhook_url, body), None
    except UndeliveredError as undelivered:
        status, error = None, str(undelivered)
    job.webhooks.append(Delivery(at, clock.wall(), status, error))
