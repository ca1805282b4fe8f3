"""The pump on a clock that goes on between two readings, as every real one does."""

from relay.domain.job import Status
from tests.factories import JOB_ID, a_job
from tests.fakes import FixedClock, World


class PassingClock(FixedClock):
    """No two readings are the same."""

    def monotonic(self) -> float:
        self.advance(1e-6)
        return super().monotonic()


class PassingWorld(World):
    new_clock = PassingClock


def test_a_place_that_is_free_is_free_a_moment_later():
    world = PassingWorld()
    world.jobs.put(a_job())

    world.pump(window_s=5).run()

    assert world.jobs.read(JOB_ID).job.status is Status.PROCESSING
