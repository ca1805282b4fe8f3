"""A deployment that stands on the fakes."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from infra.operate.dead_letters import DeadLetter
from infra.operate.deployment import Deployment
from relay.domain.queue import Span
from tests.fakes import World


class MemoryCounts:
    """The `Counts` of a store in memory."""

    def __init__(self, jobs: Any) -> None:
        self._jobs = jobs

    def queued(self, account: str, span: Span) -> int:
        return len(self._jobs.queued(account, spans=[span], limit=10_000))

    def due(self, account: str, *, until: datetime) -> int:
        return len(self._jobs.due(account, after=None, until=until, limit=10_000).items)

    def deliveries(self, span: Span) -> int:
        return len(self._jobs.deliveries(span=span, limit=10_000))


@dataclass
class MemoryDeadLetters:
    """One account's dead letters in memory, two to a page."""

    waiting: list[DeadLetter]
    taken: list[DeadLetter] = field(default_factory=list)

    def pull(self, account: str) -> list[DeadLetter]:  # noqa: ARG002
        page, self.waiting = self.waiting[:2], self.waiting[2:]
        self.taken += page
        return page

    def drop(self, account: str, letters: list[DeadLetter]) -> None:  # noqa: ARG002
        self.taken = [one for one in self.taken if one not in letters]

    def put_back(self, account: str, letters: list[DeadLetter]) -> None:
        self.drop(account, letters)
        self.waiting += letters


def deployment_of(world: World, *letters: DeadLetter) -> Deployment:
    return Deployment(
        name="the fakes",
        adapters=world.adapters(),
        relay=world.relay,
        counts=MemoryCounts(world.jobs),
        dead_letters=MemoryDeadLetters(list(letters)),
    )
