"""What a check of many things found."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


def only_faulty(found: Mapping[K, Iterable[V]]) -> dict[K, list[V]]:
    """Return what was found of each thing, without the things of which nothing was."""
    lists = {name: list(some) for name, some in found.items()}
    return {name: some for name, some in lists.items() if some}
