"""The types of the catalogue: providers and operations, which check their inputs."""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Final

import msgspec

from relay.domain.catalogue.fields import CompleteInput, LocalUrls, PartialInput, read_image_url
from relay.domain.job import Json
from relay.domain.json_text import json_text
from relay.domain.limits import Limit
from relay.domain.poll_policy import PollPolicy
from relay.domain.readable import readable
from relay.domain.spelling import nearest
from relay.domain.validation import Mistakes, invalid_field, validate
from relay.errors import InvalidRequest

# Far below the interpreter's recursion limit, far above any documented input.
MAX_DEPTH = 32
# Firestore takes documents of 1 MiB, and outputs and metadata need room (contract, section 1a).
MAX_INPUT_BYTES = 256 * 1024
# Objects, arrays and scalars: parsed, each takes some 60 bytes however short it is as text.
MAX_INPUT_VALUES = 10_000
# The relay hands over its own to Gepetto; for Spacely none may be sent (spacely.md 5).
CALLBACK_FIELDS: Final = ("webhook", "webhookUrl")

# Ids are misspelt in more ways than names of fields, by endings too.
ID_LIKE_ENOUGH = 0.6
# Comparing is slow, and a few suggestions are enough.
MAX_COMPARED_VALUES = 20

RAW: Final = "raw"
RAW_PATH_PATTERN: Final = r"^/[a-z0-9][a-z0-9/-]{0,80}$"
_RAW_PATH = re.compile(RAW_PATH_PATTERN)


class DependentValues(msgspec.Struct, frozen=True, kw_only=True):
    """The only values of one text field, by the value of another.

    Attributes:
        field: The field whose values are limited.
        given_by: The field that says how.
    """

    field: str
    given_by: str
    values: Mapping[str, tuple[str, ...]]


class Credits(msgspec.Struct, frozen=True, kw_only=True):
    """What an operation costs.

    Attributes:
        amount: None where it is not known.
        with_field: What it costs instead when an input has this field.
    """

    amount: float | None
    with_field: dict[str, float] = {}

    def of(self, given: Mapping[str, Json]) -> float | None:
        """Return what this input costs."""
        return next(
            (amount for name, amount in self.with_field.items() if name in given), self.amount
        )


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """How long a render takes, before any was measured.

    Attributes:
        source: Where the figure comes from.
    """

    seconds: float
    source: str


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of render that a provider offers.

    Attributes:
        path: Below the provider's base URL; None where every job says its own.
        exactly_one_of: Fields of which an input has exactly one.
        dependent: Fields whose values depend on another field's.
        known_values: Ids that the documentation names, by field. Others pass: providers add ids.
        is_legacy: Whether the provider advises another operation instead.
        source: The page of the provider's documentation, or what else is known.
        notes: What the documentation leaves open, for people.
    """

    name: str
    path: str | None
    input: type[PartialInput]
    exactly_one_of: tuple[str, ...] = ()
    dependent: tuple[DependentValues, ...] = ()
    known_values: Mapping[str, tuple[str, ...]] = {}
    is_legacy: bool = False
    credits: Credits = Credits(amount=None)
    expected: Expected
    source: str
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        readable(self.input)

    @property
    def is_complete(self) -> bool:
        """Whether the documentation shows every field: then others are refused."""
        return issubclass(self.input, CompleteInput)

    def check(self, given: Mapping[str, Json], *, allow_local_urls: LocalUrls) -> None:
        """Refuse an input that is wrong by the provider's documentation.

        Args:
            allow_local_urls: Where image URLs may be ``http`` and on private hosts.

        Raises:
            InvalidRequest: Names every wrong field, and what was expected.
        """
        if _count_values(given) > MAX_INPUT_VALUES:
            raise too_many_values()
        for name, value in given.items():
            # The input is the first level.
            if _depth_of(value) >= MAX_DEPTH:
                raise _wrong(name, f"must not be nested so deep: {MAX_DEPTH} levels at most")
        mistakes = Mistakes()
        for name in CALLBACK_FIELDS:
            if name in given:
                expected = "must not be given: the relay sees to callbacks itself"
                mistakes.add(_wrong(name, expected))
        read = partial(read_image_url, allow_local_urls=allow_local_urls)
        rest = {name: value for name, value in given.items() if name not in CALLBACK_FIELDS}
        mistakes.attempt(validate, rest, self.input, within="input", dec_hook=read)
        mistakes.attempt(self._check_together, given)
        mistakes.raise_if_any()
        if len(json_text(given).encode()) > MAX_INPUT_BYTES:
            raise InvalidRequest(
                "/input", f"input may have at most {MAX_INPUT_BYTES} bytes as JSON"
            )

    def check_path(self, path: str | None) -> None:
        """Refuse a raw job without a valid path, and any other job with a path.

        Raises:
            InvalidRequest: Names what was expected.
        """
        if self.path is not None and path is not None:
            raise InvalidRequest("/path", f"path is not taken by {self.name}, only by raw")
        if self.path is None and path is None:
            raise InvalidRequest("/path", f"path is required for {self.name}")
        # In full: a dollar sign also matches before a line break at the end.
        if path is not None and not _RAW_PATH.fullmatch(path):
            raise InvalidRequest("/path", "path must be like /name/of-operation, in lower case")

    def likely_meant(self, given: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
        """Yield each field whose id is unknown but resembles a known one, with that one."""
        for field, known in self.known_values.items():
            value = given.get(field)
            for one in (value if isinstance(value, list) else [value])[:MAX_COMPARED_VALUES]:
                if not isinstance(one, str) or one in known:
                    continue
                likely = nearest(one, known, like_enough=ID_LIKE_ENOUGH)
                if likely is not None:
                    yield field, likely

    def _check_together(self, given: Mapping[str, Json]) -> None:
        present = [name for name in self.exactly_one_of if name in given]
        if self.exactly_one_of and len(present) != 1:
            choices = " and ".join(self.exactly_one_of)
            raise InvalidRequest("/input", f"input must have exactly one of {choices}")
        for one in self.dependent:
            word = given.get(one.given_by)
            values = one.values.get(word, ()) if isinstance(word, str) else ()
            # Where the other field is wrong itself, nothing can be said of this one.
            if values and one.field in given and given[one.field] not in values:
                expected = f"must be one of {', '.join(values)} where {one.given_by} is {word}"
                raise _wrong(one.field, expected)


class ProviderFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One provider as its documentation shows it.

    Attributes:
        limit: The documented call limit of an account.
        calls_back: Whether it calls a webhook that is handed over with a submission.
        lists: The lists that its clients read, by their names below the base URL.
    """

    name: str
    base_url: str
    limit: Limit
    poll_policy: PollPolicy
    calls_back: bool
    lists: tuple[str, ...]
    operations: Mapping[str, Operation]


def raw(*, expected: Expected) -> Operation:
    """Return the operation for what is not in the catalogue yet."""
    return Operation(
        name=RAW,
        path=None,
        input=PartialInput,
        expected=expected,
        source="none: any JSON object is sent to the job's own path",
        notes=("Nothing in the input is checked, image URLs neither.",),
    )


def too_many_values() -> InvalidRequest:
    """Return the refusal of an input with more values than any operation takes."""
    return InvalidRequest(
        "/input",
        f"input may have at most {MAX_INPUT_VALUES:,} JSON values: objects, arrays and scalars",
    )


def _wrong(name: str, expected: str) -> InvalidRequest:
    return invalid_field(name, expected, within="input")


def _depth_of(value: Json) -> int:
    """Return how many arrays and objects are in one another, counting up to `MAX_DEPTH`."""
    levels = islice(_levels(value), MAX_DEPTH)
    return sum(any(isinstance(one, list | dict) for one in level) for level in levels)


def _count_values(given: Mapping[str, Json]) -> int:
    """Return how many values there are, counting until there are more than are allowed."""
    count = 0
    for level in _levels(given):
        count += len(level)
        if count > MAX_INPUT_VALUES:
            break
    return count


def _levels(value: object) -> Iterator[list[object]]:
    """Yield the value, then what is in it, then what is in that, until nothing is."""
    level = [value]
    while level:
        yield level
        level = [
            inner
            for one in level
            if isinstance(one, list | Mapping)
            for inner in (one.values() if isinstance(one, Mapping) else one)
        ]
