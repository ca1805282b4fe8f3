"""How many open jobs a tenant may have in an account, as a caller meets it."""

import threading

import pytest

from relay.application.quota import COUNT_EVERY_S, OpenJobsQuota
from relay.domain.job import Status
from relay.errors import TooManyOpenJobs
from tests.entrypoints.requests import BEARER, BODY, KEY, OTHER, create, follow
from tests.factories import a_job, job_id, job_in


@pytest.fixture
def api(make_api):
    """An API that lets every tenant have three open jobs."""
    return make_api(max_open_jobs=3)


def fill(world, number, *, tenant="demo"):
    """Have so many open jobs of the tenant in the store."""
    first = 1 if tenant == "demo" else 1000
    world.jobs.put(*[a_job(id=job_id(first + n), tenant=tenant) for n in range(number)])


def counts(world):
    return world.jobs.calls.count("count_open")


def test_a_create_beyond_the_quota_is_429_says_when_to_come_again_and_writes_nothing(api, world):
    fill(world, 3)

    answer = create(api, BODY)

    assert answer.status_code == 429
    assert answer.mimetype == "application/problem+json"
    assert answer.json["code"] == "too_many_open_jobs"
    assert "3 open jobs" in answer.json["detail"]
    assert answer.headers["Retry-After"] == "5"
    assert len(world.jobs.ids) == 3
    assert world.topics.ticks == []


def test_what_this_instance_creates_counts_at_once_and_costs_no_further_count(api, world):
    codes = [create(api, BODY).status_code for _ in range(5)]

    assert codes == [201, 201, 201, 429, 429]
    assert counts(world) == 1


@pytest.mark.parametrize("status", Status)
def test_only_open_jobs_count(api, world, status):
    world.jobs.put(*[job_in(status, id=job_id(number)) for number in range(1, 4)])

    is_open = status not in (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)
    assert create(api, BODY).status_code == (429 if is_open else 201)


def test_others_jobs_and_those_of_another_account_do_not_count(api, world):
    fill(world, 9, tenant="other")
    world.jobs.put(*[a_job(id=job_id(n + 50), provider="spacely") for n in range(9)])

    assert create(api, BODY).status_code == 201
    assert create(api, BODY, OTHER).status_code == 429


def test_a_follow_counts_and_is_refused_too(api):
    codes = [follow(api, f"render-{number}").status_code for number in range(4)]

    assert codes == [201, 201, 201, 429]


def test_jobs_that_end_make_room_within_five_seconds(api, world):
    fill(world, 3)
    assert create(api, BODY).status_code == 429
    world.jobs.put(job_in(Status.FAILED, id=job_id(1)))

    world.clock.advance(COUNT_EVERY_S - 0.1)
    before = create(api, BODY).status_code
    world.clock.advance(0.1)
    after = [create(api, BODY).status_code for _ in range(2)]

    assert (before, after) == (429, [201, 429])
    assert counts(world) == 2


def test_a_repeated_create_meets_its_job_also_over_the_quota(api, world):
    first = create(api, BODY, BEARER | KEY)
    create(api, BODY)
    create(api, BODY)
    world.clock.advance(1)

    again = create(api, BODY, BEARER | KEY)
    another_body = create(api, BODY | {"deadlineSeconds": 60}, BEARER | KEY)
    another_key = create(api, BODY, BEARER | {"Idempotency-Key": "order-2"})

    assert (again.status_code, again.json) == (200, first.json)
    assert another_body.status_code == 409
    assert another_key.status_code == 429


def test_over_the_quota_a_store_that_is_away_does_not_turn_a_repeated_create_into_a_429(api, world):
    create(api, BODY, BEARER | KEY)
    create(api, BODY)
    create(api, BODY)
    world.jobs.is_down = True

    assert create(api, BODY, BEARER | KEY).status_code == 503


def test_a_create_that_wrote_nothing_new_gives_its_place_back(api, world):
    create(api, BODY, BEARER | KEY)
    world.clock.advance(1)
    for _ in range(3):
        assert create(api, BODY, BEARER | KEY).status_code == 200
        assert create(api, BODY | {"deadlineSeconds": 60}, BEARER | KEY).status_code == 409

    assert [create(api, BODY).status_code for _ in range(3)] == [201, 201, 429]


def test_a_retry_is_refused_and_an_unconfirmed_job_is_not_cancelled_for_it(api, world):
    unconfirmed = job_in(Status.UNCONFIRMED, id=job_id(9))
    world.jobs.put(unconfirmed)
    fill(world, 2)

    answer = api.post(f"/v1/jobs/{job_id(9)}/retry", headers=BEARER)

    assert (answer.status_code, answer.json["code"]) == (429, "too_many_open_jobs")
    assert world.jobs.job(job_id(9)) == unconfirmed


def test_a_repeated_retry_meets_its_job_also_over_the_quota(api, world):
    world.jobs.put(job_in(Status.FAILED, id=job_id(9)))
    first = api.post(f"/v1/jobs/{job_id(9)}/retry", headers=BEARER | KEY)
    fill(world, 2)
    world.clock.advance(COUNT_EVERY_S)

    again = api.post(f"/v1/jobs/{job_id(9)}/retry", headers=BEARER | KEY)
    another = api.post(f"/v1/jobs/{job_id(9)}/retry", headers=BEARER)

    assert (again.status_code, again.json) == (200, first.json)
    assert another.status_code == 429


def test_the_quota_that_is_reached_is_logged_once_a_count(api, world, caplog):
    fill(world, 3)
    for _ in range(3):
        create(api, BODY)
    world.clock.advance(COUNT_EVERY_S)
    create(api, BODY)

    lines = [one for one in caplog.records if one.message == "quota reached"]
    assert [(one.levelname, one.fields) for one in lines] == [
        ("WARNING", {"tenant": "demo", "account": "gepetto"})
    ] * 2


def test_where_only_counting_fails_jobs_are_taken_and_those_made_here_still_count(api, world):
    world.jobs.lose_requests(1)

    codes = [create(api, BODY).status_code for _ in range(4)]

    assert codes == [201, 201, 201, 429]
    assert counts(world) == 1


def test_a_count_that_fails_leaves_what_was_known(api, world):
    fill(world, 2)
    assert create(api, BODY).status_code == 201
    world.clock.advance(COUNT_EVERY_S)
    world.jobs.lose_requests(1)

    assert create(api, BODY).status_code == 429


def test_many_threads_at_once_make_one_count_and_no_job_too_many(world):
    quota = OpenJobsQuota(world.jobs, clock=world.clock, most=10)
    outcomes = []

    def ask():
        try:
            with quota.reserve("demo", "gepetto") as reservation:
                reservation.use()
            outcomes.append("taken")
        except TooManyOpenJobs:
            outcomes.append("refused")

    threads = [threading.Thread(target=ask) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (outcomes.count("taken"), outcomes.count("refused")) == (10, 30)
    assert counts(world) == 1


def test_a_job_that_is_being_written_while_others_are_counted_counts_in_any_case(world):
    quota = OpenJobsQuota(world.jobs, clock=world.clock, most=1)

    with quota.reserve("demo", "gepetto"):
        world.clock.advance(COUNT_EVERY_S)

        with pytest.raises(TooManyOpenJobs), quota.reserve("demo", "gepetto"):
            pass


def test_a_count_that_takes_long_is_not_repeated_before_others_had_their_time(world):
    times = 0

    class LongCounts:
        def count_open(self, *_asked, **_most):
            nonlocal times
            times += 1
            world.clock.advance(2 * COUNT_EVERY_S)
            return 0

    quota = OpenJobsQuota(LongCounts(), clock=world.clock, most=9)
    for _ in range(5):
        take(quota)

    assert times == 1


class SlowCounts:
    """Counts always as many jobs: at once a few times, then only when told to go on."""

    def __init__(self, *, jobs=0, quick=1):
        self.asked, self.goes_on = threading.Semaphore(0), threading.Event()
        self._jobs, self._quick = jobs, quick

    def count_open(self, *_asked, **_most):
        self._quick -= 1
        if self._quick < 0:
            self.asked.release()
            assert self.goes_on.wait(30)
        return self._jobs


def test_nobody_passes_before_the_first_count_is_known(world):
    counts, refused = SlowCounts(jobs=1, quick=0), []
    quota = OpenJobsQuota(counts, clock=world.clock, most=1)

    def ask():
        try:
            take(quota)
        except TooManyOpenJobs:
            refused.append(threading.current_thread())

    threads = [threading.Thread(target=ask) for _ in range(2)]
    threads[0].start()
    assert counts.asked.acquire(timeout=30)
    threads[1].start()
    threads[1].join(0.2)
    counts.goes_on.set()
    for thread in threads:
        thread.join()

    assert len(refused) == 2


@pytest.fixture
def counting_again(world):
    """A quota of three with one job, while another request counts again; ends the count."""
    counts = SlowCounts()
    quota = OpenJobsQuota(counts, clock=world.clock, most=3)
    take(quota)
    world.clock.advance(COUNT_EVERY_S)
    counting = threading.Thread(target=take, args=(quota,))
    counting.start()
    assert counts.asked.acquire(timeout=30)

    def end():
        counts.goes_on.set()
        counting.join()

    yield quota, end
    end()


def take(quota):
    with quota.reserve("demo", "gepetto") as reservation:
        reservation.use()


def test_nobody_waits_while_another_request_counts_again_however_long(world, counting_again):
    quota, _ = counting_again
    world.clock.advance(COUNT_EVERY_S)

    take(quota)
    take(quota)

    with pytest.raises(TooManyOpenJobs):
        take(quota)


def test_jobs_that_are_created_during_a_count_are_added_to_it(counting_again):
    quota, end = counting_again
    take(quota)

    # The count says that the first job has ended. The one that counted takes a place too.
    end()

    take(quota)
    with pytest.raises(TooManyOpenJobs):
        take(quota)
