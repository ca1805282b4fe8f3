"""What makes a room lived in: plants, lamps, rugs, pictures, books."""

from math import cos, pi, sin

from infra.sandbox.drawing.brush import Brush
from infra.sandbox.drawing.palette import (
    IRON,
    LEAF,
    LIGHT,
    LINEN,
    Colour,
    Palette,
    darker,
    lighter,
    veil,
)


def rug(brush: Brush, colours: Palette) -> None:
    """Draw a rug lying on the floor."""
    base = lighter(colours.textile, 0.55)
    for inset, fill in ((0.0, base), (0.05, colours.accent), (0.075, base)):
        near, far = inset * 0.6, 0.12 + inset * 0.6
        brush.poly(
            (far, inset), (1 - far, inset), (1 - near, 1 - inset), (near, 1 - inset), fill=fill
        )
    for y in (0.34, 0.5, 0.66):
        slant = 0.18 - 0.12 * y
        line = veil(colours.textile, 0.4)
        brush.line((slant, y), (1 - slant, y), fill=line, width=0.03)


def plant(brush: Brush, colours: Palette) -> None:
    """Draw a large plant in a pot."""
    brush.shadow(0.1, 0.9, 0.9, 1.04)
    for angle, length in ((-74, 0.6), (-50, 0.7), (-26, 0.62), (22, 0.62), (48, 0.7), (72, 0.56)):
        _leaf(brush, angle, length, darker(LEAF, 0.16))
    for angle, length in ((-60, 0.5), (-14, 0.72), (10, 0.66), (36, 0.58), (62, 0.46)):
        _leaf(brush, angle, length, lighter(LEAF, 0.1))
    pot = darker(colours.accent, 0.08)
    brush.poly((0.26, 0.7), (0.74, 0.7), (0.66, 1.0), (0.34, 1.0), fill=pot)
    brush.rect(0.24, 0.67, 0.76, 0.74, lighter(pot, 0.14), round_by=0.02)


def _leaf(brush: Brush, degrees: float, length: float, fill: Colour) -> None:
    angle = degrees * pi / 180
    along, across = (sin(angle), -cos(angle)), (cos(angle), sin(angle))
    outline = []
    for step in range(13):
        turn = step / 12 * 2 * pi
        far = (1 - cos(turn)) / 2 * length
        wide = sin(turn) * 0.085
        outline.append((0.5 + along[0] * far * 0.62 + across[0] * wide, 0.7 + along[1] * far))
    brush.poly(*outline, fill=fill)


def floor_lamp(brush: Brush, colours: Palette) -> None:
    """Draw a lit floor lamp."""
    for step in range(6):
        grow = 0.5 - step * 0.06
        brush.oval(0.5 - grow * 2.2, 0.16 - grow * 0.7, 0.5 + grow * 2.2, 0.16 + grow * 0.7,
                   veil(LIGHT, 0.07))  # fmt: skip
    brush.shadow(0.16, 0.95, 0.84, 1.03)
    brush.line((0.5, 0.2), (0.5, 0.98), fill=darker(colours.wood, 0.5), width=0.012)
    brush.oval(0.25, 0.96, 0.75, 1.0, IRON)
    brush.poly((0.24, 0.02), (0.76, 0.02), (0.98, 0.25), (0.02, 0.25), fill=LIGHT)
    brush.poly((0.24, 0.02), (0.4, 0.02), (0.3, 0.25), (0.02, 0.25), fill=lighter(LIGHT, 0.5))


def pendant(brush: Brush, colours: Palette) -> None:
    """Draw a lamp hanging from the top of its box."""
    brush.line((0.5, 0.0), (0.5, 0.66), fill=IRON, width=0.012)
    for step in range(5):
        grow = 0.9 - step * 0.14
        brush.oval(0.5 - grow, 0.96 - grow * 0.4, 0.5 + grow, 0.96 + grow * 0.4, veil(LIGHT, 0.06))
    shade = colours.accent
    brush.poly((0.4, 0.62), (0.6, 0.62), (0.95, 0.9), (0.05, 0.9), fill=shade)
    brush.oval(0.05, 0.85, 0.95, 0.96, lighter(LIGHT, 0.3))


def art(brush: Brush, colours: Palette) -> None:
    """Draw a framed abstract landscape."""
    brush.rect(0.02, 0.03, 1.03, 1.04, veil((20, 14, 12), 0.22))
    brush.rect(0.0, 0.0, 1.0, 1.0, darker(colours.wood, 0.35))
    brush.rect(0.05, 0.045, 0.95, 0.955, LINEN)
    brush.rect(0.13, 0.12, 0.87, 0.88, lighter(colours.wall, 0.35))
    brush.oval(0.5, 0.2, 0.76, 0.44, colours.accent)
    brush.poly((0.13, 0.62), (0.4, 0.44), (0.87, 0.7), (0.87, 0.88), (0.13, 0.88),
               fill=lighter(colours.textile, 0.25))  # fmt: skip
    brush.poly((0.13, 0.78), (0.6, 0.62), (0.87, 0.74), (0.87, 0.88), (0.13, 0.88),
               fill=darker(colours.textile, 0.2))  # fmt: skip


def bookshelf(brush: Brush, colours: Palette) -> None:
    """Draw a tall shelf of books."""
    brush.shadow(-0.05, 0.96, 1.05, 1.04)
    brush.rect(0.0, 0.0, 1.0, 1.0, darker(colours.wood, 0.28))
    spines = (
        colours.accent,
        colours.textile,
        LINEN,
        darker(colours.accent),
        darker(LEAF, 0.1),
        colours.wall,
    )
    for row in range(4):
        top = 0.035 + row * 0.24
        brush.rect(0.06, top, 0.94, top + 0.21, darker(colours.wood, 0.55))
        x = 0.08
        for book in range(9 if row % 2 else 7):
            wide = 0.06 + 0.03 * ((book * 7 + row * 3) % 3) / 2
            high = 0.13 + 0.06 * ((book * 5 + row) % 4) / 3
            brush.rect(x, top + 0.21 - high, x + wide, top + 0.21, spines[(book + row * 2) % 6])
            x += wide + 0.012
        brush.rect(0.04, top + 0.21, 0.96, top + 0.235, colours.wood)
