"""That a good storm passes the checks, whatever its listener missed, and a bad one does not."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import combinations

import msgspec
import pytest

from infra.local.inbox import Delivery
from infra.storm.evidence import (
    Evidence,
    JobVersion,
    all_violations,
    as_history,
    read_versions,
    seen_holds,
)
from infra.storm.faults import Crash, Crashed
from infra.storm.observation import (
    Counts,
    Document,
    LogLine,
    ProviderCall,
    Render,
    WebhookSent,
)
from infra.storm.workload import Created, StormJob
from infra.verification.history import seconds
from relay.adapters.document import to_document
from relay.domain.callback import Callback, with_delivery
from relay.domain.due import wake_at
from relay.domain.events import as_announced, published, with_event
from relay.domain.job import Actor, ErrorCode, EventType, Job
from relay.domain.limits import Limit
from relay.domain.transitions import accepted, claimed, failed, succeeded
from relay.job_view import to_json
from tests.factories import CLAIM, JOB_ID, PROVIDER_JOB_ID, a_job, later

SANDBOX = "http://127.0.0.1:8080"
OUTPUT = f"{SANDBOX}/renders/{PROVIDER_JOB_ID}-1.png"
LIMITS = {"gepetto": Limit(calls=2, window_s=60.0)}
HOOK = "https://hooks.example.com/renders"
IMAGE = f"{SANDBOX}/rooms/living.jpg?n=1&sandbox="


def a_story() -> tuple[Job, ...]:
    """Return every version of a job that its callback ended."""
    created = a_job(metadata={"storm": "1"}, deadline_at=later(60))
    sending = claimed(created, claim=CLAIM, at=later(1))
    running = accepted(
        sending,
        claim=CLAIM,
        provider_job_id=PROVIDER_JOB_ID,
        provider_status=None,
        poll_at=later(27),
        at=later(2),
    )
    ended = succeeded(running, outputs=(OUTPUT,), by=Actor.WEBHOOK, at=later(5))
    return (
        created,
        sending,
        running,
        ended,
        published(ended, ended.announcements[0].id, at=later(6)),
    )


def versions_of(story: tuple[Job, ...]) -> tuple[JobVersion, ...]:
    """Return the versions as written 10 ms after the step that led to each."""
    moments = (*(job.history[-1].at for job in story[:-1]), story[-2].history[-1].at)
    return tuple(
        JobVersion(at=at + timedelta(milliseconds=10 + 20 * number), job=job, wake_at=wake_at(job))
        for number, (at, job) in enumerate(zip(moments, story, strict=True))
    )


def a_delivery(job: Job) -> Delivery:
    event = job.announcements[0]
    return Delivery(
        message_id="1",
        published_at=later(5.075),
        ordering_key=job.id,
        attributes={
            "ce-id": event.id,
            "ce-subject": job.id,
            "ce-type": event.type.value,
            "ce-time": event.at.isoformat(),
        },
        data=to_json(as_announced(job, event.type)),
    )


def a_submit(*, number: int = 1, after_s: float = 1.5) -> ProviderCall:
    return ProviderCall(
        number=number,
        at=later(after_s).timestamp(),
        monotonic=after_s,
        provider="gepetto",
        kind="submit",
        authenticated=True,
        over_limit=False,
        status=200,
        provider_job_id=PROVIDER_JOB_ID,
        input=IMAGE,
    )


def a_render() -> Render:
    return Render(
        provider="gepetto",
        provider_job_id=PROVIDER_JOB_ID,
        input={"url": IMAGE},
        behaviour={},
        state="succeeded",
        accepted_at=later(1.5).timestamp(),
        finished_at=later(4.5).timestamp(),
        polls=0,
        webhooks=(
            WebhookSent(
                at=later(4.9).timestamp(),
                answered_at=later(5.2).timestamp(),
                status=200,
                error=None,
            ),
        ),
    )


def good_evidence() -> Evidence:
    story = a_story()
    job = StormJob(
        number=1,
        provider="gepetto",
        send_at_s=0.0,
        repeat_at_s=None,
        deadline_s=60,
        is_resubmitted=False,
        faults=(),
    )
    return Evidence(
        jobs=(job,),
        created=(Created(number=1, at=later(0.1).timestamp(), job_id=JOB_ID, unanswered=0),),
        crashes=(),
        versions={JOB_ID: versions_of(story)},
        unreadable=(),
        final=frozenset({JOB_ID}),
        holds=(),
        deliveries=(a_delivery(story[-1]),),
        calls=(a_submit(),),
        renders=(a_render(),),
        callbacks=(),
        bucket="outputs",
        copies={},
        counts={
            "gepetto": Counts(
                most_calls_in_window=1, calls_over_limit=0, unauthenticated=0, blocked=False
            )
        },
        errors=(),
        sandbox_url=SANDBOX,
        is_at_rest=True,
    )


def found_in(evidence: Evidence) -> set[str]:
    return {one.promise for one in all_violations(evidence, limits=LIMITS)}


def test_a_good_storm_has_no_violations():
    assert all_violations(good_evidence(), limits=LIMITS) == ()


@pytest.mark.parametrize(
    "missed",
    [missed for count in range(1, 5) for missed in combinations(range(4), count)],
    ids=str,
)
def test_versions_that_the_listener_missed_are_no_violations(missed):
    evidence = good_evidence()
    seen = [one for at, one in enumerate(evidence.versions[JOB_ID]) if at not in missed]

    assert all_violations(replace(evidence, versions={JOB_ID: tuple(seen)}), limits=LIMITS) == ()


@pytest.mark.parametrize(("delivers_too", "said_at"), [(True, later(7)), (False, later(7.5))])
def test_an_event_was_added_before_a_version_that_also_delivers_another(delivers_too, said_at):
    story = a_story()
    out = replace(story[-1], callback=with_delivery(Callback(url=HOOK), "ended", at=later(6)))
    after = with_event(out, EventType.OUTPUTS_KEPT, at=later(7))
    if delivers_too:
        after = replace(after, callback=Callback(url=HOOK))
    seen = (
        JobVersion(at=later(6), job=out, wake_at=None),
        JobVersion(at=later(7.5), job=after, wake_at=wake_at(after)),
    )

    history = as_history(replace(good_evidence(), versions={JOB_ID: seen}), limits=LIMITS)

    first = next(one for one in history.versions[JOB_ID] if len(one.job.announcements) == 2)
    assert first.at_s == seconds(said_at)


def without_delivery(good: Evidence) -> Evidence:
    return replace(good, deliveries=())


def with_a_copy_that_differs(good: Evidence) -> Evidence:
    (first,) = good.deliveries
    other = replace(first, message_id="2", data=first.data.replace(b"living", b"dining"))
    return replace(good, deliveries=(first, other))


def with_an_attribute_that_differs(good: Evidence) -> Evidence:
    (first,) = good.deliveries
    other = replace(first, message_id="2", attributes={**first.attributes, "tenant": "x"})
    return replace(good, deliveries=(first, other))


def with_an_event_of_no_job(good: Evidence) -> Evidence:
    (first,) = good.deliveries
    other = replace(first, attributes={**first.attributes, "ce-subject": "job_x"})
    return replace(good, deliveries=(first, other))


def with_another_ordering_key(good: Evidence) -> Evidence:
    return replace(good, deliveries=(replace(good.deliveries[0], ordering_key="demo"),))


def with_an_event_that_shows_another_job(good: Evidence) -> Evidence:
    (first,) = good.deliveries
    return replace(
        good, deliveries=(replace(first, data=first.data.replace(b"living", b"dining")),)
    )


def bought_for_no_job(good: Evidence) -> Evidence:
    other = msgspec.structs.replace(
        a_render(), provider_job_id="another", input={"url": IMAGE.replace("n=1", "n=2")}
    )
    return replace(good, renders=(*good.renders, other))


def bought_twice(good: Evidence) -> Evidence:
    again = msgspec.structs.replace(a_render(), provider_job_id="another")
    return replace(good, renders=(*good.renders, again))


def submitted_twice(good: Evidence) -> Evidence:
    again = msgspec.structs.replace(a_submit(number=2, after_s=3), status=500, provider_job_id=None)
    return replace(good, calls=(*good.calls, again))


def submitted_before_the_claim(good: Evidence) -> Evidence:
    return replace(good, calls=(a_submit(after_s=0.5),))


def with_a_lost_callback(good: Evidence) -> Evidence:
    *before, _, _ = a_story()
    ended = failed(
        before[-1],
        code=ErrorCode.DEADLINE_EXCEEDED,
        by=Actor.DEADLINE,
        at=later(61),
    )
    story = (*before, ended, published(ended, ended.announcements[0].id, at=later(6)))
    delivery = replace(a_delivery(story[-1]), published_at=later(61.08))
    return replace(good, versions={JOB_ID: versions_of(story)}, deliveries=(delivery,))


def never_ended(good: Evidence) -> Evidence:
    return replace(good, versions={JOB_ID: good.versions[JOB_ID][:3]}, deliveries=())


def ended_twice(good: Evidence) -> Evidence:
    last = good.versions[JOB_ID][-1]
    moved = replace(
        last, at=later(9), job=replace(last.job, finished_by=Actor.POLL, outputs=("http://x/y",))
    )
    return replace(good, versions={JOB_ID: (*good.versions[JOB_ID], moved)})


def without_wake_at(good: Evidence) -> Evidence:
    first, *others = good.versions[JOB_ID]
    return replace(good, versions={JOB_ID: (replace(first, wake_at=None), *others)})


def with_too_many_calls(good: Evidence) -> Evidence:
    polls = tuple(
        msgspec.structs.replace(a_submit(number=number, after_s=2.0 + number), kind="poll")
        for number in (2, 3)
    )
    return replace(good, calls=(*good.calls, *polls))


def blocked(good: Evidence) -> Evidence:
    counts = msgspec.structs.replace(good.counts["gepetto"], calls_over_limit=1)
    return replace(good, counts={"gepetto": counts})


def without_document(good: Evidence) -> Evidence:
    return replace(good, versions={}, final=frozenset(), deliveries=(), renders=(), calls=())


def given_two_ids(good: Evidence) -> Evidence:
    other = replace(good.created[0], job_id="job_x")
    return replace(good, created=(*good.created, other), final=good.final | {"job_x"})


def with_a_caller_that_got_nothing(good: Evidence) -> Evidence:
    other = replace(good.created[0], job_id=None, why="503")
    return replace(good, created=(*good.created, other))


def with_a_bug(good: Evidence) -> Evidence:
    return replace(good, errors=(LogLine(process="poll_tick-1", text="ZeroDivisionError"),))


def with_a_hold(good: Evidence) -> Evidence:
    return replace(good, holds=("gepetto: provider_auth",))


def not_at_rest(good: Evidence) -> Evidence:
    return replace(good, is_at_rest=False)


@pytest.mark.parametrize(
    ("spoil", "promise"),
    [
        (without_delivery, "P2"),
        (with_a_copy_that_differs, "P2"),
        (with_an_attribute_that_differs, "P2"),
        (with_an_event_of_no_job, "P2"),
        (with_another_ordering_key, "P2"),
        (with_an_event_that_shows_another_job, "P2"),
        (bought_twice, "P4"),
        (bought_for_no_job, "P4"),
        (submitted_twice, "P4"),
        (submitted_before_the_claim, "P4"),
        (with_a_lost_callback, "P6"),
        (never_ended, "P3"),
        (ended_twice, "P1"),
        (without_wake_at, "P3"),
        (with_too_many_calls, "P5"),
        (blocked, "P5"),
        (without_document, "created"),
        (given_two_ids, "created"),
        (with_a_caller_that_got_nothing, "created"),
        (with_a_bug, "BUG"),
        (with_a_hold, "P5"),
        (not_at_rest, "P3"),
    ],
    ids=lambda value: value.__name__ if callable(value) else value,
)
def test_what_is_wrong_is_found(spoil: Callable[[Evidence], Evidence], promise: str):
    assert promise in found_in(spoil(good_evidence()))


def a_poll(status: int, *, after_s: float) -> ProviderCall:
    return msgspec.structs.replace(a_submit(number=2, after_s=after_s), kind="poll", status=status)


@pytest.mark.parametrize(
    ("poll", "crashes", "is_ours"),
    [
        (a_poll(200, after_s=20), (), True),
        (a_poll(200, after_s=20), (("poll_tick-1", 20.5, 20.5),), False),
        (a_poll(200, after_s=20), (("firestore-emulator", 15.0, 20.1),), False),
        (a_poll(200, after_s=20), (("jobs_api-1", 20.5, 20.5),), True),
        (a_poll(200, after_s=20), (("poll_tick-1", 40.0, 40.0),), True),
        (a_poll(500, after_s=20), (), None),
        (a_poll(200, after_s=3), (), None),
    ],
    ids=[
        "left alone",
        "a pump died just then",
        "the store was paused",
        "another function died",
        "it died later",
        "no answer",
        "not rendered yet",
    ],
)
def test_a_polled_result_is_ours_unless_its_pump_may_have_died(poll, crashes, is_ours):
    evidence = replace(
        good_evidence(),
        calls=(poll,),
        crashes=tuple(
            Crashed(
                crash=Crash(at_s=0.0, name=name, for_s=0.0),
                at=later(from_s).timestamp(),
                until=later(to_s).timestamp(),
                pid=1,
            )
            for name, from_s, to_s in crashes
        ),
    )

    polled = [one for one in as_history(evidence, limits=LIMITS).results if one.by == "poll"]

    assert [one.is_ours for one in polled] == ([] if is_ours is None else [is_ours])


def test_documents_are_read_with_the_products_own_code_and_each_version_once():
    story, day = a_story(), timedelta(days=1)
    documents = [
        Document(
            collection="jobs",
            id=JOB_ID,
            at=later(number),
            fields=to_document(job, time_to_live=day),
        )
        for number, job in enumerate(story)
    ]

    versions, unreadable = read_versions({JOB_ID: tuple(documents)}, (documents[-1],))

    assert tuple(one.job for one in versions[JOB_ID]) == story
    assert unreadable == ()


def test_a_document_that_is_no_job_or_has_gone_is_told_of():
    nonsense = Document(collection="jobs", id="a", at=later(0), fields={"status": "queued"})
    gone = Document(collection="jobs", id="b", at=later(0), fields=None)

    versions, unreadable = read_versions({"a": (nonsense,), "b": (gone,)}, ())

    assert versions == {}
    assert [what[:2] for what in unreadable] == ["a:", "b:"]


def test_a_hold_is_seen_and_an_account_without_one_is_not():
    def account(hold: object) -> Document:
        return Document(collection="accounts", id="gepetto", at=later(0), fields={"hold": hold})

    missing = replace(account(None), fields=None)

    assert seen_holds({"gepetto": (missing, account(None))}) == ()
    assert len(seen_holds({"gepetto": (account({"code": "provider_auth"}),)})) == 1


def test_an_honest_job_that_is_never_sent_is_noticed():
    evidence = good_evidence()

    assert evidence.waits_s[JOB_ID] is not None
    assert found_in(replace(evidence, calls=())) == {"P8"}


def test_what_becomes_of_a_hostile_job_is_its_own_matter():
    evidence = good_evidence()
    hostile = replace(evidence.jobs[0], is_hostile=True)

    assert found_in(replace(evidence, jobs=(hostile,), calls=())) == set()


def test_a_hold_is_expected_beside_a_hostile_tenant_alone():
    evidence = replace(good_evidence(), holds=("gepetto: {}",))
    hostile = replace(evidence.jobs[0], number=2, is_hostile=True)

    assert found_in(evidence) == {"P5"}
    assert "P5" not in found_in(replace(evidence, jobs=(*evidence.jobs, hostile)))
