"""A plain call of a `@step` function in an agent is the step, or is refused in a sentence; elsewhere it is a plain call."""

from __future__ import annotations

import asyncio
import threading

from taxiway import AsyncRun, Run, agent, step
from taxiway.testing import play


@step
def charge(amount: int) -> int:
    return 2 * amount


@step
async def fetch(number: int) -> int:
    return 2 * number


@step
def twice(amount: int) -> int:
    return charge(amount) + charge(amount)


def test_it_is_recorded_in_a_def_agent() -> None:
    @agent(name="plain-def")
    def pays(run: Run) -> int:
        return charge(1) + charge(2)

    outcome = play(pays)
    assert (outcome.result, [one.name for one in outcome.steps]) == (6, ["charge", "charge"])


def test_it_is_recorded_in_an_async_agent_awaited_or_gathered() -> None:
    @agent(name="plain-async")
    async def fetches(run: AsyncRun) -> list[int]:
        return [await fetch(1), *await asyncio.gather(fetch(2), fetch(3))]

    outcome = play(fetches)
    assert (outcome.result, [one.name for one in outcome.steps]) == ([2, 4, 6], ["fetch"] * 3)


def test_one_that_is_not_awaited_fails_the_run() -> None:
    @agent(name="plain-forgotten")
    async def forgets(run: AsyncRun) -> str:
        fetch(1)
        return "done"

    error = play(forgets).error
    assert error is not None
    assert (error.type, __file__ in error.message) == ("NotAwaited", True)


def test_a_def_step_in_an_async_agent_is_refused_with_what_to_write() -> None:
    @agent(name="plain-mixed")
    async def mixes(run: AsyncRun) -> int:
        return charge(1)

    outcome = play(mixes)
    assert outcome.error is not None
    assert "await run.step(charge, …)" in outcome.error.message
    assert not outcome.steps


def test_it_is_refused_in_a_thread_of_the_agents_own() -> None:
    @agent(name="plain-thread")
    def strays(run: Run) -> list[str]:
        said: list[str] = []

        def stray() -> None:
            try:
                charge(1)
            except RuntimeError as error:
                said.append(str(error))

        thread = threading.Thread(target=stray)
        thread.start()
        thread.join()
        return said

    outcome = play(strays)
    assert "would not be recorded" in outcome.result[0]
    assert not outcome.steps


def test_inside_a_step_and_outside_of_runs_it_is_a_plain_call() -> None:
    @agent(name="plain-inside")
    def pays_twice(run: Run) -> int:
        return twice(1)

    outcome = play(pays_twice)
    assert (outcome.result, [one.name for one in outcome.steps]) == (4, ["twice"])
    assert charge(4) == 8
