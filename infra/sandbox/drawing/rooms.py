"""Six sample rooms to use as input, drawn when first asked for."""

from collections.abc import Callable
from functools import cache
from io import BytesIO

from PIL import Image

from infra.sandbox.drawing import decoration, furniture, kitchens
from infra.sandbox.drawing.brush import Brush
from infra.sandbox.drawing.palette import Palette, colour
from infra.sandbox.drawing.shell import Floor, Shell, back_window, curtains, draw_shell, sunlight

SIZE = (960, 640)


def _colours(wall: str, floor: str, textile: str, wood: str, accent: str) -> Palette:
    return Palette(colour(wall), colour(floor), colour(textile), colour(wood), colour(accent))


def living(brush: Brush) -> None:
    """Draw a living room: sofa, low table, window with curtains."""
    own = _colours("#E9E2D3", "#C19A6B", "#8C9AA3", "#9A6B45", "#C9764A")
    draw_shell(brush, Shell(0.18, 0.14, 0.84, 0.64, own.wall, own.floor, Floor.BOARDS))
    back_window(brush.within(0.54, 0.21, 0.2, 0.27))
    curtains(brush.within(0.51, 0.18, 0.26, 0.44), colour("#D8CDBB"))
    sunlight(brush, (0.52, 0.68), (0.74, 0.68), (0.66, 0.94), (0.36, 0.94))
    decoration.art(brush.within(0.27, 0.23, 0.12, 0.16), own)
    decoration.rug(brush.within(0.2, 0.74, 0.56, 0.2), own)
    furniture.sofa(brush.within(0.2, 0.47, 0.36, 0.27), own)
    furniture.coffee_table(brush.within(0.36, 0.78, 0.24, 0.13), own)


def bedroom(brush: Brush) -> None:
    """Draw a bedroom: bed between two lamps."""
    own = _colours("#C9D3CB", "#B79776", "#E3D6C4", "#A97F56", "#7E9AA8")
    draw_shell(brush, Shell(0.14, 0.13, 0.86, 0.66, own.wall, own.floor, Floor.BOARDS))
    back_window(brush.within(0.19, 0.22, 0.13, 0.25), panes=1)
    decoration.art(brush.within(0.44, 0.2, 0.12, 0.13), own)
    decoration.rug(brush.within(0.17, 0.79, 0.66, 0.17), own)
    decoration.floor_lamp(brush.within(0.74, 0.33, 0.08, 0.36), own)
    furniture.bed(brush.within(0.28, 0.42, 0.44, 0.45), own)


def kitchen(brush: Brush) -> None:
    """Draw a kitchen: a run along the back wall and an island."""
    own = _colours("#F1EAD9", "#A9B0B2", "#5F7F73", "#C39A66", "#D8A24A")
    draw_shell(brush, Shell(0.15, 0.12, 0.85, 0.65, own.wall, own.floor, Floor.TILES))
    kitchens.kitchen(brush.within(0.19, 0.2, 0.62, 0.46), own)
    for x in (0.33, 0.46, 0.59):
        decoration.pendant(brush.within(x, 0.0, 0.08, 0.26), own)
    kitchens.island(brush.within(0.24, 0.62, 0.52, 0.28), own)


def loft(brush: Brush) -> None:
    """Draw an empty loft: brick, concrete, large city windows."""
    own = _colours("#B4694B", "#9B9894", "#4A4E57", "#7A5236", "#E0A33C")
    draw_shell(brush, Shell(0.2, 0.08, 0.8, 0.66, own.wall, own.floor, Floor.CONCRETE))
    for row in range(23):
        y = 0.085 + row * 0.025
        brush.line((0.2, y), (0.8, y), fill=(232, 206, 190, 70), width=0.003)
        for brick in range(15):
            x = 0.2 + brick * 0.04 + (row % 2) * 0.02
            brush.line((x, y), (x, y + 0.025), fill=(232, 206, 190, 60), width=0.003)
    for x in (0.27, 0.53):
        back_window(brush.within(x, 0.16, 0.2, 0.4), panes=3, city=True)
    for y in (0.03, 0.055):
        brush.line((0.0, y), (1.0, y + 0.01), fill=(84, 84, 90), width=0.012)
    sunlight(brush, (0.27, 0.68), (0.47, 0.68), (0.38, 0.97), (0.08, 0.97))
    sunlight(brush, (0.53, 0.68), (0.73, 0.68), (0.76, 0.97), (0.46, 0.97))


def dining(brush: Brush) -> None:
    """Draw a dining room: long table under two lamps, dark wall."""
    own = _colours("#5C7080", "#8A6244", "#D9C3A0", "#7B4E30", "#D8913F")
    draw_shell(brush, Shell(0.17, 0.13, 0.83, 0.63, own.wall, own.floor, Floor.BOARDS))
    decoration.art(brush.within(0.25, 0.22, 0.11, 0.2), own)
    decoration.art(brush.within(0.64, 0.22, 0.11, 0.2), own)
    for x in (0.38, 0.54):
        decoration.pendant(brush.within(x, 0.0, 0.09, 0.34), own)
    decoration.plant(brush.within(0.78, 0.4, 0.15, 0.36), own)
    furniture.dining_table(brush.within(0.22, 0.5, 0.54, 0.38), own)


def office(brush: Brush) -> None:
    """Draw a home office: desk, shelf, window."""
    own = _colours("#DDE3E8", "#C9B08A", "#51616E", "#B98A58", "#E2725B")
    draw_shell(brush, Shell(0.16, 0.14, 0.82, 0.65, own.wall, own.floor, Floor.BOARDS))
    back_window(brush.within(0.44, 0.2, 0.27, 0.2), panes=3)
    decoration.bookshelf(brush.within(0.21, 0.22, 0.15, 0.46), own)
    decoration.rug(brush.within(0.3, 0.78, 0.52, 0.17), own)
    furniture.desk(brush.within(0.4, 0.46, 0.37, 0.4), own)
    decoration.plant(brush.within(0.83, 0.46, 0.13, 0.36), own)


ROOMS: dict[str, Callable[[Brush], None]] = {
    draw.__name__: draw for draw in (living, bedroom, kitchen, loft, dining, office)
}


def draw_room(name: str) -> Image.Image:
    """Return the room *name*, drawn at twice its size and made smaller for smooth edges."""
    large = Image.new("RGB", (SIZE[0] * 2, SIZE[1] * 2))
    ROOMS[name](Brush.on(large))
    return large.resize(SIZE, Image.Resampling.LANCZOS)


@cache
def room_jpeg(name: str) -> bytes:
    """Return the room *name* as a JPEG file."""
    file = BytesIO()
    draw_room(name).save(file, "JPEG", quality=90)
    return file.getvalue()
