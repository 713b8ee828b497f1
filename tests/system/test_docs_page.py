"""The page at /docs shows every call in a browser, and requests everything from the server only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from api.build import build
from api.reference.page import POLICY
from tests.system.api_server import ApiServer
from tests.system.browsing import a_browser, person


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with a_browser() as started:
        yield started


def test_the_page_shows_every_call_and_asks_only_the_server(browser: Browser, api: ApiServer) -> None:
    with person(browser, script=True) as one:
        shown = one.page.goto(f"{api.url}/docs")
        assert shown is not None
        assert shown.headers["content-security-policy"] == POLICY
        one.page.locator(".opblock").first.wait_for()
        calls = {
            f"{method.upper()} {path}" for path, methods in build().openapi()["paths"].items() for method in methods
        }
        blocks = """[...document.querySelectorAll('.opblock-summary')].map(block =>
            [block.querySelector('.opblock-summary-method').innerText, block.querySelector('[data-path]').dataset.path])"""
        assert {f"{method} {path}" for method, path in one.page.evaluate(blocks)} == calls
        one.page.locator(".opblock", has_text="/health").first.click()
        one.page.get_by_role("button", name="Try it out").click()
        one.page.get_by_role("button", name="Execute").click()
        one.page.locator(".live-responses-table .response-col_status", has_text="200").first.wait_for()
        assert {urlsplit(url).netloc for url in one.fetched if not url.startswith("data:")} == {
            urlsplit(api.url).netloc
        }
        assert one.complaints == [], "no script is refused by the policy, and none fails"


def test_nothing_stands_in_the_page_that_runs_and_no_other_file_is_served(api: ApiServer) -> None:
    with api.client(None) as client:
        page = client.get("/docs")
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "unsafe" not in page.headers["content-security-policy"]
        assert "://" not in page.text
        assert page.text.count("<script") == page.text.count('<script src="docs/') == 2
        assert client.head("/docs/start.js").headers["content-type"] == "text/javascript; charset=utf-8"
        for other in ("/docs/LICENSE", "/docs/page.py", "/docs/..%2fpage.py", "/redoc", "/docs/oauth2-redirect"):
            assert client.get(other).status_code == 404, other
        assert client.post("/docs").headers["allow"] == "GET, HEAD"


def test_the_page_can_be_turned_off(servers: Any, api_database: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    log = tmp_path_factory.mktemp("off") / "api.log"
    server = ApiServer(api_database, servers.broker(0), log, {"TAXIWAY_API_DOCS": "false"}).start()
    try:
        with server.client(None) as client:
            assert [client.get(f"/docs{part}").status_code for part in ("", "/start.js", "/swagger-ui.css")] == [
                404
            ] * 3
            assert client.get("/openapi.json").status_code == 200
    finally:
        server.stop()
