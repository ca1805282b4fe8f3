"""Draws the picture a job asked for: the input, visibly changed by the operation."""

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from random import Random

from PIL import Image, ImageDraw, ImageFont

from infra.sandbox.drawing import arrangements, decoration, furniture, treatments
from infra.sandbox.drawing.brush import Brush
from infra.sandbox.drawing.palette import Palette, colour, darker, style_palette, veil
from infra.sandbox.drawing.rooms import ROOMS, draw_room
from infra.sandbox.drawing.shell import Floor, Shell, back_window, curtains, draw_shell, sunlight

MAX_WIDTH = 768
SIZE = (MAX_WIDTH, 512)
MATERIALS = {
    "white": "#F2F0EA", "egg shell": "#F0EAD6", "black": "#34343A", "gray": "#A5A7AA",
    "blue": "#8FB3D9", "deep blue": "#2F4A73", "olive": "#8A8B55", "terracotta": "#C4704F",
    "parquet": "#B07E4E", "tile": "#C9CDD0", "marble": "#EDEBE8", "carpet": "#9C8F9E",
    "concrete": "#8E8F91",
}  # fmt: skip
REPAINTING = {"redesign", "creative-redesign", "standard", "advance", "style-transfer"}
STAGING = {"furnish", "smart-staging", "smart-staging-v2", "two-point-perspective"}


@dataclass(frozen=True, slots=True)
class Source:
    """A downloaded input, made small.

    Attributes:
        width: How wide the original was, in pixels.
    """

    jpeg: bytes
    width: int


@dataclass(frozen=True, slots=True)
class Commission:
    """All that a picture is drawn from; the same commission is always the same picture.

    Attributes:
        pictures: How many variants there are.
        source: None draws a room in its place.
    """

    ref: str
    provider: str
    operation: str
    pictures: int
    wishes: Mapping[str, object]
    source: Source | None

    def wish(self, *names: str) -> str:
        """Return the first of these inputs that is a text with something in it."""
        texts = (self.wishes.get(name) for name in names)
        return next((text for text in texts if isinstance(text, str) and text), "")


def draw(commission: Commission, variant: int) -> bytes:
    """Return picture number *variant* of a job as a PNG file."""
    style = commission.wish("styleId", "spaceStyle", "prompt", "styleImageUrl") or "modern"
    colours = style_palette(style, variant)
    picture = _changed(_before(commission, colours), commission, colours, variant)
    _caption(picture, commission, variant)
    file = BytesIO()
    picture.save(file, "PNG", compress_level=3)
    return file.getvalue()


def _before(commission: Commission, colours: Palette) -> Image.Image:
    if commission.operation == "text-to-image":
        large = Image.new("RGB", (SIZE[0] * 2, SIZE[1] * 2))
        brush = Brush.on(large)
        draw_shell(brush, Shell(0.17, 0.12, 0.83, 0.65, colours.wall, colours.floor, Floor.BOARDS))
        back_window(brush.within(0.62, 0.2, 0.15, 0.26))
        curtains(brush.within(0.59, 0.17, 0.21, 0.46), darker(colours.wall, 0.12))
        sunlight(brush, (0.6, 0.68), (0.78, 0.68), (0.72, 0.94), (0.44, 0.94))
        return large.resize(SIZE, Image.Resampling.LANCZOS)
    if commission.source is None:
        return draw_room(Random(commission.ref).choice(list(ROOMS))).resize(SIZE)
    return Image.open(BytesIO(commission.source.jpeg)).convert("RGB")


def _changed(
    picture: Image.Image, commission: Commission, colours: Palette, variant: int
) -> Image.Image:
    operation = commission.operation
    if operation in ("sunshine", "declutter", "upscale"):
        return _TREATMENTS[operation](picture)
    if operation == "refresh":
        floor = commission.wish("transformation") == "floor"
        return _paint(picture, "floor" if floor else "wall", commission.wish("value"), variant)
    if operation.startswith("color-transfer"):
        return _paint(picture, commission.wish("area"), commission.wish("color"), variant)
    if operation in REPAINTING:
        picture = treatments.repaint(picture, treatments.WALLS, colours.wall, 0.96)
        picture = treatments.repaint(picture, treatments.FLOOR, colours.floor, 0.9)
    furnished = _furnished(picture, commission, colours, variant)
    return treatments.daylight(furnished, variant)


_TREATMENTS = {
    "sunshine": treatments.sunshine,
    "declutter": treatments.declutter,
    "upscale": treatments.upscale,
}


def _paint(picture: Image.Image, area: str, name: str, variant: int) -> Image.Image:
    """Paint one surface; the four variants differ in light and in how much they cover."""
    try:
        paint = colour(MATERIALS.get(name, name))
    except ValueError:
        paint = style_palette(name, 1).accent
    surfaces = {"floor": treatments.FLOOR, "ceiling": treatments.CEILING}
    surface = surfaces.get(area, treatments.WALLS)
    painted = treatments.repaint(picture, surface, paint, 1 - (variant - 1) * 0.08)
    return treatments.daylight(painted, variant)


def _furnished(
    picture: Image.Image, commission: Commission, colours: Palette, variant: int
) -> Image.Image:
    size = picture.size
    large = picture.resize((size[0] * 2, size[1] * 2), Image.Resampling.BILINEAR)
    brush = Brush.on(large)
    room = commission.wish("roomId", "spaceType", "prompt")
    if commission.operation.endswith("-placement"):
        _place_product(brush, commission, colours, size)
    elif commission.operation in STAGING or commission.operation == "text-to-image":
        arrangements.furnish(brush, colours, room)
    else:
        arrangements.accent(brush, colours, variant)
    return large.resize(size, Image.Resampling.LANCZOS)


def _place_product(
    brush: Brush, commission: Commission, colours: Palette, size: tuple[int, int]
) -> None:
    """Draw the product where the job wants it; its coordinates are the original's pixels."""
    wanted = commission.wishes.get("placement")
    numbers = wanted if isinstance(wanted, Mapping) else {}
    original = commission.source.width if commission.source else size[0]
    scale = size[0] / original
    x, y, width, height = (
        float(numbers.get(key, 0)) * scale / size[position % 2]
        for position, key in enumerate("xywh")
    )
    decorating = commission.operation == "decoration-placement"
    piece = decoration.art if decorating else furniture.armchair
    piece(brush.within(x, y, max(width, 0.05), max(height, 0.05)), colours)


def _caption(picture: Image.Image, commission: Commission, variant: int) -> None:
    pen = ImageDraw.Draw(picture, "RGBA")
    width, height = picture.size
    strip = max(18, round(height * 0.052))
    font = ImageFont.load_default(strip * 0.54)
    middle = height - strip / 2
    pen.rectangle([0, height - strip, width, height], fill=veil((24, 22, 28), 0.72))
    wishes = commission.wish("styleId", "spaceStyle", "value", "color", "prompt")
    text = " · ".join(part for part in (commission.operation, wishes[:48]) if part)
    pen.text((strip * 0.5, middle), text, font=font, fill=(255, 255, 255, 235), anchor="lm")
    mark = f"{commission.provider} sandbox · {commission.ref[:6]}-{variant}"
    pen.text((width - strip * 0.5, middle), mark, font=font, fill=(255, 255, 255, 150), anchor="rm")
