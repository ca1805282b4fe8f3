"""Takes a render job, or refuses it, or leaves the caller in doubt."""

import base64
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock

from werkzeug.wrappers import Request, Response

from infra.sandbox import wishes
from infra.sandbox.answers import HungUpError, document, hold, refusal
from infra.sandbox.calls import Call
from infra.sandbox.fields import Inputs
from infra.sandbox.jobs import RenderJob, State
from infra.sandbox.plan import Plan
from infra.sandbox.provider import Operation, Provider
from infra.sandbox.world import World

KEPT_TRIES = 100_000
RENDER_OVERRUN_S = 60.0
TOO_MANY_CALLS = 429
RETRY_AFTER_S = 2
REFUSED_WITH = (400, 401, 402, 403, TOO_MANY_CALLS, 503, 500)


@dataclass(slots=True)
class Submissions:
    """A provider's submits.

    A behaviour that wears off after N tries counts the tries of one *input*: of the image
    URL with its whole query, or the prompt where there is no image, per operation. A
    resubmission is a new provider job with the same input, so it counts on; two jobs that
    should not share a count need different URLs (`&n=1`, `&n=2`).
    """

    provider: Provider
    world: World
    _tries: OrderedDict[tuple[str, str], int] = field(default_factory=OrderedDict)
    _submits: int = 0
    _lock: Lock = field(default_factory=Lock)

    def answer(
        self, request: Request, operation: Operation, inputs: Inputs, call: Call
    ) -> Response:
        """Answer a submit.

        Raises:
            HungUpError: The call is to get no answer.
        """
        number, tries = self._counted(operation, call.input or "")
        image_url, prompt = (
            str(inputs.get(name) or "") for name in (self.provider.image_field, "prompt")
        )
        try:
            asked = wishes.of_job(image_url, prompt)
        except wishes.UnknownBehaviourError as error:
            return refusal(400, str(error), html=False)
        plan = self.world.plan_for(self.provider.name, asked, number=number)
        html = plan.has("html-errors")
        for status in REFUSED_WITH:
            if plan.still(f"submit-{status}", tries):
                refused = refusal(status, "refused, as asked for", html=html)
                if status == TOO_MANY_CALLS:
                    # Without it the whole account would rest for a window, or longer.
                    refused.headers["Retry-After"] = str(RETRY_AFTER_S)
                return refused
        if (complaint := operation.complaint(inputs)) is not None:
            return refusal(400, complaint, html=html)
        job = self._job(request, operation, inputs, image_url, number, tries, plan)
        call.provider_job_id = job.ref
        self.world.studio.accept(job)
        return self._acknowledged(request, job)

    def reset(self) -> None:
        """Forget every try, and count submits from 1 again."""
        with self._lock:
            self._tries.clear()
            self._submits = 0

    def _counted(self, operation: Operation, source: str) -> tuple[int, int]:
        """Return the submit's number, and how often its input was submitted before."""
        with self._lock:
            tries = self._tries.pop((operation.name, source), 0)
            self._tries[operation.name, source] = tries + 1
            while len(self._tries) > KEPT_TRIES:
                self._tries.popitem(last=False)
            self._submits += 1
            return self._submits, tries

    def _job(
        self,
        request: Request,
        operation: Operation,
        inputs: Inputs,
        image_url: str,
        number: int,
        tries: int,
        plan: Plan,
    ) -> RenderJob:
        clock = self.world.clock
        webhook = inputs.get("webhook") if self.provider.takes_webhook else None
        return RenderJob(
            number=number,
            tries=tries,
            provider=self.provider.name,
            operation=operation.name,
            ref=self.provider.new_ref(),
            inputs=inputs,
            image_url=image_url,
            webhook_url=webhook if isinstance(webhook, str) else None,
            base_url=request.host_url.rstrip("/"),
            pictures=self.provider.pictures,
            plan=plan,
            accepted_at=clock.wall(),
            due=clock.monotonic() + plan.seconds("cold-s") + plan.seconds("render-s"),
        )

    def _acknowledged(self, request: Request, job: RenderJob) -> Response:
        if job.plan.still("accept-500", job.tries):
            return refusal(500, "accepted, but 500 as asked for", html=job.plan.has("html-errors"))
        if job.plan.still("accept-hang", job.tries):
            hold(request, self.world.clock)
            raise HungUpError
        if job.plan.still("accept-close", job.tries):
            raise HungUpError
        if job.plan.has("ack-late"):
            self.world.clock.sleep(job.plan.seconds("ack-late"))
        if self.provider.takes_webhook and job.webhook_url is None:
            return self._rendered(job)
        return document(self.provider.acknowledged(job, not job.plan.has("ack-no-id")))

    def _rendered(self, job: RenderJob) -> Response:
        """Wait for the render and answer with the picture itself.

        What a failed render answers is not documented: 500 here.
        """
        clock = self.world.clock
        clock.sleep(max(0.0, job.due - clock.monotonic()))
        job.ended.wait(RENDER_OVERRUN_S)
        if job.state is not State.SUCCEEDED:
            return refusal(500, "the render failed", html=job.plan.has("html-errors"))
        drawn = b"" if job.plan.has("no-output") else self.world.gallery.picture(job.ref, 1)
        return document({"base64": base64.b64encode(drawn or b"").decode(), "status": "success"})
