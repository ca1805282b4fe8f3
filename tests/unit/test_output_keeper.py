"""Outputs are copied once each, announced once, and never touch the job's status."""

import hashlib
from datetime import timedelta

import pytest

from relay.domain.events import event_id, published
from relay.domain.job import Actor, EventType, Job, Status
from relay.domain.kept_output import GIVE_UP_AFTER, NEVER_REACHED, KeptOutput
from relay.domain.output_keeping import decided, undecided
from relay.domain.transitions import succeeded
from relay.errors import (
    BucketUnavailable,
    CallForbidden,
    CallUnanswered,
    CutShort,
    JobNotFound,
    OutputsUndecided,
    StoreUnavailable,
    TooLarge,
)
from tests.factories import JOB_ID, NOON, OUTPUT, a_job, finished_job, later
from tests.fakes import PNG, World

ONE, TWO, THREE = (f"https://cdn.example.com/{n}.png" for n in (1, 2, 3))
KEPT_EVENT = event_id(JOB_ID, EventType.OUTPUTS_KEPT)


@pytest.fixture
def world() -> World:
    return World()


def rendered(*urls: str, **changes) -> Job:
    """Return a succeeded job with these outputs, whose completion event is out."""
    return out(finished_job(Status.SUCCEEDED, outputs=urls or (OUTPUT,), **changes))


def out(job: Job) -> Job:
    for event in job.unpublished:
        job = published(job, event.id, at=NOON)
    return job


def keep(world: World) -> None:
    world.completions().receive(message("com.renderrelay.job.succeeded"))


def message(event_type: str, job_id: str = JOB_ID) -> object:
    return {"message": {"attributes": {"ce-type": event_type, "ce-subject": job_id}}}


def kept(world: World) -> list[KeptOutput]:
    return sorted(world.jobs.job().kept_outputs, key=lambda one: one.index)


def announced(world: World) -> list[str]:
    return [one.id for one in world.topics.events]


def test_every_output_is_copied_and_announced_once(world):
    world.jobs.put(rendered(ONE, TWO))

    keep(world)
    keep(world)

    sha256 = hashlib.sha256(PNG).hexdigest()
    assert kept(world) == [
        KeptOutput(
            index=n,
            uri=f"gs://renders/jobs/{JOB_ID}/{n}.png",
            content_type="image/png",
            bytes=len(PNG),
            sha256=sha256,
        )
        for n in (0, 1)
    ]
    assert sorted(world.downloads.gets) == [ONE, TWO]
    assert announced(world) == [KEPT_EVENT]
    assert b'"keptOutputs":[{"index":0,"uri":"gs://' in world.topics.events[0].data


def test_late_outputs_are_copied_too(world):
    job = succeeded(finished_job(Status.FAILED), outputs=[ONE], by=Actor.WEBHOOK, at=later(100))
    world.jobs.put(out(job))

    world.completions().receive(message("com.renderrelay.job.late_result"))

    assert [one.index for one in kept(world)] == [0]
    assert world.jobs.job().status is Status.FAILED
    assert announced(world)[-1] == KEPT_EVENT


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED, Status.SUCCEEDED])
def test_keeping_never_changes_the_status(world, status):
    world.jobs.put(out(finished_job(status)))
    before = world.jobs.job()

    keep(world)

    after = world.jobs.job()
    assert (after.status, after.history, after.finished_at) == (
        before.status,
        before.history,
        before.finished_at,
    )
    assert (KEPT_EVENT in announced(world)) == (status is Status.SUCCEEDED)


@pytest.mark.parametrize("job", [a_job(), finished_job(Status.FAILED)])
def test_a_job_without_results_never_gets_the_event(job):
    entry = KeptOutput(index=0, error="why")

    assert undecided(job) == ()
    assert decided(job, entry, at=NOON) is job


@pytest.mark.parametrize("index", [-1, 2, 99])
def test_an_output_that_the_job_does_not_have_is_not_noted(index):
    job = rendered(ONE, TWO)

    assert decided(job, KeptOutput(index=index, error="why"), at=NOON) is job


def test_what_is_decided_stays(world):
    job = decided(rendered(ONE), KeptOutput(index=0, error="first"), at=NOON)

    assert decided(job, KeptOutput(index=0, error="second"), at=later(9)) is job
    assert [one.type for one in job.unpublished] == [EventType.OUTPUTS_KEPT]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (404, "its URL answered HTTP 404"),
        (410, "its URL answered HTTP 410"),
        (403, "its URL answered HTTP 403"),
        (204, "its URL answered HTTP 204"),
        (302, "its URL redirects (HTTP 302), which is not followed"),
        (TooLarge("x"), "it is larger than 25 MiB"),
        (CutShort("x"), "it ended before its Content-Length"),
        (CallForbidden("x"), "its URL leads to an address that must not be called"),
        (b"<html>", "it is no JPEG, PNG or WebP picture"),
        (b"", "it is no JPEG, PNG or WebP picture"),
        (b"GIF89a", "it is no JPEG, PNG or WebP picture"),
        (b"RIFF\0\0\0\0WAVEfmt ", "it is no JPEG, PNG or WebP picture"),
    ],
    ids=str,
)
def test_what_cannot_be_kept_is_an_error_after_three_tries(world, answer, why):
    world.jobs.put(rendered(ONE, TWO))
    world.downloads.script(ONE, answer)

    keep(world)

    assert [one.error for one in kept(world)] == [why, None]
    assert world.downloads.gets.count(ONE) == 3
    assert announced(world) == [KEPT_EVENT]


@pytest.mark.parametrize(
    ("body", "content_type", "extension"),
    [
        (b"\xff\xd8\xff\xe0 and so on", "image/jpeg", "jpg"),
        (PNG, "image/png", "png"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp", "webp"),
    ],
)
def test_the_type_is_told_by_the_first_bytes(world, body, content_type, extension):
    world.jobs.put(rendered(ONE))
    world.downloads.script(ONE, body)

    keep(world)

    (one,) = kept(world)
    assert (one.content_type, one.uri.rpartition(".")[2]) == (content_type, extension)


@pytest.mark.parametrize("first", [404, 500, CutShort("x"), CallUnanswered("x"), b"soon"], ids=str)
def test_the_third_try_may_succeed(world, first):
    world.jobs.put(rendered(ONE))
    world.downloads.script(ONE, first, first, PNG)

    keep(world)

    assert [one.error for one in kept(world)] == [None]


@pytest.mark.parametrize("answer", [408, 429, 500, 502, 503, CallUnanswered("x")], ids=str)
def test_what_cannot_be_reached_is_tried_again_by_pubsub(world, answer):
    world.jobs.put(rendered(ONE, TWO))
    world.downloads.script(ONE, answer)

    with pytest.raises(OutputsUndecided):
        keep(world)

    assert [one.index for one in kept(world)] == [1]
    assert announced(world) == []
    world.downloads.script(ONE, PNG)
    keep(world)
    assert [one.error for one in kept(world)] == [None, None]
    assert world.downloads.gets.count(TWO) == 1
    assert announced(world) == [KEPT_EVENT]


def test_what_is_never_reached_is_given_up_and_its_message_refused_for_good(world):
    world.jobs.put(rendered(ONE, TWO))
    world.downloads.script(ONE, CallUnanswered("x"))
    world.clock.advance(GIVE_UP_AFTER.total_seconds() + 60)

    for _ in range(3):
        with pytest.raises(OutputsUndecided):
            keep(world)

    assert [one.error for one in kept(world)] == [NEVER_REACHED, None]
    assert world.downloads.gets.count(ONE) == 3
    assert announced(world) == [KEPT_EVENT]


def test_a_host_is_given_up_while_there_are_deliveries_left():
    # Ten deliveries take from 10 s to 600 s, the other 90 take 600 s each.
    assert timedelta(seconds=90 * 600) > GIVE_UP_AFTER


def test_outputs_that_hang_do_not_keep_the_others_waiting_for_ever(world):
    urls = [f"https://cdn.example.com/{n}.png" for n in range(12)]
    world.jobs.put(rendered(*urls))
    for url in urls[:-1]:
        world.downloads.script(url, CallUnanswered("time over"))
        world.downloads.slow(url, takes_s=60.0)

    deliveries = 0
    while not kept(world) and deliveries < 100:
        started_s = world.clock.passed_s
        with pytest.raises(OutputsUndecided):
            keep(world)
        # The function is stopped after 540 s.
        assert world.clock.passed_s - started_s < 500
        world.clock.advance(601)
        deliveries += 1

    assert [one.index for one in kept(world)] == [11]
    assert deliveries < 30


def test_a_bucket_that_is_away_decides_nothing(world):
    world.jobs.put(rendered(ONE))
    world.bucket.is_down = True
    world.clock.advance(2 * GIVE_UP_AFTER.total_seconds())

    with pytest.raises(BucketUnavailable):
        keep(world)

    assert kept(world) == []
    world.bucket.is_down = False
    keep(world)
    assert [one.error for one in kept(world)] == [None]


def test_a_kill_between_copy_and_entry_copies_nothing_twice(world):
    world.jobs.put(rendered(ONE))
    world.downloads.script(ONE, PNG, PNG + b"rendered again")

    def go_down() -> None:
        world.jobs.is_down = True

    world.bucket.after_put = go_down
    with pytest.raises(StoreUnavailable):
        keep(world)
    world.jobs.is_down = False
    world.bucket.after_put = lambda: None
    keep(world)

    assert len(world.bucket.objects) == 1
    (one,) = kept(world)
    # The entry tells of what is there, not of what was downloaded last.
    assert (one.bytes, one.sha256) == (len(PNG), hashlib.sha256(PNG).hexdigest())
    assert announced(world) == [KEPT_EVENT]


def test_a_kill_between_entry_and_event_leaves_it_to_the_pump(world):
    world.jobs.put(rendered(ONE))
    world.topics.fail()

    keep(world)

    assert announced(world) == []
    world.clock.advance(30)
    world.pump(window_s=0).run()
    keep(world)
    assert announced(world) == [KEPT_EVENT]


def test_a_result_that_is_not_marked_as_published_is_left_to_the_pump(world):
    """Each event published from here would come back here, and while marks fail make one more."""
    job = finished_job(Status.SUCCEEDED, outputs=(ONE,))
    world.jobs.put(job)

    keep(world)

    assert len(kept(world)) == 1
    assert announced(world) == []
    world.clock.advance(30)
    world.pump(window_s=0).run()
    assert announced(world) == [job.unpublished[0].id, KEPT_EVENT]


def test_two_deliveries_at_once_make_one_event(world):
    world.jobs.put(rendered(ONE, TWO))
    world.jobs.before_next_write(lambda: keep(world))

    keep(world)

    assert [one.index for one in world.jobs.job().kept_outputs].count(0) == 1
    assert set(announced(world)) == {KEPT_EVENT}
    kinds = [one.type for one in world.jobs.job().announcements]
    assert kinds.count(EventType.OUTPUTS_KEPT) == 1


def test_a_lost_reply_adds_nothing_twice(world):
    world.jobs.put(rendered(ONE))
    world.jobs.lose_replies()

    keep(world)

    assert len(kept(world)) == 1
    assert announced(world) == [KEPT_EVENT]


def test_no_url_is_logged(world, caplog):
    caplog.set_level("DEBUG")
    world.jobs.put(rendered(f"{ONE}?signature=secret", TWO))
    world.downloads.script(f"{ONE}?signature=secret", 404)

    keep(world)

    logged = str([vars(record) for record in caplog.records])
    assert "output not kept" in logged
    assert "secret" not in logged


def test_a_job_that_has_gone_is_acknowledged(world):
    keep(world)

    with pytest.raises(JobNotFound):
        world.store.read(JOB_ID)
