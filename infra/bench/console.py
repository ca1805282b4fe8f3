"""What the console weighs, how soon it shows a job, and how much it asks; and its pictures."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import Browser, Page

from infra.bench import report
from infra.bench.browser import running_browser
from infra.bench.report import Check, Percentiles
from infra.demo.jobs import JOBS
from infra.local.errors import StackFailed
from infra.local.plan import StackDescription
from infra.local.settings import machine_environment
from infra.local.stack import running_stack

TABS = 21
WATCHED_S = 30.0
MAX_BYTES = 60_000
FIRST_CARD_WITHIN_S = 0.3
MAX_READS_A_MINUTE = 30
HEADING = "## 9. The console"
DONE_WITHIN_S = 90.0
# The clock of the tab starts with the navigation.
_WATCH = """
new MutationObserver((_, observer) => {
  if (!document.querySelector("li.card[data-job]")) return;
  window.firstCardMs = performance.now();
  observer.disconnect();
}).observe(document, {childList: true, subtree: true});
"""
_LOADED = """() => [...document.images].every((one) => {
  const {top} = one.getBoundingClientRect();
  return one.complete || one.offsetParent === null || top > innerHeight;
})"""
SIZES = {"laptop": (1440, 900), "phone": (360, 780)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleFigures:
    """What was measured.

    Attributes:
        page_bytes: The page and its assets over the wire, without pictures and API answers.
        requests: How many they are.
        first_card_s: From the navigation to the first card, for each tab.
        calls_per_minute: What an open board of finished jobs asks of the API.
    """

    page_bytes: int
    requests: int
    first_card_s: tuple[float, ...]
    calls_per_minute: float

    @property
    def percentiles(self) -> Percentiles:
        """Of the times to the first card."""
        return Percentiles.of(self.first_card_s)


def measure(*, say: Callable[[str], None]) -> ConsoleFigures:
    """Measure on a stack of its own; takes about a minute.

    Raises:
        NoBrowser: There is no Chromium.
    """
    with _finished_demo() as at, running_browser() as browser:
        say("console: the jobs are done")
        page_bytes, requests_made = _weight(browser, at)
        times = tuple(_first_card_s(browser, at) for _ in range(TABS))
        say("console: first cards")
        return ConsoleFigures(
            page_bytes=page_bytes,
            requests=requests_made,
            first_card_s=times,
            calls_per_minute=_calls_per_minute(browser, at),
        )


def checks(figures: ConsoleFigures) -> Iterator[Check]:
    """Yield each target, and whether it is met."""
    median_s = figures.percentiles.p50 / 1000
    yield Check(
        figure="console, over the wire",
        target=f"at most {MAX_BYTES // 1000} KB",
        measured=f"{figures.page_bytes / 1000:.1f} KB",
        holds=figures.page_bytes <= MAX_BYTES,
    )
    yield Check(
        figure="console, first card, median",
        target=f"less than {FIRST_CARD_WITHIN_S * 1000:.0f} ms",
        measured=f"{median_s * 1000:.0f} ms",
        holds=median_s < FIRST_CARD_WITHIN_S,
    )
    yield Check(
        figure="console, reads a minute of an open board",
        target=f"at most {MAX_READS_A_MINUTE}",
        measured=f"{figures.calls_per_minute:.0f}",
        holds=figures.calls_per_minute <= MAX_READS_A_MINUTE,
    )


def section(figures: ConsoleFigures, all_checks: Sequence[Check]) -> str:
    """Return the section of benchmarks.md."""
    return report.render("console.md.j2", {"figures": figures, "checks": all_checks})


def with_section(page: str, text: str) -> str:
    """Return benchmarks.md with this section at its end, instead of the one it had."""
    before = page.partition(f"\n{HEADING}\n")[0].rstrip("\n")
    return f"{before}\n\n{text}"


def run(*, docs: Path, say: Callable[[str], None]) -> bool:
    """Measure, write the section into benchmarks.md, and return whether every target is met."""
    figures = measure(say=say)
    all_checks = list(checks(figures))
    text = section(figures, all_checks)
    page = docs / "benchmarks.md"
    page.write_text(with_section(page.read_text(), text))
    report.show(text)
    return all(one.holds for one in all_checks)


def take_pictures(to: Path, *, say: Callable[[str], None]) -> None:
    """Take a picture of each view, for the documentation."""
    to.mkdir(parents=True, exist_ok=True)
    with _finished_demo(wait=False) as at, running_browser() as browser:
        with _tab(browser, at, size="laptop") as page:
            page.locator("progress").nth(2).wait_for()
            page.wait_for_timeout(2_500)
            _save(page, to / "board-running.jpg")
        jobs = _wait_until_done(at)
        say("console: the jobs are done")
        failed = next(job for job in jobs if job["status"] == "failed")["id"]
        several = next(job for job in jobs if len(job["outputs"]) > 1)["id"]
        with _tab(browser, at, size="laptop") as page:
            page.locator("li.card.is-succeeded").get_by_role("button").nth(2).click()
            _save(page, to / "board.jpg")
        views = {
            "job": f"?job={several}",
            "failed-job": f"?job={failed}",
            "accounts": "?view=accounts",
            "list": "?as=list",
        }
        for name, query in views.items():
            with _tab(browser, at, size="laptop", query=query) as page:
                _save(page, to / f"{name}.jpg")
        with _tab(browser, at, size="laptop", query="?view=new") as page:
            inputs = {"url": "https://example.com/rooms/living.jpg", **JOBS[0].inputs}
            for field, value in inputs.items():
                page.locator(f"#f-{field}").fill(str(value))
            _save(page, to / "new-job.jpg")
        with _tab(browser, at, size="laptop") as page:
            page.get_by_role("button", name="Bulk").click()
            page.get_by_role("button", name="Retry all").click()
            page.locator(".bulk b").wait_for()
            _save(page, to / "bulk.jpg")
        with _tab(browser, at, size="laptop", scheme="dark", query="?readonly=1") as page:
            _save(page, to / "dark-read-only.jpg")
        with _tab(browser, at, size="phone", scheme="dark") as page:
            _save(page, to / "phone.jpg")


@contextmanager
def _finished_demo(*, wait: bool = True) -> Iterator[StackDescription]:
    with tempfile.TemporaryDirectory() as folder:
        env = machine_environment(os.environ)
        with running_stack(stack_file=Path(folder) / "stack.json", env=env) as stack:
            at = stack.description
            if at.sandbox_url is None:
                raise StackFailed("the stack has no sandbox; real providers are never called")
            for job in JOBS:
                metadata = {"listing": str(4700 + job.number), "wish": job.caption}
                _call(
                    at, "POST", "/v1/jobs", json={**job.body(at.sandbox_url), "metadata": metadata}
                )
            if wait:
                _wait_until_done(at)
            yield at


def _wait_until_done(at: StackDescription) -> Sequence[Any]:
    give_up_at = time.monotonic() + DONE_WITHIN_S
    while True:
        jobs: Sequence[Any] = _call(at, "GET", "/v1/jobs?pageSize=100")["jobs"]
        if all(job["finishedAt"] for job in jobs) or time.monotonic() > give_up_at:
            return jobs
        time.sleep(0.5)


def _call(at: StackDescription, method: str, path: str, **more: Any) -> Any:
    headers = {"X-API-KEY": at.api_key}
    answer = requests.request(method, f"{at.api_url}{path}", headers=headers, timeout=20, **more)
    answer.raise_for_status()
    return answer.json()


@contextmanager
def _tab(
    browser: Browser, at: StackDescription, *, size: str, query: str = "", scheme: str = "light"
) -> Iterator[Page]:
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(f"{at.api_url}/console{query}#key={at.api_key}")
    page.locator("main h1").wait_for()
    page.wait_for_timeout(1_200)
    yield page
    context.close()


def _save(page: Page, path: Path) -> None:
    page.wait_for_timeout(600)
    page.wait_for_function(_LOADED)
    page.screenshot(path=path, type="jpeg", quality=70)


def _weight(browser: Browser, at: StackDescription) -> tuple[int, int]:
    context = browser.new_context()
    page = context.new_page()
    session = context.new_cdp_session(page)
    urls: dict[str, str] = {}
    sizes: dict[str, int] = {}

    def sent(event: dict[str, Any]) -> None:
        urls[event["requestId"]] = event["request"]["url"]

    def finished(event: dict[str, Any]) -> None:
        sizes[event["requestId"]] = round(event["encodedDataLength"])

    session.on("Network.requestWillBeSent", sent)
    session.on("Network.loadingFinished", finished)
    session.send("Network.enable")
    page.goto(f"{at.api_url}/console#key={at.api_key}")
    page.locator("li.card[data-job]").first.wait_for()
    page.wait_for_timeout(1_000)
    context.close()
    own = [one for one in sizes if urls[one].startswith(f"{at.api_url}/console")]
    return sum(sizes[one] for one in own), len(own)


def _first_card_s(browser: Browser, at: StackDescription) -> float:
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script(_WATCH)
    page.goto(f"{at.api_url}/console#key={at.api_key}")
    page.locator("li.card[data-job]").first.wait_for()
    took_ms: float = page.evaluate("firstCardMs")
    context.close()
    return took_ms / 1000


def _calls_per_minute(browser: Browser, at: StackDescription) -> float:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{at.api_url}/console#key={at.api_key}")
    page.locator("li.card[data-job]").first.wait_for()
    page.wait_for_timeout(3_000)
    calls: list[str] = []
    page.on("request", lambda one: calls.append(one.url) if "/v1/" in one.url else None)
    page.wait_for_timeout(WATCHED_S * 1000)
    context.close()
    return len(calls) * 60 / WATCHED_S
