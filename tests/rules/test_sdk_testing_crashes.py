"""A test may let the host die after each step: this finds effects outside of steps, and values that differ each time."""

from __future__ import annotations

import asyncio
import gc
import itertools
from typing import Any

import pytest
from taxiway import AsyncRun, Retry, Run, agent
from taxiway.testing import Undetermined, approve, child, play

CALLS: list[str] = []
COUNTER = itertools.count()


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    CALLS.clear()


def work(n: int) -> int:
    CALLS.append(f"work {n}")
    return n * 2


async def load(n: int) -> int:
    CALLS.append(f"load {n}")
    return n * 3


def failing(n: int) -> int:
    CALLS.append("failing")
    if CALLS.count("failing") < 3:
        raise ValueError
    return n


@agent
def orderly(run: Run) -> Any:
    first = run.step(work, 1)
    approved = run.approve("Go on?").approved
    return [first, approved, run.using(retry=Retry(3, initial=0)).step(failing, 5), run.step(work, 2)]


@agent
async def orderly_too(run: AsyncRun) -> Any:
    first = await run.step(load, 1)
    children = await run.map("other", [{"n": 1}, {"n": 2}])
    results = await run.gather(*children)
    async with asyncio.timeout(3600):
        approved = (await run.approve("Go on?")).approved
    return [first, results, approved, await run.step(work, 2), *[await run.step(load, n) for n in (7, 8)]]


def test_an_orderly_agent_comes_to_the_same_and_each_of_its_steps_is_executed_once() -> None:
    outcome = play(orderly, given=[approve("Go on?")], crash_after_each_step=True)
    assert outcome.result == [2, True, 5, 4] == play(orderly, given=[approve("Go on?")]).result
    assert CALLS[:5] == ["work 1", "failing", "failing", "failing", "work 2"]
    assert outcome.activations == 7, "five deaths, a park, and the end"


def test_an_orderly_async_agent_does_too() -> None:
    given = [child("other", 1), child("other", 2), approve("Go on?")]
    outcome = play(orderly_too, given=given, crash_after_each_step=True)
    assert outcome.result == [3, [1, 2], True, 4, 21, 24]
    assert CALLS == ["load 1", "work 2", "load 7", "load 8"]


@agent
async def in_a_group(run: AsyncRun) -> list[int]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(run.step(load, n)) for n in (1, 2, 3)]
    return [task.result() for task in tasks]


def test_steps_that_are_under_way_when_the_host_dies_begin_again() -> None:
    assert play(in_a_group, crash_after_each_step=True).result == [3, 6, 9]
    assert set(CALLS) == {"load 1", "load 2", "load 3"}


@agent
def careless(run: Run) -> None:
    run.step(work, 1)
    CALLS.append("paid")
    run.step(work, 2)
    run.step(work, 3)


@agent
async def careless_too(run: AsyncRun) -> None:
    await run.step(load, 1)
    CALLS.append("paid")
    await run.step(load, 2)
    await run.step(load, 3)


@pytest.mark.parametrize("one", [careless, careless_too])
def test_what_is_done_outside_of_steps_is_done_again(one: Any) -> None:
    play(one)
    assert CALLS.count("paid") == 1, "which no test would notice"
    CALLS.clear()
    play(one, crash_after_each_step=True)
    assert CALLS.count("paid") > 1
    assert len([call for call in CALLS if call != "paid"]) == 3


@agent
def drawing(run: Run) -> None:
    run.step(work, next(COUNTER))
    run.step(work, -1)


@agent
async def drawing_too(run: AsyncRun) -> None:
    await run.step(load, next(COUNTER))
    await run.step(load, -1)


@agent
def skipping(run: Run) -> None:
    if CALLS.count("work 1") == 0:
        run.step(work, 1)


@agent
async def telling(run: AsyncRun) -> int:
    await run.step(load, 1)
    return next(COUNTER)


@agent
async def forgetful(run: AsyncRun) -> str:
    await run.step(load, 1)
    run.approve("Really?")
    return "wiped"


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (drawing, "has changed under the run, or is not deterministic.*test_sdk_testing_crashes.py:"),
        (drawing_too, "has changed under the run, or is not deterministic.*test_sdk_testing_crashes.py:"),
        (skipping, "without using recorded steps: work"),
        (telling, r"a replay of all records ended with finish \d+, the run had ended with finish \d+"),
    ],
)
def test_what_differs_each_time_is_found(one: Any, says: str) -> None:
    assert play(one).status == "SUCCESS", "which no test would notice"
    CALLS.clear()
    with pytest.raises(Undetermined, match=says):
        play(one, crash_after_each_step=True)


def test_a_verb_that_is_not_awaited_fails_the_run_with_its_place() -> None:
    outcome = play(forgetful, crash_after_each_step=True)
    assert outcome.error is not None
    assert (outcome.status, outcome.error.type) == ("FAILED", "NotAwaited")
    assert "run.approve(…) at" in outcome.error.message
    assert outcome.prompts == []


@agent
async def sleeping(run: AsyncRun) -> list[float]:
    loop = asyncio.get_running_loop()
    await asyncio.sleep(3600)
    try:
        async with asyncio.timeout(60):
            await run.step(load, 1)
            await run.wait_for("never")
    except TimeoutError:
        pass
    return [round(loop.time())]


def test_the_time_of_an_async_agent_s_own_code_is_skipped_and_a_replay_sees_it_again() -> None:
    outcome = play(sleeping, crash_after_each_step=True)
    assert outcome.result == [3660]
    assert round(outcome.slept) == 3660


@agent
async def one_after_the_other(run: AsyncRun) -> list[int]:
    found: list[int] = []
    pending = {asyncio.create_task(run.step(load, n)) for n in range(4)}
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        found += [task.result() for task in done]
    return sorted(found)


@agent
async def heedless(run: AsyncRun) -> int:
    async def fails() -> None:
        raise ValueError("nobody looks")

    asyncio.get_running_loop().create_task(fails())
    return await run.step(load, 1)


def test_tasks_that_end_with_their_activation_are_no_errors_that_nobody_caught(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert play(one_after_the_other, crash_after_each_step=True).result == [0, 3, 6, 9]
    gc.collect()
    assert not caplog.records

    assert play(heedless).result == 3
    gc.collect()
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["nobody looks"]
