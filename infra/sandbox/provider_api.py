"""Answers the calls to one provider: submissions, polls, and its documented lists."""

import base64
import errno
import hmac
import logging
import select
import socket
from dataclasses import dataclass, field
from threading import Lock

import msgspec
from werkzeug.wrappers import Request, Response

from infra.sandbox import behaviours
from infra.sandbox.calls import Call, CallLimit, Kind
from infra.sandbox.clock import Clock
from infra.sandbox.jobs import RenderJob, State
from infra.sandbox.provider import Inputs, Provider
from infra.sandbox.state import SandboxState
from infra.sandbox.tries import Tries

HELD_S = 600.0
RENDER_OVERRUN_S = 60.0
TOO_MANY_CALLS = 429
RETRY_AFTER_S = 2
REFUSED_WITH = (400, 401, 402, 403, TOO_MANY_CALLS, 503, 500)
_HANG_UP_CHECK_S = 0.5

log = logging.getLogger("sandbox")


class HungUpError(ConnectionResetError):
    """Close the connection without a response; the server takes it as a reset."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "hung up on purpose")


def document(body: object) -> Response:
    """Return a JSON response."""
    return Response(msgspec.json.encode(body), mimetype="application/json")


def refusal(status: int, message: str, *, html: bool = False) -> Response:
    """Return an error; no provider documents the body, so do not rely on this one."""
    if not html:
        return Response(message + "\n", status, mimetype="text/plain")
    page = f"<!DOCTYPE html><html><title>{status}</title><h1>{status}</h1><p>{message}</html>\n"
    return Response(page, status, mimetype="text/html")


@dataclass(slots=True)
class ProviderApi:
    """One provider's API.

    A behaviour that ends after N tries counts the tries of one *input*: of the image URL
    with its whole query, or of the prompt if there is no image, per operation. So a
    resubmission, a new provider job with the same input, is the next try; two jobs that
    should not share a count need different URLs (`&n=1`, `&n=2`).

    Attributes:
        key: The accepted API key.
    """

    provider: Provider
    key: str
    limit: CallLimit
    state: SandboxState
    _tries: Tries = field(default_factory=Tries)
    _submits: int = 0
    _lock: Lock = field(default_factory=Lock)

    def answer(self, request: Request, path: str) -> Response:
        """Answer a call; *path* is what follows the provider's base URL.

        Raises:
            HungUpError: The call is to get no response.
        """
        call = self.state.calls.open(
            provider=self.provider.name, method=request.method, path=request.path
        )
        if self.state.settings.latency_s:
            self.state.clock.sleep(self.state.settings.latency_s)
        response = self._response(request, path, call)
        call.status = response.status_code
        log.info("%s %s /%s: %d", self.provider.name, request.method, path, call.status)
        return response

    def reset(self) -> None:
        """Forget every call and try, and count submits from 1 again."""
        self.limit.reset()
        with self._lock:
            self._tries.clear()
            self._submits = 0

    def _response(self, request: Request, path: str, call: Call) -> Response:
        provider = self.provider
        behaviour = self.state.draw_behaviour(provider.name, {}, number=call.number)
        html = behaviour.has("html-errors")
        if not hmac.compare_digest(provider.key_of(request).encode(), self.key.encode()):
            return refusal(401, "the API key is missing or wrong", html=html)
        call.authenticated = True
        # The log shows a refused call as well, so it is identified before anything can refuse it.
        inputs = self._identify(request, path, call)
        if not self.limit.admit():
            call.over_limit = True
            return refusal(provider.over_limit_status, "too many calls", html=html)
        if behaviour.has("account"):
            return refusal(int(behaviour.seconds("account")), "the account is refused", html=html)
        if call.kind is Kind.SUBMIT:
            return self._submit(request, path, inputs, call)
        if call.kind is Kind.POLL:
            return self._poll(call.provider_job_id or "", html=html)
        if request.method == "GET" and path in provider.lists:
            return document(provider.lists[path])
        known = path in provider.operations or path in provider.lists
        return refusal(405 if known else 404, "no such endpoint", html=html)

    def _identify(self, request: Request, path: str, call: Call) -> Inputs:
        """Log what a call is for; return its inputs."""
        if request.method == "POST" and path in self.provider.operations:
            call.kind = Kind.SUBMIT
            body = request.get_json(force=True, silent=True)
            inputs: Inputs = body if isinstance(body, dict) else {}
            texts = (inputs.get(name) for name in (self.provider.image_field, "prompt"))
            call.input = next((text for text in texts if isinstance(text, str)), None)
            return inputs
        if request.method == "GET":
            ref = self.provider.polled_ref(request, path)
            if ref is not None:
                call.kind, call.provider_job_id = Kind.POLL, ref
        return {}

    def _poll(self, ref: str, *, html: bool) -> Response:
        job = self.state.jobs.find(self.provider.name, ref)
        if job is None:
            return refusal(400, "no such job", html=html)
        polls = self.state.jobs.count_poll(job)
        html = job.behaviour.has("html-errors")
        if job.behaviour.lasts("poll-500", polls):
            return refusal(500, "the poll failed, as asked for", html=html)
        if job.behaviour.lasts("poll-unknown", polls):
            return refusal(400, "no such job, as asked for", html=html)
        return document(self.provider.polled(job))

    def _submit(self, request: Request, path: str, inputs: Inputs, call: Call) -> Response:
        operation = path.rpartition("/")[2]
        number, tries = self._count_submit(operation, call.input or "")
        image_url, prompt = (
            str(inputs.get(name) or "") for name in (self.provider.image_field, "prompt")
        )
        try:
            asked = behaviours.asked_by_job(image_url, prompt)
        except behaviours.UnknownBehaviourError as error:
            return refusal(400, str(error))
        behaviour = self.state.draw_behaviour(self.provider.name, asked, number=number)
        html = behaviour.has("html-errors")
        for status in REFUSED_WITH:
            if behaviour.lasts(f"submit-{status}", tries):
                refused = refusal(status, "refused, as asked for", html=html)
                if status == TOO_MANY_CALLS:
                    # Without it the relay would pause the account for a window or longer.
                    refused.headers["Retry-After"] = str(RETRY_AFTER_S)
                return refused
        if (complaint := self.provider.complaint(path, inputs)) is not None:
            return refusal(400, complaint, html=html)
        if self.state.settings.strict_ids and (unknown := self.provider.unknown_id(inputs)):
            # 400 is the only documented status for a wrong request, at both.
            return refusal(400, unknown, html=html)
        webhook = inputs.get("webhook") if self.provider.takes_webhook else None
        clock = self.state.clock
        job = RenderJob(
            number=number,
            tries=tries,
            provider=self.provider.name,
            operation=operation,
            ref=self.provider.new_ref(),
            inputs=inputs,
            image_url=image_url,
            webhook_url=webhook if isinstance(webhook, str) else None,
            base_url=request.host_url.rstrip("/"),
            pictures=self.provider.pictures,
            behaviour=behaviour,
            accepted_at=clock.wall(),
            due=clock.monotonic() + behaviour.seconds("cold-s") + behaviour.seconds("render-s"),
        )
        call.provider_job_id = job.ref
        self.state.worker.accept(job)
        return self._acknowledge(request, job)

    def _count_submit(self, operation: str, source: str) -> tuple[int, int]:
        """Return the submit's number, and how often its input was submitted before."""
        with self._lock:
            tries = self._tries.count(operation, source)
            self._submits += 1
            return self._submits, tries

    def _acknowledge(self, request: Request, job: RenderJob) -> Response:
        behaviour = job.behaviour
        if behaviour.lasts("accept-500", job.tries):
            return refusal(500, "accepted, but 500 as asked for", html=behaviour.has("html-errors"))
        if behaviour.lasts("accept-hang", job.tries):
            hold(request, self.state.clock)
            raise HungUpError
        if behaviour.lasts("accept-close", job.tries):
            raise HungUpError
        if behaviour.has("ack-late"):
            self.state.clock.sleep(behaviour.seconds("ack-late"))
        if self.provider.takes_webhook and job.webhook_url is None:
            return self._wait_for_picture(job)
        return document(self.provider.acknowledged(job, not behaviour.has("ack-no-id")))

    def _wait_for_picture(self, job: RenderJob) -> Response:
        """Wait for the render and respond with the picture itself.

        The response to a failed render is not documented: 500 here.
        """
        clock = self.state.clock
        clock.sleep(max(0.0, job.due - clock.monotonic()))
        job.ended.wait(RENDER_OVERRUN_S)
        if job.state is not State.SUCCEEDED:
            return refusal(500, "the render failed", html=job.behaviour.has("html-errors"))
        no_output = job.behaviour.has("no-output")
        picture = None if no_output else self.state.pictures.png(job.ref, 1)
        return document({"base64": base64.b64encode(picture or b"").decode(), "status": "success"})


def hold(request: Request, clock: Clock) -> None:
    """Keep the caller waiting until it hangs up, or for `HELD_S`."""
    connection = request.environ.get("gunicorn.socket")
    until = clock.monotonic() + HELD_S
    while clock.monotonic() < until:
        if isinstance(connection, socket.socket):
            readable, _, _ = select.select([connection], [], [], _HANG_UP_CHECK_S)
            if not readable:
                continue
            if _is_closed(connection):
                return
        clock.sleep(_HANG_UP_CHECK_S)


def _is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True
