"""Saves the pictures while other jobs still run, and the contact sheet made of them."""

import hashlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import Self

from PIL import Image, ImageDraw, ImageFont, ImageOps, UnidentifiedImageError

from infra.demo.following import Followed
from infra.demo.jobs import DemoJob, room_url
from infra.demo.relay_api import DemoError, call, local_session

# A killed function is back within seconds.
_TRIES = 10
_PAUSE_S = 1.0
_AT_ONCE = 2

COLUMNS, MARGIN, GAP, HEADER, HEADING = 3, 48, 20, 132, 58
PICTURE = (318, 212)
CARD = (2 * PICTURE[0] + 6, PICTURE[1] + 84)

PAPER, TEXT, FAINT = "#faf8f4", "#26242a", "#7a746e"
GREEN, RED, PALE_RED, AMBER = "#267a52", "#b23030", "#fceae8", "#c67c14"

_REMARKS = {
    "gepetto": "calls a webhook; asked only when that does not come",
    "spacely": "has no webhook; asked until it is done, four pictures each",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPictures:
    """The files of one job.

    Attributes:
        before: None if it could not be downloaded.
        after: In the provider's order, without those that could not be downloaded.
    """

    before: Path | None
    after: tuple[Path, ...]


ReadOutput = Callable[[str, int], bytes]
"""Reads the kept copy of a job's output, by job id and index; raises DemoError."""


class PictureStore:
    """Downloads into one directory, in threads of its own.

    Args:
        directory: Created if missing; only files with the demo's own names are touched.
    """

    def __init__(
        self, directory: Path, *, jobs: Sequence[DemoJob], sandbox_url: str, read: ReadOutput
    ) -> None:
        self._directory = directory
        self._read = read
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="pictures")
        self._after: dict[int, list[Future[Path | None]]] = {}
        self._jobs = tuple(jobs)
        directory.mkdir(parents=True, exist_ok=True)
        for job in self._jobs:
            for name in after_names(job, job.pictures):
                (directory / name).unlink(missing_ok=True)
        self._before = {
            room: self._save(partial(_room, room_url(sandbox_url, room)), f"before-{room}.jpg")
            for room in sorted({job.room for job in self._jobs})
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def fetch(self, followed: Sequence[Followed]) -> None:
        """Start to save the pictures of jobs whose copies have just been made.

        A picture counts only if it is what was copied.
        """
        for one in followed:
            report = one.report
            if report is None or not report.outputs or not one.is_kept:
                continue
            if one.job.number not in self._after:
                names = after_names(one.job, len(report.outputs))
                self._after[one.job.number] = [
                    self._save(partial(self._read, report.id, kept.index), name, kept.sha256)
                    for kept, name in zip(report.kept_outputs, names, strict=True)
                ]

    def saved(self) -> dict[int, SavedPictures]:
        """Wait for the downloads and return the files, by job number."""
        return {
            job.number: SavedPictures(
                before=self._before[job.room].result(),
                after=tuple(
                    path
                    for future in self._after.get(job.number, [])
                    if (path := future.result()) is not None
                ),
            )
            for job in self._jobs
        }

    def _save(
        self, read: Callable[[], bytes], name: str, sha256: str | None = None
    ) -> Future[Path | None]:
        return self._pool.submit(_saved, read, self._directory / name, sha256)


def after_names(job: DemoJob, count: int) -> list[str]:
    """Return the file names of a job's pictures, numbered if there are several."""
    stem = f"{job.number:02}-{job.provider}-{job.operation}"
    if count == 1:
        return [f"{stem}.png"]
    return [f"{stem}-{variant}.png" for variant in range(1, count + 1)]


def _saved(read: Callable[[], bytes], path: Path, sha256: str | None) -> Path | None:
    for _ in range(_TRIES):
        try:
            content = read()
            Image.open(BytesIO(content)).close()
        except (DemoError, UnidentifiedImageError) as error:
            log.warning("%s: %s", path.name, type(error).__name__)
            time.sleep(_PAUSE_S)
            continue
        if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
            log.warning("%s: not what was kept", path.name)
            return None
        path.write_bytes(content)
        return path
    return None


def _room(url: str) -> bytes:
    with local_session() as session:
        return call(session, "GET", url)


def contact_sheet(followed: Sequence[Followed], saved: Mapping[int, SavedPictures]) -> Image.Image:
    """Return one picture of every job, before and after, by provider."""
    sections = [(name, list(group)) for name, group in groupby(followed, lambda f: f.job.provider)]
    sheet = Image.new("RGB", sheet_size([len(group) for _, group in sections]), PAPER)
    operations = len({one.job.operation for one in followed})
    counts = f"{len(followed)} renders, {len(sections)} providers, {operations} operations"
    _write(sheet, (MARGIN, 58), f"Render Relay: {counts}", size=44)
    _write(sheet, (MARGIN, 104), _summary(followed), size=21, fill=FAINT)
    y = HEADER
    for provider, group in sections:
        _write(sheet, (MARGIN, y + 30), provider.capitalize(), size=28)
        _write(sheet, (MARGIN + 130, y + 32), _REMARKS.get(provider, ""), size=19, fill=FAINT)
        y += HEADING
        for place, one in enumerate(group):
            row, column = divmod(place, COLUMNS)
            corner = (MARGIN + column * (CARD[0] + GAP), y + row * (CARD[1] + GAP))
            sheet.paste(_card(one, saved[one.job.number]), corner)
        y += -(-len(group) // COLUMNS) * (CARD[1] + GAP)
    return sheet


def sheet_size(sections: Sequence[int]) -> tuple[int, int]:
    """Return the size of a sheet whose sections have so many cards."""
    rows = sum(-(-cards // COLUMNS) for cards in sections)
    height = HEADER + len(sections) * HEADING + rows * (CARD[1] + GAP) + MARGIN - GAP
    return 2 * MARGIN + COLUMNS * CARD[0] + (COLUMNS - 1) * GAP, height


def _summary(followed: Sequence[Followed]) -> str:
    succeeded = sum(one.status == "succeeded" for one in followed)
    failed = sum(one.status == "failed" for one in followed)
    open_ones = len(followed) - succeeded - failed
    more = f", {open_ones} not final" if open_ones else ""
    return (
        f"{succeeded} succeeded, {failed} failed{more}. Rendered by the local sandbox of both "
        "providers; what went wrong on purpose is in amber."
    )


def _card(one: Followed, saved: SavedPictures) -> Image.Image:
    """Show one job: before, after, and what happened."""
    card = Image.new("RGB", CARD, "white")
    left, right, bottom = 14, CARD[0] - 14, PICTURE[1]
    card.paste(_fitted([saved.before] if saved.before else [], "not downloaded"))
    card.paste(_fitted(saved.after, _failure(one)), (CARD[0] - PICTURE[0], 0))
    is_good = one.status == "succeeded"
    _write(card, (left, bottom + 24), one.job.operation, size=22)
    _write(card, (right, bottom + 24), one.job.caption, size=18, fill=FAINT, anchor="rm")
    _write(card, (left, bottom + 58), _ending(one), size=17, fill=GREEN if is_good else RED)
    _write(card, (right, bottom + 58), one.job.trouble, size=17, fill=AMBER, anchor="rm")
    return card


def _ending(one: Followed) -> str:
    if one.report is None or one.report.finished_at is None:
        return one.status
    age_s = one.report.age_s(now=one.report.finished_at)
    return f"{one.report.status} by {one.report.finished_by} after {age_s:.0f} s"


def _failure(one: Followed) -> str:
    if one.report is None or not one.is_final:
        return "not final"
    if one.report.error is None:
        return "not downloaded"
    return f'{one.report.error.code}: {one.job.provider} said "{one.report.provider_status}"'


def _fitted(paths: Sequence[Path], reason: str) -> Image.Image:
    """Return one picture or a grid of four, or the reason for none, in the size `PICTURE`."""
    panel = Image.new("RGB", PICTURE, "white" if paths else PALE_RED)
    if not paths:
        _write(panel, (PICTURE[0] / 2, 92), "no picture", size=24, fill=RED, anchor="mm")
        _write(panel, (PICTURE[0] / 2, 124), reason[:44], size=14, fill=RED, anchor="mm")
    side = 1 if len(paths) == 1 else 2
    size = (PICTURE[0] // side - side + 1, PICTURE[1] // side - side + 1)
    for place, path in enumerate(paths[: side * side]):
        row, column = divmod(place, side)
        with Image.open(path) as opened:
            picture = ImageOps.fit(opened.convert("RGB"), size, Image.Resampling.LANCZOS)
        panel.paste(picture, (column * (size[0] + 2), row * (size[1] + 2)))
    return panel


def _write(
    picture: Image.Image,
    at: tuple[float, float],
    text: str,
    *,
    size: int,
    fill: str = TEXT,
    anchor: str = "lm",
) -> None:
    """Write one line in Pillow's own font, the only one that is always there."""
    ImageDraw.Draw(picture).text(
        at, text, font=ImageFont.load_default(size), fill=fill, anchor=anchor
    )
