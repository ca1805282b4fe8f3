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


_SPACE_TYPES = """
    bedroom bathroom living_room dining_room kitchen bed_and_living_room living_and_dining_room
    dining_and_kitchen working_room home_gym home_office kids_room living_dining small_kitchen
    small_living_room toilet walk_in_closet patio small_garden
"""
_STYLES = """
    modern minimalist contemporary halloween wes_anderson traditional rustic industrial_loft
    scandinavian mid_century zen modern_chinese coastal tropical y2k modern_thai_style
    famous_wizard_movie ryokan space
"""
# With the misspelt ones of the source, and a page's two spellings of porcelain.
_MATERIALS = """
    paper_wallpaper vinyl_wallpaper fabric_wallpaper aluminum gold copper nickle laminate veneer
    mdf particle_board teck_wood oak walnut leather velvet clay_bricks marble teracotta
    porceline_tile porcelain_tile slate concrete
"""
# The examples of the pages (spacely.md, 3), and the lists of a public client (spacely.md, 7).
KNOWN_IDS = {
    "model": frozenset({"spacely-v1", "spacely-unfurnished-space", "spacely-style-transfer"}),
    "spaceType": frozenset(_SPACE_TYPES.split()),
    "spaceStyle": frozenset(_STYLES.split()),
    "spaceColor": frozenset(f"set_{number}" for number in range(1, 41)),
    "materialsIds": frozenset(_MATERIALS.split()),
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
    known_ids=KNOWN_IDS,
)
