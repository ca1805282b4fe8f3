"""What whole runs with thousands of jobs share."""

import pytest

from tests.fakes import World


@pytest.fixture
def world() -> World:
    # Only one write in fifty is encoded, decoded and compared.
    return World(check_every=50)
