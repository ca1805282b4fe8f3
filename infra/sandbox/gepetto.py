"""Gepetto as its documentation describes it.

The documentation does not cover everything. The sandbox answers a call too many with 429,
gives a pending job a null `output` and writes an error body as one line of text. Do not rely
on any of that.
"""

import secrets
from datetime import UTC, datetime
from typing import Annotated, Literal

from msgspec import Meta
from werkzeug.wrappers import Request

from infra.sandbox.jobs import RenderJob
from infra.sandbox.provider import Document, Fields, Provider, Text, Url

_COLOURS = {"white", "egg shell", "black", "gray", "blue", "deep blue", "olive", "terracotta"}
_FLOORS = {"parquet", "tile", "marble", "carpet", "concrete"}


class RenderInputs(Fields, kw_only=True):
    """The inputs that every operation has."""

    url: Url
    webhook: Url | None = None


class Styled(RenderInputs, kw_only=True):
    """A render in a style."""

    style_id: Text


# The classes below are named after the pages of the documentation that list their fields.
class CreativeRedesign(Styled, kw_only=True):
    room_id: Text


class Redesign(CreativeRedesign, kw_only=True):
    creativity: Annotated[float, Meta(ge=0, le=30)]
    mask: Url | None = None
    preserve_windows: bool | None = None
    preserve_walls: bool | None = None
    preserve_ceiling: bool | None = None
    preserve_floor: bool | None = None


class Furnish(Styled, kw_only=True):
    """A whole room or a single piece."""

    room_id: Text | None = None
    furniture_id: Text | None = None
    mask: Url | None = None
    preserve_windows: bool | None = None

    def __post_init__(self) -> None:
        if (self.room_id is None) == (self.furniture_id is None):
            raise ValueError("exactly one of roomId and furnitureId is needed")


class SmartStaging(Styled, kw_only=True):
    room_id: Literal["living_room", "bedroom", "dining_room", "home_office", "gaming_room"]


class SmartStagingV2(Styled, kw_only=True):
    room_id: Literal[
        "living_room", "living_dining", "kitchen_living", "bedroom", "dining_room",
        "home_office", "outdoor_terrace", "kitchen",
    ]  # fmt: skip


class Refresh(RenderInputs, kw_only=True):
    transformation: Literal["walls", "floor"]
    value: Text

    def __post_init__(self) -> None:
        known = _COLOURS if self.transformation == "walls" else _FLOORS
        if self.value not in known:
            raise ValueError(f"value is not one of {', '.join(sorted(known))}")


class Declutter(RenderInputs, kw_only=True):
    mask: Url | None = None


OPERATIONS: dict[str, type[Fields]] = {
    "redesign": Redesign,
    "creative-redesign": CreativeRedesign,
    "furnish": Furnish,
    "smart-staging": SmartStaging,
    "smart-staging-v2": SmartStagingV2,
    "refresh": Refresh,
    "sunshine": RenderInputs,
    "declutter": Declutter,
    "upscale": RenderInputs,
}

MODES = {
    "redesign": "redesign",
    "furnish": "furnish",
    "smart-staging": "furnish",
    "smart-staging-v2": "furnish",
    "refresh": "redesign",
    "declutter": "sunshine",
}
"""`mode` as the pages print it, copied mistakes included; other operations show none."""

_COPIED: dict[str, dict[str, object]] = {
    "refresh": {"styleId": "demeures", "roomId": "living_room", "creativity": 14},
    "declutter": {"skyId": None},
}
"""Fields that two pages echo although their operations take no such input."""

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
    return answer | _COPIED.get(job.operation, {})


def _polled(job: RenderJob) -> Document:
    """Return the response of Get Job; it has no id."""
    created = datetime.fromtimestamp(job.accepted_at, UTC).isoformat(timespec="milliseconds")
    return {
        "status": job.status("pending"),
        "output": next(iter(job.urls()), None),
        "mode": MODES.get(job.operation, job.operation),
        "createdAt": created.replace("+00:00", "Z"),
    }


def _polled_ref(_: Request, path: str) -> str | None:
    return path.removeprefix("job/") if path.startswith("job/") else None


# Of the lists only the rooms' page was seen. The styles are those of samples, in the same form;
# no sky is printed anywhere.
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


STYLES = [
    {"id": "modern", "name": "Moderne", "name-en": "Modern"},
    {"id": "demeures", "name": "Demeures", "name-en": "Demeures"},
]

# Get Styles, Get Skies and Get Furnitures were not seen: only samples print a style's id, and
# nothing prints that of a sky or a piece of furniture (gepetto.md, 5).
KNOWN_IDS = {
    "styleId": frozenset({"demeures", "modern"}),
    "roomId": frozenset(str(room["id"]) for room in ROOMS),
}


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
    lists={"rooms": ROOMS, "styles": STYLES, "skies": []},
    known_ids=KNOWN_IDS,
)
