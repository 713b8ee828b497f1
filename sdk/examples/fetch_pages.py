"""Concurrent fetching of pages, each in its own step: a fetched page is kept if the worker is lost."""

from __future__ import annotations

import asyncio
import html
import re
from http.client import HTTPResponse
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
)

from taxiway import AsyncRun, Fatal, Retry, agent, step

Page = dict[str, object]

TIMEOUT = 10
LARGEST = 5 * 1024 * 1024


@agent
async def fetch_pages(run: AsyncRun, urls: list[str], concurrency: int = 10) -> Page:
    """Fetch all `urls`, at most `concurrency` at a time; return size, title and status of each, in the order of `urls`."""
    places = asyncio.Semaphore(max(1, concurrency))
    done = 0

    async def one(url: str) -> Page:
        nonlocal done
        async with places:
            page: Page = await run.step(fetch, url)
        done += 1
        run.progress(done, len(urls), note=url)
        return page

    pages = await asyncio.gather(*(one(url) for url in urls))
    return {"pages": pages, "total": len(pages), "bytes": sum(int(str(page["size"])) for page in pages)}


@step(retry=Retry(attempts=4, initial=0.2, factor=2, max=5))
async def fetch(url: str) -> Page:
    """Fetch one page. Errors of the network and of the server are retried; a 404 is a normal answer."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise Fatal(f"{url!r} is not an http or https address")
    return await asyncio.to_thread(_get, url)


def _get(url: str) -> Page:
    try:
        with _opener().open(url, timeout=TIMEOUT) as response:
            return _page(url, response.status, response)
    except HTTPError as error:
        if error.code >= 500:
            raise
        with error:
            return _page(url, error.code, error)


def _page(url: str, status: int, response: HTTPResponse | HTTPError) -> Page:
    body = response.read(LARGEST)
    charset = response.headers.get_content_charset("utf-8")
    return {"url": url, "status": status, "size": len(body), "title": _title(body, charset)}


def _title(body: bytes, charset: str) -> str | None:
    try:
        text = body.decode(charset, "replace")
    except LookupError:  # an unknown charset
        text = body.decode("utf-8", "replace")
    match = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
    return " ".join(html.unescape(match[1]).split()) if match else None


def _opener() -> OpenerDirector:
    """Return an opener for HTTP only, so that no redirect leads to a file."""
    opener = OpenerDirector()
    for handler in (HTTPHandler, HTTPSHandler, HTTPRedirectHandler, HTTPErrorProcessor, HTTPDefaultErrorHandler):
        opener.add_handler(handler())
    return opener
