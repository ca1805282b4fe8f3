"""What the sandbox must know of a provider; the rest is the same for both."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from werkzeug.wrappers import Request

from infra.sandbox.fields import Field, Inputs
from infra.sandbox.jobs import RenderJob

Document = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Operation:
    """A render that can be asked for.

    Attributes:
        path: Below the provider's base URL, without a slash in front.
        also: A rule that no single field can express: returns a complaint or None.
    """

    path: str
    fields: tuple[Field, ...]
    also: Callable[[Inputs], str | None] = lambda _: None

    @property
    def name(self) -> str:
        """Return the operation's name: the last part of its path."""
        return self.path.rpartition("/")[2]

    def complaint(self, inputs: Inputs) -> str | None:
        """Return the first thing wrong with the inputs, or None; unknown fields pass."""
        for field in self.fields:
            if (complaint := field.complaint(inputs)) is not None:
                return complaint
        return self.also(inputs)


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider's documented surface.

    Attributes:
        prefix: Where its base URL is in the sandbox.
        key_of: Returns the key that a request carries, "" if none.
        image_field: The input that holds the room's picture.
        pictures: How many pictures a render yields.
        over_limit_status: Documented by neither provider; see the two modules.
        polled_ref: Returns the job id that a GET asks about, None if it asks something else.
        acknowledged: The answer to an accepted submit; the flag says whether with the id.
        polled: The answer to a poll.
        lists: Other things to GET, by path.
    """

    name: str
    prefix: str
    key_of: Callable[[Request], str]
    image_field: str
    pictures: int
    takes_webhook: bool
    over_limit_status: int
    operations: Mapping[str, Operation]
    polled_ref: Callable[[Request, str], str | None]
    acknowledged: Callable[[RenderJob, bool], Document]
    polled: Callable[[RenderJob], Document]
    new_ref: Callable[[], str]
    lists: Mapping[str, object]


def by_path(*operations: Operation) -> Mapping[str, Operation]:
    """Return the operations by their paths."""
    return {operation.path: operation for operation in operations}
