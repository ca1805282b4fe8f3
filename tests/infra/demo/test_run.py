"""When the demo kills the functions."""

from dataclasses import dataclass, field

from infra.demo.run import KILLS, Killer
from tests.infra.demo.factories import followed


@dataclass
class FakeStack:
    killed: list[str] = field(default_factory=list)

    def kill(self, name: str) -> int:
        self.killed.append(name)
        return 7


def test_each_function_is_killed_once_while_it_is_needed():
    stack = FakeStack()
    killer = Killer(KILLS, stack=stack)

    for statuses in (("",) * 12, ("queued",) * 12, ("processing",) * 12, ("succeeded",) * 12):
        for _ in range(3):
            killer.step(followed(*statuses))

    assert sorted(stack.killed) == [
        "deliver_callbacks",
        "jobs_api",
        "keep_outputs",
        "poll_tick",
        "provider_webhook",
    ]
    assert killer.left == []
    assert killer.killed == dict.fromkeys(stack.killed, 7)


def test_the_pump_is_not_killed_in_the_middle_of_a_submission():
    pump = next(kill for kill in KILLS if kill.function == "poll_tick")

    assert not pump.is_due(followed("processing", "submitting"))
    assert not pump.is_due(followed("processing", "queued"))
