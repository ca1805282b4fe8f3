"""The HTTP API: which path means what, and how its answers look; see design 3."""

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus

from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, RequestRedirect, Rule
from werkzeug.wrappers import Request, Response

from relay.application.creating import Creating
from relay.application.overview import Overview
from relay.application.reading import Reading
from relay.domain.job import Job
from relay.edges.auth import tenant_of
from relay.edges.body import read_body
from relay.edges.create_body import read_create_body
from relay.edges.problems import HttpProblem, method_not_allowed, not_found, problem_answer
from relay.edges.providers_view import to_json as providers_json
from relay.errors import RelayError
from relay.job_view import to_json

MAX_BODY_BYTES = 256 * 1024
LONGEST_WAIT_S = 60
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,6})\"?\s*(?:$|[,;])", re.IGNORECASE)
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")

Endpoint = Callable[..., Response]


class Api:
    """Answers `jobs_api`'s requests.

    Args:
        tenants: The tenant of each key, by the key's SHA-256 digest in hex.
    """

    def __init__(
        self,
        *,
        creating: Creating,
        reading: Reading,
        overview: Overview,
        tenants: Mapping[str, str],
    ) -> None:
        self._creating = creating
        self._reading = reading
        self._overview = overview
        self._tenants = tenants
        # Redirects are answered by none of our callers, so no path is tidied up by one.
        self._routes = Map(
            [
                Rule("/healthz", endpoint=self._health, methods=["GET"]),
                Rule("/v1/jobs", endpoint=self._create, methods=["POST"]),
                Rule("/v1/jobs/<job_id>", endpoint=self._get, methods=["GET"]),
                Rule("/v1/providers", endpoint=self._providers, methods=["GET"]),
            ],
            strict_slashes=True,
            merge_slashes=False,
            redirect_defaults=False,
        )

    def answer(self, request: Request) -> Response:
        """Return the answer to a request, also to one that is wrong."""
        try:
            endpoint, arguments = self._route(request)
            return endpoint(request, **arguments)
        except RelayError as error:
            return problem_answer(error)

    def _route(self, request: Request) -> tuple[Endpoint, Mapping[str, str]]:
        try:
            return self._routes.bind_to_environ(request.environ).match()
        except MethodNotAllowed as error:
            raise method_not_allowed(list(error.valid_methods or ())) from None
        except (NotFound, RequestRedirect):
            raise not_found() from None

    def _health(self, _request: Request) -> Response:
        return Response('{"status":"ok"}', mimetype="application/json")

    def _create(self, request: Request) -> Response:
        body = read_body(request, max_bytes=MAX_BODY_BYTES)
        tenant = tenant_of(request.headers, self._tenants)
        key = _idempotency_key(request)
        _require_json(request)
        created = self._creating.create(tenant, read_create_body(body), idempotency_key=key)
        status = HTTPStatus.CREATED if created.is_new else HTTPStatus.OK
        answer = _job_answer(created.job, status)
        answer.headers["Location"] = f"/v1/jobs/{created.job.id}"
        return answer

    def _get(self, request: Request, job_id: str) -> Response:
        tenant = tenant_of(request.headers, self._tenants)
        wait_s = _wait_s(request)
        answer = _job_answer(self._reading.get(tenant, job_id, wait_s=wait_s), HTTPStatus.OK)
        if wait_s:
            answer.headers["Preference-Applied"] = f"wait={wait_s}"
        return answer

    def _providers(self, request: Request) -> Response:
        tenant = tenant_of(request.headers, self._tenants)
        return Response(providers_json(self._overview.of(tenant)), mimetype="application/json")


def _job_answer(job: Job, status: HTTPStatus) -> Response:
    answer = Response(to_json(job), status.value, mimetype="application/json")
    # A Location that is a path stays one: behind a proxy we do not know our own host.
    answer.autocorrect_location_header = False
    return answer


def _require_json(request: Request) -> None:
    kind = request.mimetype
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise HttpProblem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "the body must be sent as application/json",
        )


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _IDEMPOTENCY_KEY.fullmatch(key):
        raise HttpProblem(
            HTTPStatus.BAD_REQUEST,
            "invalid_idempotency_key",
            "the Idempotency-Key must have 1 to 255 printable ASCII characters",
        )
    return key


def _wait_s(request: Request) -> int:
    """Return how long the caller wants to wait, in seconds; see RFC 7240."""
    match = _WAIT.search(request.headers.get("Prefer", ""))
    return min(int(match[1]), LONGEST_WAIT_S) if match else 0
