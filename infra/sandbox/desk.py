"""A provider's front desk: lets callers in, counts them, and tells them how a job is."""

import hmac
import logging
from dataclasses import dataclass, field

from werkzeug.wrappers import Request, Response

from infra.sandbox.answers import document, refusal
from infra.sandbox.calls import Call, Kind
from infra.sandbox.fields import Inputs
from infra.sandbox.limits import CallLimit
from infra.sandbox.plan import Plan
from infra.sandbox.provider import Provider
from infra.sandbox.submission import Submissions
from infra.sandbox.world import World

log = logging.getLogger("sandbox")


@dataclass(slots=True)
class Desk:
    """Answers every call to one provider.

    Attributes:
        key: The API key that is accepted.
    """

    provider: Provider
    key: str
    limit: CallLimit
    world: World
    submissions: Submissions = field(init=False)

    def __post_init__(self) -> None:
        self.submissions = Submissions(self.provider, self.world)

    def answer(self, request: Request, path: str) -> Response:
        """Answer a call; *path* is what follows the provider's base URL.

        Raises:
            HungUpError: The call is to get no answer.
        """
        call = self.world.calls.open(
            provider=self.provider.name, method=request.method, path=request.path
        )
        if self.world.settings.latency_s:
            self.world.clock.sleep(self.world.settings.latency_s)
        response = self._answered(request, path, call)
        call.status = response.status_code
        log.info("%s %s /%s: %d", self.provider.name, request.method, path, call.status)
        return response

    def _answered(self, request: Request, path: str, call: Call) -> Response:
        plan = self.world.plan_for(self.provider.name, {}, number=call.number)
        html = plan.has("html-errors")
        if not hmac.compare_digest(self.provider.key_of(request).encode(), self.key.encode()):
            return refusal(401, "the API key is missing or wrong", html=html)
        call.authenticated = True
        inputs = self._noted(request, path, call)
        if not self.limit.admit():
            call.over_limit = True
            return refusal(self.provider.over_limit_status, "too many calls", html=html)
        if plan.has("account"):
            return refusal(int(plan.seconds("account")), "the account is refused", html=html)
        if call.kind is Kind.SUBMIT:
            operation = self.provider.operations[path]
            return self.submissions.answer(request, operation, inputs, call)
        if call.kind is Kind.POLL:
            return self._polled(call.provider_job_id or "", plan)
        if request.method == "GET" and path in self.provider.lists:
            return document(self.provider.lists[path])
        known = path in self.provider.operations or path in self.provider.lists
        return refusal(405 if known else 404, "no such endpoint", html=html)

    def _noted(self, request: Request, path: str, call: Call) -> Inputs:
        """Note what a call is for, before anything can refuse it; return its inputs."""
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

    def _polled(self, ref: str, call_plan: Plan) -> Response:
        job = self.world.jobs.find(self.provider.name, ref)
        if job is None:
            return refusal(400, "no such job", html=call_plan.has("html-errors"))
        polls = self.world.jobs.count_poll(job)
        html = job.plan.has("html-errors")
        if job.plan.still("poll-500", polls):
            return refusal(500, "the poll failed, as asked for", html=html)
        if job.plan.still("poll-unknown", polls):
            return refusal(400, "no such job, as asked for", html=html)
        return document(self.provider.polled(job))
