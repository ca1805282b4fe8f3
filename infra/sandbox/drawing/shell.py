"""An empty room in one-point perspective: ceiling, walls, floor, windows."""

from dataclasses import dataclass
from enum import StrEnum

from infra.sandbox.drawing.brush import Brush, Point
from infra.sandbox.drawing.palette import Colour, darker, lighter, mix, veil

SKY: Colour = (168, 208, 232)
HORIZON: Colour = (236, 240, 228)
HILLS: Colour = (132, 164, 128)


class Floor(StrEnum):
    """What the floor is laid with."""

    BOARDS = "boards"
    TILES = "tiles"
    CONCRETE = "concrete"


@dataclass(frozen=True, slots=True)
class Shell:
    """An empty room; the back wall's edges are fractions of the picture."""

    left: float
    top: float
    right: float
    bottom: float
    wall: Colour
    floor: Colour
    laid: Floor


def draw_shell(brush: Brush, shell: Shell) -> None:
    """Draw the room's surfaces."""
    nw, ne = (shell.left, shell.top), (shell.right, shell.top)
    sw, se = (shell.left, shell.bottom), (shell.right, shell.bottom)
    brush.poly((0, 0), (1, 0), ne, nw, fill=lighter(shell.wall, 0.7))
    brush.poly((0, 1), (1, 1), se, sw, fill=shell.floor)
    _lay(brush, shell)
    brush.poly((0, 0), nw, sw, (0, 1), fill=darker(shell.wall, 0.13))
    brush.poly((1, 0), ne, se, (1, 1), fill=darker(shell.wall, 0.07))
    brush.rect(shell.left, shell.top, shell.right, shell.bottom, shell.wall)
    skirting = lighter(shell.wall, 0.6)
    brush.rect(shell.left, shell.bottom - 0.018, shell.right, shell.bottom, skirting)
    brush.poly(sw, (shell.left, shell.bottom - 0.018), (0, 0.955), (0, 1), fill=skirting)
    brush.poly(se, (shell.right, shell.bottom - 0.018), (1, 0.955), (1, 1), fill=skirting)
    for corner, edge in ((nw, (0.0, 0.0)), (ne, (1.0, 0.0))):
        brush.line(corner, edge, fill=veil(darker(shell.wall, 0.5), 0.35), width=0.003)


def _lay(brush: Brush, shell: Shell) -> None:
    seam = veil(darker(shell.floor, 0.6), 0.3)
    if shell.laid is Floor.CONCRETE:
        for step in range(8):
            y = shell.bottom + (1 - shell.bottom) * step / 8
            brush.rect(0, y, 1, 1, veil((255, 255, 255), 0.018))
        return
    count = 18 if shell.laid is Floor.BOARDS else 12
    for lane in range(count + 1):
        share = lane / count
        far = (shell.left + (shell.right - shell.left) * share, shell.bottom)
        brush.line(far, ((share - 0.5) * 1.35 + 0.5, 1.0), fill=seam, width=0.0025)
        if shell.laid is Floor.BOARDS and lane % 3 == 0:
            following = (share + 1 / count, shell.left + (shell.right - shell.left) / count)
            near = (following[0] - 0.5) * 1.35 + 0.5
            brush.poly(far, (far[0] + following[1] - shell.left, shell.bottom), (near, 1.0),
                       ((share - 0.5) * 1.35 + 0.5, 1.0),
                       fill=veil(darker(shell.floor, 0.3), 0.2))  # fmt: skip
    if shell.laid is Floor.TILES:
        for row in range(1, 8):
            y = shell.bottom + (1 - shell.bottom) * (row / 8) ** 1.7
            brush.line((0, y), (1, y), fill=seam, width=0.0025)


def back_window(brush: Brush, *, panes: int = 2, city: bool = False) -> None:
    """Draw a window in the wall that faces us, filling the box of *brush*."""
    frame = (250, 248, 242)
    brush.rect(-0.04, -0.05, 1.04, 1.05, frame)
    brush.fade(SKY, HORIZON)
    if city:
        for tower in range(9):
            tall = 0.2 + 0.42 * ((tower * 37) % 11) / 11
            grey = mix(SKY, (86, 98, 116), 0.5 + 0.4 * (tower % 2))
            brush.rect(tower / 9, 1 - tall, tower / 9 + 0.1, 1, grey)
    else:
        ridge = lighter(HILLS, 0.25)
        brush.poly((0, 0.72), (0.3, 0.55), (0.62, 0.7), (1, 0.58), (1, 1), (0, 1), fill=ridge)
        brush.poly((0, 0.84), (0.5, 0.72), (1, 0.86), (1, 1), (0, 1), fill=HILLS)
    for pane in range(1, panes):
        brush.rect(pane / panes - 0.012, 0, pane / panes + 0.012, 1, frame)
    brush.rect(0, 0.48, 1, 0.505, frame)
    brush.poly((0.04, 0.0), (0.2, 0.0), (0.06, 1.0), (0.0, 1.0), (0.0, 0.3),
               fill=veil((255, 255, 255), 0.2))  # fmt: skip
    brush.rect(-0.06, 1.03, 1.06, 1.09, darker(frame, 0.08))


def curtains(brush: Brush, cloth: Colour) -> None:
    """Draw a pair of curtains, filling the box of *brush* from rail to floor."""
    brush.rect(-0.04, -0.02, 1.04, 0.0, (70, 62, 58))
    for start, end in ((-0.02, 0.16), (0.84, 1.02)):
        for fold in range(6):
            x = start + (end - start) * fold / 6
            fill = lighter(cloth, 0.25) if fold % 2 else cloth
            brush.rect(x, 0, x + (end - start) / 6, 1, fill)


def sunlight(brush: Brush, *corners: Point) -> None:
    """Lay a patch of light on the floor."""
    brush.poly(*corners, fill=(255, 244, 208, 62))
