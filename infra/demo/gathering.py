"""Collects, after the last job, what the checks look at."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from infra.demo.documents import DocumentFacts, read_document
from infra.demo.errors import Refused, Unanswered
from infra.demo.following import Followed
from infra.demo.submitting import RelayApi
from infra.local.plan import StackDescription

_PATIENCE_S = 20.0
_PAUSE_S = 0.3

T = TypeVar("T")


def patiently(ask: Callable[[], T]) -> T:
    """Ask until there is an answer; a function that was killed is back within seconds.

    Raises:
        Unanswered: There was none for 20 s.
    """
    give_up_at = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return ask()
        except Unanswered:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(_PAUSE_S)


def read_again(followed: Sequence[Followed], *, api: RelayApi) -> tuple[Followed, ...]:
    """Read every job once more, after all events are in: what is final must have stayed so.

    Raises:
        Unanswered: The API is gone for good.
        Refused: It no longer knows a job.
    """

    def fresh(one: Followed) -> Followed:
        if one.report is None:
            return one
        return replace(one, report=patiently(partial(api.read, one.report.id)))

    return tuple(fresh(one) for one in followed)


def read_documents(
    followed: Sequence[Followed], *, at: StackDescription
) -> dict[str, DocumentFacts]:
    """Read every job's document; one that cannot be made sense of is left out."""
    facts: dict[str, DocumentFacts] = {}
    for one in followed:
        if one.report is None:
            continue
        job_id = one.report.id
        try:
            facts[job_id] = patiently(
                partial(
                    read_document,
                    host=at.firestore_emulator_host,
                    project=at.project,
                    job_id=job_id,
                )
            )
        except Refused:
            continue
    return facts
