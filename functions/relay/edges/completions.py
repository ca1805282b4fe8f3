"""Completion events from Pub/Sub: keep the outputs of the job that a message names."""

import logging
from collections.abc import Mapping

from relay.application.output_keeper import OutputKeeper
from relay.domain.job import EventType, is_job_id
from relay.domain.output_keeping import RESULTS
from relay.edges.push import message_of
from relay.errors import JobNotFound

log = logging.getLogger(__name__)


class Completions:
    """Keeps outputs.

    Args:
        keeper: None where outputs are not kept.
    """

    def __init__(self, keeper: OutputKeeper | None) -> None:
        self._keeper = keeper

    def receive(self, data: object) -> None:
        """Keep the outputs of the job that the message is about, if it is about a result.

        A message that names no job can never work: it is logged and acknowledged.

        Args:
            data: The CloudEvent's data: a Pub/Sub push envelope.

        Raises:
            OutputsUndecided, BucketUnavailable, StoreUnavailable, UnreadableJob: The message should
                come again, and end among the dead letters if that does not help.
        """
        if self._keeper is None:
            return
        event_type, job_id = attribute_of(data, "ce-type"), attribute_of(data, "ce-subject")
        if event_type in tuple(EventType) and event_type not in RESULTS:
            return
        if event_type not in RESULTS or not is_job_id(job_id):
            fields = {"type": event_type[:100], "subject": job_id[:100]}
            log.error("event about no result", extra={"fields": fields})
            return
        try:
            self._keeper.keep(job_id)
        except JobNotFound:
            log.warning("job has gone before its outputs", extra={"fields": {"job_id": job_id}})


def attribute_of(data: object, name: str) -> str:
    """Return an attribute of a push envelope's message; empty if it has none of that name."""
    attributes = message_of(data).get("attributes")
    value = attributes.get(name) if isinstance(attributes, Mapping) else None
    return value if isinstance(value, str) else ""
