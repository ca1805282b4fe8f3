"""A job's page: its story, its pictures, and what can be done, through the page alone."""

import json
import re
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from relay.domain.job import Actor, Entry, ErrorCode, JobError, ProviderReply, Status
from tests.console.conftest import KEY
from tests.factories import (
    JOB_ID,
    a_job,
    finished_job,
    followed_job,
    job_in,
    later,
    processing_job,
    unconfirmed_job,
)

HISTORY = (
    Entry(at=later(-90), status=Status.QUEUED, by=Actor.CALLER, note="created"),
    Entry(at=later(-60), status=Status.SUBMITTING, by=Actor.SUBMIT, note="claimed by a pump"),
    Entry(at=later(-59), status=Status.PROCESSING, by=Actor.SUBMIT, note="accepted"),
)


def open_job(console, query=""):
    page = console.open(f"?job={JOB_ID}{query}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    return page


def panel(page, title):
    return page.locator(".panel").filter(has=page.get_by_role("heading", name=title, exact=True))


def failed(message, *, code=ErrorCode.RENDER_FAILED, said=None, **changes):
    error = JobError(code=code, message=message, provider=said)
    return finished_job(Status.FAILED, error=error, **changes)


def shown_as(console, **fields):
    """Let the API show more of the job than it does today."""

    def more(route):
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | fields)

    console.page.route(f"**/v1/jobs/{JOB_ID}", more)


def test_the_timeline_says_how_long_each_step_lasted(console, site):
    ended = Entry(at=later(-29), status=Status.SUCCEEDED, by=Actor.WEBHOOK, note="1 output(s)")
    site.put(
        finished_job(
            Status.SUCCEEDED,
            created_at=later(-90),
            finished_at=later(-29),
            history=(*HISTORY, ended),
        )
    )

    timeline = panel(open_job(console), "Timeline")

    assert timeline.locator(".lasted").all_inner_texts() == ["30 s", "1.0 s", "30 s"]
    expect(timeline).to_contain_text("61 s in all")
    expect(timeline).to_contain_text(f"Announced as {JOB_ID}.succeeded")
    console.pass_s(60)
    expect(timeline).to_contain_text("61 s in all")


def test_the_clock_of_a_running_job_runs_and_stops_at_the_end(console, site):
    site.put(processing_job(created_at=later(-90), submitted_at=later(-60), history=HISTORY))
    page = open_job(console)
    timeline = panel(page, "Timeline")
    expect(timeline).to_contain_text("90 s in all")
    expect(timeline).to_contain_text("must be done in")

    console.pass_s(5)
    expect(timeline).to_contain_text("95 s in all")

    ended = Entry(at=later(6), status=Status.SUCCEEDED, by=Actor.POLL, note="1 output(s)")
    site.put(
        finished_job(
            Status.SUCCEEDED,
            created_at=later(-90),
            finished_at=later(6),
            history=(*HISTORY, ended),
        )
    )
    console.pass_s(2)
    expect(timeline).to_contain_text("96 s in all")
    console.pass_s(30)
    expect(timeline).to_contain_text("96 s in all")
    expect(page.locator(".compare img")).to_have_count(2)


def test_a_finished_job_is_hardly_asked_about(console, site):
    site.put(finished_job(Status.SUCCEEDED))
    open_job(console)

    assert 4 <= console.calls_in_a_minute() <= 6


def test_a_failure_shows_the_providers_words_and_what_to_do(console, site):
    said = ProviderReply(status=422, message="styleId; unknown")
    site.put(
        failed(
            "the provider refused the job (HTTP 422: styleId; unknown); correct the input and"
            " create a new job; styleId: did you mean `modern`?",
            code=ErrorCode.PROVIDER_REJECTED,
            said=said,
        )
    )

    failure = panel(open_job(console), "What went wrong")

    remedy = "Correct the input and create a new job; styleId: did you mean `modern`?"
    assert failure.locator("p").all_inner_texts() == [
        "The provider refused the job (HTTP 422: styleId; unknown). provider_rejected",
        f"{remedy} The same input will probably fail again: correct the cause first.",
    ]
    expect(failure.locator("blockquote")).to_have_text("HTTP 422 styleId; unknown")


def test_input_and_metadata_are_shown(console, site):
    site.put(a_job(metadata={"listing": "42", "room": "küche"}))

    page = open_job(console)

    expect(panel(page, "Input")).to_contain_text("living_room")
    expect(panel(page, "Metadata")).to_contain_text("küche")


def test_what_a_queued_job_waits_for_is_said(console, site):
    site.put(a_job(call_at=later(60)))

    expect(panel(open_job(console), "Timeline")).to_contain_text("Waits before it is sent again")


def test_all_pictures_can_be_looked_at(console, site):
    outputs = tuple(f"https://cdn.example.com/out-{number}.png" for number in range(4))
    site.put(finished_job(Status.SUCCEEDED, outputs=outputs))
    page = open_job(console)

    page.get_by_role("button", name="Picture 3 of 4").click()

    large = page.locator(".compare-after img")
    expect(large).to_have_attribute("src", outputs[2])
    expect(page.get_by_role("link", name="Open the original")).to_have_attribute("href", outputs[2])


def test_a_late_result_is_shown_as_one(console, site):
    site.put(finished_job(Status.CANCELLED, late_outputs=("https://cdn.example.com/late.png",)))

    page = open_job(console)

    expect(page.get_by_text("This result came after the job had ended")).to_be_visible()
    expect(panel(page, "Timeline")).to_contain_text(f"{JOB_ID}.late_result")


def test_a_followed_job_has_no_input_and_no_retry(console, site):
    site.put(replace(followed_job(), status=Status.CANCELLED, finished_at=later(0), call_at=None))

    page = open_job(console)

    expect(panel(page, "Input")).to_contain_text("Submitted elsewhere")
    assert page.get_by_role("button", name="Retry").count() == 0


@pytest.mark.parametrize(
    ("job", "cost"),
    [
        (a_job(), "It has not been sent yet, so it costs nothing."),
        (processing_job(), "charges what it charges"),
    ],
    ids=["queued", "sent"],
)
def test_cancelling_says_what_it_costs_and_cancels(console, site, job, cost):
    site.put(job)
    page = open_job(console)

    page.get_by_role("button", name="Cancel", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(cost)
    expect(dialog.get_by_role("button", name="Keep it running")).to_be_focused()
    dialog.get_by_role("button", name="Cancel the job").click()

    expect(page.locator(".job-head .badge")).to_have_text("Cancelled")
    expect(dialog).to_be_hidden()
    assert site.world.jobs.job(JOB_ID).status is Status.CANCELLED


def test_a_question_that_is_left_does_nothing(console, site):
    site.put(a_job())
    page = open_job(console)

    page.get_by_role("button", name="Cancel", exact=True).click()
    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_be_hidden()
    assert site.world.jobs.job(JOB_ID).status is Status.QUEUED


def test_a_cancel_that_comes_too_late_says_so(console, site):
    site.put(a_job())
    page = open_job(console)
    page.get_by_role("button", name="Cancel", exact=True).click()
    site.put(finished_job(Status.SUCCEEDED))

    page.get_by_role("button", name="Cancel the job").click()

    expect(page.get_by_role("alert")).to_contain_text("the job has ended already")


@pytest.mark.parametrize(
    ("job", "cost"),
    [
        (
            finished_job(Status.FAILED, credits=3),
            "It costs 3 credits by the provider's price list.",
        ),
        (finished_job(Status.FAILED), "not in the provider's price list"),
        (unconfirmed_job(), "may be charged twice"),
    ],
    ids=["known price", "unknown price", "unconfirmed"],
)
def test_a_retry_says_what_it_costs_and_opens_the_new_job(console, site, job, cost):
    site.put(job)
    page = open_job(console)

    page.get_by_role("button", name="Retry", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text(cost)
    page.get_by_role("button", name="Create the retry").click()

    expect(page.get_by_role("link", name=JOB_ID)).to_be_visible()
    (new,) = [one for one in site.world.jobs.ids if one != JOB_ID]
    assert site.world.jobs.job(new).retry_of == JOB_ID


def test_a_retry_whose_answer_was_lost_makes_one_job(console, site):
    site.put(finished_job(Status.FAILED))
    page = open_job(console)
    page.route("**/retry", lambda route: (route.fetch(), route.abort()))
    page.get_by_role("button", name="Retry", exact=True).click()
    page.get_by_role("button", name="Create the retry").click()
    expect(page.get_by_role("alert")).to_contain_text("The relay did not answer")
    page.unroute("**/retry")

    page.get_by_role("button", name="Create the retry").click()

    expect(page.get_by_role("link", name=JOB_ID)).to_be_visible()
    assert len(site.world.jobs.ids) == 2


def test_callbacks_are_shown_and_sent_again(console, site):
    site.put(finished_job(Status.SUCCEEDED))
    shown_as(
        console,
        callback={
            "url": "https://example.org/hook",
            "status": "failed",
            "attempts": 10,
            "lastStatus": 503,
            "nextAt": None,
        },
    )
    asked = []

    def redeliver(route):
        asked.append(route.request.method)
        route.fulfill(status=202)

    console.page.route("**/redeliver", redeliver)
    page = open_job(console)
    expect(panel(page, "Callback")).to_contain_text("Given up")
    expect(panel(page, "Callback")).to_contain_text("503")

    page.get_by_role("button", name="Send callbacks again").click()
    expect(page.get_by_role("dialog")).to_contain_text("It costs no credits")
    page.get_by_role("button", name="Send them again").click()

    expect(page.get_by_text("The callbacks are on their way.")).to_be_visible()
    assert asked == ["POST"]


def test_a_kept_copy_stands_in_for_a_url_that_is_dead(console, site):
    site.put(finished_job(Status.SUCCEEDED, outputs=("https://cdn.example.com/gone.png",)))
    kept = {
        "index": 0,
        "uri": f"gs://bucket/jobs/{JOB_ID}/0.png",
        "contentType": "image/png",
        "bytes": 84_123,
        "sha256": "0" * 64,
    }
    shown_as(console, keptOutputs=[kept])
    keys = []

    def copy(route):
        keys.append(route.request.headers.get("x-api-key"))
        svg = '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="3"/>'
        route.fulfill(body=svg, content_type="image/svg+xml")

    console.page.route(f"**/v1/jobs/{JOB_ID}/outputs/0", copy)
    page = open_job(console)

    expect(page.locator(".compare-after img")).to_have_attribute("src", re.compile("^blob:"))
    expect(panel(page, "Kept copies")).to_contain_text("image/png, 85 kB")
    assert keys == [KEY]


def test_a_picture_that_is_gone_leaves_its_place(console, site):
    site.put(finished_job(Status.SUCCEEDED, outputs=("https://cdn.example.com/gone.png",)))

    expect(open_job(console).get_by_role("img", name="Picture not available")).to_be_visible()


def test_the_job_can_be_copied_as_curl_without_the_key(console, site):
    console.context.grant_permissions(["clipboard-read", "clipboard-write"])
    site.put(a_job(input={"url": "https://example.com/a.jpg", "prompt": "it's $HOME"}))
    page = open_job(console)

    page.get_by_role("button", name="Copy as curl").click()

    expect(page.get_by_text("Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert '-H "X-API-KEY: $RELAY_KEY"' in copied
    assert KEY not in copied
    body = copied.split("-d '", 1)[1].removesuffix("'").replace("'\\''", "'")
    assert json.loads(body)["input"]["prompt"] == "it's $HOME"


def test_a_job_that_is_not_there_is_said_not_to_be(console, site):
    page = console.open(f"?job={JOB_ID}")

    expect(page.get_by_text("There is no such job, or it is not yours.")).to_be_visible()


@pytest.mark.parametrize("status", list(Status))
def test_every_state_has_a_page(console, site, status):
    site.put(job_in(status))

    expect(open_job(console).locator(".job-head .badge")).to_be_visible()
