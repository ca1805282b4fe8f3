"""The parts of a provider that differ between the two."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta
from werkzeug.wrappers import Request

from infra.sandbox.jobs import RenderJob

Inputs = Mapping[str, object]
Document = Mapping[str, object]

Text = Annotated[str, Meta(min_length=1)]
Url = Annotated[str, Meta(pattern=r"^(?i:https?)://(\[[^/?#\]]+\]|[^/?#\[\]])")]


class Fields(msgspec.Struct, kw_only=True, rename="camel"):
    """The documented inputs of an operation; null counts as absent, unknown fields pass."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider's documented interface.

    Attributes:
        prefix: The path of its base URL in the sandbox.
        key_of: Returns the API key of a request, "" if it has none.
        image_field: The input that holds the room's picture.
        pictures: How many pictures a render yields.
        over_limit_status: Documented by neither provider; see the two modules.
        operations: Their inputs, by path below the base URL.
        polled_ref: Returns the job id that a GET asks about, None if it asks something else.
        acknowledged: Returns the response to an accepted submit; the flag adds the id.
        polled: Returns the response to a poll.
        lists: Other documents to GET, by path.
        known_ids: The ids that its documentation prints, by the input that takes them.
    """

    name: str
    prefix: str
    key_of: Callable[[Request], str]
    image_field: str
    pictures: int
    takes_webhook: bool
    over_limit_status: int
    operations: Mapping[str, type[Fields]]
    polled_ref: Callable[[Request, str], str | None]
    acknowledged: Callable[[RenderJob, bool], Document]
    polled: Callable[[RenderJob], Document]
    new_ref: Callable[[], str]
    lists: Mapping[str, object]
    known_ids: Mapping[str, frozenset[str]]

    def complaint(self, path: str, inputs: Inputs) -> str | None:
        """Return the first mistake in an operation's inputs, or None."""
        try:
            msgspec.convert(inputs, self.operations[path])
        except msgspec.ValidationError as error:
            return str(error)
        return None

    def unknown_id(self, inputs: Inputs) -> str | None:
        """Return what is wrong with the first id that the documentation does not print, or None.

        An empty id is none: the providers' own samples send some.
        """
        for name, known in self.known_ids.items():
            given = inputs.get(name)
            for one in given if isinstance(given, list) else [given]:
                if one and one not in known:
                    return f"{name} {one!r} is not one of {', '.join(sorted(known))}"
        return None
