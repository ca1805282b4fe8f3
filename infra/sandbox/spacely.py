"""Spacely as its documentation, and its public clients, describe it.

The documentation does not cover everything. The sandbox answers a blocked account with 403,
calls a failed render `failed` and writes an error body as one line of text. Do not rely on
any of that.
"""

from typing import Annotated, Literal
from uuid import uuid4

import msgspec
from msgspec import Meta

from infra.sandbox.jobs import RenderJob
from infra.sandbox.provider import Document, Fields, Provider, Text, Url

Kind = Literal["residential", "commercial", "exterior"]
NotNegative = Annotated[float, Meta(ge=0)]


class Point(msgspec.Struct):
    """A point of the picture; negative ones lie outside of it."""

    x: float
    y: float


class Box(msgspec.Struct):
    """A box of the picture, in pixels."""

    x: NotNegative
    y: NotNegative
    w: NotNegative
    h: NotNegative


class RoomPicture(Fields, kw_only=True):
    """The input of every operation on a picture."""

    image_url: Url


# The classes below are named after the pages of the documentation that list their fields.
class Standard(RoomPicture, kw_only=True):
    model: Text
    space_type: Text
    space_style: Text
    renovate_type: Kind
    space_color: str | None = None
    style_url: str | None = None
    materials_ids: list[str] | None = None


class Advance(RoomPicture, kw_only=True):
    model: Text
    renovate_type: Literal["residential", "commercial"]
    prompt: str | None = None
    n_prompt: str | None = None


class StyleTransfer(RoomPicture, kw_only=True):
    space_type: Text
    style_image_url: Url
    renovate_type: Kind


class FurniturePlacement(RoomPicture, kw_only=True):
    product_image_url: Url
    placement: Box
    area: Box


class DecorationPlacement(RoomPicture, kw_only=True):
    product_image_url: Url
    product_width: float
    product_height: float
    reference_line: Annotated[list[Point], Meta(min_length=2, max_length=100)]
    line_length: float
    placement: Box


class TwoPointPerspective(RoomPicture, kw_only=True):
    top_corner_line: tuple[Point, Point, Point]
    bottom_corner_reference_line: tuple[Point, Point, Point]
    room_height: float


class ColorTransfer(RoomPicture, kw_only=True):
    area: Literal["wall", "ceiling", "floor"]
    color: Text


class TextToImage(Fields, kw_only=True):
    prompt: Text
    n_prompt: str | None = None


OPERATIONS: dict[str, type[Fields]] = {
    "generate/standard": Standard,
    "generate/advance": Advance,
    "generate/style-transfer": StyleTransfer,
    "generate/furniture-placement": FurniturePlacement,
    "generate/decoration-placement": DecorationPlacement,
    "generate/two-point-perspective": TwoPointPerspective,
    "generate/color-transfer": ColorTransfer,
    "generate/color-transfer-exact": ColorTransfer,
    "generate/text-to-image": TextToImage,
}


def _acknowledged(job: RenderJob, with_id: bool) -> Document:
    return {"data": job.ref} if with_id else {}


def _polled(job: RenderJob) -> Document:
    return {"data": {"status": job.status("processing"), "result": job.urls()}}


SPACELY = Provider(
    name="spacely",
    prefix="/spacely/api/v1",
    key_of=lambda request: request.headers.get("X-API-KEY", ""),
    image_field="imageUrl",
    pictures=4,
    takes_webhook=False,
    over_limit_status=403,
    operations=OPERATIONS,
    polled_ref=lambda request, path: (
        request.args.get("refId", "") if path == "generate/poll-result" else None
    ),
    acknowledged=_acknowledged,
    polled=_polled,
    new_ref=lambda: str(uuid4()),
    lists={},
)
