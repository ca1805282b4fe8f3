"""A browser for the console's tests, pictures and benchmark: Chromium as it is installed here."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

# Debian's packages first; `make browser` installs the first one.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


class NoBrowser(Exception):
    """None is installed."""


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Run Chromium for the length of the block.

    Raises:
        NoBrowser: Says what to install.
    """
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise NoBrowser(f"none of {', '.join(NAMES)} is on the PATH: `make browser` installs one")
    # Root, as in a container of CI, cannot use the browser's own sandbox.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        try:
            yield browser
        finally:
            browser.close()
