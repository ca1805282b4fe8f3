"""Where furniture stands: whole rooms for staging, single pieces for a redesign."""

from collections.abc import Callable

from infra.sandbox.drawing import decoration, furniture, kitchens
from infra.sandbox.drawing.brush import Brush
from infra.sandbox.drawing.palette import Palette

Piece = Callable[[Brush, Palette], None]
Place = tuple[Piece, float, float, float, float]

_LIVING: tuple[Place, ...] = (
    (decoration.art, 0.4, 0.2, 0.2, 0.2),
    (decoration.rug, 0.18, 0.76, 0.64, 0.2),
    (furniture.sofa, 0.29, 0.48, 0.42, 0.3),
    (decoration.floor_lamp, 0.75, 0.3, 0.09, 0.44),
    (decoration.plant, 0.11, 0.38, 0.15, 0.4),
    (furniture.coffee_table, 0.38, 0.8, 0.24, 0.13),
)
_BEDROOM: tuple[Place, ...] = (
    (decoration.art, 0.42, 0.16, 0.16, 0.16),
    (decoration.rug, 0.14, 0.8, 0.72, 0.17),
    (decoration.floor_lamp, 0.76, 0.34, 0.08, 0.38),
    (decoration.plant, 0.12, 0.44, 0.12, 0.32),
    (furniture.bed, 0.27, 0.42, 0.46, 0.46),
)
_DINING: tuple[Place, ...] = (
    (decoration.art, 0.22, 0.22, 0.13, 0.22),
    (decoration.pendant, 0.38, 0.0, 0.09, 0.34),
    (decoration.pendant, 0.53, 0.0, 0.09, 0.34),
    (decoration.rug, 0.12, 0.8, 0.76, 0.17),
    (furniture.dining_table, 0.22, 0.5, 0.56, 0.38),
)
_OFFICE: tuple[Place, ...] = (
    (decoration.bookshelf, 0.2, 0.24, 0.16, 0.46),
    (decoration.rug, 0.26, 0.79, 0.56, 0.17),
    (furniture.desk, 0.4, 0.47, 0.38, 0.4),
    (decoration.plant, 0.8, 0.42, 0.14, 0.38),
)
_KITCHEN: tuple[Place, ...] = (
    (kitchens.kitchen, 0.21, 0.2, 0.58, 0.46),
    (decoration.pendant, 0.37, 0.0, 0.08, 0.26),
    (decoration.pendant, 0.54, 0.0, 0.08, 0.26),
    (kitchens.island, 0.24, 0.62, 0.52, 0.29),
)
_BY_WORD = (
    ("bed", _BEDROOM),
    ("dining", _DINING),
    ("kitchen", _KITCHEN),
    ("office", _OFFICE),
    ("working", _OFFICE),
)
_ACCENTS: tuple[tuple[Place, ...], ...] = (
    (
        (decoration.plant, 0.01, 0.5, 0.16, 0.44),
        (furniture.armchair, 0.76, 0.58, 0.19, 0.32),
    ),
    (
        (furniture.armchair, 0.04, 0.6, 0.19, 0.32),
        (decoration.floor_lamp, 0.87, 0.34, 0.09, 0.52),
    ),
    (
        (decoration.bookshelf, 0.85, 0.28, 0.14, 0.5),
        (decoration.plant, 0.72, 0.52, 0.13, 0.36),
        (decoration.pendant, 0.45, 0.0, 0.1, 0.26),
    ),
    (
        (decoration.floor_lamp, 0.03, 0.36, 0.09, 0.5),
        (decoration.plant, 0.83, 0.5, 0.16, 0.44),
        (decoration.pendant, 0.44, 0.0, 0.11, 0.28),
    ),
)


def furnish(brush: Brush, colours: Palette, room: str) -> None:
    """Furnish an empty room; *room* is any provider's word for its use, or a prompt."""
    use = next((places for word, places in _BY_WORD if word in room.lower()), _LIVING)
    _arrange(brush, colours, use)


def accent(brush: Brush, colours: Palette, variant: int) -> None:
    """Add a few pieces around what is there already."""
    _arrange(brush, colours, _ACCENTS[(variant - 1) % len(_ACCENTS)])


def _arrange(brush: Brush, colours: Palette, places: tuple[Place, ...]) -> None:
    for piece, x, y, width, height in places:
        piece(brush.within(x, y, width, height), colours)
