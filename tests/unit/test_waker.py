"""A pump is woken at once, but not more than once a second by one instance."""


def test_the_first_wake_up_is_published(world):
    world.waker.wake("gepetto")

    assert world.topics.ticks == ["gepetto"]


def test_within_a_second_one_wake_up_is_enough(world):
    for _ in range(10):
        world.waker.wake("gepetto")
        world.clock.advance(0.0999)

    assert world.topics.ticks == ["gepetto"]


def test_after_a_second_the_next_is_published(world):
    world.waker.wake("gepetto")
    world.clock.advance(1)

    world.waker.wake("gepetto")

    assert world.topics.ticks == ["gepetto", "gepetto"]


def test_accounts_do_not_wait_for_each_other(world):
    world.waker.wake("gepetto")
    world.waker.wake("spacely")

    assert world.topics.ticks == ["gepetto", "spacely"]


def test_a_wake_up_that_fails_is_left_to_the_scheduler(world):
    world.topics.fail()

    world.waker.wake("gepetto")

    assert world.topics.ticks == []


def test_a_wake_up_that_failed_does_not_swallow_the_next(world):
    world.topics.fail()
    world.waker.wake("gepetto")
    world.clock.advance(0.1)

    world.waker.wake("gepetto")

    assert world.topics.ticks == ["gepetto"]
