"""Colours: what a style looks like, and how a colour lies in light and shadow."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from PIL import ImageColor

Colour = tuple[int, int, int]
Veil = tuple[int, int, int, int]

LEAF: Colour = (74, 122, 78)
LINEN: Colour = (244, 239, 230)
IRON: Colour = (58, 56, 60)
LIGHT: Colour = (255, 226, 160)


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours that furnish one room."""

    wall: Colour
    floor: Colour
    textile: Colour
    wood: Colour
    accent: Colour


def colour(name: str) -> Colour:
    """Return the colour of a hex code or a CSS name.

    Raises:
        ValueError: There is no such colour.
    """
    red, green, blue = ImageColor.getrgb(name)[:3]
    return red, green, blue


def _palette(wall: str, floor: str, textile: str, wood: str, accent: str) -> Palette:
    return Palette(colour(wall), colour(floor), colour(textile), colour(wood), colour(accent))


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


def style_palette(style: str, variant: int) -> Palette:
    """Return the colours of *style*; an unknown style has colours too, always the same ones.

    Args:
        variant: 1 for the style's own colours, more for relatives of them.
    """
    names = list(STYLES)
    own = STYLES.get(style.lower().replace("-", "_").replace(" ", "_"))
    if own is None:
        own = STYLES[Random(style).choice(names)]
    if variant == 1:
        return own
    other = STYLES[Random(f"{style}/{variant // 2}").choice([n for n in names if STYLES[n] != own])]
    return Palette(
        *(
            mix(a, b, weight)
            for a, b, weight in zip(_of(own), _of(other), _SHIFTS[variant % 3], strict=True)
        )
    )


_SHIFTS = ((0.75, 0.3, 0.0, 0.3, 1.0), (0.35, 0.0, 0.85, 0.0, 0.0), (0.0, 0.7, 0.4, 0.6, 0.5))


def _of(palette: Palette) -> Iterator[Colour]:
    yield from (palette.wall, palette.floor, palette.textile, palette.wood, palette.accent)


def mix(one: Colour, other: Colour, weight: float) -> Colour:
    """Return the colour between two; *weight* is the second one's share."""
    red, green, blue = (round(a + (b - a) * weight) for a, b in zip(one, other, strict=True))
    return red, green, blue


def darker(one: Colour, by: float = 0.2) -> Colour:
    """Return the colour in shadow."""
    return mix(one, (18, 14, 22), by)


def lighter(one: Colour, by: float = 0.2) -> Colour:
    """Return the colour in light."""
    return mix(one, (255, 252, 244), by)


def veil(one: Colour, opacity: float) -> Veil:
    """Return the colour as something to look through."""
    return (*one, round(255 * opacity))
