"""The sandbox's receiver of callbacks, as its owner sets it up and reads it."""

from collections.abc import Sequence
from typing import Self

import msgspec

from infra.demo.relay_api import Refused, call, local_session


class Callback(msgspec.Struct, frozen=True):
    """One callback that was received; *status* is None if it was not answered."""

    id: str
    at: float
    receiver: str
    query: str
    signature: str
    status: int | None
    body: msgspec.Raw

    @property
    def is_good(self) -> bool:
        """Whether its signature is."""
        return self.signature == "good"


class _Callbacks(msgspec.Struct):
    callbacks: tuple[Callback, ...]


class Receiver:
    """One receiver in the sandbox.

    Args:
        name: Of the receiver; any name will do.
    """

    def __init__(self, *, sandbox_url: str, name: str) -> None:
        self.url = f"{sandbox_url}/callbacks/{name}"
        self._secrets_url = f"{sandbox_url}/sandbox/callbacks/{name}/secrets"
        self._list_url = f"{sandbox_url}/sandbox/callbacks?receiver={name}"
        self._session = local_session()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def give_secrets(self, secrets: Sequence[str]) -> None:
        """Have every signature checked from now on.

        Raises:
            Unanswered: Try again.
            Refused: They are no secrets.
        """
        call(
            self._session, "PUT", self._secrets_url, data=msgspec.json.encode({"secrets": secrets})
        )

    @property
    def callbacks(self) -> tuple[Callback, ...]:
        """Everything received so far, in the order of arrival.

        Raises:
            Unanswered: Try again.
            Refused: The answer makes no sense.
        """
        body = call(self._session, "GET", self._list_url)
        try:
            return msgspec.json.decode(body, type=_Callbacks).callbacks
        except msgspec.DecodeError as error:
            raise Refused(f"sandbox: not callbacks: {error}") from error
