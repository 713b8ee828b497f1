"""Code that takes too long, never ends, or ends the test itself, does so while an agent is played."""

from __future__ import annotations

import asyncio
import signal as signals
import time
from typing import Any

import pytest
from taxiway import AsyncRun, Run, agent, step
from taxiway.testing import (
    Endless,
    play,
)


def charge(order_id: str, amount: float) -> str:
    raise AssertionError("nobody pays in a test")


@step(timeout=0.1)
def endless() -> None:
    while True:
        time.sleep(0.01)


@step(timeout=0.1)
async def endless_async() -> None:
    await asyncio.sleep(60)


@agent
def stuck(run: Run) -> Any:
    run.step(endless)


@agent
async def stuck_async(run: AsyncRun) -> Any:
    await run.step(endless_async)


@pytest.mark.parametrize("one", [stuck, stuck_async])
def test_a_step_that_takes_too_long_is_interrupted_and_the_signal_is_given_back(one: Any) -> None:
    before = signals.getsignal(signals.SIGUSR1)
    outcome = play(one)
    assert (outcome.status, outcome.reason) == ("FAILED", "timeout")
    assert signals.getsignal(signals.SIGUSR1) == before


class Outside(BaseException):
    """Like pytest's own failures and Ctrl-C: not an exception of the agent."""


@agent
def careless(run: Run) -> Any:
    try:
        run.step(charge, "A7", 1)
    except BaseException:  # noqa: BLE001 - agents are written like this
        return "swallowed"


@agent
async def careless_async(run: AsyncRun) -> Any:
    try:
        await run.step(charge, "A7", 1)
    except BaseException:  # noqa: BLE001 - agents are written like this
        return "swallowed"


@agent
def abrupt(run: Run) -> Any:
    raise Outside


@pytest.mark.parametrize("one", [careless, careless_async])
@pytest.mark.parametrize("error", [KeyboardInterrupt, pytest.fail.Exception, Outside])
def test_what_is_to_end_the_test_is_swallowed_by_no_agent(one: Any, error: type[BaseException]) -> None:
    with pytest.raises(error):
        play(one, stub={charge: error()})


def test_what_is_to_end_the_test_does_so_from_the_agents_own_code_too() -> None:
    with pytest.raises(Outside):
        play(abrupt)
    assert play(careless, stub={charge: SystemExit("as a step's error")}).result == "swallowed"


@agent
def for_ever(run: Run) -> Any:
    while True:
        run.sleep("1h")


def test_a_run_that_never_ends_is_noticed() -> None:
    with pytest.raises(Endless, match="parked 300 times"):
        play(for_ever)
