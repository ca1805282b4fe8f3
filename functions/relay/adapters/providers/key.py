"""An account's key, which is read again when its provider refuses it."""

import re
from collections.abc import Callable


class AccountKey:
    """The key that an account is called with now.

    Args:
        read: Returns the key as it is configured at this moment.

    Raises:
        ValueError: The key cannot stand in a header; the message does not show it.
    """

    def __init__(self, read: Callable[[], str], *, provider: str) -> None:
        self._read = read
        self.value = read()
        if not _can_stand_in_a_header(self.value):
            raise ValueError(
                f"the key of {provider} must be visible ASCII characters without spaces"
            )

    def is_new_when_read_again(self) -> bool:
        """Read the key again; True if it is another one than before, and is used from now on."""
        key = self._read()
        if key == self.value or not _can_stand_in_a_header(key):
            return False
        self.value = key
        return True


def _can_stand_in_a_header(key: str) -> bool:
    return re.fullmatch(r"[\x21-\x7e]+", key) is not None
