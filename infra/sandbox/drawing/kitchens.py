"""Fitted kitchens, drawn to fill the box of their brush."""

from infra.sandbox.drawing.brush import Brush
from infra.sandbox.drawing.palette import IRON, LINEN, Palette, darker, lighter


def kitchen(brush: Brush, colours: Palette) -> None:
    """Draw a kitchen run along a wall: cupboards above and below, hob and hood."""
    door, top = colours.textile, lighter(colours.wood, 0.3)
    for x in (0.0, 0.17, 0.66, 0.83):
        brush.rect(x, 0.0, x + 0.16, 0.3, lighter(door, 0.12), round_by=0.01)
        brush.rect(x + 0.06, 0.27, x + 0.1, 0.28, colours.accent)
    for row in range(4):
        for tile in range(14):
            x = tile / 14 + (row % 2) / 28
            brush.rect(x, 0.33 + row * 0.06, min(x + 0.066, 1), 0.385 + row * 0.06,
                       lighter(colours.wall, 0.5))  # fmt: skip
    brush.poly((0.42, 0.0), (0.58, 0.0), (0.62, 0.24), (0.38, 0.24), fill=(176, 178, 182))
    brush.rect(0.36, 0.24, 0.64, 0.29, (150, 152, 158))
    brush.rect(-0.01, 0.57, 1.01, 0.63, top)
    for x in (0.0, 0.2, 0.62, 0.81):
        brush.rect(x, 0.63, x + 0.185, 0.95, door, round_by=0.01)
        brush.rect(x + 0.03, 0.67, x + 0.155, 0.685, colours.accent)
    brush.rect(0.395, 0.63, 0.61, 0.95, (70, 72, 78), round_by=0.01)
    brush.rect(0.42, 0.72, 0.585, 0.9, (38, 38, 42), round_by=0.01)
    brush.rect(0.0, 0.95, 1.0, 1.0, darker(door, 0.55))
    for x in (0.43, 0.5, 0.57):
        brush.oval(x - 0.012, 0.65, x + 0.012, 0.69, LINEN)
    brush.oval(0.1, 0.49, 0.2, 0.58, colours.accent)


def island(brush: Brush, colours: Palette) -> None:
    """Draw a kitchen island with three stools before it."""
    brush.shadow(-0.03, 0.82, 1.03, 1.08)
    brush.rect(0.04, 0.24, 0.96, 0.92, darker(colours.accent, 0.1))
    for x in (0.34, 0.65):
        brush.line((x, 0.28), (x, 0.9), fill=darker(colours.accent, 0.35), width=0.012)
    brush.poly((0.06, 0.04), (0.94, 0.04), (1.0, 0.2), (0.0, 0.2), fill=lighter(colours.floor, 0.6))
    brush.rect(0.0, 0.2, 1.0, 0.27, lighter(colours.floor, 0.35))
    for x in (0.14, 0.42, 0.7):
        for leg in (0.015, 0.125):
            brush.line((x + leg, 0.6), (x + leg * 1.4 - 0.028, 1.04), fill=IRON, width=0.028)
        brush.rect(x - 0.01, 0.52, x + 0.15, 0.62, colours.wood, round_by=0.05)
