"""The rendered pictures, drawn when somebody first looks at one."""

from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256
from threading import Lock, Semaphore
from weakref import WeakValueDictionary

from infra.sandbox.download import shrunk
from infra.sandbox.drawing.render import Commission, Source, draw

KEPT_RENDERS = 2_000
KEPT_PICTURES = 64
DRAWN_AT_ONCE = 2


class _Shared(Source):
    """A source that can be shared by weak reference."""

    __slots__ = ("__weakref__",)


@dataclass(slots=True)
class Gallery:
    """What the newest renders are drawn from, and the pictures looked at last."""

    _commissions: OrderedDict[str, Commission] = field(default_factory=OrderedDict)
    _pictures: OrderedDict[tuple[str, int], bytes] = field(default_factory=OrderedDict)
    _sources: WeakValueDictionary[bytes, _Shared] = field(default_factory=WeakValueDictionary)
    _lock: Lock = field(default_factory=Lock)
    _easels: Semaphore = field(default_factory=lambda: Semaphore(DRAWN_AT_ONCE))

    def hang(self, commission: Commission) -> None:
        """Make a render's pictures available, and drop the oldest render's if it is full."""
        with self._lock:
            self._commissions[commission.ref] = commission
            while len(self._commissions) > KEPT_RENDERS:
                self._commissions.popitem(last=False)

    def source(self, raw: bytes) -> Source:
        """Return a downloaded image made small; many jobs have the same, so it is shared.

        Raises:
            InputUnusableError: It is no image, or has too many pixels.
        """
        digest = sha256(raw).digest()
        with self._lock:
            known = self._sources.get(digest)
        if known is not None:
            return known
        small = shrunk(raw)
        with self._lock:
            return self._sources.setdefault(digest, _Shared(small.jpeg, small.width))

    def picture(self, ref: str, variant: int) -> bytes | None:
        """Return a picture as a PNG file, None if there is none (any more)."""
        with self._lock:
            commission = self._commissions.get(ref)
        if commission is None or not 1 <= variant <= commission.pictures:
            return None
        with self._easels:
            if (drawn := self._pictures.get((ref, variant))) is None:
                drawn = draw(commission, variant)
            with self._lock:
                self._pictures[ref, variant] = drawn
                while len(self._pictures) > KEPT_PICTURES:
                    self._pictures.popitem(last=False)
        return drawn

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._commissions.clear()
            self._pictures.clear()
