"""Paths of `raw` jobs, below a provider's base URL."""

import re
from typing import Final

PATTERN: Final = r"^/[a-z0-9][a-z0-9/-]{0,80}$"
_PATH = re.compile(PATTERN)


def is_path(text: str) -> bool:
    """Return whether a raw job may go there."""
    # In full: a dollar sign also matches before a line break at the end.
    return _PATH.fullmatch(text) is not None
