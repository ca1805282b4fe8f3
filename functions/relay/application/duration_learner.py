"""Learns from an account's own jobs how long renders take, and plans polls accordingly."""

import logging
import threading
from collections.abc import Mapping

from relay.application.ports import Clock, DurationsDocuments
from relay.domain.catalogue import find_operation
from relay.domain.durations import Durations, seen_quantile_s
from relay.domain.job import Actor, Job, Status
from relay.domain.poll_policy import SURE_FROM, PollPlan, PollPolicy, plan_polls
from relay.errors import LostRace, StoreUnavailable

log = logging.getLogger(__name__)

SYNC_EVERY_S = 60.0
# Making a plan takes a millisecond, so under load it lags behind by up to this much.
PLAN_EVERY_S = 5.0
# For operations missing from this version's catalogue.
EXPECTED_S = 30.0


class DurationLearner:
    """One instance's knowledge of one account's durations; thread-safe.

    Observations since the last write are lost with the instance, which is harmless.
    """

    def __init__(
        self, documents: DurationsDocuments, *, account: str, poll_policy: PollPolicy, clock: Clock
    ) -> None:
        self._documents = documents
        self._account = account
        self._poll_policy = poll_policy
        self._clock = clock
        self._lock = threading.Lock()
        self._known: Mapping[str, Durations] = {}
        self._unsaved: dict[str, Durations] = {}
        self._plans: dict[str, tuple[PollPlan, float]] = {}
        self._sync_at_s = clock.monotonic()

    def plan(self, operation: str) -> PollPlan:
        """Return the poll plan for renders of this operation."""
        now_s = self._clock.monotonic()
        with self._lock:
            kept = self._plans.get(operation)
            if kept is not None and now_s < kept[1]:
                return kept[0]
            known = self._known.get(operation, Durations.unknown())
            durations = known + self._unsaved.get(operation, Durations.unknown())
            plan = plan_polls(
                self._poll_policy, durations, expected_s=_expected_s(self._account, operation)
            )
            self._plans[operation] = (plan, now_s + PLAN_EVERY_S)
            return plan

    def duration_range_s(self, operation: str) -> tuple[float, float]:
        """Return the shortest and the longest usual render time of this operation.

        The 5th and the 90th percentile of what was seen. Before enough was seen, a tenth of what
        the catalogue expects, and all of it (contract, section 1a, "Deadlines").
        """
        with self._lock:
            seen = self._known.get(operation, Durations.unknown())
        if seen.observations < SURE_FROM:
            expected_s = _expected_s(self._account, operation)
            return expected_s / 10, expected_s
        return seen_quantile_s(seen, 0.05), seen_quantile_s(seen, 0.9)

    def observe(self, job: Job) -> None:
        """Learn from a job that has just ended, if it shows how long a render takes.

        A webhook comes when the render is done. A poll only shows that it was done at some time
        since the last poll that found it unfinished.
        """
        if job.status is not Status.SUCCEEDED or job.is_resubmitted or job.submitted_at is None:
            return
        if job.finished_at is None:
            return
        by_s = (job.finished_at - job.submitted_at).total_seconds()
        after_s = by_s
        if job.finished_by is Actor.POLL:
            not_ready_at = job.not_ready_at or job.submitted_at
            after_s = (not_ready_at - job.submitted_at).total_seconds()
        if not 0 <= after_s <= by_s:
            # The clocks of two instances disagreed.
            return
        expected_s = _expected_s(job.provider, job.operation)
        with self._lock:
            unsaved = self._unsaved.get(job.operation, Durations.unknown())
            self._unsaved[job.operation] = unsaved.with_render(
                after_s=after_s, by_s=by_s, expected_s=expected_s
            )

    def is_sync_due(self) -> bool:
        """Return whether a minute has passed since the last sync."""
        return self._clock.monotonic() >= self._sync_at_s

    def sync_if_due(self) -> None:
        """Read what others have learnt and add what was seen here, at most once a minute.

        Never fails: observations that could not be written are kept for the next sync.
        """
        now_s = self._clock.monotonic()
        with self._lock:
            if now_s < self._sync_at_s:
                return
            self._sync_at_s = now_s + SYNC_EVERY_S
            adding, self._unsaved = self._unsaved, {}
        try:
            known, version = self._documents.read(self._account)
            with self._lock:
                self._known = known
            if adding:
                merged = {**known}
                for operation, durations in adding.items():
                    merged[operation] = known.get(operation, Durations.unknown()) + durations
                self._documents.replace(self._account, merged, version=version)
                with self._lock:
                    self._known = merged
        except (LostRace, StoreUnavailable) as error:
            log.info(
                "durations not written",
                extra={"fields": {"account": self._account, "why": type(error).__name__}},
            )
            with self._lock:
                for operation, durations in adding.items():
                    later = self._unsaved.get(operation, Durations.unknown())
                    self._unsaved[operation] = durations + later


def _expected_s(provider: str, operation: str) -> float:
    try:
        return find_operation(provider, operation).expected.seconds
    except KeyError:
        return EXPECTED_S
