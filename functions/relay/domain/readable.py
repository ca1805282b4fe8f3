"""Classes that msgspec may read into from several threads at once."""

from typing import TypeVar

import msgspec

T = TypeVar("T")


def readable(kind: type[T]) -> type[T]:
    """Have msgspec examine a class now, while one thread imports it; return the class.

    It does so at the first use otherwise. Another thread that reads into the class meanwhile finds
    half of what it needs, and the process crashes (msgspec 0.22.0: twice on the local stack, when
    an instance's first requests came at once).
    """
    msgspec.json.Decoder(kind)
    return kind
