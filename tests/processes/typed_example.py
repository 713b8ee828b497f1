"""Types on which an author may rely: read by mypy and pyright, never executed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_type

from taxiway import AsyncClient, AsyncRun, AsyncRunHandle, Child, Client, Run, RunHandle, agent, step
from taxiway.testing import Given, child, play


@dataclass
class Page:
    url: str
    words: int


@step(timeout="30s")
def fetch(url: str) -> str:
    return url


@step
async def count(text: str, *, least: int = 1) -> int:
    return len(text.split()) + least


@agent
def read_page(run: Run, url: str) -> Page:
    text = run.step(fetch, url)
    assert_type(text, str)
    assert_type(run.using(name="length").step(len, text), int)
    return Page(url, len(text))


@agent
async def skim_page(run: AsyncRun, url: str) -> Page:
    text = await run.step(fetch, url)
    assert_type(text, str)
    assert_type(await run.step(count, text, least=2), int)
    assert_type(await run.using(timeout="5s").step(count, text), int)
    assert_type(await run.using(timeout="5s").step(fetch, url), str)
    return Page(url, 1)


@agent
def read_all(run: Run, urls: list[str]) -> int:
    inputs = [{"url": url} for url in urls]
    pages = run.map(read_page, inputs)
    assert_type(pages, list[Child[Page]])
    assert_type(run.gather(*pages), list[Page])
    assert_type(run.gather(*pages, return_errors=True), list[Page | Exception])
    assert_type(run.map_results(skim_page, inputs, key="skim"), list[Page])
    one = run.spawn(skim_page, inputs[0], timeout="1m")
    assert_type(one, Child[Page])
    assert_type(one.result(), Page)
    assert_type(run.gather(run.child(read_page, inputs[0]), run.child(one)), list[Page])
    assert_type(run.gather(*run.map("elsewhere", inputs)), list[Any])
    assert_type(run.gather(run.timer(1), run.approval("Go on?")), list[Any])
    assert_type(run.wait_for("corrected", schema=Page), Page)
    assert_type(run.wait_for("anything"), Any)
    assert_type(run.ask("Which page?", answer=Page), Page)
    return sum(page.words for page in run.gather(*pages))


@agent
async def skim_all(run: AsyncRun, urls: list[str]) -> int:
    inputs = [{"url": url} for url in urls]
    pages = await run.map(read_page, inputs)
    assert_type(await pages[0], Page)
    assert_type(await run.gather(*pages), list[Page])
    assert_type(await run.gather(*pages, return_errors=True), list[Page | Exception])
    assert_type(await run.map_results(skim_page, inputs), list[Page])
    one = await run.spawn(skim_page, inputs[0])
    assert_type(await one, Page)
    assert_type(await one.result(), Page)
    assert_type(await run.gather(run.child(read_page, inputs[0])), list[Page])
    assert_type(await run.wait_for("corrected", schema=Page), Page)
    assert_type(await run.ask("Which page?", answer=Page), Page)
    return sum(page.words for page in await run.gather(*pages))


def follow(client: Client) -> RunHandle:
    handle = client.enqueue(read_page, {"url": "/"}, idempotency_key="1")
    assert_type(handle, RunHandle[Page])
    assert_type(handle.result(timeout=5), Page)
    assert_type(handle.retry().result(), Page)
    assert_type(client.enqueue(skim_page, {"url": "/"}).result(), Page)
    assert_type(client.enqueue("read_page", {"url": "/"}).result(), Any)
    return handle


async def follow_too(client: AsyncClient) -> AsyncRunHandle[Page]:
    handle = await client.enqueue(skim_page, {"url": "/"}, queue="slow")
    assert_type(await handle.result(), Page)
    assert_type(await (await client.enqueue(read_page)).result(), Page)
    return handle


def test_reading() -> None:
    given = child(read_page, Page("/", 3), after="1m")
    assert_type(given, Given)
    assert play(read_all, urls=["/"], given=[given, child("skim*", error="gone")]).result == 3
