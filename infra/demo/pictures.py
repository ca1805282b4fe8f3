"""Saves the pictures, before and after, while the other jobs are still running."""

import logging
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Self

import requests
from PIL import Image, UnidentifiedImageError

from infra.demo.following import Followed
from infra.demo.jobs import DemoJob, room_url

_TIMEOUT_S = 20.0
_TRIES = 3
_AT_ONCE = 2

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPictures:
    """What was saved for one job.

    Attributes:
        before: None if it could not be had.
        after: In the provider's order, without those that could not be had.
    """

    before: Path | None
    after: tuple[Path, ...]


class PictureStore:
    """Downloads into one directory, from threads of its own.

    Args:
        directory: Made if there is none; only files of the demo's own names are touched.
    """

    def __init__(self, directory: Path, *, jobs: Sequence[DemoJob], sandbox_url: str) -> None:
        self._directory = directory
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="pictures")
        self._after: dict[int, list[Future[Path | None]]] = {}
        self._jobs = tuple(jobs)
        directory.mkdir(parents=True, exist_ok=True)
        for job in self._jobs:
            for name in after_names(job, job.pictures):
                (directory / name).unlink(missing_ok=True)
        self._before = {
            room: self._save(room_url(sandbox_url, room), f"before-{room}.jpg")
            for room in sorted({job.room for job in self._jobs})
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def fetch(self, followed: Sequence[Followed]) -> None:
        """Begin to save the pictures of jobs that have just succeeded."""
        for one in followed:
            if one.report is None or not one.report.outputs or one.job.number in self._after:
                continue
            names = after_names(one.job, len(one.report.outputs))
            self._after[one.job.number] = [
                self._save(output.url, name)
                for output, name in zip(one.report.outputs, names, strict=True)
            ]

    def saved(self) -> dict[int, SavedPictures]:
        """Wait for what is under way, and return what there is, by the job's number."""
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

    def _save(self, url: str, name: str) -> Future[Path | None]:
        return self._pool.submit(_downloaded, url, self._directory / name)


def after_names(job: DemoJob, count: int) -> list[str]:
    """Return the file names of a job's pictures; numbered only where there are several."""
    stem = f"{job.number:02}-{job.provider}-{job.operation}"
    if count == 1:
        return [f"{stem}.png"]
    return [f"{stem}-{variant}.png" for variant in range(1, count + 1)]


def _downloaded(url: str, path: Path) -> Path | None:
    for _ in range(_TRIES):
        try:
            path.write_bytes(_picture(url))
        except (requests.RequestException, UnidentifiedImageError) as error:
            log.warning("%s: %s", path.name, type(error).__name__)
            continue
        return path
    return None


def _picture(url: str) -> bytes:
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(url, timeout=_TIMEOUT_S)
    answer.raise_for_status()
    Image.open(BytesIO(answer.content)).close()
    return answer.content
