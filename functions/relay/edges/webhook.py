"""The providers' callbacks over HTTP; see contract, section 4."""

import re
from collections.abc import Collection, Sequence
from http import HTTPStatus

from werkzeug.wrappers import Request, Response

from relay.application.callback_receiver import CallbackReceiver
from relay.domain.tokens import is_good_token
from relay.edges.bodies import parse_json, read_body
from relay.edges.problems import method_not_allowed, not_found, problem_answer
from relay.errors import JobNotFound, RelayError

MAX_BODY_BYTES = 64 * 1024
_PATH = re.compile(r"/(?P<provider>[a-z]+)/(?P<job_id>\w+)/(?P<token>[\w-]+)")


class Webhook:
    """Answers `provider_webhook`'s requests.

    Args:
        keys: Every one of them makes good tokens.
        providers: The names that may stand in the path.
    """

    def __init__(
        self, *, callbacks: CallbackReceiver, keys: Sequence[str], providers: Collection[str]
    ) -> None:
        self._callbacks = callbacks
        self._keys = keys
        self._providers = providers

    def answer(self, request: Request) -> Response:
        """Return the answer to a callback; a stranger learns nothing from any of them."""
        try:
            self._take(request)
        except JobNotFound:
            return problem_answer(not_found())
        except RelayError as error:
            return problem_answer(error)
        return Response('{"status":"ok"}', HTTPStatus.OK.value, mimetype="application/json")

    def _take(self, request: Request) -> None:
        if request.method != "POST":
            raise method_not_allowed(["POST"])
        path = _PATH.fullmatch(request.path)
        if path is None or path["provider"] not in self._providers:
            raise not_found()
        provider, job_id = path["provider"], path["job_id"]
        if not is_good_token(self._keys, path["token"], provider=provider, job_id=job_id):
            raise not_found()
        # Not before the token is checked: a stranger must not make us read a body.
        body = read_body(request, max_bytes=MAX_BODY_BYTES)
        self._callbacks.receive(provider, job_id, parse_json(body))
