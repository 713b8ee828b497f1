"""Paths of calls: those of tasks are the same in every activation, in whatever order the tasks continue."""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import anyio
import pytest
from taxiway.host import ordered_completion
from taxiway.host.agent_loop import AgentLoop
from taxiway.host.run_clock import RunClock, Timers
from taxiway.host.task_paths import LONGEST, TaskPaths
from taxiway.inside import agent_code, real_time

assert ordered_completion, "imported for what it does"


def _carried(code: Callable[[Callable[[], str]], Coroutine[Any, Any, Any]], factory: Any = None) -> Any:
    """Return the result of agent code that gets a function which returns the path of its call."""
    clock, paths = RunClock(0.0), TaskPaths()
    loop = AgentLoop(clock, Timers(clock), paths)
    if factory is not None:
        loop.set_task_factory(factory)

    def begin() -> asyncio.Task[Any]:
        agent_code.set(True)
        return loop.create_task(code(paths.here))

    try:
        return loop.run_until_complete(contextvars.copy_context().run(begin))
    finally:
        loop.close()


async def _where(here: Callable[[], str]) -> str:
    await asyncio.sleep(0)
    return here()


async def _gathered(here: Callable[[], str]) -> list[str]:
    return [here(), *await asyncio.gather(*(_where(here) for _ in range(3))), here()]


async def _grouped(here: Callable[[], str]) -> list[str]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_where(here)) for _ in range(3)]
    return [here(), *(task.result() for task in tasks), here()]


async def _by_anyio(here: Callable[[], str]) -> list[str]:
    found: dict[int, str] = {}

    async def one(place: int) -> None:
        found[place] = await _where(here)

    async with anyio.create_task_group() as group:
        for place in range(3):
            group.start_soon(one, place)
    return [here(), *(found[place] for place in range(3)), here()]


async def _in_a_timeout(here: Callable[[], str]) -> list[str]:
    tasks = [await asyncio.wait_for(asyncio.ensure_future(_where(here)), None) for _ in range(3)]
    return [here(), *tasks, here()]


async def _completed(here: Callable[[], str]) -> list[str]:
    async def one(place: int) -> tuple[int, str]:
        return place, await _where(here)

    ends = [await end for end in asyncio.as_completed([one(place) for place in range(3)])]
    return [here(), *(where for _, where in sorted(ends)), here()]


@pytest.mark.parametrize("code", [_gathered, _grouped, _by_anyio, _in_a_timeout, _completed])
def test_tasks_are_counted_in_the_order_in_which_the_code_names_them(code: Any) -> None:
    assert _carried(code) == ["0", "0.1", "0.2", "0.3", "0"]


def test_as_completed_starts_its_tasks_in_order_whatever_the_addresses_of_its_coroutines_are() -> None:
    async def code(here: Callable[[], str]) -> list[int]:
        began: list[int] = []

        async def one(place: int) -> None:
            began.append(place)

        for end in asyncio.as_completed([one(place) for place in range(100)]):
            await end
        return began

    assert _carried(code) == list(range(100))


def test_outside_of_agents_as_completed_is_as_it_was() -> None:
    async def code() -> set[int]:
        coroutine = asyncio.sleep(0, 1)
        return {await end for end in asyncio.as_completed([coroutine, coroutine, asyncio.sleep(0, 2)], timeout=5)}

    assert asyncio.run(code()) == {1, 2}


def test_tasks_of_tasks_have_paths_of_their_own() -> None:
    async def inner(here: Callable[[], str]) -> list[str]:
        return list(await asyncio.gather(_where(here), _where(here)))

    async def code(here: Callable[[], str]) -> Any:
        first = await asyncio.gather(inner(here), inner(here))
        return [*first, await asyncio.create_task(_where(here))]

    assert _carried(code) == [["0.1.1", "0.1.2"], ["0.2.1", "0.2.2"], "0.3"]


def test_a_set_of_tasks_has_the_order_in_which_they_were_started() -> None:
    async def code(here: Callable[[], str]) -> list[str]:
        tasks = [asyncio.create_task(asyncio.sleep(0), name=str(n)) for n in range(200)]
        done, _ = await asyncio.wait(list(reversed(tasks)))
        return [task.get_name() for task in done]

    assert _carried(code) == [str(n) for n in range(200)]


def test_what_a_callback_starts_is_counted_apart() -> None:
    async def code(here: Callable[[], str]) -> list[str]:
        loop, found = asyncio.get_running_loop(), list[asyncio.Task[str]]()
        loop.call_soon(lambda: found.append(asyncio.ensure_future(_where(here))))
        await asyncio.sleep(0)
        after = asyncio.create_task(_where(here))
        return [await found[0], await after]

    assert _carried(code) == ["0.c1", "0.1"]


def test_tasks_within_a_step_count_for_nothing() -> None:
    async def code(here: Callable[[], str]) -> str:
        with real_time():
            await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))
        return await asyncio.create_task(_where(here))

    assert _carried(code) == "0.1"


def test_a_path_of_many_levels_stays_short_and_is_nobody_else_s() -> None:
    async def deeper(here: Callable[[], str], levels: int) -> list[str]:
        if levels == 0:
            return [here()]
        return [here(), *await asyncio.create_task(deeper(here, levels - 1))]

    async def code(here: Callable[[], str]) -> list[str]:
        return [*await deeper(here, 100), *(await deeper(here, 100))[1:]]

    paths = _carried(code)
    assert max(map(len, paths)) <= LONGEST
    assert len(set(paths)) == len(paths)
    assert _carried(code) == paths


def _counting(loop: Any, coroutine: Awaitable[Any], **options: Any) -> asyncio.Task[Any]:
    return asyncio.Task(coroutine, loop=loop, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("code", [_gathered, _grouped, _completed])
def test_a_task_factory_of_the_agent_s_own_changes_no_path(code: Any) -> None:
    assert _carried(code, _counting) == ["0", "0.1", "0.2", "0.3", "0"]


if sys.version_info >= (3, 12):

    @pytest.mark.parametrize("code", [_gathered, _grouped, _completed])
    def test_eager_tasks_have_the_same_paths(code: Any) -> None:
        assert _carried(code, asyncio.eager_task_factory) == ["0", "0.1", "0.2", "0.3", "0"]
