"""Colours, letters and small marks of the contact sheet."""

from functools import cache

from PIL import ImageDraw, ImageFont

Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

PAPER: Colour = (250, 248, 244)
CARD: Colour = (255, 255, 255)
EDGE: Colour = (228, 223, 214)
TEXT: Colour = (38, 36, 42)
FAINT: Colour = (122, 116, 110)
GREEN: Colour = (38, 122, 82)
GREEN_PAPER: Colour = (226, 242, 232)
RED: Colour = (178, 48, 48)
RED_PAPER: Colour = (252, 234, 232)
RED_STRIPE: Colour = (248, 222, 219)
AMBER: Colour = (198, 124, 20)


@cache
def font(size: int) -> Font:
    """Return Pillow's own font, the only one that is surely there."""
    return ImageFont.load_default(size)


def width(text: str, size: int) -> int:
    """Return how wide a line of text will be."""
    return round(font(size).getlength(text))


def write(
    pen: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    *,
    size: int,
    fill: Colour = TEXT,
    anchor: str = "lm",
    bold: bool = False,
) -> None:
    """Write one line.

    Args:
        anchor: What of the text is put *at*; see Pillow, Text anchors.
        bold: The font has one weight; a thin outline makes it a heavier one.
    """
    weight = size / 40 if bold else 0
    pen.text(at, text, font=font(size), fill=fill, anchor=anchor, stroke_width=weight)


def cut(text: str, *, size: int, most: int) -> str:
    """Return the text, shortened if it is wider than *most* pixels."""
    if width(text, size) <= most:
        return text
    while text and width(f"{text}...", size) > most:
        text = text[:-1]
    return f"{text.rstrip()}..."


def tick(pen: ImageDraw.ImageDraw, at: tuple[float, float], *, size: float, fill: Colour) -> None:
    """Draw a tick around a middle; the font has none."""
    x, y = at
    points = [
        (x - size * 0.5, y),
        (x - size * 0.12, y + size * 0.38),
        (x + size * 0.5, y - size * 0.4),
    ]
    pen.line(points, fill=fill, width=max(2, round(size * 0.2)), joint="curve")


def cross(pen: ImageDraw.ImageDraw, at: tuple[float, float], *, size: float, fill: Colour) -> None:
    """Draw a cross around a middle."""
    x, y = at
    arm = size * 0.4
    thick = max(2, round(size * 0.2))
    pen.line([(x - arm, y - arm), (x + arm, y + arm)], fill=fill, width=thick)
    pen.line([(x - arm, y + arm), (x + arm, y - arm)], fill=fill, width=thick)
