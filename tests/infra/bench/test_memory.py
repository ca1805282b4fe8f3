"""The memory of every function, with the largest jobs that its store and its callers can hold."""

import os

import pytest

from infra.bench import memory
from infra.local.errors import EmulatorsUnavailable
from infra.local.functions import FUNCTIONS

pytestmark = [pytest.mark.emulator, pytest.mark.thorough]


def test_no_function_takes_300_mib() -> None:
    try:
        peaks = memory.measure(say=print)
    except EmulatorsUnavailable as error:
        if os.environ.get("RELAY_REQUIRE_EMULATORS") == "1":
            raise
        pytest.skip(str(error))

    assert {one.function for one in peaks} == {one.target for one in FUNCTIONS}
    assert [one for one in peaks if one.most_mib >= memory.TARGET_MIB] == []
