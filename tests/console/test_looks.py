"""Hostile strings, accessibility and layout, in every view and both schemes, narrow and wide."""

from dataclasses import replace

import pytest
from playwright.sync_api import expect

from relay.domain.job import ErrorCode, JobError, ProviderReply, Status
from tests.clients.tools import INSTALLED
from tests.factories import JOB_ID, a_hold, a_job, finished_job, job_id, job_in, later

AXE = INSTALLED / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
VIEWS = {
    "board": "",
    "list": "?as=list",
    "own time span": "?createdAfter=2026-01-01T00:00:00Z",
    "job": f"?job={JOB_ID}",
    "failed job": f"?job={job_id(5)}",
    "accounts": "?view=accounts",
    "form": "?view=new",
    "read-only": "?readonly=1",
}
SCRIPT = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
LONG = "W" * 200
BIDI = "\u202e\u2066abc\u0000\u0007\u200b" + "e\u0301\u0323" * 40
SIZES = {"phone": (360, 740), "tablet": (820, 1100), "laptop": (1280, 800), "wall": (2560, 1440)}


def fill(site):
    for number, status in enumerate(Status):
        site.put(job_in(status, id=job_id(number + 10), created_at=later(number - 100)))
    outputs = tuple(f"https://cdn.example.com/out-{number}.png" for number in range(4))
    site.put(finished_job(Status.SUCCEEDED, outputs=outputs))
    said = ProviderReply(status=500, message="cannot read the picture")
    error = JobError(code=ErrorCode.RENDER_FAILED, message="it failed; retry", provider=said)
    site.put(finished_job(Status.FAILED, id=job_id(5), error=error))
    site.world.accounts.put(replace(site.world.accounts.account(), hold=a_hold()))


def shown(console, view):
    page = console.open(VIEWS[view])
    expect(page.locator("main h1")).to_have_count(1)
    console.settle()
    # Pictures are loaded lazily.
    console.pass_s(1)
    console.settle()
    return page


def findings(page):
    # axe waits for timers.
    page.clock.resume()
    page.evaluate(AXE.read_text())
    result = page.evaluate(
        "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", RULES
    )
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in result["violations"]
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing(node_tools, open_console, site, view, scheme):
    fill(site)
    console = open_console(color_scheme=scheme, reduced_motion="reduce", bypass_csp=True)

    assert findings(shown(console, view)) == []


def test_axe_finds_nothing_in_the_sign_in_and_the_dialogs(node_tools, open_console, site):
    fill(site)
    console = open_console(bypass_csp=True, reduced_motion="reduce")
    console.page.goto(site.url)
    expect(console.page.get_by_label("API key")).to_be_visible()
    assert findings(console.page) == []
    console.page.get_by_role("button", name="Open the board").click()
    expect(console.page.get_by_role("alert")).to_be_visible()
    assert findings(console.page) == []

    page = shown(console, "board")
    page.get_by_role("button", name="Compare").first.click()
    assert findings(page) == []
    page.get_by_role("button", name="Bulk").click()
    page.get_by_role("button", name="Retry all").click()
    expect(page.get_by_role("dialog")).to_contain_text("can be retried")
    assert findings(page) == []


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("view", VIEWS)
def test_nothing_sticks_out(open_console, site, view, size):
    fill(site)
    width, height = SIZES[size]
    console = open_console(viewport={"width": width, "height": height})

    page = shown(console, view)

    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("size", ["phone", "laptop"])
@pytest.mark.parametrize("hostile", [SCRIPT, LONG, BIDI], ids=["script", "long", "bidi"])
def test_hostile_strings_are_only_strings(open_console, site, hostile, size):
    width, height = SIZES[size]
    console = open_console(viewport={"width": width, "height": height})
    said = ProviderReply(status=422, message=hostile[:300])
    site.put(
        a_job(
            id=job_id(1),
            input={"prompt": hostile, "url": "javascript:alert(1)", "x": [hostile]},
            metadata={hostile[:40]: hostile, "a": hostile},
        ),
        finished_job(
            Status.FAILED,
            id=job_id(2),
            error=JobError(code=ErrorCode.RENDER_FAILED, message=hostile, provider=said),
            provider_status=hostile,
        ),
        finished_job(
            Status.SUCCEEDED, id=job_id(3), outputs=("javascript:document.title='owned'",)
        ),
    )

    for query in ("", "?as=list", *(f"?job={job_id(number)}" for number in (1, 2, 3))):
        page = console.open(query)
        expect(page.locator("main h1")).to_have_count(1)
        console.settle()
        assert "owned" not in page.title()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("a[href^='javascript']").count() == 0
        assert page.locator("main script, main img[src='x']").count() == 0


def test_everything_is_reached_by_the_keyboard(console, site):
    fill(site)
    page = shown(console, "board")
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.textContent.trim()"))

    assert {"Skip to content", "Accounts", "New job", "Sign out", "Pause", "List"} <= reached
    page.get_by_role("button", name="Compare").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("slider").focus()
    page.keyboard.press("Home")
    assert page.get_by_role("slider").input_value() == "0"


def test_nothing_moves_for_those_who_ask_for_none(open_console, site):
    fill(site)
    console = open_console(reduced_motion="reduce")

    page = shown(console, "board")

    assert page.evaluate("document.getAnimations().length") == 0


def test_times_are_in_the_readers_zone(open_console, site):
    site.put(finished_job(Status.SUCCEEDED))
    console = open_console(timezone_id="Asia/Tokyo")

    page = shown(console, "job")

    expect(page.locator(".timeline time").first).to_have_text("21:00:00")
