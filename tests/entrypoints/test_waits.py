"""How many callers may wait for jobs at a time, so that the others find a thread."""

import pytest

from relay.application.slots import wait_slots
from relay.domain.job import Actor, Status
from relay.domain.transitions import succeeded
from tests.entrypoints.requests import BEARER, BODY, KEY, OTHER, create
from tests.factories import OUTPUT, a_job, finished_job, job_id, processing_job

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


def end_in(world, seconds):
    """Have the only new job end after so many seconds."""

    def end():
        (new,) = set(world.jobs.ids) - {job_id(1), job_id(2)}
        done = succeeded(
            world.jobs.job(new), outputs=[OUTPUT], by=Actor.WEBHOOK, at=world.clock.now()
        )
        world.jobs.put(done)

    world.clock.after(seconds, end)


def test_a_create_that_waits_is_answered_with_the_job_as_it_ended(api, world):
    end_in(world, 3.5)

    answer = create(api, BODY, BEARER | WAIT)

    assert (answer.status_code, answer.json["status"]) == (201, "succeeded")
    assert answer.headers["Preference-Applied"] == "wait=30"
    assert answer.headers["Location"] == f"/v1/jobs/{answer.json['id']}"
    assert (world.seconds(), world.topics.ticks) == (4, ["gepetto"])


def test_a_create_that_waited_in_vain_is_201_with_the_job_as_it_is(api, world):
    answer = create(api, BODY, BEARER | WAIT)

    assert (answer.status_code, answer.json["status"]) == (201, "queued")
    assert (answer.headers["Preference-Applied"], world.seconds()) == ("wait=30", 30)


def test_a_repeated_create_waits_for_the_first_job(api, world):
    create(api, BODY, BEARER | KEY)
    world.clock.advance(5)
    end_in(world, 2)

    answer = create(api, BODY, BEARER | KEY | WAIT)

    assert (answer.status_code, answer.json["status"], world.seconds()) == (200, "succeeded", 7)


def test_a_retry_waits_too(api, world):
    world.jobs.put(finished_job(Status.FAILED, id=job_id(1)))
    end_in(world, 2)

    answer = api.post(f"{MINE}/retry", headers=BEARER | WAIT)

    assert (answer.status_code, answer.json["status"]) == (201, "succeeded")
    assert answer.headers["Preference-Applied"] == "wait=30"


def test_creates_share_the_places_of_those_who_wait(api, world):
    answers = []

    def come(count):
        if count > 1:
            world.clock.after(1.5, lambda: come(count - 1))
        client = api.application.test_client()
        answers.append((create(client, BODY, BEARER | WAIT), world.seconds()))

    come(3)

    last, last_s = answers[0]
    assert (last.status_code, last_s) == (201, 3)
    assert "Preference-Applied" not in last.headers
    assert all("Preference-Applied" in one.headers for one, _ in answers[1:])


def test_a_create_is_201_even_if_the_store_fails_while_it_waits(api, world):
    world.clock.after(1.5, lambda: setattr(world.jobs, "is_down", True))

    answer = create(api, BODY, BEARER | WAIT)

    assert (answer.status_code, answer.json["status"]) == (201, "queued")
    assert "Preference-Applied" not in answer.headers


def test_a_create_that_is_refused_does_not_wait(api, world):
    assert create(api, BODY | {"surprise": 1}, BEARER | WAIT).status_code == 422
    assert world.seconds() == 0
