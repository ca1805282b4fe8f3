"""One job on the contact sheet: the room before, what became of it, and a caption."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

from infra.demo import ink

PICTURE = (318, 212)
PAD = 14
GAP = 8
CAPTION = 88
SIZE = (2 * PICTURE[0] + GAP + 2 * PAD, PICTURE[1] + CAPTION + 2 * PAD)
_MOST_PICTURES = 4
_STRIPE_EVERY = 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a card says and shows.

    Attributes:
        heading: Operation and provider.
        wish: What was asked for.
        trouble: What was made difficult about it, empty for nothing.
        ending: How it ended, in words.
        failure: Why there is no picture; empty if all went well.
        after: Its pictures, none if it failed.
    """

    heading: str
    wish: str
    trouble: str
    ending: str
    failure: str
    before: Path | None
    after: tuple[Path, ...]


def draw_card(card: Card) -> Image.Image:
    """Draw one card."""
    picture = Image.new("RGB", SIZE, ink.PAPER)
    pen = ImageDraw.Draw(picture)
    pen.rounded_rectangle(
        (0, 0, SIZE[0] - 1, SIZE[1] - 1), radius=14, fill=ink.CARD, outline=ink.EDGE
    )
    picture.paste(_before(card), (PAD, PAD))
    picture.paste(_after(card), (PAD + PICTURE[0] + GAP, PAD))
    _label(picture, (PAD, PAD), "before")
    if card.after:
        _label(picture, (PAD + PICTURE[0] + GAP, PAD), "after")
    _caption(pen, card)
    return picture


def _before(card: Card) -> Image.Image:
    return (
        _fitted(card.before, PICTURE)
        if card.before is not None
        else _no_picture("it could not be downloaded")
    )


def _after(card: Card) -> Image.Image:
    if not card.after:
        return _no_picture(card.failure or "it could not be downloaded")
    if len(card.after) == 1:
        return _fitted(card.after[0], PICTURE)
    return _four(card.after[:_MOST_PICTURES])


def _four(paths: tuple[Path, ...]) -> Image.Image:
    picture = Image.new("RGB", PICTURE, ink.CARD)
    gap = GAP // 2
    small = ((PICTURE[0] - gap) // 2, (PICTURE[1] - gap) // 2)
    for place, path in enumerate(paths):
        column, row = place % 2, place // 2
        corner = (column * (small[0] + gap), row * (small[1] + gap))
        picture.paste(_fitted(path, small), corner)
    return picture


def _fitted(path: Path, size: tuple[int, int]) -> Image.Image:
    with Image.open(path) as opened:
        return ImageOps.fit(opened.convert("RGB"), size, Image.Resampling.LANCZOS)


def _no_picture(why: str) -> Image.Image:
    picture = Image.new("RGB", PICTURE, ink.RED_PAPER)
    pen = ImageDraw.Draw(picture)
    for x in range(-PICTURE[1], PICTURE[0], _STRIPE_EVERY):
        pen.line([(x, PICTURE[1]), (x + PICTURE[1], 0)], fill=ink.RED_STRIPE, width=8)
    middle = PICTURE[0] / 2
    pen.ellipse((middle - 27, 42, middle + 27, 96), fill=ink.RED)
    ink.cross(pen, (middle, 69), size=30, fill=ink.CARD)
    ink.write(pen, (middle, 126), "no picture", size=22, fill=ink.RED, anchor="mm", bold=True)
    reason = ink.cut(why, size=16, most=PICTURE[0] - 24)
    ink.write(pen, (middle, 156), reason, size=16, fill=ink.RED, anchor="mm")
    return picture


def _label(picture: Image.Image, corner: tuple[int, int], word: str) -> None:
    pen = ImageDraw.Draw(picture, "RGBA")
    x, y = corner[0] + 8, corner[1] + 8
    box = (x, y, x + ink.width(word, 14) + 16, y + 23)
    pen.rounded_rectangle(box, radius=11, fill=(24, 22, 28, 170))
    pen.text((x + 8, y + 11.5), word, font=ink.font(14), fill=(255, 255, 255, 255), anchor="lm")


def _caption(pen: ImageDraw.ImageDraw, card: Card) -> None:
    left, right, top = PAD + 2, SIZE[0] - PAD - 2, PAD + PICTURE[1]
    ink.write(pen, (left, top + 26), card.heading, size=22, bold=True)
    ink.write(pen, (right, top + 26), card.wish, size=18, fill=ink.FAINT, anchor="rm")
    _pill(pen, (left, top + 64), card)
    if card.trouble:
        start = right - ink.width(card.trouble, 17)
        ink.write(pen, (right, top + 64), card.trouble, size=17, fill=ink.AMBER, anchor="rm")
        pen.ellipse((start - 17, top + 60, start - 8, top + 69), fill=ink.AMBER)


def _pill(pen: ImageDraw.ImageDraw, at: tuple[int, int], card: Card) -> None:
    x, y = at
    went_well = not card.failure
    colour, paper = (ink.GREEN, ink.GREEN_PAPER) if went_well else (ink.RED, ink.RED_PAPER)
    box = (x, y - 16, x + ink.width(card.ending, 17) + 46, y + 16)
    pen.rounded_rectangle(box, radius=16, fill=paper)
    mark = ink.tick if went_well else ink.cross
    mark(pen, (x + 19, y), size=14, fill=colour)
    ink.write(pen, (x + 34, y), card.ending, size=17, fill=colour)
