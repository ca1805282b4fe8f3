"""The sandbox as a WSGI application: which URL is answered by what."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from infra.sandbox.answers import document, from_exception, refusal
from infra.sandbox.desk import Desk
from infra.sandbox.drawing.rooms import ROOMS, room_jpeg
from infra.sandbox.gepetto import GEPETTO
from infra.sandbox.limits import CallLimit
from infra.sandbox.observe import Observatory
from infra.sandbox.spacely import SPACELY
from infra.sandbox.world import World

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MAX_BODY_BYTES = 1024 * 1024
Endpoint = Callable[..., Response]


class Application:
    """Answers every request to the sandbox."""

    def __init__(self, world: World) -> None:
        settings, clock = world.settings, world.clock
        a_minute = CallLimit(settings.gepetto_calls_per_minute, 60.0, 0.0, clock)
        a_second = CallLimit(
            settings.spacely_calls_per_second, 1.0, settings.spacely_block_s, clock
        )
        desks = (
            Desk(GEPETTO, settings.gepetto_key, a_minute, world),
            Desk(SPACELY, settings.spacely_key, a_second, world),
        )
        self._world = world
        self._routes = self._map(desks, Observatory(world, desks))

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        request = Request(environ)
        request.max_content_length = MAX_BODY_BYTES
        try:
            endpoint, arguments = self._routes.bind_to_environ(environ).match()
            response: Response = endpoint(request, **arguments)
        except HTTPException as error:
            response = from_exception(error)
        return response(environ, start_response)

    def _map(self, desks: Iterable[Desk], watch: Observatory) -> Map:
        rules = [
            Rule("/", endpoint=_index, methods=["GET"]),
            Rule("/rooms", endpoint=_rooms, methods=["GET"]),
            Rule("/rooms/<name>.jpg", endpoint=_room, methods=["GET"]),
            Rule("/renders/<ref>-<int:n>.png", endpoint=self._render, methods=["GET"]),
            Rule("/sandbox/calls", endpoint=watch.calls, methods=["GET"]),
            Rule("/sandbox/jobs", endpoint=watch.jobs, methods=["GET"]),
            Rule("/sandbox/summary", endpoint=watch.summary, methods=["GET"]),
            Rule("/sandbox/behaviour", endpoint=watch.behaviour, methods=["GET", "PUT"]),
            Rule("/sandbox/reset", endpoint=watch.reset, methods=["POST"]),
        ]
        rules += [
            Rule(f"{desk.provider.prefix}/<path:path>", endpoint=desk.answer) for desk in desks
        ]
        return Map(rules, merge_slashes=False, strict_slashes=False)

    def _render(self, _: Request, ref: str, n: int) -> Response:
        drawn = self._world.gallery.picture(ref, n)
        if drawn is None:
            return refusal(404, "no such picture, or no longer", html=False)
        return Response(drawn, mimetype="image/png")


def _index(request: Request) -> Response:
    base = request.host_url.rstrip("/")
    return document(
        {
            "gepetto": base + GEPETTO.prefix,
            "spacely": base + SPACELY.prefix,
            "rooms": f"{base}/rooms",
            "watch": [f"{base}/sandbox/{name}" for name in ("summary", "jobs", "calls")],
            "behaviour": f"{base}/sandbox/behaviour",
        }
    )


def _rooms(request: Request) -> Response:
    base = request.host_url.rstrip("/")
    return document({"rooms": {name: f"{base}/rooms/{name}.jpg" for name in ROOMS}})


def _room(_: Request, name: str) -> Response:
    if name not in ROOMS:
        return refusal(404, f"no such room; there are {', '.join(ROOMS)}", html=False)
    return Response(room_jpeg(name), mimetype="image/jpeg")
