"""Dead ticks make way for one fresh tick, and none is lost if that fails."""

import pytest

from infra.operate.dead_letters import DeadLetter, redrive
from relay.errors import PublishFailed
from tests.factories import later
from tests.infra.operate.deployments import MemoryDeadLetters

FIVE = [DeadLetter(handle=str(n), published_at=later(60 * n)) for n in range(5)]


def test_all_of_them_make_way_for_one_tick(world):
    letters = MemoryDeadLetters(list(FIVE))

    outcome = redrive(letters, world.topics, "gepetto", dry_run=False)

    assert (letters.waiting, letters.taken) == ([], [])
    assert world.topics.ticks == ["gepetto"]
    assert (outcome.data["deadLetters"], outcome.data["ticksPublished"]) == (5, 1)


def test_a_dry_run_puts_back_what_it_has_seen(world):
    letters = MemoryDeadLetters(FIVE[:2])

    outcome = redrive(letters, world.topics, "gepetto", dry_run=True)

    assert letters.waiting == FIVE[:2]
    assert world.topics.ticks == []
    assert outcome.lines[0].startswith("Would replace 2 dead ticks of gepetto, from 2026")


def test_none_is_dropped_before_the_tick_is_out(world):
    letters = MemoryDeadLetters(list(FIVE))
    world.topics.fail()

    with pytest.raises(PublishFailed):
        redrive(letters, world.topics, "gepetto", dry_run=False)

    assert [*letters.waiting, *letters.taken] != []
    assert len(letters.waiting) + len(letters.taken) == 5


def test_where_there_are_none_nothing_is_published(world):
    outcome = redrive(MemoryDeadLetters([]), world.topics, "gepetto", dry_run=False)

    assert world.topics.ticks == []
    assert outcome.lines == ["There are no dead ticks of gepetto."]
