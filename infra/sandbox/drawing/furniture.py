"""Pieces of furniture, each drawn to fill the box of its brush."""

from infra.sandbox.drawing.brush import Brush
from infra.sandbox.drawing.palette import IRON, LINEN, Colour, Palette, darker, lighter, veil


def sofa(brush: Brush, colours: Palette) -> None:
    """Draw a sofa from the front, two cushions on it."""
    cloth = colours.textile
    brush.shadow(-0.04, 0.84, 1.04, 1.08)
    for x in (0.09, 0.87):
        brush.rect(x, 0.86, x + 0.04, 1.0, darker(colours.wood, 0.3))
    brush.rect(0.06, 0.04, 0.94, 0.66, darker(cloth, 0.1), round_by=0.12)
    brush.line((0.5, 0.1), (0.5, 0.46), fill=veil(darker(cloth, 0.5), 0.5), width=0.012)
    brush.rect(0.03, 0.62, 0.97, 0.9, darker(cloth, 0.24), round_by=0.05)
    for x in (0.11, 0.505):
        brush.rect(x, 0.46, x + 0.385, 0.68, lighter(cloth, 0.1), round_by=0.07)
    for x in (0.0, 0.87):
        brush.rect(x, 0.28, x + 0.13, 0.9, cloth, round_by=0.1)
        brush.rect(x + 0.01, 0.28, x + 0.12, 0.4, lighter(cloth, 0.16), round_by=0.09)
    brush.poly((0.17, 0.3), (0.32, 0.2), (0.38, 0.48), (0.22, 0.54), fill=colours.accent)
    brush.poly((0.66, 0.24), (0.81, 0.22), (0.84, 0.5), (0.68, 0.52), fill=lighter(cloth, 0.55))


def armchair(brush: Brush, colours: Palette) -> None:
    """Draw a round armchair in the accent colour."""
    cloth = colours.accent
    brush.shadow(-0.06, 0.84, 1.06, 1.06)
    for x in (0.2, 0.76):
        brush.line((x, 0.8), (x + (0.5 - x) * -0.25, 1.0), fill=darker(colours.wood), width=0.045)
    brush.rect(0.14, 0.0, 0.86, 0.7, darker(cloth, 0.14), round_by=0.3)
    brush.rect(0.2, 0.46, 0.8, 0.72, lighter(cloth, 0.2), round_by=0.1)
    brush.rect(0.06, 0.66, 0.94, 0.86, darker(cloth, 0.26), round_by=0.09)
    for x in (0.02, 0.8):
        brush.rect(x, 0.36, x + 0.18, 0.84, cloth, round_by=0.09)


def bed(brush: Brush, colours: Palette) -> None:
    """Draw a double bed seen from its foot."""
    brush.shadow(-0.05, 0.8, 1.05, 1.1)
    brush.rect(0.1, 0.0, 0.9, 0.5, colours.wood, round_by=0.06)
    for x in (0.3, 0.5, 0.7):
        brush.line((x, 0.03), (x, 0.4), fill=veil(darker(colours.wood, 0.5), 0.5), width=0.012)
    brush.poly((0.13, 0.36), (0.87, 0.36), (0.97, 0.76), (0.03, 0.76), fill=LINEN)
    for x in (0.18, 0.52):
        brush.rect(x, 0.2, x + 0.3, 0.42, lighter(LINEN, 0.7), round_by=0.09)
        brush.line((x + 0.03, 0.41), (x + 0.27, 0.41), fill=veil(IRON, 0.18), width=0.015)
    brush.rect(0.39, 0.28, 0.61, 0.45, colours.accent, round_by=0.07)
    cloth = colours.textile
    brush.poly((0.105, 0.5), (0.895, 0.5), (0.99, 0.78), (0.01, 0.78), fill=lighter(cloth, 0.1))
    brush.poly((0.1, 0.5), (0.9, 0.5), (0.912, 0.56), (0.088, 0.56), fill=lighter(cloth, 0.45))
    brush.rect(0.01, 0.775, 0.99, 0.94, darker(cloth, 0.2), round_by=0.03)
    for x in (0.04, 0.93):
        brush.rect(x, 0.93, x + 0.03, 1.0, darker(colours.wood, 0.4))


def dining_table(brush: Brush, colours: Palette) -> None:
    """Draw a table with chairs on both sides and a bowl on it."""
    brush.shadow(-0.02, 0.82, 1.02, 1.06)
    for x in (0.2, 0.44, 0.68):
        _chair(brush.within(x, 0.0, 0.14, 0.62), colours.textile)
    top = colours.wood
    for x in (0.1, 0.86):
        brush.poly(
            (x, 0.5), (x + 0.04, 0.5), (x + 0.035, 0.95), (x + 0.005, 0.95), fill=darker(top)
        )
    brush.poly((0.1, 0.34), (0.9, 0.34), (1.0, 0.5), (0.0, 0.5), fill=lighter(top, 0.18))
    brush.rect(0.0, 0.5, 1.0, 0.55, darker(top, 0.16))
    brush.oval(0.42, 0.3, 0.58, 0.42, darker(colours.accent, 0.1))
    brush.oval(0.43, 0.3, 0.57, 0.36, lighter(colours.accent, 0.3))
    for x in (0.24, 0.62):
        _chair(brush.within(x, 0.4, 0.15, 0.62), darker(colours.textile, 0.12))


def _chair(brush: Brush, cloth: Colour) -> None:
    for x in (0.08, 0.84):
        brush.rect(x, 0.5, x + 0.08, 1.0, IRON)
    brush.rect(0.02, 0.0, 0.98, 0.5, cloth, round_by=0.18)
    brush.rect(0.0, 0.52, 1.0, 0.66, lighter(cloth, 0.16), round_by=0.1)


def desk(brush: Brush, colours: Palette) -> None:
    """Draw a desk with a screen, a lamp and a chair in front."""
    top = colours.wood
    brush.shadow(-0.03, 0.84, 1.03, 1.06)
    brush.rect(0.34, 0.04, 0.68, 0.36, IRON, round_by=0.03)
    brush.rect(0.355, 0.065, 0.665, 0.33, lighter(colours.textile, 0.45))
    brush.rect(0.48, 0.36, 0.54, 0.46, IRON)
    brush.line((0.14, 0.46), (0.1, 0.22), (0.2, 0.1), fill=IRON, width=0.018)
    brush.poly((0.17, 0.06), (0.25, 0.1), (0.22, 0.2), (0.14, 0.14), fill=colours.accent)
    brush.poly((0.05, 0.42), (0.95, 0.42), (1.0, 0.53), (0.0, 0.53), fill=lighter(top, 0.2))
    brush.rect(0.0, 0.53, 1.0, 0.58, darker(top, 0.15))
    brush.rect(0.7, 0.58, 0.97, 0.96, top)
    for y in (0.6, 0.73, 0.85):
        brush.rect(0.715, y, 0.955, y + 0.1, lighter(top, 0.12))
        brush.rect(0.8, y + 0.04, 0.87, y + 0.055, IRON)
    brush.rect(0.03, 0.58, 0.06, 0.98, IRON)
    brush.rect(0.3, 0.5, 0.54, 0.82, colours.textile, round_by=0.1)
    brush.rect(0.28, 0.78, 0.56, 0.88, lighter(colours.textile, 0.15), round_by=0.05)
    brush.rect(0.405, 0.88, 0.435, 1.0, IRON)
    brush.rect(0.31, 0.98, 0.53, 1.02, IRON, round_by=0.02)


def coffee_table(brush: Brush, colours: Palette) -> None:
    """Draw a low oval table with two books."""
    brush.shadow(-0.02, 0.7, 1.02, 1.1)
    for x in (0.14, 0.82):
        brush.rect(x, 0.3, x + 0.035, 0.95, darker(colours.wood, 0.3))
    brush.oval(0.0, 0.08, 1.0, 0.56, darker(colours.wood, 0.18))
    brush.oval(0.0, 0.0, 1.0, 0.48, lighter(colours.wood, 0.16))
    brush.poly((0.3, 0.16), (0.52, 0.12), (0.58, 0.24), (0.36, 0.29), fill=colours.accent)
    brush.poly((0.32, 0.1), (0.5, 0.08), (0.55, 0.18), (0.37, 0.22), fill=LINEN)
