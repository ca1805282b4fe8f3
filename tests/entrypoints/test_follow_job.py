"""`POST /v1/jobs` with `providerJobId`: a job that was submitted elsewhere is followed."""

import pytest

from relay.domain.answers import Rendered, RenderFailed, StillOpen, UnknownJob, WithoutOutput
from relay.domain.job import ProviderReply, Status
from tests.entrypoints.requests import BEARER, KEY, OTHER, create, follow
from tests.factories import OUTPUT, a_job, finished_job, job_id, later, processing_job
from tests.payloads.inputs import SAMPLES

THEIRS = "6512f0aa"
WRONG = "6512f0ff"
DONE = Rendered(outputs=(OUTPUT,), provider_status="success")
ANSWERS = {
    "a result": DONE,
    "still open": StillOpen(provider_status="pending", is_known_word=True),
    "a word that nobody knows": StillOpen(provider_status="cooking", is_known_word=False),
    "a failure": RenderFailed(provider_status="failed"),
    "a success without output": WithoutOutput(provider_status="success"),
}


def answer_only_for(world, *ids, answer=DONE):
    """Have the provider know these renders and no others."""

    def asked(job):
        unknown = UnknownJob(reply=ProviderReply(status=404, message="no such job"))
        return answer if job.provider_job_id in ids else unknown

    world.provider.on_poll(*[asked] * 200)


def pump_on(world, seconds):
    """Pump for so long, as ticks once a minute would."""
    until = world.seconds() + seconds
    while world.seconds() < until:
        world.pump(window_s=55).run()
        world.clock.advance(5)


def shown(api, created, headers=BEARER):
    return api.get(f"/v1/jobs/{created.json['id']}", headers=headers).json


def end_of(job):
    """Return what is said of how a job went, without its ids and times."""
    told = {"status", "error", "providerStatus", "outputs", "lateOutputs", "finishedBy", "credits"}
    story = [(entry["status"], entry["by"], entry["note"]) for entry in job["history"]]
    return {name: job.get(name) for name in told} | {"history": story}


def test_a_followed_job_is_201_and_processing(api, world):
    answer = follow(api, THEIRS, metadata={"listing": "42"})

    job = answer.json
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert (job["status"], job["providerJobId"], job["input"]) == ("processing", THEIRS, None)
    assert (job["submittedAt"], job["providerStatus"]) == (None, None)
    assert job["metadata"] == {"listing": "42"}
    assert job["history"] == [
        {
            "at": "2026-01-02T12:00:00Z",
            "status": "processing",
            "by": "caller",
            "note": "followed: submitted elsewhere",
        }
    ]
    assert world.topics.ticks == ["gepetto"]


@pytest.mark.parametrize("sample", [one for one in SAMPLES if one.provider == "gepetto"], ids=str)
def test_every_operation_can_be_followed(api, sample):
    answer = follow(api, THEIRS, operation=sample.operation)

    assert (answer.status_code, answer.json["operation"]) == (201, sample.operation)
    assert "path" not in answer.json


def test_a_followed_job_is_asked_about_at_once_and_succeeds(api, world):
    created = follow(api, THEIRS)
    answer_only_for(world, THEIRS)

    world.pump(window_s=0).run()

    job = shown(api, created)
    assert (job["status"], job["finishedBy"]) == ("succeeded", "poll")
    assert job["outputs"] == [{"url": OUTPUT}]
    assert [call.at for call in world.provider.calls] == [later(0)]
    assert [event.id for event in world.topics.events] == [f"{job['id']}.succeeded"]
    assert world.provider.called("submit") == []


def test_a_followed_job_that_is_not_done_is_asked_about_again(api, world):
    created = follow(api, THEIRS)
    world.provider.on_poll(*[ANSWERS["still open"]] * 3, DONE)

    pump_on(world, 300)

    assert shown(api, created)["status"] == "succeeded"
    assert len(world.provider.called("poll")) == 4
    assert world.provider.called("submit") == []


def test_an_id_that_the_provider_does_not_know_fails_after_three_answers_over_a_minute(api, world):
    created = follow(api, WRONG)
    answer_only_for(world, THEIRS)

    pump_on(world, 180)

    job = shown(api, created)
    polls = [call.at for call in world.provider.calls if call.kind == "poll"]
    assert (job["status"], job["error"]["code"]) == ("failed", "provider_job_not_found")
    assert len(polls) >= 3
    assert (polls[-1] - polls[0]).total_seconds() >= 60
    assert len(polls) == 3 or (polls[-2] - polls[0]).total_seconds() < 60
    assert job["finishedBy"] == "poll"
    assert world.provider.called("submit") == []


def test_a_followed_job_ends_at_its_deadline(api, world):
    created = follow(api, THEIRS, deadlineSeconds=60)

    pump_on(world, 120)

    assert shown(api, created)["error"]["code"] == "deadline_exceeded"
    assert world.provider.called("submit") == []


def test_the_same_key_with_the_same_id_is_200_and_with_another_409(api, world):
    first = follow(api, THEIRS, BEARER | KEY)
    world.clock.advance(5)

    again, another = follow(api, THEIRS, BEARER | KEY), follow(api, WRONG, BEARER | KEY)

    assert (again.status_code, again.json) == (200, first.json)
    assert another.status_code == 409


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"input": {}}, "/providerJobId"),
        ({"input": {"url": "https://example.com/room.jpg"}}, "/providerJobId"),
        ({"input": None}, "/input"),
        ({"path": "/upscale"}, "/path"),
        ({"path": "/upscale", "operation": "raw"}, "/path"),
        ({"provider": "spacely"}, "/provider"),
        ({"provider": "dalle"}, "/provider"),
        ({"operation": "paint"}, "/operation"),
        ({"deadlineSeconds": 59}, "/deadlineSeconds"),
        ({"provider_job_id": THEIRS}, "/provider_job_id"),
        ({"retryOf": job_id(1)}, "/retryOf"),
    ],
    ids=lambda one: str(one)[:40],
)
def test_what_does_not_go_with_an_id_is_422_and_writes_nothing(api, world, more, pointer):
    answer = follow(api, THEIRS, **more)

    assert (answer.status_code, answer.json["pointer"]) == (422, pointer)
    assert world.jobs.calls == []


@pytest.mark.parametrize(
    "wrong",
    [
        *("", "x" * 201, None, 17, True, [THEIRS], {"id": THEIRS}, "651\x00"),
        *(".", "..", "abc/", "abc/../x", "../jobs", "abc\n", "a b", "a%2Fb", "a?b", "a#b", "ü"),
    ],
    ids=lambda one: repr(one)[:20],
)
def test_what_is_no_id_is_422_and_points_at_it(api, world, wrong):
    answer = follow(api, wrong)

    assert (answer.status_code, answer.json["code"]) == (422, "invalid_request")
    assert answer.json["pointer"] == "/providerJobId"
    assert "providerJobId" in answer.json["detail"]
    assert world.jobs.calls == []


@pytest.mark.parametrize("given", ["x", "x" * 200, "A-z0.9_~", "...", "-"], ids=lambda one: one[:9])
def test_an_id_comes_back_as_it_was(api, given):
    answer = follow(api, given)

    assert (answer.status_code, answer.json["providerJobId"]) == (201, given)


def test_without_a_key_nothing_is_followed(api, world):
    assert follow(api, THEIRS, {}).status_code == 401
    assert world.jobs.calls == []


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
@pytest.mark.parametrize(
    "render",
    [
        processing_job(id=job_id(1), call_at=later(10**6), deadline_at=later(10**6)),
        finished_job(Status.SUCCEEDED, id=job_id(1), announcements=()),
    ],
    ids=["open", "done"],
)
def test_the_id_of_another_tenants_render_ends_as_a_wrong_id_does(api, world, render, answer):
    world.jobs.put(render)
    world.clock.advance(1)
    answer_only_for(world, THEIRS, answer=answer)
    theirs = follow(api, THEIRS, OTHER)
    wrong = follow(api, WRONG, OTHER)
    seen = []

    for _ in range(6):
        pump_on(world, 30)
        seen.append((end_of(shown(api, theirs, OTHER)), end_of(shown(api, wrong, OTHER))))

    assert [mine for mine, _ in seen] == [nobodys for _, nobodys in seen]
    assert seen[-1][0]["error"]["code"] == "provider_job_not_found"
    assert world.jobs.job(job_id(1)) == render


def test_the_answer_to_following_another_tenants_render_is_that_to_a_wrong_id(api, world):
    world.jobs.put(processing_job(id=job_id(1)))

    theirs = follow(api, THEIRS, OTHER)
    wrong = follow(api, WRONG, OTHER)

    masked = {"id": "", "providerJobId": ""}
    assert (theirs.status_code, wrong.status_code) == (201, 201)
    assert theirs.json | masked == wrong.json | masked


def test_the_deadline_of_another_tenants_render_looks_like_that_of_a_wrong_id(api, world):
    world.jobs.put(processing_job(id=job_id(1), call_at=later(10**6), deadline_at=later(10**6)))
    answer_only_for(world, THEIRS)
    theirs = follow(api, THEIRS, OTHER, deadlineSeconds=60)
    wrong = follow(api, WRONG, OTHER, deadlineSeconds=60)
    world.clock.advance(61)

    pump_on(world, 30)

    assert end_of(shown(api, theirs, OTHER)) == end_of(shown(api, wrong, OTHER))
    assert shown(api, theirs, OTHER)["error"]["code"] == "deadline_exceeded"


def test_a_render_of_ones_own_can_be_followed(api, world):
    world.jobs.put(processing_job(id=job_id(1), call_at=later(10**6), deadline_at=later(10**6)))
    answer_only_for(world, THEIRS)

    created = follow(api, THEIRS)
    world.pump(window_s=0).run()

    assert shown(api, created)["status"] == "succeeded"


def test_who_follows_a_render_from_elsewhere_first_is_told_and_another_tenant_is_not(api, world):
    answer_only_for(world, THEIRS)
    first = follow(api, THEIRS)
    world.clock.advance(1)
    second = follow(api, THEIRS, OTHER)
    third = follow(api, THEIRS)

    pump_on(world, 180)

    assert shown(api, first)["status"] == "succeeded"
    assert shown(api, third)["status"] == "succeeded"
    failed = shown(api, second, OTHER)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "provider_job_not_found")
    assert (failed["outputs"], failed["providerStatus"]) == ([], None)


def test_the_same_id_at_another_provider_is_another_render(api, world):
    world.jobs.put(finished_job(Status.SUCCEEDED, id=job_id(1), provider="spacely"))
    answer_only_for(world, THEIRS)

    created = follow(api, THEIRS, OTHER)
    world.pump(window_s=0).run()

    assert shown(api, created, OTHER)["status"] == "succeeded"


def test_a_job_that_is_to_be_sent_is_not_held_up_by_who_follows_its_id(api, world):
    follow(api, "p-1", OTHER)
    world.clock.advance(1)
    mine = create(api, {"provider": "gepetto", "operation": "redesign", "input": a_job().input})
    answer_only_for(world, "p-1")

    pump_on(world, 180)

    job = shown(api, mine)
    assert (job["providerJobId"], job["status"]) == ("p-1", "succeeded")
