"""The hand-written YAML files, in which `${name}` stands for a value from the code."""

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import yaml

from relay import __version__
from relay.adapters.providers.excerpt import MAX_LENGTH
from relay.adapters.pubsub import JOB_SCHEMA
from relay.application.overview import PauseReason
from relay.application.progress import WaitingFor
from relay.domain import answers
from relay.domain.callback import RETRY_AFTER, DeliveryStatus
from relay.domain.catalogue import CATALOGUE, RAW, operation
from relay.domain.job import (
    ENDS,
    FAILURES,
    Actor,
    ErrorCode,
    EventType,
    OnUnconfirmed,
    Priority,
    Status,
)
from relay.domain.transitions import MAX_HISTORY
from relay.edges import batch, bodies, listing
from relay.edges.api import MAX_BODY_BYTES
from relay.errors import MAX_MISTAKES

_PLACE = re.compile(r"\$\{([\w.]+)\}")


def words(closed_set: type[StrEnum]) -> list[str]:
    """Return the values of a closed set in the order in which they are declared."""
    return [one.value for one in closed_set]


def failure_table() -> str:
    """Return the causes of failures and their remedies as a table in Markdown."""
    rows = [
        f"| `{code.value}` | {one.cause} | {one.remedy} | {'yes' if one.is_retryable else 'no'} |"
        for code, one in FAILURES.items()
    ]
    return "\n".join(
        ["| code | cause | remedy | `retryable` |", "| --- | --- | --- | --- |", *rows]
    )


FINAL: Final = [one for one in words(Status) if one in ENDS]
WITHOUT_RESULT: Final = [one for one in FINAL if one != Status.SUCCEEDED]
FROM_CODE: Final[Mapping[str, Any]] = {
    "accounts": list(CATALOGUE),
    "actors": words(Actor),
    "default_page_size": listing.DEFAULT_PAGE_SIZE,
    "delivery_statuses": words(DeliveryStatus),
    "error_codes": words(ErrorCode),
    "event_types": words(EventType),
    "pause_reasons": words(PauseReason),
    "failure_table": failure_table(),
    "final": FINAL,
    "job_id": "^job_[0-9a-z]{26}$",
    "job_schema": JOB_SCHEMA,
    "max_batch_bytes": batch.MAX_BATCH_BYTES,
    "max_batch_jobs": batch.MAX_BATCH_JOBS,
    "max_batch_values": batch.MAX_BATCH_VALUES,
    "max_body_bytes": MAX_BODY_BYTES,
    "max_excerpt": MAX_LENGTH,
    "max_deliveries": len(RETRY_AFTER) + 1,
    "max_depth": operation.MAX_DEPTH,
    "max_history": MAX_HISTORY,
    "max_id": answers.MAX_ID_LENGTH,
    "max_input_bytes": f"{operation.MAX_INPUT_BYTES:,}",
    "version": __version__,
    "max_input_values": f"{operation.MAX_INPUT_VALUES:,}",
    "max_metadata_key": bodies.LONGEST_METADATA_KEY,
    "max_metadata_value": bodies.LONGEST_METADATA_VALUE,
    "max_mistakes": MAX_MISTAKES,
    "max_kept_bytes": 25 * 1024 * 1024,
    "max_kept_index": answers.MAX_OUTPUTS - 1,
    "max_outputs": answers.MAX_OUTPUTS,
    "max_page_size": listing.LARGEST_PAGE_SIZE,
    "max_url": answers.MAX_URL_LENGTH,
    "max_word": answers.MAX_WORD_LENGTH,
    "on_unconfirmed": words(OnUnconfirmed),
    "operations": list(listing.OPERATIONS),
    "path": operation.RAW_PATH_PATTERN,
    "paths_of_their_own": list(bodies.DOT_SEGMENTS),
    "priorities": words(Priority),
    "raw": RAW,
    "statuses": words(Status),
    "waiting_for": words(WaitingFor),
    "without_result": WITHOUT_RESULT,
}


def read_base(name: str, values: Mapping[str, Any] = FROM_CODE) -> Any:
    """Return the content of a YAML file beside this module with its values filled in.

    A text that is one `${name}` and nothing else becomes the value itself, of whatever type.

    Raises:
        KeyError: The file names a value that is not among *values*.
    """
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return _filled(yaml.load(text, yaml.CSafeLoader), values)


def _filled(node: Any, values: Mapping[str, Any]) -> Any:
    match node:
        case dict():
            return {key: _filled(one, values) for key, one in node.items()}
        case list():
            return [_filled(one, values) for one in node]
        case str():
            whole = _PLACE.fullmatch(node)
            if whole:
                return values[whole[1]]
            return _PLACE.sub(lambda place: str(values[place[1]]), node)
        case _:
            return node
