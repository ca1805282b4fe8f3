"""All that goes on at once while it storms."""

import time
from collections import Counter
from dataclasses import dataclass

from infra.local.inbox import Inbox
from infra.storm.callers import Callers
from infra.storm.crashes import Crasher
from infra.storm.firestore import JOBS, Listener


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """All that goes on at once while it storms."""

    callers: Callers
    kills: Crasher
    pauses: Crasher
    inbox: Inbox
    listener: Listener
    began_at_s: float

    @property
    def passed_s(self) -> float:
        """How long it has been going on."""
        return time.monotonic() - self.began_at_s

    @property
    def is_over(self) -> bool:
        """Whether all is sent, and nobody is to be crashed any more."""
        return self.callers.are_done and self.kills.is_done and self.pauses.is_done

    def check(self) -> None:
        """Do nothing as long as all goes as planned; raise LocalStackError if it does not."""
        self.kills.check()
        self.pauses.check()

    def line(self) -> str:
        """Return how things stand."""
        documents = self.listener.last(JOBS).values()
        states = Counter(str((document.fields or {}).get("status")) for document in documents)
        counted = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        return (
            f"{self.passed_s:4.0f} s  {len(self.kills.done)} kills, "
            f"{len(self.callers.created)} creates, {len(self.inbox.deliveries)} deliveries; "
            f"{counted or 'no jobs yet'}"
        )
