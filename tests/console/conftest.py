"""The console in a real browser, served by the API that stands on the fakes.

The page has the clock of the fakes, which stands still: time passes when a test says so.
"""

import io
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any
from wsgiref.handlers import format_date_time

import pytest
from flask import Flask
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from werkzeug.serving import WSGIRequestHandler, make_server

from infra.bench.browser import NoBrowser, running_browser
from relay import bootstrap
from relay.assembly import CreatePolicy
from tests.entrypoints.conftest import built_api, served
from tests.fakes import World

KEY = "key-of-demo"
REQUIRE_BROWSER = "RELAY_REQUIRE_BROWSER"
VIEWPORT = {"width": 1280, "height": 800}
# However slow the machine is.
PATIENCE_MS = 60_000

expect.set_options(timeout=PATIENCE_MS)


class Site:
    """The served API, with the calls that were made to it.

    Attributes:
        calls: Method, path and query of each call to the API, without those for the console.
        lock: Held while a request is answered, so that a test can change the world meanwhile.
    """

    def __init__(self, world: World, application: Flask) -> None:
        self.world = world
        self.calls: list[str] = []
        self.lock = threading.RLock()
        self.application = application
        self._server = make_server(
            "127.0.0.1", 0, self._answer, threaded=True, request_handler=_Quiet
        )
        self.url = f"http://127.0.0.1:{self._server.server_port}/console"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def put(self, *jobs: object) -> None:
        """Store jobs as they are now."""
        with self.lock:
            self.world.jobs.put(*jobs)

    def _answer(self, environ: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
        with self.lock:
            if environ["PATH_INFO"].startswith("/v1"):
                query = environ["QUERY_STRING"]
                self.calls.append(
                    f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}{'?' * bool(query)}{query}"
                )
            now = self.world.clock.now().timestamp()

            def start_then(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
                return start(status, [*headers, ("Date", format_date_time(now))], *error)

            return list(self.application(environ, start_then))


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:
        """Say nothing."""


class Console:
    """One tab with the console.

    Attributes:
        complaints: What the browser had to say: errors, and violations of the policy.
    """

    def __init__(self, context: BrowserContext, site: Site) -> None:
        self.site = site
        self.context = context
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self._in_flight = 0
        self.page.on("request", lambda _: self._count(1))
        self.page.on("requestfinished", lambda _: self._count(-1))
        self.page.on("requestfailed", lambda _: self._count(-1))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._said)
        # It runs until it is stopped, which takes an unknown time.
        self.page.clock.install(time=site.world.clock.now() - timedelta(minutes=1))
        self.page.clock.pause_at(site.world.clock.now())

    def open(self, query: str = "", *, key: str = KEY) -> Page:
        """Open the console with a key in the fragment."""
        self.page.goto(f"{self.site.url}{query}#key={key}")
        return self.page

    def pass_s(self, seconds: float) -> None:
        """Let time pass in the browser and in the world, once all that was asked is answered."""
        self.settle()
        self.site.world.clock.advance(seconds)
        self.page.clock.run_for(round(seconds * 1000))

    def calls_in_a_minute(self) -> int:
        """Let a minute pass, and return how many calls the page made in it."""
        self.settle()
        before = len(self.site.calls)
        for _ in range(60):
            self.pass_s(1)
            self.settle()
        return len(self.site.calls) - before

    def settle(self) -> None:
        """Wait until the page has all answers to what it asked."""
        quiet = 0
        while quiet < 3:
            self.page.evaluate("new Promise((done) => queueMicrotask(done))")
            self.page.wait_for_timeout(5)
            quiet = 0 if self._in_flight else quiet + 1

    def _count(self, change: int) -> None:
        self._in_flight += change

    def _said(self, message: object) -> None:
        text = str(getattr(message, "text", ""))
        # The browser tells of every refusal by the API, too.
        if getattr(message, "type", "") in ("error", "warning") and "Failed to load" not in text:
            self.complaints.append(text)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of one module: its event loop would be in others' way."""
    with ExitStack() as cleanup:
        try:
            found = cleanup.enter_context(running_browser())
        except NoBrowser as error:
            if os.environ.get(REQUIRE_BROWSER) == "1":
                pytest.fail(str(error))
            pytest.skip(str(error))
        yield found


@pytest.fixture
def site(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    served = serve(world, monkeypatch)
    yield served
    served.close()


def serve(world: World, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Serve the API that stands on this world."""
    policy = CreatePolicy(accounts=("gepetto", "spacely"))
    built = built_api(world, policy, threads=80)
    monkeypatch.setattr(bootstrap, "jobs_api", lambda: built)
    return Site(world, served(monkeypatch, "jobs_api", "http"))


@pytest.fixture
def open_console(browser: Browser, site: Site) -> Iterator[Callable[..., Console]]:
    """Open tabs; the browser must have had nothing to complain of in any of them."""
    tabs: list[Console] = []

    def make(**options: Any) -> Console:
        context = browser.new_context(**({"viewport": VIEWPORT, "timezone_id": "UTC"} | options))
        context.set_default_timeout(PATIENCE_MS)
        context.route("https://**/*", _picture)
        tabs.append(Console(context, site))
        return tabs[-1]

    yield make
    complaints = [one for tab in tabs for one in tab.complaints]
    for tab in tabs:
        tab.context.close()
    assert complaints == []


@pytest.fixture
def console(open_console: Callable[..., Console]) -> Console:
    return open_console()


def _picture(route: Route) -> None:
    """Answer as a provider's storage would; "gone" in the address is no longer there."""
    if "gone" in route.request.url:
        route.fulfill(status=404)
        return
    colour = "#8aa" if "out" in route.request.url else "#ca8"
    file = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(file, "PNG")
    route.fulfill(body=file.getvalue(), content_type="image/png")
