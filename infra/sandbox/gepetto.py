"""Gepetto as its documentation describes it.

Where the documentation is silent the sandbox has to do something: a call too many is
answered 429, a pending job's `output` is null, the bodies of errors are a line of text.
None of that may be relied on.
"""

import secrets
from datetime import UTC, datetime

from werkzeug.wrappers import Request

from infra.sandbox.fields import FLAG, TEXT, WEB_URL, Field, Inputs, number_within, one_of, optional
from infra.sandbox.jobs import RenderJob
from infra.sandbox.provider import Document, Operation, Provider, by_path

_URL = Field("url", WEB_URL)
_STYLE = Field("styleId", TEXT)
_ROOM = Field("roomId", TEXT)
_MASK = optional("mask", WEB_URL)
_WEBHOOK = optional("webhook", WEB_URL)
_STAGED_V1 = one_of("living_room", "bedroom", "dining_room", "home_office", "gaming_room")
_STAGED_V2 = one_of(
    "living_room", "living_dining", "kitchen_living", "bedroom", "dining_room",
    "home_office", "outdoor_terrace", "kitchen",
)  # fmt: skip
_REFRESHED = {
    "walls": one_of(
        "white", "egg shell", "black", "gray", "blue", "deep blue", "olive", "terracotta"
    ),
    "floor": one_of("parquet", "tile", "marble", "carpet", "concrete"),
}


def _either_room_or_furniture(inputs: Inputs) -> str | None:
    given = [name for name in ("roomId", "furnitureId") if inputs.get(name) is not None]
    return None if len(given) == 1 else "exactly one of roomId and furnitureId is needed"


def _refreshed_with(inputs: Inputs) -> str | None:
    return Field("value", _REFRESHED[str(inputs["transformation"])]).complaint(inputs)


OPERATIONS = by_path(
    Operation("redesign", (
        _URL, _STYLE, _ROOM, Field("creativity", number_within(0, 30)), _MASK, _WEBHOOK,
        optional("preserveWindows", FLAG), optional("preserveWalls", FLAG),
        optional("preserveCeiling", FLAG), optional("preserveFloor", FLAG),
    )),
    Operation("creative-redesign", (_URL, _STYLE, _ROOM, _WEBHOOK)),
    Operation("furnish", (
        _URL, _STYLE, optional("roomId", TEXT), optional("furnitureId", TEXT), _MASK,
        optional("preserveWindows", FLAG), _WEBHOOK,
    ), _either_room_or_furniture),
    Operation("smart-staging", (_URL, Field("roomId", _STAGED_V1), _STYLE, _WEBHOOK)),
    Operation("smart-staging-v2", (_URL, Field("roomId", _STAGED_V2), _STYLE, _WEBHOOK)),
    Operation("refresh", (
        _URL, Field("transformation", one_of(*_REFRESHED)), Field("value", TEXT), _WEBHOOK,
    ), _refreshed_with),
    Operation("sunshine", (_URL, _WEBHOOK)),
    Operation("declutter", (_URL, _MASK, _WEBHOOK)),
    Operation("upscale", (_URL, _WEBHOOK)),
)  # fmt: skip

MODES = {
    "redesign": "redesign",
    "furnish": "furnish",
    "smart-staging": "furnish",
    "smart-staging-v2": "furnish",
    "refresh": "redesign",
    "declutter": "sunshine",
}
"""`mode` as the pages print it, pasted ones included; no other operation's was seen."""

_PASTED: dict[str, dict[str, object]] = {
    "refresh": {"styleId": "demeures", "roomId": "living_room", "creativity": 14},
    "declutter": {"skyId": None},
}
"""What two pages echo although their operation takes no such input."""

_ECHOED = {
    "redesign": ("styleId", "roomId", "creativity"),
    "furnish": ("styleId", "roomId"),
    "smart-staging": ("styleId", "roomId"),
    "smart-staging-v2": ("styleId", "roomId"),
}


def _acknowledged(job: RenderJob, with_id: bool) -> Document:
    """Return the acknowledgement as the operation's page prints it."""
    answer: dict[str, object] = {"status": "pending"}
    if with_id:
        answer["id"] = job.ref
    if job.operation in MODES:
        answer["mode"] = MODES[job.operation]
    echoed = _ECHOED.get(job.operation, ())
    answer |= {key: job.inputs[key] for key in echoed if key in job.inputs}
    return answer | _PASTED.get(job.operation, {})


def _polled(job: RenderJob) -> Document:
    """Return Get Job's answer; it has no id."""
    created = datetime.fromtimestamp(job.accepted_at, UTC).isoformat(timespec="milliseconds")
    return {
        "status": job.status("pending"),
        "output": next(iter(job.urls()), None),
        "mode": MODES.get(job.operation, job.operation),
        "createdAt": created.replace("+00:00", "Z"),
    }


def _polled_ref(_: Request, path: str) -> str | None:
    return path.removeprefix("job/") if path.startswith("job/") else None


def _room(ident: str, name: str, english: str) -> Document:
    return {"id": ident, "name": name, "name-en": english, "type": "home"}


ROOMS = [
    _room("living_room", "Salon", "Living room"),
    _room("living_dining", "Salon salle à manger", "Living and dining room"),
    _room("kitchen", "Cuisine", "Kitchen"),
    _room("kitchen_living", "Cuisine ouverte", "Kitchen and living room"),
    _room("bedroom", "Chambre", "Bedroom"),
    _room("dining_room", "Salle à manger", "Dining room"),
    _room("home_office", "Bureau", "Home office"),
    _room("gaming_room", "Salle de jeux", "Gaming room"),
    _room("outdoor_terrace", "Terrasse", "Outdoor terrace"),
]


def _key(request: Request) -> str:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key if scheme == "Bearer" else ""


GEPETTO = Provider(
    name="gepetto",
    prefix="/gepetto/v1",
    key_of=_key,
    image_field="url",
    pictures=1,
    takes_webhook=True,
    over_limit_status=429,
    operations=OPERATIONS,
    polled_ref=_polled_ref,
    acknowledged=_acknowledged,
    polled=_polled,
    new_ref=lambda: secrets.token_hex(10),
    lists={"rooms": ROOMS},
)
