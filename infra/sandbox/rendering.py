"""Renders a picture: an input or a sample room, visibly changed by the operation.

Each file in `rooms/furniture/` holds one set of furniture in two halves, one above the other.
The upper half has the colours that never change, and the transparency. The lower half says
how much of each pixel takes a colour of the style: red is cloth, green wood, blue accent.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from random import Random
from statistics import fmean

from PIL import (
    Image,
    ImageChops,
    ImageColor,
    ImageDraw,
    ImageEnhance,
    ImageFilter,
    ImageFont,
    ImageOps,
)

MAX_WIDTH = 768
ROOMS = ("living", "bedroom", "kitchen", "loft", "dining", "office")
_FILES = Path(__file__).parent / "rooms"

Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]
Polygon = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A downloaded input, reduced to `MAX_WIDTH`.

    Attributes:
        width: The width of the original in pixels.
    """

    jpeg: bytes
    width: int


@dataclass(frozen=True, slots=True, eq=False)
class Render:
    """Everything that determines a job's pictures.

    Attributes:
        pictures: How many there are; each is a variant of the same render.
        source: None takes a sample room.
    """

    ref: str
    provider: str
    operation: str
    pictures: int
    inputs: Mapping[str, object]
    source: Source | None

    def text(self, *names: str) -> str:
        """Return the first of these inputs that is a text and not empty, or "" without one."""
        texts = (self.inputs.get(name) for name in names)
        return next((text for text in texts if isinstance(text, str) and text), "")


@cache
def room_jpeg(name: str) -> bytes:
    """Return a sample room as a JPEG file."""
    return (_FILES / f"{name}.jpg").read_bytes()


def noise_png(ref: str, variant: int) -> bytes:
    """Return a small PNG file that is quickly made and like no other render's or variant's."""
    size = (64, 48)
    noise = Random(f"{ref}-{variant}").randbytes(3 * size[0] * size[1])
    file = BytesIO()
    Image.frombytes("RGB", size, noise).save(file, "PNG")
    return file.getvalue()


def render_png(render: Render, variant: int) -> bytes:
    """Return picture number *variant* of a render as a PNG file; the same one every time."""
    style = render.text("styleId", "spaceStyle", "prompt", "styleImageUrl") or "modern"
    colours = palette(style, variant)
    operation = _OPERATIONS.get(render.operation, _redesign)
    picture = operation(_input(render), render, colours, variant)
    _caption(picture, render, variant)
    file = BytesIO()
    picture.save(file, "PNG", compress_level=3)
    return file.getvalue()


def _input(render: Render) -> Image.Image:
    if render.source is not None:
        return Image.open(BytesIO(render.source.jpeg)).convert("RGB")
    if render.operation == "text-to-image":
        name = _room_in(render.text("prompt"))
    else:
        name = Random(render.ref).choice(ROOMS)
    room = Image.open(BytesIO(room_jpeg(name))).convert("RGB")
    room.thumbnail((MAX_WIDTH, MAX_WIDTH))
    return room


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of a style."""

    wall: Colour
    floor: Colour
    cloth: Colour
    wood: Colour
    accent: Colour


def _palette(*codes: str) -> Palette:
    return Palette(*(_rgb(code) for code in codes))


def _rgb(name: str) -> Colour:
    red, green, blue = ImageColor.getrgb(name)[:3]
    return red, green, blue


STYLES = {
    "modern": _palette("#C4CCC2", "#B08D66", "#53646E", "#8A5F3C", "#E08A3C"),
    "scandinavian": _palette("#EFEBE2", "#DCC299", "#8FA898", "#CDA874", "#DDAF3A"),
    "industrial_loft": _palette("#A5603F", "#6A5F58", "#3B3F47", "#7A5233", "#E0A03A"),
    "coastal": _palette("#CFE3E8", "#DCC8A4", "#3F7C9E", "#C9A97C", "#F0A868"),
    "mid_century": _palette("#E6CF9F", "#8C5A3B", "#C05F2B", "#74452B", "#2B7470"),
    "minimalist": _palette("#F0EFEC", "#C8C1B6", "#8B8C8C", "#B9A58C", "#2E2E30"),
    "zen": _palette("#D9D8C3", "#A88A62", "#73845F", "#6B4A31", "#B4513A"),
    "demeures": _palette("#DDD0DA", "#A2764C", "#7A3A4C", "#6E4630", "#CBA135"),
    "tropical": _palette("#CFE3C4", "#B0804F", "#2A7A58", "#8A5A36", "#F0894A"),
    "y2k": _palette("#DCCBEA", "#9C8DB8", "#6B4FA3", "#8C6BB0", "#F0629E"),
    "deep_blue": _palette("#3D5A80", "#C0A27C", "#E0B787", "#8A6242", "#EE6C4D"),
}
MATERIALS = {
    "white": "#F2F0EA", "egg shell": "#F0EAD6", "black": "#34343A", "gray": "#A5A7AA",
    "blue": "#8FB3D9", "deep blue": "#2F4A73", "olive": "#8A8B55", "terracotta": "#C4704F",
    "parquet": "#B07E4E", "tile": "#C9CDD0", "marble": "#EDEBE8", "carpet": "#9C8F9E",
    "concrete": "#8E8F91",
}  # fmt: skip


def palette(style: str, variant: int) -> Palette:
    """Return the colours of a style; an unknown name always gets those of the same known one.

    Args:
        variant: 1 for the style's own colours; more for a mixture with another style's.
    """
    name = style.lower().replace("-", "_").replace(" ", "_")
    own = STYLES.get(name) or Random(style).choice(list(STYLES.values()))
    if variant == 1:
        return own
    others = [other for other in STYLES.values() if other is not own]
    other = Random(f"{style}/{variant}").choice(others)
    share = 0.25 + 0.1 * variant
    return Palette(
        wall=_mix(own.wall, other.wall, share),
        floor=_mix(own.floor, other.floor, share),
        cloth=_mix(own.cloth, other.accent, share),
        wood=own.wood,
        accent=other.accent,
    )


def _mix(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


@dataclass(frozen=True, slots=True)
class Surface:
    """Where a surface usually is in a picture of a room, in fractions of the picture.

    Attributes:
        sample: The part whose most frequent colour is the surface's.
        extent: The part that the surface can cover.
    """

    sample: Box
    extent: Polygon


CEILING = Surface((0.1, 0.0, 0.9, 0.1), ((0, 0), (1, 0), (0.84, 0.15), (0.16, 0.15)))
WALLS = Surface(
    (0.1, 0.12, 0.9, 0.62),
    ((0, 0), (0.2, 0.08), (0.8, 0.08), (1, 0), (1, 1), (0.85, 0.68), (0.15, 0.68), (0, 1)),
)
FLOOR = Surface(
    (0.1, 0.68, 0.9, 1.0), ((0.13, 0.62), (0.87, 0.62), (1, 0.9), (1, 1), (0, 1), (0, 0.9))
)


def _redesign(picture: Image.Image, render: Render, colours: Palette, variant: int) -> Image.Image:
    """Repaint walls and floor, add accents, and change the light."""
    picture = repaint(picture, WALLS, colours.wall, 0.96)
    picture = repaint(picture, FLOOR, colours.floor, 0.9)
    if render.operation != "text-to-image":
        accents = furniture(f"accents-{1 + variant % 2}", colours)
        place(picture, ImageOps.mirror(accents) if variant > 2 else accents)
    return _light(picture, variant)


def _furnish(picture: Image.Image, render: Render, colours: Palette, variant: int) -> Image.Image:
    """Furnish the room for its use."""
    place(picture, furniture(_room_in(render.text("roomId", "spaceType")), colours))
    return _light(picture, variant)


def _place_product(
    picture: Image.Image, render: Render, colours: Palette, variant: int
) -> Image.Image:
    """Put the product where the job wants it; its coordinates are pixels of the original."""
    wanted = render.inputs.get("placement")
    box = wanted if isinstance(wanted, Mapping) else {}
    scale = picture.width / (render.source.width if render.source else picture.width)
    x, y, width, height = (
        round(min(float(box.get(key, 0)) * scale, limit))
        for key, limit in zip("xywh", picture.size * 2, strict=True)
    )
    product = "picture" if render.operation == "decoration-placement" else "armchair"
    size = max(width, picture.width // 20, 1), max(height, picture.height // 20, 1)
    place(picture, furniture(product, colours).resize(size), at=(x, y))
    return _light(picture, variant)


def _paint(picture: Image.Image, render: Render, _: Palette, variant: int) -> Image.Image:
    """Paint one surface; the variants differ in light and opacity."""
    name = render.text("value", "color")
    try:
        paint = _rgb(MATERIALS.get(name, name))
    except ValueError:
        paint = palette(name, 1).accent
    area = render.text("transformation", "area")
    surface = {"floor": FLOOR, "ceiling": CEILING}.get(area, WALLS)
    return _light(repaint(picture, surface, paint, 1 - 0.08 * (variant - 1)), variant)


def _sunshine(picture: Image.Image, *_: object) -> Image.Image:
    """Let the sun in from the upper left."""
    width, height = picture.size
    falloff = Image.radial_gradient("L").resize((2 * width, 2 * height))
    near_sun = ImageOps.invert(falloff.crop((width, height, 2 * width, 2 * height)))
    glow = ImageEnhance.Brightness(near_sun).enhance(0.6)
    vivid = ImageEnhance.Brightness(ImageEnhance.Color(picture).enhance(1.4)).enhance(1.12)
    return Image.composite(Image.new("RGB", picture.size, (255, 236, 176)), vivid, glow)


def _declutter(picture: Image.Image, *_: object) -> Image.Image:
    """Remove what stands on the floor: plain wall above the skirting, plain floor below."""
    width, height = picture.size
    horizon = round(height * 0.645)
    for surface, left, top, bottom in (
        (WALLS, 0.17, round(height * 0.4), horizon),
        (FLOOR, 0.0, horizon, height),
    ):
        plain = frequent_colour(picture, surface.sample)
        box = (round(width * left), top, round(width * (1 - left)), bottom)
        clutter = ImageOps.invert(_likeness(picture, plain, tolerance=14).crop(box))
        around = clutter.filter(ImageFilter.BoxBlur(width // 40)).point(lambda level: level * 8)
        picture.paste(plain, box, around)
    return ImageEnhance.Brightness(picture).enhance(1.05)


def _upscale(picture: Image.Image, *_: object) -> Image.Image:
    """Double the resolution and sharpen."""
    large = picture.resize((2 * picture.width, 2 * picture.height), Image.Resampling.LANCZOS)
    sharp = large.filter(ImageFilter.UnsharpMask(radius=3, percent=180, threshold=2))
    return ImageEnhance.Contrast(ImageEnhance.Color(sharp).enhance(1.15)).enhance(1.12)


Operation = Callable[[Image.Image, Render, Palette, int], Image.Image]
_OPERATIONS: dict[str, Operation] = {
    "furnish": _furnish,
    "smart-staging": _furnish,
    "smart-staging-v2": _furnish,
    "two-point-perspective": _furnish,
    "refresh": _paint,
    "color-transfer": _paint,
    "color-transfer-exact": _paint,
    "furniture-placement": _place_product,
    "decoration-placement": _place_product,
    "sunshine": _sunshine,
    "declutter": _declutter,
    "upscale": _upscale,
}
"""Every other operation is a redesign."""


def repaint(picture: Image.Image, surface: Surface, paint: Colour, opacity: float) -> Image.Image:
    """Paint what has a surface's most frequent colour, keeping light and shadow."""
    old = frequent_colour(picture, surface.sample)
    extent = Image.new("L", picture.size, 0)
    corners = [(x * picture.width, y * picture.height) for x, y in surface.extent]
    ImageDraw.Draw(extent).polygon(corners, fill=round(255 * opacity))
    mask = ImageChops.multiply(_likeness(picture, old, tolerance=32), extent)
    grey = picture.convert("L")
    brightness = max(24, round(old[0] * 0.299 + old[1] * 0.587 + old[2] * 0.114))
    painted = ImageOps.colorize(grey, "black", "white", paint, midpoint=min(brightness, 254))
    return Image.composite(painted, picture, mask.filter(ImageFilter.GaussianBlur(0.8)))


def frequent_colour(picture: Image.Image, region: Box) -> Colour:
    """Return the most frequent colour of a region, given in fractions of the picture."""
    width, height = picture.size
    left, top, right, bottom = region
    part = picture.crop(
        (round(left * width), round(top * height), round(right * width), round(bottom * height))
    ).resize((48, 32), Image.Resampling.BOX)
    raw = part.tobytes()
    similar: defaultdict[tuple[int, ...], list[tuple[int, ...]]] = defaultdict(list)
    for pixel in zip(raw[0::3], raw[1::3], raw[2::3], strict=True):
        similar[tuple(value // 12 for value in pixel)].append(pixel)
    red, green, blue = (
        round(fmean(values)) for values in zip(*max(similar.values(), key=len), strict=True)
    )
    return red, green, blue


def _likeness(picture: Image.Image, colour: Colour, *, tolerance: int) -> Image.Image:
    """Return a mask of the pixels that have nearly this colour."""
    bands = ImageChops.difference(picture, Image.new("RGB", picture.size, colour)).split()
    furthest = ImageChops.lighter(ImageChops.lighter(bands[0], bands[1]), bands[2])
    return furthest.point([max(0, min(255, (tolerance + 14 - d) * 18)) for d in range(256)])


def furniture(name: str, colours: Palette) -> Image.Image:
    """Return a set of furniture with a transparent background, in a style's colours."""
    halves = _furniture_file(name)
    width, height = halves.width, halves.height // 2
    fixed = halves.crop((0, 0, width, height))
    shares = halves.crop((0, height, width, 2 * height)).convert("RGB")
    matrix: list[float] = []
    for channels in zip(colours.cloth, colours.wood, colours.accent, strict=True):
        matrix += [*(channel / 255 for channel in channels), 0.0]
    coloured = ImageChops.add(fixed.convert("RGB"), shares.convert("RGB", tuple(matrix)))
    coloured.putalpha(fixed.getchannel("A"))
    return coloured


@cache
def _furniture_file(name: str) -> Image.Image:
    return Image.open(_FILES / "furniture" / f"{name}.png").convert("RGBA")


def place(picture: Image.Image, cutout: Image.Image, *, at: tuple[int, int] | None = None) -> None:
    """Paste a cut-out; without a place it covers the whole picture."""
    if at is None:
        cutout = cutout.resize(picture.size, Image.Resampling.LANCZOS)
    picture.paste(cutout, at or (0, 0), cutout)


def _room_in(text: str) -> str:
    """Return the room that a provider's word or a prompt names, the living room by default."""
    words = {"bed": "bedroom", "dining": "dining", "kitchen": "kitchen", "office": "office"}
    return next((room for word, room in words.items() if word in text.lower()), "living")


def _light(picture: Image.Image, variant: int) -> Image.Image:
    """Change the light: 1 day, 2 golden hour, 3 a cool morning, 4 evening."""
    tint = {2: (255, 228, 190), 3: (222, 236, 255), 4: (222, 206, 220)}.get(variant)
    bright = ImageEnhance.Brightness(ImageEnhance.Contrast(picture).enhance(1.06)).enhance(1.03)
    if tint is None:
        return bright
    return ImageChops.multiply(bright, Image.new("RGB", picture.size, tint))


def _caption(picture: Image.Image, render: Render, variant: int) -> None:
    pen = ImageDraw.Draw(picture, "RGBA")
    width, height = picture.size
    strip = max(18, round(height * 0.052))
    font = ImageFont.load_default(strip * 0.54)
    pen.rectangle([0, height - strip, width, height], fill=(24, 22, 28, 184))
    style = render.text("styleId", "spaceStyle", "value", "color", "prompt")
    left = " · ".join(filter(None, (render.operation, style[:48])))
    right = f"{render.provider} sandbox · {render.ref[:6]}-{variant}"
    middle = height - strip / 2
    pen.text((strip / 2, middle), left, font=font, fill=(255, 255, 255, 235), anchor="lm")
    pen.text((width - strip / 2, middle), right, font=font, fill=(255, 255, 255, 150), anchor="rm")
