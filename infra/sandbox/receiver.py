"""A receiver of the relay's callbacks: checks signatures and remembers what it received.

The signatures are those of Standard Webhooks. See
https://github.com/standard-webhooks/standard-webhooks, "Signature scheme" and "Verifying".
"""

import base64
import binascii
import hashlib
import hmac
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock

import msgspec
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request, Response

from infra.sandbox import behaviours
from infra.sandbox.behaviours import CALLBACKS, BehaviourRequests, JobBehaviour
from infra.sandbox.clock import Clock
from infra.sandbox.provider_api import RETRY_AFTER_S, HungUpError, document, hold, refusal
from infra.sandbox.tries import Tries

KEPT_CALLBACKS = 20_000
# The tolerance of the official libraries.
TOLERANCE_S = 300.0
SECRET_PREFIX = "whsec_"  # noqa: S105 - how a secret begins
ANSWERED_LATER = (429, 503)


class Signature(StrEnum):
    """What a callback's signature is worth; unchecked if the receiver has no secret."""

    GOOD = "good"
    WRONG = "wrong"
    STALE = "stale"
    MISSING = "missing"
    UNCHECKED = "unchecked"


class Received(msgspec.Struct, rename="camel"):
    """One callback as `/sandbox/callbacks` shows it, logged on arrival.

    Attributes:
        at: Wall clock, on arrival.
        id: The event's, in `webhook-id`.
        status: None until it is answered, and for good if it never was.
        body: The JSON as it came, or the text if it is none.
    """

    number: int
    at: float
    receiver: str
    query: str
    id: str
    signature: Signature
    body: msgspec.Raw | str
    status: int | None = None


class _Secrets(msgspec.Struct, forbid_unknown_fields=True):
    secrets: list[str]


Draw = Callable[[BehaviourRequests, int], JobBehaviour]
"""Draws the behaviour of a callback: what its URL asks for, and its number."""


@dataclass(slots=True)
class Receiver:
    """Any number of receivers, each with a name in its path and secrets of its own."""

    clock: Clock
    draw: Draw
    _secrets: dict[str, tuple[bytes, ...]] = field(default_factory=dict)
    _received: deque[Received] = field(default_factory=lambda: deque(maxlen=KEPT_CALLBACKS))
    _tries: Tries = field(default_factory=Tries)
    _count: int = 0
    _lock: Lock = field(default_factory=Lock)

    def answer(self, request: Request, name: str) -> Response:
        """Receive a callback.

        Raises:
            HungUpError: The callback is to get no response.
        """
        body = request.get_data()
        signature = self._signature(request.headers, body, self._secrets.get(name))
        received, tries = self._remember(request, name, body, signature)
        response = self._response(request, received, tries)
        received.status = response.status_code
        return response

    def set_secrets(self, request: Request, name: str) -> Response:
        """Replace a receiver's secrets; the body is what `GET /v1/callback-secrets` answers."""
        try:
            given = msgspec.json.decode(request.get_data(), type=_Secrets).secrets
        except (msgspec.DecodeError, UnicodeDecodeError):
            return refusal(400, 'not {"secrets": ["whsec_..."]}')
        secrets = tuple(map(_key, given))
        known = tuple(key for key in secrets if key)
        if len(known) < len(secrets):
            return refusal(400, f"each secret is {SECRET_PREFIX} and base64")
        self._secrets[name] = known
        return Response(status=204)

    def show(self, request: Request) -> Response:
        """List what was received; `?after=NUMBER` and `?receiver=NAME` select from it."""
        after, name = request.args.get("after", 0, type=int), request.args.get("receiver")
        with self._lock:
            found = [one for one in self._received if one.number > after]
        return document({CALLBACKS: [one for one in found if name in (None, one.receiver)]})

    def reset(self) -> None:
        """Forget every callback and try; the secrets stay, and the numbers continue."""
        with self._lock:
            self._received.clear()
            self._tries.clear()

    def _remember(
        self, request: Request, name: str, body: bytes, signature: Signature
    ) -> tuple[Received, int]:
        """Return the callback, and how often its event was received here before."""
        event_id = request.headers.get("webhook-id", "")
        with self._lock:
            tries = self._tries.count(name, event_id)
            self._count += 1
            received = Received(
                number=self._count,
                at=self.clock.wall(),
                receiver=name,
                query=request.query_string.decode(errors="replace"),
                id=event_id,
                signature=signature,
                body=_as_json(body),
            )
            self._received.append(received)
        return received, tries

    def _response(self, request: Request, received: Received, tries: int) -> Response:
        if received.signature not in (Signature.GOOD, Signature.UNCHECKED):
            return refusal(401, f"the signature is {received.signature}")
        try:
            asked = behaviours.asked_by_callback(request.args.getlist("sandbox"))
        except behaviours.UnknownBehaviourError as error:
            return refusal(400, str(error))
        behaviour = self.draw(asked, received.number)
        if behaviour.lasts("callback-hang", tries):
            hold(request, self.clock)
            raise HungUpError
        if behaviour.lasts("callback-close", tries):
            raise HungUpError
        if behaviour.has("callback-slow"):
            self.clock.sleep(behaviour.seconds("callback-slow"))
        if behaviour.has("callback-fails"):
            is_good = not behaviour.lasts("callback-fails", tries)
        else:
            is_good = not behaviour.has("callback-status")
        if is_good:
            return Response(status=204)
        status = int(behaviour.seconds("callback-status")) or 500
        response = Response("answered so, as asked for\n", status, mimetype="text/plain")
        if 300 <= status < 400:
            # Whoever follows it is seen: the query has gone.
            response.headers["Location"] = request.base_url
        if status in ANSWERED_LATER:
            response.headers["Retry-After"] = str(RETRY_AFTER_S)
        return response

    def _signature(
        self, headers: Headers, body: bytes, secrets: Sequence[bytes] | None
    ) -> Signature:
        if not secrets:
            return Signature.UNCHECKED
        event_id, timestamp = headers.get("webhook-id"), headers.get("webhook-timestamp")
        signatures = headers.get("webhook-signature")
        if not event_id or not timestamp or not signatures:
            return Signature.MISSING
        content = b".".join((event_id.encode(), timestamp.encode(), body))
        if not _is_signed(content, signatures.split(), secrets):
            return Signature.WRONG
        is_whole = timestamp.isascii() and timestamp.isdecimal()
        if not is_whole or abs(self.clock.wall() - int(timestamp[:20])) > TOLERANCE_S:
            return Signature.STALE
        return Signature.GOOD


def _is_signed(content: bytes, signatures: Iterable[str], secrets: Sequence[bytes]) -> bool:
    expected = [
        "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
        for key in secrets
    ]
    return any(
        hmac.compare_digest(given.encode(), one.encode())
        for given in signatures
        for one in expected
    )


def _key(secret: str) -> bytes:
    """Return the key in a secret; nothing if it is none."""
    if not secret.startswith(SECRET_PREFIX):
        return b""
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _as_json(body: bytes) -> msgspec.Raw | str:
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body.decode(errors="replace")
    return msgspec.Raw(body)
