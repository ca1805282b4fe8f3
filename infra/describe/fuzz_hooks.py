"""What schemathesis cannot know: page tokens, unused keys, and what a stranger may see.

It imports this module by name, in a process of its own.
"""

import itertools
import os
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, CheckContext, HookContext, Response

from infra.describe.fuzz import STRANGER

# Its own moments begin in the year 0, which no clock of ours can show.
schemathesis.openapi.format(
    "date-time",
    st.datetimes(datetime(1970, 1, 1), datetime(2999, 1, 1)).map(  # noqa: DTZ001 - gets its zone
        lambda moment: moment.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z")
    ),
)

PUBLIC = "GET /healthz"
# Decided before the key is read: path, method and size of the body.
BEFORE_KEYS = {
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "body_too_large",
}
LIST = "GET /v1/jobs"
KEY = "Idempotency-Key"
PREFER = "Prefer"
WEBHOOK = "webhook"
# 503 before there is a copy of a provider's list, and while as many callers wait as may.
NOT_YET = ('"code":"list_not_fetched"', '"code":"too_many_waiting"')
STORE_AWAY = '"code":"store_unavailable"'
# How often a busy machine's store may be too slow for an answer, in one run.
MAX_AWAY = 20
NOBODYS_URL = "https://hooks.invalid/renders"
# One in so many requests keeps its key, and so finds a job with another body; one in so many waits.
KEPT = 8
# The caller and filters that each page token was issued for: it is valid only with them.
_issued_for: dict[str, tuple[str, dict[str, Any]]] = {}
_keys = itertools.count(1)
_waits = itertools.count(1)
_times_away = itertools.count(1)


@schemathesis.hook
def before_call(_context: HookContext, case: Case[Any], _kwargs: dict[str, Any]) -> None:
    """Complete a request that should be valid with what only its sender can know."""
    _spare_the_wait(case)
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if case.operation.label == LIST and "pageToken" in case.query:
        _use_issued_token(case)
    if KEY in case.headers and (number := next(_keys)) % KEPT:
        case.headers[KEY] = f"{number} {case.headers[KEY]}"[:255].rstrip()
    if PREFER in case.headers and next(_waits) % KEPT:
        del case.headers[PREFER]


def _spare_the_wait(case: Case[Any]) -> None:
    """Give Gepetto's submissions a webhook, without which they wait for their pictures."""
    if not str(case.operation.definition.raw.get("operationId")).startswith("submitGepetto"):
        return
    is_valid = case.meta is not None and case.meta.generation.mode.is_positive
    if isinstance(case.body, dict) and (is_valid or WEBHOOK not in case.body):
        case.body = {**case.body, WEBHOOK: NOBODYS_URL}


def _use_issued_token(case: Case[Any]) -> None:
    """Give an issued token its filters back, and replace an invented one."""
    caller, token = _caller(case), case.query["pageToken"]
    if token not in _issued_for or _issued_for[token][0] != caller:
        own = (one for one in reversed(_issued_for) if _issued_for[one][0] == caller)
        token = next(own, None)
    if token is None:
        case.query = {name: one for name, one in case.query.items() if name != "pageToken"}
    else:
        case.query = {**_issued_for[token][1], "pageToken": token}


@schemathesis.hook
def after_call(_context: HookContext, case: Case[Any], response: Response) -> None:
    """Remember the token of a page, with its caller and filters."""
    if case.operation.label != LIST or response.status_code != HTTPStatus.OK:
        return
    token = response.json()["nextPageToken"]
    if token is not None:
        filters = {name: one for name, one in case.query.items() if name != "pageToken"}
        _issued_for[token] = _caller(case), filters


def _caller(case: Case[Any]) -> str:
    return str(case.headers.get("Authorization") or case.headers.get("X-API-KEY"))


@schemathesis.check
def strangers_learn_nothing(_context: CheckContext, response: Response, case: Case[Any]) -> None:
    """Fail if a caller without a key learns more than that a key is missing."""
    if STRANGER not in os.environ or case.operation.label == PUBLIC:
        return
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        return
    allowed = BEFORE_KEYS.get(HTTPStatus(response.status_code))
    if allowed is None or f'"code":"{allowed}"' not in response.text:
        asked = f"{response.request.method} {response.request.url}"
        raise AssertionError(f"a stranger got {response.status_code} for {asked}")


@schemathesis.check
def the_store_is_mostly_there(_context: CheckContext, response: Response, _case: Case[Any]) -> None:
    """Fail on a 503 that nothing explains, or if the store is away too often."""
    if response.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
        return
    if any(code in response.text for code in NOT_YET):
        return
    if STORE_AWAY not in response.text:
        raise AssertionError(f"503 for no known reason: {response.text[:200]}")
    if next(_times_away) > MAX_AWAY:
        raise AssertionError(f"the store was away more than {MAX_AWAY} times")
