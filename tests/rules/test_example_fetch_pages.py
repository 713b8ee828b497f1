"""The fetching example: its results of answers, and its number of concurrent requests."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import pytest
from taxiway import Fatal

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "sdk" / "examples"))

import fetch_pages


class Handler(BaseHTTPRequestHandler):
    """Pages with a title, and some that fail."""

    def do_GET(self) -> None:
        status = {"/gone": 404, "/broken": 500, "/elsewhere": 302, "/file": 302}.get(self.path, 200)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/page" if self.path == "/elsewhere" else "file:///etc/passwd")
        self.send_header("Content-Type", "text/html; charset=nonsense" if self.path == "/odd" else "text/html")
        self.end_headers()
        self.wfile.write(f"<html><TITLE lang=en>\n A &amp; B\n{self.path}</title>".encode())

    def log_message(self, *args: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class PlainAsyncRun:
    """A run that executes its steps immediately, and counts the concurrent ones."""

    def __init__(self) -> None:
        self.under_way = 0
        self.most = 0
        self.said: list[tuple[float, float | None]] = []

    async def step(self, function: Callable[..., Any], *args: Any) -> Any:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        value = await function(*args)
        self.under_way -= 1
        return value

    def progress(self, done: float, total: float | None = None, note: str | None = None) -> None:
        self.said.append((done, total))


def test_pages_come_back_in_order_with_size_title_and_status(site: str) -> None:
    run = PlainAsyncRun()
    urls = [f"{site}/page", f"{site}/gone", f"{site}/odd", f"{site}/elsewhere", f"{site}/page"]
    result: Any = asyncio.run(fetch_pages.fetch_pages(run, urls, 2))  # type: ignore[arg-type]  # the only part that it uses
    assert [page["url"] for page in result["pages"]] == urls
    assert [page["status"] for page in result["pages"]] == [200, 404, 200, 200, 200]
    titles = [page["title"].removeprefix("A & B ") for page in result["pages"]]
    assert titles == ["/page", "/gone", "/odd", "/page", "/page"]
    assert result["total"] == 5
    assert result["bytes"] == sum(page["size"] for page in result["pages"]) > 0
    assert run.most == 2
    assert run.said == [(n, 5) for n in range(1, 6)]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "/page", ""])
def test_only_http_is_fetched(url: str) -> None:
    with pytest.raises(Fatal, match="not an http or https address"):
        asyncio.run(fetch_pages.fetch(url))


def test_errors_of_the_server_and_the_network_are_raised_so_that_the_step_is_tried_again(site: str) -> None:
    with pytest.raises(HTTPError) as caught:
        asyncio.run(fetch_pages.fetch(f"{site}/broken"))
    caught.value.close()
    with pytest.raises(URLError):
        asyncio.run(fetch_pages.fetch("http://127.0.0.1:1/"))


def test_no_redirect_leads_to_a_file(site: str) -> None:
    page = asyncio.run(fetch_pages.fetch(f"{site}/file"))
    assert (page["status"], page["title"]) == (302, "A & B /file")
