"""Fetches a job's input image and makes it small."""

import time
import warnings
from io import BytesIO

import requests
from PIL import Image, ImageOps, UnidentifiedImageError

from infra.sandbox.drawing.render import MAX_WIDTH, Source

CONNECT_S, READ_S, TOTAL_S = 5.0, 10.0, 20.0
MAX_BYTES = 20 * 1024 * 1024
MAX_PIXELS = 40_000_000


class InputUnusableError(Exception):
    """The input image cannot be fetched, or is no image."""


def download(url: str) -> bytes:
    """Fetch a file.

    Raises:
        InputUnusableError: It is unreachable or too large.
    """
    try:
        return _fetched(url)
    except requests.RequestException as error:
        raise InputUnusableError(type(error).__name__) from error


def _fetched(url: str) -> bytes:
    started = time.monotonic()
    body = bytearray()
    with requests.get(url, stream=True, timeout=(CONNECT_S, READ_S)) as answer:
        if answer.status_code != 200:
            raise InputUnusableError(f"answered {answer.status_code}")
        for part in answer.iter_content(64 * 1024):
            body += part
            if len(body) > MAX_BYTES or time.monotonic() - started > TOTAL_S:
                raise InputUnusableError("too large or too slow")
    return bytes(body)


def shrunk(raw: bytes) -> Source:
    """Return an image file as a small JPEG.

    Raises:
        InputUnusableError: It is no image, or has too many pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(BytesIO(raw))
        width, height = picture.size
        if width * height > MAX_PIXELS or min(width, height) < 8:
            raise InputUnusableError(f"{width} by {height} pixels")
        picture.draft("RGB", (MAX_WIDTH, MAX_WIDTH))
        upright = ImageOps.exif_transpose(picture).convert("RGB")
    except (
        UnidentifiedImageError,
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        OverflowError,
    ) as error:
        raise InputUnusableError("no image") from error
    except Image.DecompressionBombError as error:
        raise InputUnusableError("too many pixels") from error
    upright.thumbnail((MAX_WIDTH, MAX_WIDTH))
    file = BytesIO()
    upright.save(file, "JPEG", quality=88)
    return Source(file.getvalue(), width)
