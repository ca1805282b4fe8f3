"""What schemathesis cannot know: tokens of pages, keys that are new, what strangers may see.

It imports this module by its name, in a process of its own.
"""

import itertools
import os
from http import HTTPStatus
from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, HookContext, Response

from infra.describe.fuzz import STRANGER

PUBLIC = "GET /healthz"
# Before the key is looked at: is there such a path, such a method, and is the body small enough?
BEFORE_KEYS = {
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "body_too_large",
}
LIST = "GET /v1/jobs"
KEY = "Idempotency-Key"
PREFER = "Prefer"
# One in so many requests keeps its key, and so meets a job of another body; one in so many waits.
KEPT = 8
# Whom each token was made for, and with which filters: it is worth nothing without them.
_made_for: dict[str, tuple[str, dict[str, Any]]] = {}
_keys = itertools.count(1)
_waits = itertools.count(1)


@schemathesis.hook
def before_call(_context: HookContext, case: Case[Any], _kwargs: dict[str, Any]) -> None:
    """Make a request that is meant to be right as right as only its sender can."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if case.operation.label == LIST and "pageToken" in case.query:
        _give_its_filters(case)
    if KEY in case.headers and (number := next(_keys)) % KEPT:
        case.headers[KEY] = f"{number} {case.headers[KEY]}"[:255].rstrip()
    if PREFER in case.headers and next(_waits) % KEPT:
        del case.headers[PREFER]


def _give_its_filters(case: Case[Any]) -> None:
    """Give a token that came from a list its filters, and replace one that was made up."""
    caller, token = _caller(case), case.query["pageToken"]
    if token not in _made_for or _made_for[token][0] != caller:
        mine = (one for one in reversed(_made_for) if _made_for[one][0] == caller)
        token = next(mine, None)
    if token is None:
        case.query = {name: one for name, one in case.query.items() if name != "pageToken"}
    else:
        case.query = {**_made_for[token][1], "pageToken": token}


@schemathesis.hook
def after_call(_context: HookContext, case: Case[Any], response: Response) -> None:
    """Remember the token of a page, and what it was asked for with."""
    if case.operation.label != LIST or response.status_code != HTTPStatus.OK:
        return
    token = response.json()["nextPageToken"]
    if token is not None:
        filters = {name: one for name, one in case.query.items() if name != "pageToken"}
        _made_for[token] = _caller(case), filters


def _caller(case: Case[Any]) -> str:
    return str(case.headers.get("Authorization") or case.headers.get("X-API-KEY"))


@schemathesis.check
def strangers_learn_nothing(_context: CheckContext, response: Response, case: Case[Any]) -> None:
    """Whoever has no key is told that, and nothing else."""
    if STRANGER not in os.environ or case.operation.label == PUBLIC:
        return
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        return
    allowed = BEFORE_KEYS.get(HTTPStatus(response.status_code))
    if allowed is None or f'"code":"{allowed}"' not in response.text:
        asked = f"{response.request.method} {response.request.url}"
        raise AssertionError(f"a stranger was answered {response.status_code} to {asked}")
