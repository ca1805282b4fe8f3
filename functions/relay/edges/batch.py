"""``POST /v1/jobs:batch``: its body, and the answer to each of its jobs."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from relay.domain.readable import readable
from relay.domain.validation import validate
from relay.edges.bodies import has_more_values, parse_json, parse_strict_json, require_json
from relay.edges.problems import duplicate_name, malformed_json
from relay.errors import InvalidRequest

MAX_BATCH_JOBS = 100
MAX_BATCH_BYTES = 2 * 1024 * 1024
# They are parsed together; a job of the catalogue has a dozen or two.
MAX_BATCH_VALUES = 20_000


@readable
class BatchBody(msgspec.Struct, forbid_unknown_fields=True):
    """What a caller posts as a batch; each job is read when its turn comes."""

    jobs: Annotated[list[Any], Meta(min_length=1, max_length=MAX_BATCH_JOBS)]


class BatchResult(msgspec.Struct, omit_defaults=True):
    """What one job of a batch would have been answered alone.

    Attributes:
        status: The HTTP status.
    """

    status: int
    job: msgspec.Raw | UnsetType = UNSET
    problem: msgspec.Raw | UnsetType = UNSET


class BatchResults(msgspec.Struct):
    """What a batch answers; in the order of its jobs."""

    results: list[BatchResult]


@readable
class _Jobs(msgspec.Struct):
    jobs: list[msgspec.Raw]


def read_batch_body(body: bytes) -> Sequence[bytes]:
    """Return the body of each job, as it was sent.

    Raises:
        HttpProblem: 400, the body is not JSON.
        InvalidRequest: It is not an object with 1 to 100 `jobs`, or has too many values.
    """
    require_json(body)
    if has_more_values(body, than=MAX_BATCH_VALUES):
        raise InvalidRequest(
            "", f"a batch may have at most {MAX_BATCH_VALUES:,} JSON values: send several"
        )
    try:
        validate(parse_json(body), BatchBody)
    except InvalidRequest:
        # Bodies that are no batch get the same refusals as everywhere.
        parse_strict_json(body)
        raise
    _require_jobs_once(body)
    return [bytes(one) for one in msgspec.json.decode(body, type=_Jobs).jobs]


def key_within_batch(key: str | None, number: int) -> str | None:
    """Return the idempotency key of one job of a batch.

    No key that a caller sends has a line break, so it is none of a single create.
    """
    return None if key is None else f"{key}\n{number}"


def batch_json(results: list[BatchResult]) -> bytes:
    """Return the answer to a batch."""
    return msgspec.json.encode(BatchResults(results))


def _require_jobs_once(body: bytes) -> None:
    """Refuse a second ``jobs`` beside the first; a name twice in a job is the job's problem."""
    try:
        # The outermost object comes last.
        names = json.loads(body, object_pairs_hook=lambda pairs: [name for name, _ in pairs])
    except (ValueError, RecursionError):
        raise malformed_json() from None
    if len(names) > 1:
        raise duplicate_name(names[0])
