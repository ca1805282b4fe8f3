"""What a render does to the pixels of its input: paint, light, clear, enlarge."""

from collections import Counter
from dataclasses import dataclass
from functools import reduce

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter

from infra.sandbox.drawing.palette import Colour

Box = tuple[float, float, float, float]

Outline = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Surface:
    """Where a surface usually is in a photo of a room, in fractions of the picture.

    Attributes:
        heart: The part whose commonest colour is the surface's.
        outline: How far it can reach.
    """

    heart: Box
    outline: Outline


CEILING = Surface((0.1, 0.0, 0.9, 0.1), ((0, 0), (1, 0), (0.84, 0.15), (0.16, 0.15)))
WALLS = Surface(
    (0.1, 0.12, 0.9, 0.62),
    ((0, 0), (0.2, 0.08), (0.8, 0.08), (1, 0), (1, 1), (0.85, 0.68), (0.15, 0.68), (0, 1)),
)
FLOOR = Surface(
    (0.1, 0.68, 0.9, 1.0), ((0.13, 0.62), (0.87, 0.62), (1, 0.9), (1, 1), (0, 1), (0, 0.9))
)
EVERYWHERE: Outline = ((0, 0), (1, 0), (1, 1), (0, 1))


def repaint(picture: Image.Image, surface: Surface, paint: Colour, strength: float) -> Image.Image:
    """Paint what has a surface's commonest colour, light and shadow kept.

    Args:
        strength: 1 covers, less lets the old colour through.
    """
    old = dominant(picture, surface.heart)
    mask = _similar(picture, old, surface.outline, tolerance=32)
    faint = mask.point([round(value * strength) for value in range(256)])
    return Image.composite(_relit(picture, old, paint), picture, faint)


def _relit(picture: Image.Image, old: Colour, paint: Colour) -> Image.Image:
    """Return *paint* everywhere, as bright as the picture is relative to *old*."""
    brightness = max(24.0, old[0] * 0.299 + old[1] * 0.587 + old[2] * 0.114)
    grey = picture.convert("L")
    bands = [
        grey.point([min(255, round(level / brightness * channel)) for level in range(256)])
        for channel in paint
    ]
    return Image.merge("RGB", bands)


def dominant(picture: Image.Image, region: Box) -> Colour:
    """Return the commonest colour of a region."""
    small = picture.crop(_pixels(picture, region)).resize((48, 32), Image.Resampling.BOX)
    seen = Counter(tuple(value // 12 for value in pixel) for pixel in _rgb(small))
    red, green, blue = (value * 12 + 6 for value in seen.most_common(1)[0][0])
    return red, green, blue


def _rgb(picture: Image.Image) -> list[Colour]:
    raw = picture.tobytes()
    return list(zip(raw[0::3], raw[1::3], raw[2::3], strict=True))


def _similar(
    picture: Image.Image, wanted: Colour, outline: Outline, *, tolerance: int
) -> Image.Image:
    """Return the mask of what looks like *wanted* inside an outline."""
    difference = ImageChops.difference(picture, Image.new("RGB", picture.size, wanted))
    furthest = reduce(ImageChops.lighter, difference.split())
    near = furthest.point([max(0, min(255, (tolerance + 14 - level) * 18)) for level in range(256)])
    inside = Image.new("L", picture.size, 0)
    corners = [(x * picture.width, y * picture.height) for x, y in outline]
    ImageDraw.Draw(inside).polygon(corners, fill=255)
    return ImageChops.multiply(near, inside).filter(ImageFilter.GaussianBlur(0.8))


def daylight(picture: Image.Image, hour: int) -> Image.Image:
    """Light the picture: 1 day, 2 golden hour, 3 a cool morning, 4 evening."""
    tints: dict[int, Colour] = {2: (255, 228, 190), 3: (222, 236, 255), 4: (222, 206, 220)}
    bright = ImageEnhance.Brightness(ImageEnhance.Contrast(picture).enhance(1.06)).enhance(1.03)
    if hour not in tints:
        return bright
    return ImageChops.multiply(bright, Image.new("RGB", picture.size, tints[hour]))


def sunshine(picture: Image.Image) -> Image.Image:
    """Let the sun in from the upper left."""
    width, height = picture.size
    rays = Image.new("L", picture.size, 0)
    pen = ImageDraw.Draw(rays)
    for ray in range(6):
        x = width * (0.1 + ray * 0.17)
        pen.polygon([(0, 0), (x, height), (x + width * 0.09, height), (width * 0.04, 0)], fill=105)
    pen.ellipse([-width * 0.2, -width * 0.2, width * 0.2, width * 0.2], fill=210)
    rays = rays.filter(ImageFilter.GaussianBlur(width / 38))
    vivid = ImageEnhance.Brightness(ImageEnhance.Color(picture).enhance(1.35)).enhance(1.1)
    return Image.composite(Image.new("RGB", picture.size, (255, 240, 190)), vivid, rays)


def declutter(picture: Image.Image, horizon: float = 0.645) -> Image.Image:
    """Clear the lower part of the room: wall above the horizon, floor below."""
    width, height = picture.size
    clear = picture.copy()
    for surface, left, top, bottom in ((WALLS, 0.17, 0.4, horizon), (FLOOR, 0.0, horizon, 1.0)):
        plain = dominant(picture, surface.heart)
        across = (round(width * left), round(width * (1 - left)))
        box = (across[0], round(height * top), across[1], round(height * bottom))
        alike = _similar(picture, plain, EVERYWHERE, tolerance=14).crop(box)
        clear.paste(plain, box, ImageChops.invert(alike).filter(ImageFilter.MaxFilter(5)))
    return ImageEnhance.Brightness(clear).enhance(1.05)


def upscale(picture: Image.Image) -> Image.Image:
    """Sharpen, and show the gain under a loupe."""
    sharp = picture.filter(ImageFilter.UnsharpMask(radius=2, percent=160, threshold=2))
    width, height = picture.size
    side = round(height * 0.46)
    left, top = round(width * 0.36), round(height * 0.34)
    part = sharp.crop((left, top, left + side // 2, top + side // 2))
    lens = Image.new("L", (side, side), 0)
    ImageDraw.Draw(lens).ellipse([2, 2, side - 3, side - 3], fill=255)
    corner = (width - side - 16, 16)
    ImageDraw.Draw(sharp).ellipse(
        [corner[0] - 4, corner[1] - 4, corner[0] + side + 3, corner[1] + side + 3],
        fill=(252, 250, 246),
    )
    sharp.paste(part.resize((side, side), Image.Resampling.LANCZOS), corner, lens)
    return sharp


def _pixels(picture: Image.Image, region: Box) -> tuple[int, int, int, int]:
    width, height = picture.size
    left, top, right, bottom = region
    return round(left * width), round(top * height), round(right * width), round(bottom * height)
