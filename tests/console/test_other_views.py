"""Accounts, the form for a new job, and changes in bulk, through the page alone."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from relay.domain.admission import Stop
from relay.domain.job import Status
from tests.entrypoints.requests import learn
from tests.factories import (
    a_hold,
    a_job,
    finished_job,
    job_id,
    job_in,
    later,
    processing_job,
)


def account(page, name="Gepetto"):
    return page.get_by_role("region", name=name, exact=True)


def field(page, name):
    """Return the control of an input field: labels may be part of one another."""
    return page.locator(f"#f-{name}")


def test_an_account_shows_its_limit_and_ones_own_jobs(console, site):
    site.put(a_job(id=job_id(1)), processing_job(id=job_id(2)), a_job(id=job_id(3), tenant="other"))

    page = console.open("?view=accounts")

    expect(account(page)).to_contain_text("Takes jobs.")
    expect(account(page)).to_contain_text("120 calls in 60 s")
    expect(account(page).get_by_role("link", name="2")).to_be_visible()
    account(page).get_by_role("link", name="2").click()
    expect(page.locator("li.card[data-job]")).to_have_count(2)


def test_a_hold_is_told_with_the_moment_of_the_next_probe(console, site):
    hold = a_hold(probe_at=later(30))
    site.world.accounts.put(replace(site.world.accounts.account(), hold=hold))

    page = console.open("?view=accounts")

    expect(account(page)).to_contain_text(
        "On hold: the provider refuses the account's key (HTTP 401)."
    )
    expect(account(page)).to_contain_text("It is tried again at 12:00:30, in 30 s.")
    console.pass_s(20)
    expect(account(page)).to_contain_text("in 10 s")


def test_a_pause_is_told_to_whose_jobs_wait(console, site):
    stop = Stop(since=later(-60), probe_at=later(120), gap_s=60.0)
    site.world.accounts.put(replace(site.world.accounts.account(), pause=stop))
    site.put(a_job())

    page = console.open("?view=accounts")

    expect(account(page)).to_contain_text("Paused: the provider said slow down.")
    expect(account(page)).to_contain_text("12:02:00")


def test_operations_show_what_they_cost_and_take(console, site):
    learn(site.world, "redesign", *[100.0] * 60)

    page = console.open("?view=accounts")

    redesign = account(page).get_by_role("row").filter(has_text="Redesign").first
    expect(redesign).to_contain_text("learnt here")
    declutter = account(page).get_by_role("row").filter(has_text="Declutter")
    expect(declutter).to_contain_text("2, 1 with mask")


def test_accounts_are_asked_about_rarely(console, site):
    page = console.open("?view=accounts")
    expect(account(page)).to_be_visible()

    assert 5 <= console.calls_in_a_minute() <= 6


def test_a_job_is_made_from_the_form_and_opened(console, site):
    page = console.open("?view=new")
    page.get_by_label("Provider and operation").select_option("gepetto/redesign")
    field(page, "url").fill("https://example.com/room.jpg")
    field(page, "styleId").fill("modern")
    field(page, "roomId").fill("living_room")
    field(page, "creativity").fill("14")
    field(page, "preserveWalls").select_option("Yes")
    page.get_by_text("Options").click()
    page.get_by_label("Metadata").fill("listing = 42\nroom = a = b")
    page.get_by_label("Priority").select_option("low")

    page.get_by_role("button", name="Create the job").click()

    expect(page.get_by_text("The job is created.")).to_be_visible()
    expect(page.locator(".job-head .badge")).to_have_text("Queued")
    (made,) = map(site.world.jobs.job, site.world.jobs.ids)
    assert json.loads(json.dumps(dict(made.known_input))) == {
        "url": "https://example.com/room.jpg",
        "styleId": "modern",
        "roomId": "living_room",
        "creativity": 14,
        "preserveWalls": True,
    }
    assert dict(made.metadata) == {"listing": "42", "room": "a = b"}
    assert made.priority == "low"


def test_known_ids_are_suggested(console, site):
    page = console.open("?view=new")
    expect(field(page, "roomId")).to_be_visible()

    suggested = page.locator("#known-roomId option").evaluate_all("all => all.map(o => o.value)")

    assert "gaming_room" in suggested


def test_what_is_wrong_stands_at_its_field(console, site):
    page = console.open("?view=new")
    field(page, "url").fill("http://localhost/room.jpg")
    field(page, "creativity").fill("a lot")

    page.get_by_role("button", name="Create the job").click()

    expect(page.get_by_role("alert")).to_be_visible()
    for name in ("url", "styleId", "roomId", "creativity"):
        expect(field(page, name)).to_have_attribute("aria-invalid", "true")
        expect(page.locator(f"#wrong-{name}")).not_to_be_empty()
    assert list(site.world.jobs.ids) == []


def test_every_operation_has_a_form(console, site):
    page = console.open("?view=new")
    chooser = page.get_by_label("Provider and operation")
    expect(chooser).to_be_visible()
    for name in chooser.locator("option").evaluate_all("all => all.map(o => o.value)"):
        chooser.select_option(name)
        expect(page.locator(".preview pre")).to_contain_text(name.split("/")[1])
    chooser.select_option("gepetto/raw")
    page.get_by_label("Path").fill("/new-thing")
    page.get_by_label("Input as JSON").fill('{"a": 1')
    page.get_by_role("button", name="Create the job").click()
    expect(page.get_by_text("This must be a JSON object.")).to_be_visible()
    page.get_by_label("Input as JSON").fill('{"a": 1}')
    page.get_by_role("button", name="Create the job").click()
    expect(page.locator(".job-head .badge")).to_have_text("Queued")


def test_a_create_whose_answer_was_lost_makes_one_job(console, site):
    page = console.open("?view=new")
    page.get_by_label("Provider and operation").select_option("spacely/text-to-image")
    field(page, "prompt").fill("a calm room")
    page.route("**/v1/jobs", lambda route: (route.fetch(), route.abort()))
    page.get_by_role("button", name="Create the job").click()
    expect(page.get_by_role("alert")).to_contain_text("The relay did not answer")
    page.unroute("**/v1/jobs")

    page.get_by_role("button", name="Create the job").click()

    expect(page.locator(".job-head .badge")).to_have_text("Queued")
    assert len(site.world.jobs.ids) == 1


def test_the_request_is_shown_as_code_that_runs(console, site, tmp_path):
    page = console.open("?view=new")
    field(page, "url").fill('https://example.com/it\'s "so".jpg')
    field(page, "preserveWalls").select_option("No")
    shown = page.locator(".preview pre")
    expect(shown).to_contain_text("it'\\''s")
    shell = shown.inner_text()
    page.get_by_role("button", name="Python").click()
    expect(shown).to_contain_text("import requests")
    python = shown.inner_text()
    page.get_by_role("button", name="JavaScript").click()
    expect(shown).to_contain_text("await fetch")

    printed = subprocess.run(
        ["sh", "-c", f'uuidgen() {{ :; }}; curl() {{ printf %s "$9"; }}; {shell}'],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    sent = json.loads(printed)
    assert sent["input"] == {"url": 'https://example.com/it\'s "so".jpg', "preserveWalls": False}
    (tmp_path / "shown.py").write_text(python)
    subprocess.run([sys.executable, "-m", "py_compile", tmp_path / "shown.py"], check=True)
    assert '"preserveWalls": False' in python


@pytest.fixture
def many(site):
    site.put(
        *[a_job(id=job_id(number), created_at=later(number - 1000)) for number in range(120)],
        processing_job(id=job_id(200), created_at=later(-500)),
        *[
            finished_job(Status.FAILED, id=job_id(300 + number), created_at=later(number - 400))
            for number in range(3)
        ],
        finished_job(Status.FAILED, id=job_id(400), metadata={"batch": "x"}, credits=2),
        finished_job(Status.SUCCEEDED, id=job_id(401), metadata={"batch": "x"}),
    )
    return site


def test_all_open_jobs_are_cancelled_one_request_at_a_time(console, many):
    page = console.open()
    page.get_by_role("button", name="Bulk").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("this means all of your jobs")

    dialog.get_by_role("button", name="Cancel all that are open").click()
    expect(dialog).to_contain_text("121 open jobs match.")
    expect(dialog).to_contain_text("1 was sent already")
    dialog.get_by_role("button", name="Cancel 121 jobs").click()

    expect(dialog).to_contain_text("121 of 121 done Done.", timeout=60_000)
    statuses = [many.world.jobs.job(one).status for one in many.world.jobs.ids]
    assert statuses.count(Status.CANCELLED) == 121


def test_all_that_match_are_retried_and_the_cost_is_said_before(console, many):
    page = console.open("?metadata.batch=x")
    expect(page.locator("li.card[data-job]")).to_have_count(2)

    page.get_by_role("button", name="Bulk").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Retry all").click()
    expect(dialog).to_contain_text("1 job can be retried. In all 2 credits")
    dialog.get_by_role("button", name="Retry 1 job").click()

    expect(dialog).to_contain_text("1 of 1 done")
    dialog.get_by_role("button", name="Close").click()
    console.pass_s(2)
    expect(page.locator("li.card[data-job]")).to_have_count(3)


def test_a_job_that_cannot_be_changed_is_named_and_the_others_are(console, many):
    page = console.open("?status=processing&status=queued&createdAfter=2026-01-02T11:51:30Z")
    page.get_by_role("button", name="Bulk").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Cancel all").click()
    expect(dialog).to_contain_text("1 open job matches.")
    many.put(finished_job(Status.SUCCEEDED, id=job_id(200), created_at=later(-500)))

    dialog.get_by_role("button", name="Cancel 1 job").click()

    expect(dialog).to_contain_text("1 job was left out:")
    expect(dialog).to_contain_text(f"{job_id(200)}: That did not work: the job has ended already")


def test_a_bulk_change_stops_when_its_dialog_is_closed(console, many):
    page = console.open()
    page.get_by_role("button", name="Bulk").click()
    page.get_by_role("button", name="Cancel all that are open").click()
    expect(page.get_by_role("dialog")).to_contain_text("121 open jobs match.")
    done = []

    def slowly(route):
        done.append(route.request.url)
        if len(done) == 5:
            page.evaluate("document.getElementById('dialog').close()")
        route.continue_()

    page.route("**/cancel", slowly)
    page.get_by_role("button", name="Cancel 121 jobs").click()

    expect(page.get_by_role("dialog")).to_be_hidden()
    console.settle()
    assert 5 <= len(done) <= 7


def test_a_busy_relay_is_asked_again_when_it_said(console, many):
    page = console.open("?status=processing")
    page.get_by_role("button", name="Bulk").click()
    page.get_by_role("button", name="Cancel all").click()
    tries = []

    def busy(route):
        tries.append(route.request.url)
        if len(tries) > 1:
            route.continue_()
        else:
            route.fulfill(status=429, headers={"Retry-After": "7"}, json={"code": "busy"})

    page.route("**/cancel", busy)
    page.get_by_role("button", name="Cancel 1 job").click()
    console.settle()
    console.pass_s(6)
    assert len(tries) == 1
    console.pass_s(1)

    expect(page.get_by_role("dialog")).to_contain_text("1 of 1 done Done.")
    assert many.world.jobs.job(job_id(200)).status is Status.CANCELLED


def test_nothing_to_do_is_said(console, site):
    site.put(job_in(Status.SUCCEEDED))
    page = console.open()

    page.get_by_role("button", name="Bulk").click()
    page.get_by_role("button", name="Retry all").click()

    expect(page.get_by_role("dialog")).to_contain_text("0 jobs can be retried. There is nothing")
