"""Copies of a job's outputs in the user's own bucket; see contract, section 5b."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptOutput:
    """The copy of one output, or why there is none.

    Attributes:
        index: Of the output among the job's outputs, or among its late ones, from 0.
        uri: ``gs://`` and the object's bucket and name.
        sha256: Of the content, in hex.
        error: Why there is no copy, for its caller; None if there is one. The other fields are
            empty then.
    """

    index: int
    uri: str = ""
    content_type: str = ""
    bytes: int = 0
    sha256: str = ""
    error: str | None = None
