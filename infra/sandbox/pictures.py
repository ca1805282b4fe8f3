"""The rendered pictures, and the inputs that they are made from."""

from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from threading import Lock, Semaphore

from PIL import Image, ImageOps

from infra.sandbox.rendering import MAX_WIDTH, Render, Source, render_png

KEPT_RENDERS = 2_000
KEPT_PICTURES = 64
KEPT_SOURCES = 16
RENDERED_AT_ONCE = 2
MAX_PIXELS = 40_000_000


class InputUnusableError(Exception):
    """The input image cannot be downloaded, or is no image."""


class Pictures:
    """The newest renders; a picture is rendered when it is first asked for.

    Args:
        draw: Makes a variant of a render as a PNG file.
    """

    def __init__(self, draw: Callable[[Render, int], bytes] = render_png) -> None:
        self._renders: OrderedDict[str, Render] = OrderedDict()
        self._lock = Lock()
        self._slots = Semaphore(RENDERED_AT_ONCE)
        self._png = lru_cache(KEPT_PICTURES)(draw)
        # Most jobs have one of a few inputs; the cache makes their renders share it.
        self._source = lru_cache(KEPT_SOURCES)(reduced)

    def add(self, render: Render) -> None:
        """Make a render's pictures available, dropping the oldest render if there are too many."""
        with self._lock:
            self._renders[render.ref] = render
            while len(self._renders) > KEPT_RENDERS:
                self._renders.popitem(last=False)

    def source(self, raw: bytes) -> Source:
        """Return a downloaded image, reduced.

        Raises:
            InputUnusableError: It is no image, or has too many pixels.
        """
        return self._source(raw)

    def png(self, ref: str, variant: int) -> bytes | None:
        """Return a picture as a PNG file, None if there is none or no longer."""
        with self._lock:
            render = self._renders.get(ref)
        if render is None or not 1 <= variant <= render.pictures:
            return None
        with self._slots:
            return self._png(render, variant)

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._renders.clear()
        self._png.cache_clear()
        self._source.cache_clear()


def reduced(raw: bytes) -> Source:
    """Return an image file as a JPEG of at most `MAX_WIDTH`.

    Raises:
        InputUnusableError: It is no image, or has too many pixels.
    """
    try:
        picture = Image.open(BytesIO(raw))
        width, height = picture.size
        if width * height > MAX_PIXELS or min(width, height) < 8:
            raise InputUnusableError(f"{width} by {height} pixels")
        picture.draft("RGB", (MAX_WIDTH, MAX_WIDTH))
        upright = ImageOps.exif_transpose(picture).convert("RGB")
    except (OSError, ValueError, SyntaxError, EOFError, OverflowError) as error:
        raise InputUnusableError("no image") from error
    except Image.DecompressionBombError as error:
        raise InputUnusableError("too many pixels") from error
    upright.thumbnail((MAX_WIDTH, MAX_WIDTH))
    file = BytesIO()
    upright.save(file, "JPEG", quality=88)
    return Source(file.getvalue(), width)
