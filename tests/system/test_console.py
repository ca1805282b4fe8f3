"""The console on the running stack: the demo's twelve jobs fill the board."""

import pytest
from playwright.sync_api import Browser, expect

from infra.demo.jobs import JOBS
from tests.console.conftest import browser as browser  # the fixture
from tests.system.conftest import PATIENCE_S, Relay, call

DONE_WITHIN_MS = PATIENCE_S * 1000
SHOWN_WITHIN_MS = 60_000


@pytest.fixture
def twelve_jobs(relay: Relay) -> str:
    """The metadata value that this run's jobs have."""
    run = "console-test"
    for job in JOBS:
        body = {**job.body(relay.sandbox_url), "metadata": {"run": run}}
        headers = {**relay.headers, "Idempotency-Key": f"{run}-{job.number}"}
        answer = call("POST", f"{relay.api_url}/v1/jobs", json=body, headers=headers)
        assert answer.status_code in (200, 201), answer.text
    return run


def test_the_board_fills_while_the_demos_jobs_run(
    relay: Relay, browser: Browser, twelve_jobs: str
) -> None:
    page = browser.new_page()
    page.set_default_timeout(SHOWN_WITHIN_MS)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        # A 503 of a busy emulator is one; the console asks again.
        lambda said: (
            complaints.append(said.text)
            if said.type in ("error", "warning") and "Failed to load" not in said.text
            else None
        ),
    )
    key = relay.stack.description.api_key

    page.goto(f"{relay.api_url}/console?metadata.run={twelve_jobs}#key={key}")

    expect(page.locator("li.card[data-job]")).to_have_count(12, timeout=SHOWN_WITHIN_MS)
    expect(page.locator("li.card.is-succeeded")).to_have_count(11, timeout=DONE_WITHIN_MS)
    expect(page.locator("li.card.is-failed")).to_have_count(1, timeout=DONE_WITHIN_MS)
    for card in page.locator("li.card.is-succeeded").all():
        card.scroll_into_view_if_needed()
        for picture in card.locator("img").all():
            expect(picture).to_have_js_property("complete", True, timeout=SHOWN_WITHIN_MS)
            assert picture.evaluate("one => one.naturalWidth") > 0
    page.locator("li.card.is-failed a").first.click()
    heading = page.get_by_role("heading", name="What went wrong")
    expect(heading).to_be_visible(timeout=SHOWN_WITHIN_MS)
    assert complaints == []
    page.close()
