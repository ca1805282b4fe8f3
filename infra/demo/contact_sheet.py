"""One picture that shows every job, before and after, under its provider's name."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from infra.demo import ink
from infra.demo.card import SIZE as CARD
from infra.demo.card import Card, draw_card

COLUMNS = 3
MARGIN = 48
BETWEEN = 22
HEADER = 132
HEADING = 58


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One provider's cards."""

    heading: str
    remark: str
    cards: tuple[Card, ...]


def contact_sheet(sections: Sequence[Section], *, title: str, remark: str) -> Image.Image:
    """Draw the sheet; it is as high as its cards need."""
    picture = Image.new("RGB", sheet_size([len(section.cards) for section in sections]), ink.PAPER)
    pen = ImageDraw.Draw(picture)
    ink.write(pen, (MARGIN, 58), title, size=44, bold=True)
    ink.write(pen, (MARGIN, 104), remark, size=21, fill=ink.FAINT)
    y = HEADER
    for section in sections:
        ink.write(pen, (MARGIN, y + 30), section.heading, size=28, bold=True)
        start = MARGIN + ink.width(section.heading, 28) + 18
        ink.write(pen, (start, y + 32), section.remark, size=19, fill=ink.FAINT)
        y += HEADING
        for place, card in enumerate(section.cards):
            column, row = place % COLUMNS, place // COLUMNS
            corner = (MARGIN + column * (CARD[0] + BETWEEN), y + row * (CARD[1] + BETWEEN))
            picture.paste(draw_card(card), corner)
        y += _rows(len(section.cards)) * (CARD[1] + BETWEEN)
    return picture


def sheet_size(cards: Sequence[int]) -> tuple[int, int]:
    """Return the size of a sheet whose sections have so many cards each."""
    width = 2 * MARGIN + COLUMNS * CARD[0] + (COLUMNS - 1) * BETWEEN
    rows = sum(_rows(count) for count in cards)
    height = HEADER + len(cards) * HEADING + rows * (CARD[1] + BETWEEN) + MARGIN - BETWEEN
    return width, height


def _rows(cards: int) -> int:
    return -(-cards // COLUMNS)
