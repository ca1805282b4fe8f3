"""The operation that the catalogue knows nothing of, the same for every provider."""

from typing import Final

from relay.domain.catalogue.operation import Credits, Expected, Operation

RAW: Final = "raw"


def raw(*, expected: Expected) -> Operation:
    """Return the entry for operations that are not in the catalogue yet."""
    return Operation(
        name=RAW,
        path=None,
        fields=(),
        is_complete=False,
        credits=Credits(amount=None),
        expected=expected,
        source="none: any JSON object is sent to the job's own path",
        notes=("Nothing in the input is checked, image URLs neither.",),
    )
