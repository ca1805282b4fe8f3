"""The body of ``POST /v1/jobs``, with the types checked."""

import re
from typing import Annotated, Any

import msgspec

from relay.application.creating import DEFAULT_DEADLINE_S, NewJob
from relay.domain.job import OnUnconfirmed
from relay.edges.body import parse_json
from relay.errors import InvalidRequest

MetadataKey = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
MetadataValue = Annotated[str, msgspec.Meta(max_length=500)]
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `(?:key` in `)?\$(?P<path>.*)`)?$", re.DOTALL)
_FIELD = re.compile(r"(unknown|required) field `(?P<name>.*)`", re.DOTALL)


class CreateBody(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """What a caller posts."""

    provider: str
    operation: str
    input: dict[str, Any]
    path: str | msgspec.UnsetType = msgspec.UNSET
    metadata: Annotated[dict[MetadataKey, MetadataValue], msgspec.Meta(max_length=20)] = {}
    deadline_seconds: Annotated[int, msgspec.Meta(ge=60, le=86_400)] = DEFAULT_DEADLINE_S
    on_unconfirmed: OnUnconfirmed = OnUnconfirmed.WAIT


def read_create_body(body: bytes) -> NewJob:
    """Return what the caller asks for.

    Raises:
        HttpProblem: 400, the body is not JSON.
        InvalidRequest: A field is missing, unknown or of the wrong type; names it.
    """
    try:
        given = msgspec.convert(parse_json(body), CreateBody)
    except msgspec.ValidationError as error:
        raise _located(str(error)) from None
    return NewJob(
        provider=given.provider,
        operation=given.operation,
        input=given.input,
        metadata=given.metadata,
        deadline_s=given.deadline_seconds,
        on_unconfirmed=given.on_unconfirmed,
        path=None if given.path is msgspec.UNSET else given.path,
    )


def _located(message: str) -> InvalidRequest:
    match = _PLACE.match(message)
    what, path = (match["what"], match["path"] or "") if match else (message, "")
    field = _FIELD.search(what)
    pointer = path.replace("[...]", "").replace(".", "/")
    if field:
        pointer += f"/{field['name']}"
    name = pointer.strip("/").replace("/", ".")
    return InvalidRequest(pointer, f"{name}: {what}" if name and not field else what)
