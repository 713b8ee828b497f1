"""The result of a child and of a run has the form of its agent's return annotation."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import httpx
import pytest
from taxiway import AsyncRun, Run, agent
from taxiway.client import NewRun
from taxiway.errors import InvalidValue
from taxiway.testing import Refused, child, play

from tests.rules.canned import Canned, Speaker, both, run


@dataclass
class Page:
    url: str
    words: int = 0

    def __post_init__(self) -> None:
        if self.words < 0:
            raise ValueError("fewer words than none")


@agent
def read_page(run: Run, url: str) -> Page:
    return Page(url, len(url))


@agent
async def skim_page(run: AsyncRun, url: str) -> list[Page]:
    return [Page(url)]


@agent
def read_all(run: Run, urls: list[str]) -> Any:
    inputs = [{"url": url} for url in urls]
    pages = [
        *run.gather(*run.map(read_page, inputs)),
        *run.map_results("read_page", inputs),
        run.spawn(read_page, inputs[0]).result(),
    ]
    skimmed = run.first(run.child(skim_page, inputs[0])).value
    assert run.map_results(read_page, []) == []
    assert all(isinstance(page, Page) for page in [*pages, *skimmed]), pages
    return [page.words for page in pages]


@agent
async def skim_all(run: AsyncRun, urls: list[str]) -> Any:
    inputs = [{"url": url} for url in urls]
    pages = [*await run.map_results(skim_page, inputs), await (await run.spawn("skim_page", inputs[0]))]
    assert await run.map_results(skim_page, []) == []
    assert all(isinstance(page, Page) for [page] in pages), pages
    return len(pages)


@agent
def read_elsewhere(run: Run) -> Any:
    return run.map_results("elsewhere", [{}])


def test_children_come_back_as_what_their_agent_returns() -> None:
    assert play(read_all, urls=["/a", "/bcd"]).result == [2, 4, 2, 4, 2]
    assert play(skim_all, urls=["/a", "/bcd"]).result == 3


def test_a_child_that_nobody_here_declares_comes_back_as_json_has_it() -> None:
    assert play(read_elsewhere, given=[child("elsewhere", {"url": "/"})]).result == [{"url": "/"}]


def test_a_childs_result_that_its_class_refuses_names_the_agent() -> None:
    given = [child("read_page", {"url": "/", "words": -1}), child("read_page", {"url": "/", "words": -1})]
    outcome = play(read_all, urls=["/a", "/bcd"], given=given)
    assert outcome.error is not None
    assert (outcome.error.type, outcome.status) == ("InvalidValue", "FAILED")
    assert "result of agent 'read_page'" in outcome.error.message
    assert "fewer words than none" in outcome.error.message


def test_a_test_gives_children_by_their_functions() -> None:
    given = [child(read_page, Page("x", 7)), child(skim_page, [Page("y")])]
    assert play(read_all, urls=["/a", "/bcd"], given=given).result == [7, 4, 2, 4, 2]
    with pytest.raises(
        Refused, match=r"child\('read_page', result='x'\) is not a result of agent 'read_page': \$: expected"
    ):
        child(read_page, "x")
    with pytest.raises(TypeError, match="or as a function declared with @agent"):
        child(len, 1)
    child(read_page, error="gone")


@both
def test_a_run_that_is_enqueued_by_a_function_has_a_result_of_its_type(speak: Speaker) -> None:
    new, done = (
        httpx.Response(201, json=run("QUEUED")),
        httpx.Response(200, json=run("SUCCESS", result=asdict(Page("/", 3)))),
    )
    for made, result in ((read_page, Page("/", 3)), ("read_page", {"url": "/", "words": 3})):
        server = Canned(new, done)
        assert speak(server).then("result", "enqueue", made, {"url": "/"}) == result
        assert b'"agent":"read_page"' in server.requests[0].content
    with pytest.raises(TypeError, match="an agent is given by its name"):
        speak(Canned(new)).call("enqueue", len)


@both
def test_a_result_that_its_class_refuses_says_where(speak: Speaker) -> None:
    bad = httpx.Response(200, json=run("SUCCESS", result={"url": "/", "words": -1}))
    with pytest.raises(InvalidValue, match="fewer words than none"):
        speak(Canned(httpx.Response(201, json=run("QUEUED")), bad)).then("result", "enqueue", read_page)


@both
def test_a_batch_takes_functions_too(speak: Speaker) -> None:
    server = Canned(httpx.Response(201, json={"runs": [run("QUEUED"), run("QUEUED")]}))
    handles = speak(server).call("enqueue_batch", [NewRun(read_page), {"agent": skim_page, "input": {"url": "/"}}])
    assert len(handles) == 2
    assert server.requests[0].content.count(b"_page") == 2
