"""The board through the page alone: what it shows, how it keeps up, and what it asks for."""

import re
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from relay.domain.job import Status
from tests.console.conftest import KEY
from tests.factories import (
    a_hold,
    a_job,
    finished_job,
    job_id,
    job_in,
    later,
    processing_job,
)


def cards(page):
    return page.locator("li.card[data-job]")


def card(page, number):
    return page.locator(f"li.card[data-job={job_id(number)}]")


def query(page):
    return parse_qs(urlsplit(page.url).query)


def lists(site):
    return [call for call in site.calls if call.startswith("GET /v1/jobs?")]


def numbered(number, **changes):
    return a_job(id=job_id(number), created_at=later(number - 1000), **changes)


def ended(number, status=Status.SUCCEEDED, **changes):
    return finished_job(status, id=job_id(number), created_at=later(number - 1000), **changes)


def test_the_key_of_the_fragment_is_taken_out_of_the_address_and_stays_in_the_tab(console, site):
    site.put(ended(1))

    page = console.open()

    expect(cards(page)).to_have_count(1)
    assert KEY not in page.url
    page.reload()
    expect(cards(page)).to_have_count(1)
    assert page.evaluate("Object.keys(localStorage).length") == 0


def test_without_a_key_the_page_asks_for_one_and_calls_nothing(console, site):
    console.page.goto(site.url)

    expect(console.page.get_by_label("API key")).to_be_visible()
    assert site.calls == []


def test_a_typed_key_opens_the_board(console, site):
    site.put(ended(1))
    console.page.goto(site.url)

    console.page.get_by_label("API key").fill(KEY)
    console.page.keyboard.press("Enter")

    expect(cards(console.page)).to_have_count(1)


@pytest.mark.parametrize("key", ["wrong", "ключ"], ids=["unknown", "no header could carry it"])
def test_a_wrong_key_is_said_to_be_one_and_forgotten(console, site, key):
    console.page.goto(site.url)

    console.page.get_by_label("API key").fill(key)
    console.page.keyboard.press("Enter")

    expect(console.page.get_by_role("alert")).to_have_text("The relay refused this key.")
    assert console.page.evaluate("sessionStorage.length") == 0


def test_signing_out_forgets_the_key(console, site):
    site.put(ended(1))
    page = console.open()
    expect(cards(page)).to_have_count(1)

    page.get_by_role("button", name="Sign out").click()

    expect(page.get_by_label("API key")).to_be_visible()
    page.reload()
    expect(page.get_by_label("API key")).to_be_visible()
    assert cards(page).count() == 0


def test_every_state_has_a_card_and_a_row_newest_first(console, site):
    for number, status in enumerate(Status):
        site.put(job_in(status, id=job_id(number), created_at=later(number - 100)))

    page = console.open()

    expect(cards(page)).to_have_count(len(Status))
    shown = cards(page).evaluate_all("all => all.map(one => one.dataset.job)")
    assert shown == [job_id(number) for number in reversed(range(len(Status)))]
    rows = page.get_by_role("navigation", name="Jobs, newest first").get_by_role("link")
    assert rows.count() == len(Status)
    expect(page.get_by_role("group", name="Statuses")).to_contain_text("1 Succeeded")


def test_before_and_after_stand_side_by_side(console, site):
    site.put(ended(1))

    page = console.open()

    pictures = card(page, 1).locator("img")
    expect(pictures).to_have_count(2)
    assert pictures.nth(0).get_attribute("src") == "https://example.com/room.jpg"
    assert pictures.nth(1).get_attribute("src") == "https://cdn.example.com/out.png"
    assert pictures.nth(1).get_attribute("referrerpolicy") == "no-referrer"


def test_a_new_job_appears_and_one_that_ends_shows_its_picture(console, site):
    site.put(numbered(1))
    page = console.open()
    expect(cards(page)).to_have_count(1)

    site.put(numbered(2), ended(1))
    console.pass_s(2)

    expect(cards(page)).to_have_count(2)
    expect(card(page, 1)).to_contain_text("Succeeded")
    expect(card(page, 1).locator("img")).to_have_count(2)
    expect(page.locator("#announcements")).to_have_text("1 job succeeded")


def test_a_job_that_came_and_ended_between_two_looks_appears(console, site):
    site.put(ended(1))
    page = console.open()
    expect(cards(page)).to_have_count(1)

    site.put(ended(2))
    console.pass_s(2)

    expect(card(page, 2)).to_contain_text("Succeeded")


def test_a_job_whose_create_was_slow_to_appear_is_not_missed(console, site):
    site.put(ended(995))
    page = console.open()
    expect(cards(page)).to_have_count(1)

    site.put(ended(994))
    console.pass_s(2)

    expect(cards(page)).to_have_count(2)


def test_updates_leave_focus_scroll_and_slider_alone(console, site):
    site.put(*[ended(number) for number in range(40)])
    page = console.open()
    expect(cards(page)).to_have_count(40)
    target = card(page, 12)
    target.scroll_into_view_if_needed()
    target.get_by_role("button", name="Compare").click()
    slider = target.get_by_role("slider")
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    top = target.bounding_box()["y"]

    site.put(*[numbered(number) for number in range(40, 43)])
    console.pass_s(2)

    expect(cards(page)).to_have_count(43)
    assert page.evaluate("document.activeElement.type") == "range"
    assert slider.input_value() == "40"
    assert target.locator(".compare").evaluate("one => one.style.getPropertyValue('--at')") == "40%"
    assert target.bounding_box()["y"] == pytest.approx(top, abs=5)


def test_one_card_at_a_time_has_the_slider(console, site):
    site.put(ended(1), ended(2))
    page = console.open()

    card(page, 1).get_by_role("button", name="Compare").click()
    card(page, 2).get_by_role("button", name="Compare").click()

    expect(page.get_by_role("slider")).to_have_count(1)
    expect(card(page, 2).get_by_role("slider")).to_have_count(1)


def test_a_paused_board_asks_nothing_and_goes_on_when_told(console, site):
    site.put(ended(1))
    page = console.open()
    expect(cards(page)).to_have_count(1)

    page.get_by_role("button", name="Pause").click()
    site.put(ended(2))
    before = len(site.calls)
    console.pass_s(60)
    console.settle()
    assert len(site.calls) == before
    expect(cards(page)).to_have_count(1)

    page.get_by_role("button", name="Resume").click()
    expect(cards(page)).to_have_count(2)


def test_a_hidden_tab_asks_nothing_and_catches_up_when_it_is_seen(console, site):
    site.put(ended(1))
    page = console.open()
    expect(cards(page)).to_have_count(1)
    console.settle()
    hide = """hidden => {
      Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
      document.dispatchEvent(new Event("visibilitychange"));
    }"""

    page.evaluate(hide, True)
    site.put(ended(2))
    before = len(site.calls)
    console.pass_s(600)
    console.settle()
    assert len(site.calls) == before

    page.evaluate(hide, False)
    console.pass_s(0.1)
    expect(cards(page)).to_have_count(2)


def test_a_visible_board_asks_at_most_every_two_seconds(console, site):
    site.put(*[ended(number) for number in range(10)])
    page = console.open()
    expect(cards(page)).to_have_count(10)
    console.settle()
    before = len(lists(site))

    for _ in range(10):
        console.pass_s(1)
        console.settle()

    assert 4 <= len(lists(site)) - before <= 5


@pytest.mark.parametrize(
    ("label", "choice", "parameter"),
    [
        ("Provider", "Spacely", {"provider": ["spacely"]}),
        ("Operation", "Furnish", {"operation": ["furnish"]}),
        ("Created", "Last hour", {"within": ["1h"]}),
    ],
    ids=["provider", "operation", "time"],
)
def test_a_filter_is_kept_in_the_address(console, site, label, choice, parameter):
    site.put(
        a_job(id=job_id(1), created_at=later(-7200), provider="gepetto"),
        a_job(id=job_id(2), created_at=later(-60), provider="spacely", operation="furnish"),
    )
    page = console.open()
    expect(cards(page)).to_have_count(2)
    expect(
        page.get_by_role("combobox", name="Operation").locator("option[value=furnish]")
    ).to_have_count(1)

    page.get_by_role("combobox", name=label).select_option(label=choice)

    expect(cards(page)).to_have_count(1)
    assert query(page) == parameter
    page.reload()
    expect(cards(page)).to_have_count(1)
    expect(card(page, 2)).to_have_count(1)
    page.get_by_role("button", name="Clear filters").click()
    expect(cards(page)).to_have_count(2)


def test_jobs_are_filtered_by_ones_own_metadata(console, site):
    site.put(ended(1, metadata={"listing": "7"}), ended(2, metadata={"listing": "küche & 8"}))
    page = console.open()
    expect(cards(page)).to_have_count(2)

    page.get_by_label("Metadata key").fill("listing")
    page.get_by_label("Metadata value").fill("küche & 8")
    page.keyboard.press("Enter")

    expect(cards(page)).to_have_count(1)
    assert query(page) == {"metadata.listing": ["küche & 8"]}


def test_statuses_are_switched_on_and_off(console, site):
    site.put(ended(1), ended(2, Status.FAILED), ended(3, Status.CANCELLED))
    page = console.open()
    chips = page.get_by_role("group", name="Statuses")

    chips.get_by_role("button", name="Failed").click()
    expect(cards(page)).to_have_count(1)
    chips.get_by_role("button", name="Cancelled").click()
    expect(cards(page)).to_have_count(2)

    assert query(page) == {"status": ["failed", "cancelled"]}


def test_under_a_filter_for_failures_a_failure_appears_when_it_happens(console, site):
    site.put(ended(1, Status.FAILED), numbered(2), ended(3))
    page = console.open("?status=failed")
    expect(cards(page)).to_have_count(1)

    site.put(ended(2, Status.FAILED))
    console.pass_s(2)

    expect(card(page, 2)).to_contain_text("Failed")
    expect(cards(page)).to_have_count(2)


def test_under_a_filter_for_open_jobs_one_that_ends_goes(console, site):
    site.put(numbered(1), numbered(2))
    page = console.open("?status=queued")
    expect(cards(page)).to_have_count(2)

    site.put(ended(1))
    console.pass_s(2)

    expect(cards(page)).to_have_count(1)


def test_a_nonsensical_address_is_a_board(console, site):
    site.put(ended(1))

    page = console.open("?createdAfter=yesterday&within=constructor&view=nonsense&as=x")

    expect(cards(page)).to_have_count(1)


def test_a_job_is_opened_by_our_id_from_anywhere(console, site):
    site.put(ended(1))
    page = console.open("?view=accounts")

    page.get_by_role("searchbox").fill(f"  {job_id(1)} ")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Redesign")).to_be_visible()
    assert query(page)["job"] == [job_id(1)]


def test_a_job_is_opened_by_the_providers_id(console, site):
    site.put(ended(1, provider_job_id="p-1"), ended(2, provider_job_id="p-2"))
    page = console.open()

    page.get_by_role("searchbox").fill("p-1")
    page.get_by_role("button", name="Open", exact=True).click()

    expect(page.get_by_text(job_id(1), exact=True)).to_be_visible()


def test_an_unknown_id_is_said_to_be_unknown(console, site):
    page = console.open()

    page.get_by_role("searchbox").fill("nothing")
    page.keyboard.press("Enter")

    expect(page.get_by_text("No job of yours has the id nothing")).to_be_visible()


def test_going_back_finds_the_board_as_it_was(console, site):
    site.put(*[ended(number) for number in range(40)])
    page = console.open()
    expect(cards(page)).to_have_count(40)
    link = card(page, 5).get_by_role("link").first
    link.scroll_into_view_if_needed()
    top = card(page, 5).bounding_box()["y"]
    assert page.evaluate("scrollY") > 0

    link.evaluate("one => one.click()")
    expect(page.get_by_role("link", name="Back to the board")).to_be_visible()
    page.go_back()
    console.pass_s(0.1)

    expect(cards(page)).to_have_count(40)
    assert card(page, 5).bounding_box()["y"] == pytest.approx(top, abs=2)


def test_an_api_that_is_away_is_said_to_be_and_comes_back_by_itself(console, site):
    site.put(ended(1))
    page = console.open()
    expect(cards(page)).to_have_count(1)
    page.route("**/v1/**", lambda route: route.abort())

    console.pass_s(2)
    expect(page.get_by_text("The relay does not answer since")).to_be_visible()
    expect(cards(page)).to_have_count(1)

    page.unroute("**/v1/**")
    site.put(ended(2))
    console.pass_s(60)

    expect(cards(page)).to_have_count(2)
    expect(page.get_by_text("The relay does not answer since")).to_have_count(0)


def test_an_api_without_its_store_is_asked_less_and_less(console, site):
    site.put(ended(1))
    page = console.open()
    expect(cards(page)).to_have_count(1)
    console.settle()
    page.route("**/v1/**", lambda route: site.calls.append("lost") or route.abort())

    for _ in range(60):
        console.pass_s(1)
        console.settle()

    assert 3 <= site.calls.count("lost") <= 6


def test_jobs_that_wait_for_an_account_on_hold_say_so(console, site):
    site.world.accounts.put(replace(site.world.accounts.account(), hold=a_hold()))
    site.put(numbered(1))

    page = console.open()

    expect(card(page, 1)).to_contain_text("Waits: the provider refuses the account")
    page.get_by_role("link", name="See the accounts").click()
    expect(page.get_by_text("On hold: the provider refuses the account's key")).to_be_visible()


def test_progress_is_shown_against_what_is_expected(console, site):
    site.put(processing_job(id=job_id(1), submitted_at=later(-10), created_at=later(-10)))

    page = console.open()

    bar = card(page, 1).get_by_role("progressbar")
    assert 0 < float(bar.evaluate("one => one.position")) < 1
    expect(card(page, 1)).to_contain_text(re.compile(r"about \d+ s left"))


def test_a_thousand_jobs_are_shown_page_by_page(console, site):
    site.put(*[ended(number) for number in range(1000)])
    page = console.open()
    expect(cards(page)).to_have_count(50)

    for count in range(100, 1001, 50):
        page.get_by_role("button", name="Load older jobs").click()
        expect(cards(page)).to_have_count(count)

    site.put(numbered(1001))
    console.pass_s(2)
    expect(cards(page)).to_have_count(1001)
    expect(page.get_by_role("button", name="Load older jobs")).to_have_count(0)


def test_more_open_jobs_than_a_page_are_followed_in_turns(console, site):
    site.put(*[numbered(number) for number in range(250)])
    page = console.open("?as=list")
    for _ in range(4):
        page.get_by_role("button", name="Load older jobs").click()
        console.settle()
    expect(page.locator("a.row")).to_have_count(250)
    console.settle()

    site.put(ended(3), ended(120), ended(240))
    for _ in range(4):
        console.pass_s(2)
        console.settle()

    expect(page.locator("a.row.is-succeeded")).to_have_count(3)


def test_more_new_jobs_than_can_be_read_at_once_begin_the_board_again(console, site):
    site.put(ended(1))
    page = console.open()
    expect(cards(page)).to_have_count(1)

    site.put(*[ended(number) for number in range(2, 700)])
    console.pass_s(2)

    expect(cards(page)).to_have_count(50)
    expect(card(page, 699)).to_have_count(1)


def test_a_read_only_board_offers_no_change(console, site):
    site.put(numbered(1), ended(2, Status.FAILED))

    page = console.open("?readonly=1")

    expect(cards(page)).to_have_count(2)
    expect(page.get_by_text("Read-only")).to_be_visible()
    assert page.get_by_role("button", name="Bulk").count() == 0
    assert page.get_by_role("link", name="New job").count() == 0
    card(page, 1).get_by_role("link").first.click()
    expect(page.get_by_role("button", name="Copy as curl")).to_be_visible()
    assert page.get_by_role("button", name=re.compile("^(Cancel|Retry)$")).count() == 0
    page.goto(f"{site.url}?view=new&readonly=1")
    expect(cards(page)).to_have_count(2)


def test_what_the_api_refuses_is_said_in_its_words(console, site):
    page = console.open("?provider=gepeto")

    expect(page.locator(".banner")).to_contain_text("The relay refuses what this page asks: ")
    expect(page.locator(".banner")).to_contain_text("did you mean `gepetto`?")


def test_a_job_that_was_removed_while_it_was_followed_goes(console, site):
    site.put(numbered(1), numbered(2))
    page = console.open()
    expect(cards(page)).to_have_count(2)

    # To its tenant, another's job is one that is not there.
    site.put(numbered(1, tenant="other"))
    console.pass_s(2)

    expect(cards(page)).to_have_count(1)


def served_as(console, site, host):
    """Let the site answer below the path of a function, at another host."""
    root = site.url.removesuffix("/console")

    def answer(route):
        path = urlsplit(route.request.url)
        assert path.path.startswith("/jobs_api/"), route.request.url
        query = f"?{path.query}" if path.query else ""
        route.fulfill(
            response=route.fetch(url=f"{root}{path.path.removeprefix('/jobs_api')}{query}")
        )

    console.context.route(f"https://{host}/**", answer)
    console.page.goto(f"https://{host}/jobs_api/console#key={KEY}")


def test_the_console_works_below_the_path_of_a_function(console, site):
    site.put(ended(1))

    served_as(console, site, "relay.example")

    expect(cards(console.page)).to_have_count(1)


def test_where_all_functions_share_an_origin_no_key_is_taken(console, site):
    served_as(console, site, "europe-west1-x.cloudfunctions.net")

    expect(console.page.get_by_role("heading")).to_have_text(
        "Open the console at its run.app address"
    )
    assert console.page.get_by_label("API key").count() == 0
    assert console.page.evaluate("sessionStorage.length") == 0
    assert KEY not in console.page.url
    assert site.calls == []
