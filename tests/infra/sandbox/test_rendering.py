"""Every operation visibly changes a room, each in its own way."""

from io import BytesIO
from itertools import combinations

import pytest
from PIL import Image, ImageChops, ImageStat

from infra.sandbox.gepetto import OPERATIONS as GEPETTO_OPERATIONS
from infra.sandbox.pictures import reduced
from infra.sandbox.rendering import ROOMS, Render, Source, render_png, room_jpeg
from infra.sandbox.spacely import OPERATIONS as SPACELY_OPERATIONS

OPERATIONS = sorted(
    {path.rpartition("/")[2] for path in (*GEPETTO_OPERATIONS, *SPACELY_OPERATIONS)}
)
KINDS = (
    "redesign", "furnish", "refresh", "color-transfer", "furniture-placement",
    "decoration-placement", "sunshine", "declutter", "upscale", "text-to-image",
)  # fmt: skip
INPUTS = {
    "styleId": "deep_blue",
    "spaceStyle": "deep_blue",
    "prompt": "a deep blue bedroom",
    "roomId": "bedroom",
    "spaceType": "bedroom",
    "area": "floor",
    "color": "#0543F5",
    "placement": {"x": 240, "y": 120, "w": 120, "h": 120},
}
REFRESH = {"transformation": "walls", "value": "terracotta"}
VISIBLE = 2.0
"""Mean difference of two pictures' channels, from 0 to 255; JPEG alone makes about 0.5."""


def rendered(operation: str, source: Source | None, variant: int = 1) -> Image.Image:
    inputs = REFRESH if operation == "refresh" else INPUTS
    render = Render("ref", "gepetto", operation, 4, inputs, source)
    return Image.open(BytesIO(render_png(render, variant)))


def difference(one: Image.Image, other: Image.Image) -> float:
    """Compare two pictures without the caption at the bottom."""
    size, above_caption = (384, 256), (0, 0, 384, 240)
    pair = [picture.convert("RGB").resize(size).crop(above_caption) for picture in (one, other)]
    return sum(ImageStat.Stat(ImageChops.difference(*pair)).mean) / 3


def a_file(picture: Image.Image) -> bytes:
    """Return a small file of a picture, so that a test of many renders is quick."""
    file = BytesIO()
    picture.resize((480, 320)).save(file, "JPEG", quality=92)
    return file.getvalue()


def a_room(name: str) -> bytes:
    return a_file(Image.open(BytesIO(room_jpeg(name))))


def a_photo() -> bytes:
    """Return a picture that is none of the sample rooms."""
    bands = (Image.linear_gradient("L"), Image.radial_gradient("L"), Image.linear_gradient("L"))
    return a_file(Image.merge("RGB", bands))


@pytest.mark.parametrize("raw", [a_room("living"), a_photo()], ids=["a room", "a photo"])
@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one != "text-to-image"])
def test_an_operation_changes_its_input_visibly(operation: str, raw: bytes):
    before = Image.open(BytesIO(raw))

    assert difference(before, rendered(operation, reduced(raw))) > VISIBLE


def test_kinds_of_operations_differ_from_each_other():
    source = reduced(a_room("loft"))
    pictures = {operation: rendered(operation, source) for operation in KINDS}

    for one, other in combinations(KINDS, 2):
        assert difference(pictures[one], pictures[other]) > VISIBLE, (one, other)


def test_four_variants_differ_from_each_other():
    source = reduced(a_room("kitchen"))
    variants = [rendered("standard", source, variant) for variant in (1, 2, 3, 4)]

    assert all(difference(one, other) > VISIBLE for one, other in combinations(variants, 2))


def test_the_same_render_gives_the_same_file():
    render = Render("ref", "spacely", "text-to-image", 4, INPUTS, None)

    assert render_png(render, 2) == render_png(render, 2)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("size", [(8, 3000), (3000, 8), (8, 8)])
def test_an_odd_input_is_rendered_too(operation: str, size: tuple[int, int]):
    file = BytesIO()
    Image.new("RGB", size, "teal").save(file, "PNG")

    assert rendered(operation, reduced(file.getvalue())).format == "PNG"


@pytest.mark.parametrize("operation", ["furniture-placement", "decoration-placement"])
def test_a_product_is_no_larger_than_the_picture(operation: str):
    inputs = {"placement": {"x": 1e300, "y": 0, "w": 1e300, "h": 1e300}}
    render = Render("ref", "spacely", operation, 4, inputs, reduced(room_jpeg("loft")))

    assert Image.open(BytesIO(render_png(render, 1))).size == (768, 512)


@pytest.mark.parametrize("name", ROOMS)
def test_a_sample_room_is_a_picture_of_1200_by_800(name: str):
    assert Image.open(BytesIO(room_jpeg(name))).size == (1200, 800)
    assert 50_000 < len(room_jpeg(name)) < 150_000
