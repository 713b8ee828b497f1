"""Pages as people see them: in a real browser, on a desktop or a phone, without JavaScript by default."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from ops.browser import FLAGS, MISSING, browser

DESKTOP, PHONE, SMALLEST = 1280, 390, 320


@contextmanager
def a_browser() -> Iterator[Browser]:
    """Start the browser; its loop lives until the end, so no test beside it may have one."""
    program = browser()
    if program is None:
        pytest.skip(MISSING)
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=program, args=list(FLAGS))
        yield started
        started.close()


@dataclass
class Person:
    """A person with a browser and one page; its requests and its complaints are kept."""

    page: Page
    fetched: list[str]
    complaints: list[str]

    def scrolls_sideways(self) -> bool:
        """Return whether the page is wider than its window, or something on it is cut off at the end of its card."""
        wider = (
            "[document.documentElement, ...document.querySelectorAll('main')].some(e => e.scrollWidth > e.clientWidth)"
        )
        return bool(self.page.evaluate(wider))

    def focused(self) -> str:
        """Return the name of the focused element; empty if it is the page as a whole."""
        named = "(e => e === document.body ? '' : (e.labels?.[0] ?? e).innerText.trim())(document.activeElement)"
        return str(self.page.evaluate(named))

    def press(self, name: str) -> None:
        """Press a button, and wait for the next page."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def heading(self) -> str:
        """Read the one heading of the page."""
        return self.page.get_by_role("heading", level=1).inner_text()


@contextmanager
def person(browser: Browser, width: int = DESKTOP, *, script: bool = False, **more: Any) -> Iterator[Person]:
    """Return a person with a fresh browser."""
    context = browser.new_context(
        java_script_enabled=script, viewport={"width": width, "height": 844}, has_touch=width < DESKTOP, **more
    )
    page = context.new_page()
    one = Person(page, [], [])
    page.on("request", lambda request: one.fetched.append(request.url))
    page.on("console", lambda message: one.complaints.append(message.text))
    page.on("pageerror", lambda error: one.complaints.append(str(error)))
    page.on("dialog", lambda dialog: (one.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    try:
        yield one
    finally:
        context.close()
