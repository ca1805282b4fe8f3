"""What whole runs with thousands of jobs share."""

import pytest

from tests.fakes import World, large_world


@pytest.fixture
def world() -> World:
    return large_world()
