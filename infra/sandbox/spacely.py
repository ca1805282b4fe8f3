"""Spacely as its documentation, and its public clients, describe it.

Where the documentation is silent the sandbox has to do something: a blocked account is
answered 403, a failed render says `failed`, the bodies of errors are a line of text. None
of that may be relied on.
"""

from uuid import uuid4

from infra.sandbox.fields import (
    ANY_TEXT,
    BOX,
    NUMBER,
    TEXT,
    TEXTS,
    WEB_URL,
    Field,
    one_of,
    optional,
    points,
)
from infra.sandbox.jobs import RenderJob
from infra.sandbox.provider import Document, Operation, Provider, by_path

_IMAGE = Field("imageUrl", WEB_URL)
_PRODUCT = Field("productImageUrl", WEB_URL)
_MODEL = Field("model", TEXT)
_SPACE = Field("spaceType", TEXT)
_ANY_KIND = Field("renovateType", one_of("residential", "commercial", "exterior"))
_INSIDE = Field("renovateType", one_of("residential", "commercial"))
_PAINTED = (_IMAGE, Field("area", one_of("wall", "ceiling", "floor")), Field("color", TEXT))

OPERATIONS = by_path(
    Operation("generate/standard", (
        _MODEL, _IMAGE, _SPACE, Field("spaceStyle", TEXT), optional("spaceColor", ANY_TEXT),
        _ANY_KIND, optional("styleUrl", ANY_TEXT), optional("materialsIds", TEXTS),
    )),
    Operation("generate/advance", (
        _MODEL, _IMAGE, optional("prompt", ANY_TEXT), optional("nPrompt", ANY_TEXT), _INSIDE,
    )),
    Operation("generate/style-transfer", (
        _IMAGE, _SPACE, Field("styleImageUrl", WEB_URL), _ANY_KIND,
    )),
    Operation("generate/furniture-placement", (
        _IMAGE, _PRODUCT, Field("placement", BOX), Field("area", BOX),
    )),
    Operation("generate/decoration-placement", (
        _IMAGE, _PRODUCT, Field("productWidth", NUMBER), Field("productHeight", NUMBER),
        Field("referenceLine", points(2, 100)), Field("lineLength", NUMBER),
        Field("placement", BOX),
    )),
    Operation("generate/two-point-perspective", (
        _IMAGE, Field("topCornerLine", points(3, 3)),
        Field("bottomCornerReferenceLine", points(3, 3)), Field("roomHeight", NUMBER),
    )),
    Operation("generate/color-transfer", _PAINTED),
    Operation("generate/color-transfer-exact", _PAINTED),
    Operation("generate/text-to-image", (Field("prompt", TEXT), optional("nPrompt", ANY_TEXT))),
)  # fmt: skip


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
