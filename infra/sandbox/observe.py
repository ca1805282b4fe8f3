"""What tests can see and change: `/sandbox/...`, no key needed."""

from collections import Counter
from dataclasses import dataclass

from werkzeug.wrappers import Request, Response

from infra.sandbox import wishes
from infra.sandbox.answers import document, refusal
from infra.sandbox.calls import Kind
from infra.sandbox.desk import Desk
from infra.sandbox.jobs import State
from infra.sandbox.world import World


@dataclass(frozen=True, slots=True)
class Observatory:
    """Shows what happened at the desks, and changes how they behave."""

    world: World
    desks: tuple[Desk, ...]

    def calls(self, request: Request) -> Response:
        """List the calls; `?after=NUMBER` only those after one."""
        after = request.args.get("after", 0, type=int)
        return document({"calls": [call.as_json() for call in self.world.calls.after(after)]})

    def jobs(self, _: Request) -> Response:
        """List the accepted jobs, oldest first."""
        return document({"jobs": [job.as_json() for job in self.world.jobs.all()]})

    def summary(self, _: Request) -> Response:
        """Count, per provider."""
        return document({desk.provider.name: self._counted(desk) for desk in self.desks})

    def behaviour(self, request: Request) -> Response:
        """Show the server-wide misbehaviour, having replaced it if that was asked."""
        if request.method == "PUT":
            try:
                self.world.behaviours = wishes.from_json(request.get_json(force=True, silent=True))
            except wishes.UnknownBehaviourError as error:
                return refusal(400, str(error), html=False)
        return document(wishes.as_json(self.world.behaviours))

    def reset(self, _: Request) -> Response:
        """Forget everything; what is being rendered at this moment may still be sent."""
        self.world.reset()
        for desk in self.desks:
            desk.limit.reset()
            desk.submissions.reset()
        return Response(status=204)

    def _counted(self, desk: Desk) -> dict[str, object]:
        name, limit = desk.provider.name, desk.limit
        calls = [call for call in self.world.calls.after(0) if call.provider == name]
        jobs = [job for job in self.world.jobs.all() if job.provider == name]
        kinds = Counter(call.kind for call in calls)
        states = Counter(job.state for job in jobs)
        sent = [delivery for job in jobs for delivery in list(job.webhooks)]
        return {
            "calls": {"total": len(calls), **{kind.value: kinds[kind] for kind in Kind}},
            "unauthenticated": sum(not call.authenticated for call in calls),
            "jobs": {"total": len(jobs), **{state.value: states[state] for state in State}},
            "webhooks": {
                "sent": len(sent),
                "accepted": sum(200 <= (delivery.status or 0) < 300 for delivery in sent),
            },
            "limit": {"calls": limit.calls, "windowS": limit.window_s},
            "mostCallsInWindow": limit.most,
            "limitExceeded": limit.exceeded > 0,
            "callsOverLimit": limit.exceeded,
            "blocked": limit.is_blocked(),
        }
