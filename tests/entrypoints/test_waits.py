"""How many callers may wait for jobs at a time, so that the others find a thread."""

import pytest

from relay.application.slots import wait_slots
from tests.entrypoints.requests import BEARER, OTHER
from tests.factories import a_job, job_id, processing_job

MINE, THEIRS = f"/v1/jobs/{job_id(1)}", f"/v1/jobs/{job_id(2)}"
WAIT = {"Prefer": "wait=30"}


@pytest.fixture
def api(make_api, world):
    """An API with 8 threads: of these 4 may wait, 2 of them for one tenant."""
    world.jobs.put(processing_job(id=job_id(1)), a_job(id=job_id(2), tenant="other"))
    return make_api(threads=8)


def asks_while_others_wait(api, world, waiters, last):
    """Return the answer to a last caller, who comes while all of these wait, and its wait."""
    answers, waits = [], []

    def come(callers):
        path, headers = callers[0]
        if callers[1:]:
            world.clock.after(1.5, lambda: come(callers[1:]))
        came_at_s = world.seconds()
        answers.append(api.application.test_client().get(path, headers=headers | WAIT))
        waits.append(world.seconds() - came_at_s)

    come([*waiters, last])
    # Who came last is answered first.
    assert all("Preference-Applied" in answer.headers for answer in answers[1:])
    return answers[0], waits[0]


def test_a_quarter_of_the_threads_waits_for_one_tenant(api, world):
    second, second_s = asks_while_others_wait(api, world, [(MINE, BEARER)], (MINE, BEARER))
    third, third_s = asks_while_others_wait(api, world, [(MINE, BEARER)] * 2, (MINE, BEARER))

    assert (second.headers["Preference-Applied"], second_s) == ("wait=30", 30)
    assert (third.status_code, third.json["status"], third_s) == (200, "processing", 0)
    assert "Preference-Applied" not in third.headers


def test_another_tenant_still_may_wait(api, world):
    answer, _ = asks_while_others_wait(api, world, [(MINE, BEARER)] * 2, (THEIRS, OTHER))

    assert answer.headers["Preference-Applied"] == "wait=30"


def test_half_of_the_threads_waits_for_all_tenants():
    waits = wait_slots(threads=9)

    with waits.take("a") as one, waits.take("a") as two, waits.take("b") as three:
        with waits.take("c") as four, waits.take("d") as five:
            assert (one, two, three, four, five) == (True, True, True, True, False)
        with waits.take("d") as after:
            assert after is True


@pytest.mark.parametrize("broken", ["store", "job"])
def test_a_place_is_free_again_however_a_wait_ends(api, world, broken):
    for _ in range(5):
        if broken == "store":
            world.clock.after(1.5, lambda: setattr(world.jobs, "is_down", True))
            expected = 503
        else:
            world.clock.after(1.5, lambda: world.jobs.remove(job_id(1)))
            expected = 404
        assert api.get(MINE, headers=BEARER | WAIT).status_code == expected
        world.jobs.is_down = False
        world.jobs.put(processing_job(id=job_id(1)))

    assert "Preference-Applied" in api.get(MINE, headers=BEARER | WAIT).headers


def test_who_does_not_want_to_wait_takes_no_place(api, world):
    for _ in range(20):
        assert api.get(MINE, headers=BEARER).status_code == 200

    answer, _ = asks_while_others_wait(api, world, [(MINE, BEARER)], (MINE, BEARER))
    assert "Preference-Applied" in answer.headers


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_where_a_quarter_is_less_than_a_thread_nobody_waits(threads):
    with wait_slots(threads=threads).take("demo") as may_wait:
        assert may_wait is False
