"""The sandbox as a WSGI application: its routes, and what tests can see and change.

`/sandbox/...` needs no key: it shows the calls and the jobs, and sets the misbehaviour.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from infra.sandbox import behaviours
from infra.sandbox.behaviours import BehaviourRequests, JobBehaviour
from infra.sandbox.calls import CallLimit, Kind
from infra.sandbox.gepetto import GEPETTO
from infra.sandbox.jobs import State
from infra.sandbox.provider_api import ProviderApi, document, refusal
from infra.sandbox.receiver import Receiver
from infra.sandbox.rendering import ROOMS, room_jpeg
from infra.sandbox.spacely import SPACELY
from infra.sandbox.state import SandboxState

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MAX_BODY_BYTES = 1024 * 1024
Endpoint = Callable[..., Response]


class Application:
    """Answers every request to the sandbox."""

    def __init__(self, state: SandboxState) -> None:
        settings, clock = state.settings, state.clock
        a_minute = CallLimit(settings.gepetto_calls_per_minute, 60.0, 0.0, clock)
        a_second = CallLimit(
            settings.spacely_calls_per_second, 1.0, settings.spacely_block_s, clock
        )
        self._state = state
        self._apis = (
            ProviderApi(GEPETTO, settings.gepetto_key, a_minute, state),
            ProviderApi(SPACELY, settings.spacely_key, a_second, state),
        )
        self._receiver = Receiver(clock, self._drawn_for_callback)
        routes: tuple[tuple[str, str, Endpoint], ...] = (
            ("GET", "/", _index),
            ("GET", "/rooms", _rooms),
            ("GET", "/rooms/<name>.jpg", _room),
            ("GET", "/renders/<ref>-<int:n>.png", self._picture),
            ("POST", "/callbacks/<name>", self._receiver.answer),
            ("GET", "/sandbox/callbacks", self._receiver.show),
            ("PUT", "/sandbox/callbacks/<name>/secrets", self._receiver.set_secrets),
            ("GET", "/sandbox/calls", self._calls),
            ("GET", "/sandbox/jobs", self._jobs),
            ("GET", "/sandbox/summary", self._summary),
            ("GET", "/sandbox/behaviour", self._behaviour),
            ("PUT", "/sandbox/behaviour", self._set_behaviour),
            ("POST", "/sandbox/reset", self._reset),
        )
        rules = [Rule(path, endpoint=answer, methods=[method]) for method, path, answer in routes]
        rules += [
            Rule(f"{api.provider.prefix}/<path:path>", endpoint=api.answer) for api in self._apis
        ]
        self._routes = Map(rules, merge_slashes=False, strict_slashes=False)

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        request = Request(environ)
        request.max_content_length = MAX_BODY_BYTES
        try:
            endpoint, arguments = self._routes.bind_to_environ(environ).match()
            response: Response = endpoint(request, **arguments)
        except HTTPException as error:
            response = refusal(error.code or 500, error.name)
        return response(environ, start_response)

    def _drawn_for_callback(self, asked: BehaviourRequests, number: int) -> JobBehaviour:
        return self._state.draw_behaviour(behaviours.CALLBACKS, asked, number=number)

    def _picture(self, _: Request, ref: str, n: int) -> Response:
        png = self._state.pictures.png(ref, n)
        if png is None:
            return refusal(404, "no such picture, or no longer")
        return Response(png, mimetype="image/png")

    def _calls(self, request: Request) -> Response:
        """List the calls; with `?after=NUMBER` only later ones."""
        after = request.args.get("after", 0, type=int)
        return document({"calls": self._state.calls.after(after)})

    def _jobs(self, _: Request) -> Response:
        """List the accepted jobs, oldest first."""
        return document({"jobs": [job.as_json() for job in self._state.jobs.all()]})

    def _summary(self, _: Request) -> Response:
        """Return the counts for each provider."""
        return document({api.provider.name: self._counts(api) for api in self._apis})

    def _counts(self, api: ProviderApi) -> dict[str, object]:
        name, limit = api.provider.name, api.limit
        calls = [call for call in self._state.calls.after(0) if call.provider == name]
        jobs = [job for job in self._state.jobs.all() if job.provider == name]
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

    def _behaviour(self, _: Request) -> Response:
        """Return the server-wide misbehaviour."""
        return document(behaviours.as_json(self._state.behaviours))

    def _set_behaviour(self, request: Request) -> Response:
        """Replace the server-wide misbehaviour."""
        try:
            wanted = behaviours.from_json(request.get_json(force=True, silent=True))
        except behaviours.UnknownBehaviourError as error:
            return refusal(400, str(error))
        self._state.behaviours = wanted
        return self._behaviour(request)

    def _reset(self, _: Request) -> Response:
        """Forget everything; a render that is ending right now may still send its webhook."""
        self._state.reset()
        for api in self._apis:
            api.reset()
        self._receiver.reset()
        return Response(status=204)


def _index(request: Request) -> Response:
    base = request.host_url.rstrip("/")
    return document(
        {
            "gepetto": base + GEPETTO.prefix,
            "spacely": base + SPACELY.prefix,
            "rooms": f"{base}/rooms",
            "callbacks": f"{base}/callbacks/NAME",
            "watch": [
                f"{base}/sandbox/{name}" for name in ("summary", "jobs", "calls", "callbacks")
            ],
            "behaviour": f"{base}/sandbox/behaviour",
        }
    )


def _rooms(request: Request) -> Response:
    base = request.host_url.rstrip("/")
    return document({"rooms": {name: f"{base}/rooms/{name}.jpg" for name in ROOMS}})


def _room(_: Request, name: str) -> Response:
    if name not in ROOMS:
        return refusal(404, f"no such room; there are {', '.join(ROOMS)}")
    return Response(room_jpeg(name), mimetype="image/jpeg")
