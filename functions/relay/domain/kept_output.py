"""Copies of a job's outputs in the user's own bucket; see contract, section 5b."""

from dataclasses import dataclass
from datetime import timedelta

# Pub/Sub gives up after 100 deliveries, which with backoff from 10 s to 600 s take some 15 h. A
# host that cannot be reached is given up before, so that the job gets its event while there still
# are deliveries.
GIVE_UP_AFTER = timedelta(hours=12)
# Tells such outputs from others: their message is to end as a dead letter, for a person to see.
NEVER_REACHED = "its host gave no usable answer for 12 hours"


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


def object_name(job_id: str, index: int, extension: str) -> str:
    """Return the name of the copy of a job's output."""
    return f"jobs/{job_id}/{index}.{extension}"
