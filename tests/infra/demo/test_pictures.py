"""The demo's picture files and its contact sheet."""

from pathlib import Path

import pytest
from PIL import Image

from infra.demo.jobs import JOBS
from infra.demo.pictures import (
    CARD,
    HEADER,
    HEADING,
    MARGIN,
    PICTURE,
    SavedPictures,
    after_names,
    contact_sheet,
    sheet_size,
)
from tests.infra.demo.factories import followed

BLUE = (20, 60, 200)
FIRST_CARD = (MARGIN, HEADER + HEADING)
AFTER = CARD[0] - PICTURE[0] // 2, 40


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "blue.png"
    Image.new("RGB", (96, 64), BLUE).save(path)
    return path


def sheet(*statuses: str, after: tuple[Path, ...], before: Path | None = None) -> Image.Image:
    rows = followed(*statuses)
    return contact_sheet(
        rows, {one.job.number: SavedPictures(before=before, after=after) for one in rows}
    )


def after_colour(drawn: Image.Image) -> tuple[int, int, int]:
    """Return the colour in the picture after of the first card."""
    colour = drawn.getpixel((FIRST_CARD[0] + AFTER[0], FIRST_CARD[1] + AFTER[1]))
    assert isinstance(colour, tuple)
    red, green, blue = colour
    return red, green, blue


def test_pictures_are_numbered_only_where_there_are_several():
    assert after_names(JOBS[0], 1) == ["01-gepetto-redesign.png"]
    assert after_names(JOBS[6], 2) == ["07-spacely-standard-1.png", "07-spacely-standard-2.png"]


def test_the_contact_sheet_has_the_size_of_its_cards_and_shows_the_pictures(picture: Path):
    drawn = sheet(*["succeeded"] * 12, before=picture, after=(picture,))

    assert drawn.size == sheet_size([6, 6])
    assert drawn.getpixel((FIRST_CARD[0] + 40, FIRST_CARD[1] + 40)) == BLUE
    assert after_colour(drawn) == BLUE


def test_four_pictures_share_the_place_of_one(picture: Path):
    drawn = sheet("succeeded", before=picture, after=(picture,) * 4)

    assert after_colour(drawn) == (255, 255, 255)
    corner = (FIRST_CARD[0] + CARD[0] - 5, FIRST_CARD[1] + PICTURE[1] - 5)
    assert drawn.getpixel(corner) == BLUE


def test_a_failed_job_is_shown_as_failed():
    red, green, blue = after_colour(sheet("failed", after=()))

    assert red > green > 200
    assert red > blue
