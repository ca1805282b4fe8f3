"""The checks of P10 on histories built by hand, one for each way to break it."""

from dataclasses import replace

import pytest

from infra.verification.deliveries import ATTEMPTS, RETRY_AFTER_S, delivery_faults
from infra.verification.history import History, Message, Post, Version, moment
from relay.domain.callback import Callback, CallbackShape, after_attempt, redelivered
from relay.domain.events import as_announced, published, with_event
from relay.domain.job import EventType, Status
from relay.domain.signatures import signed_headers
from relay.job_view import callback_json, to_json
from tests.factories import finished_job, job_id

URL = "https://prompt.example.com/renders"
KEYS = ("k" * 32, "l" * 32)


class Built:
    """A history of jobs whose completion is out and due at their callbacks."""

    def __init__(self):
        self.history = History(
            callback_keys=KEYS, is_steady=True, healthy=frozenset({"prompt.example.com"})
        )

    def due(self, number=1, *, at_s=10.0, tenant="demo", url=URL):
        job = finished_job(
            Status.FAILED, id=job_id(number), tenant=tenant, callback=Callback(url=url)
        )
        self.write(at_s - 1.0, job)
        return self.publish(at_s, job)

    def publish(self, at_s, job):
        (event,) = job.unpublished
        self.history.messages.append(
            Message(
                at_s=at_s - 0.1,
                job_id=job.id,
                id=event.id,
                type=event.type.value,
                time=event.at,
                data=to_json(as_announced(job, event.type)),
            )
        )
        return self.write(at_s, published(job, event.id, at=moment(at_s)))

    def write(self, at_s, job):
        versions = self.history.versions.setdefault(job.id, [])
        versions.append(Version(at_s=at_s, number=len(versions) + 1, job=job, wake_at=None))
        return job

    def post(self, at_s, job, *, status=200, event=0, ended_s=None, holder="a", **changes):
        event = job.announcements[event]
        body = callback_json(CallbackShape.EVENT, job, event)
        post = Post(
            at_s=at_s,
            url=job.callback.url,
            headers=signed_headers(
                KEYS, tenant=job.tenant, event_id=event.id, body=body, at=moment(at_s)
            ),
            body=body,
            holder=holder,
            has_lease=True,
            ended_s=at_s + 0.1 if ended_s is None else ended_s,
            status=status,
            is_read=status is not None,
        )
        self.history.posts.append(replace(post, **changes))

    def mark(self, at_s, job, *, status=200, retry_after_s=None):
        callback = after_attempt(
            job.callback,
            job.callback.pending,
            http_status=status,
            retry_after_s=retry_after_s,
            at=moment(at_s),
        )
        return self.write(at_s, replace(job, callback=callback))

    def attempt(self, at_s, job, *, status=200):
        self.post(at_s, job, status=status)
        return self.mark(at_s + 0.2, job, status=status)

    def wrong(self):
        return [violation.what for violation in delivery_faults(self.history)]


@pytest.fixture
def built():
    return Built()


def only(built, words):
    wrong = built.wrong()
    assert len(wrong) == 1, wrong
    assert words in wrong[0]


def test_an_event_that_was_posted_and_taken_is_delivered(built):
    built.attempt(11.0, built.due())

    assert built.wrong() == []


def test_an_event_that_fails_at_every_time_of_the_schedule_has_failed(built):
    job, at_s = built.due(url="https://broken.example.com/"), 11.0

    for delay_s in (*RETRY_AFTER_S, 0.0):
        job = built.attempt(at_s, job, status=500)
        at_s += delay_s + 10.0

    assert len(built.history.posts) == ATTEMPTS
    assert built.wrong() == []


def test_410_ends_all_at_once(built):
    built.attempt(11.0, built.due(url="https://gone.example.com/"), status=410)

    assert built.wrong() == []


def test_an_event_that_was_never_posted_is_missed(built):
    built.due(url="https://broken.example.com/")

    only(built, "still to be delivered")


def test_a_mark_without_a_post_shows(built):
    built.mark(11.0, built.due(url="https://broken.example.com/"))

    assert any("nobody has taken it" in what for what in built.wrong())


def test_failing_before_the_last_attempt_shows(built):
    job = built.due(url="https://broken.example.com/")
    built.post(11.0, job, status=500)
    built.write(11.2, built_as_failed(job))

    assert any("failed after 1 posts" in what for what in built.wrong())


def built_as_failed(job):
    callback = after_attempt(
        job.callback, job.callback.pending, http_status=410, retry_after_s=None, at=moment(11.2)
    )
    return replace(job, callback=callback)


def test_a_post_before_the_event_was_published_shows(built):
    job = built.due()
    built.history.messages[0].at_s = 12.0

    built.attempt(11.0, job)

    only(built, "before it was published")


def test_a_post_after_the_mark_shows(built):
    job = built.attempt(11.0, built.due())

    built.post(20.0, job)

    only(built, "not its turn")


def test_a_post_after_a_redelivery_is_right(built):
    job = built.attempt(11.0, built.due())
    built.history.redeliveries = {job.id: [19.0]}
    job = built.write(19.5, replace(job, callback=redelivered(job.callback, at=moment(19.5))))

    built.attempt(20.0, job)

    assert built.wrong() == []


def test_a_redelivery_that_no_caller_asked_for_shows(built):
    job = built.attempt(11.0, built.due())
    job = built.write(19.5, replace(job, callback=redelivered(job.callback, at=moment(19.5))))

    built.attempt(20.0, job)

    only(built, "by itself")


def test_an_attempt_before_its_time_shows(built):
    job = built.due(url="https://flaky.example.com/")
    for at_s in (11.0, 20.0, 40.0):
        job = built.attempt(at_s, job, status=500)

    assert any("before 319" in what or "before 318" in what for what in built.wrong())


def test_what_the_endpoint_asked_for_is_kept(built):
    job = built.due(url="https://flaky.example.com/")
    built.post(11.0, job, status=429, retry_after_s=40.0)
    job = built.mark(11.2, job, status=429)

    built.attempt(30.0, job)

    only(built, "before 49")


def test_a_later_event_before_an_earlier_one_shows(built):
    job = built.due(url="https://flaky.example.com/")
    job = with_event(job, EventType.LATE_RESULT, at=moment(12.0))
    job = built.publish(12.0, replace(job, late_outputs=("https://cdn.example.com/1.png",)))

    built.post(13.0, job, event=1)

    assert any("not its turn" in what for what in built.wrong())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"has_lease": False}, "without the lease"),
        ({"url": "https://other.example.com/"}, "instead of"),
        ({"body": b'{"type": "com.renderrelay.job.failed", "data": {}}'}, "another job"),
    ],
    ids=["no lease", "another url", "another body"],
)
def test_what_a_post_has_wrong_shows(built, changes, words):
    job = built.due()

    built.post(11.0, job, **changes)
    built.mark(11.2, job)

    assert any(words in what for what in built.wrong())


def test_a_wrong_signature_shows(built):
    job = built.due()
    built.attempt(11.0, job)

    built.history.callback_keys = ("m" * 32,)

    only(built, "wrong signature")


@pytest.mark.parametrize(("urls", "most"), [(1, 4), (5, 8)], ids=["endpoint", "tenant"])
def test_more_posts_in_flight_than_allowed_show(built, urls, most):
    for number in range(most + 1):
        job = built.due(number, url=f"https://slow{number % urls}.example.com/")
        built.post(11.0 + number / 100, job, ended_s=14.0)
        built.mark(14.2, job)

    only(built, f"{most + 1} posts")


def test_a_lease_given_back_with_posts_in_flight_shows(built):
    first, second = built.due(1), built.due(2)
    built.post(11.0, first, ended_s=20.0)
    built.history.given_back["a"] = 12.0
    built.post(13.0, second, holder="b")
    built.mark(13.2, second)
    built.mark(20.1, first)

    only(built, "with posts in flight")


def test_a_healthy_endpoint_that_waits_too_long_shows(built):
    built.attempt(60.0, built.due())

    only(built, "had to be posted by")


def test_a_tenant_that_waits_for_another_at_the_same_endpoint_shows(built):
    url = "https://shared.example.com/"
    many = [built.due(number, tenant="many", url=url) for number in range(30)]
    few = built.due(100, tenant="few", url=url)

    for number, job in enumerate([*many, few]):
        built.attempt(11.0 + number, job)

    only(built, "and another tenant")


def test_two_tenants_in_turn_at_the_same_endpoint_are_right(built):
    url = "https://shared.example.com/"
    jobs = [built.due(number, tenant="ab"[number % 2], url=url) for number in range(30)]

    for job, at_s in zip(jobs, range(11, 41), strict=True):
        built.attempt(at_s, job)

    assert built.wrong() == []
