"""The time of an agent's own code: it is stopped, advances with what the run sees, and fires its timers in order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from taxiway.host.agent_loop import AgentLoop
from taxiway.host.run_clock import MOMENT, RunClock, Timers
from taxiway.host.task_paths import TaskPaths
from taxiway.inside import agent_code, real_time


@pytest.fixture
def loop() -> Iterator[AgentLoop]:
    clock = RunClock(0.0)
    loop = AgentLoop(clock, Timers(clock), TaskPaths())
    token = agent_code.set(True)
    yield loop
    agent_code.reset(token)
    loop.close()


def test_the_clock_stands_still_until_the_run_sees_something_and_never_goes_back(loop: AgentLoop) -> None:
    assert loop.time() == 0.0
    loop.run_clock.reach(7.0)
    loop.run_clock.reach(5.0)
    assert loop.time() == 7.0
    assert loop.run_clock.real() == 7.0, "it is never earlier than what was seen"
    loop.run_clock.skip(100)
    assert loop.run_clock.real() > 99
    assert loop.time() == 7.0


def test_a_step_has_the_time_of_the_machine(loop: AgentLoop) -> None:
    loop.run_clock.reach(7.0)
    with real_time():
        assert loop.time() > loop.run_clock.now
        loop.call_later(1, print).cancel()
    assert loop.run_timers.first() is None


def _set(loop: AgentLoop, fired: list[str], name: str, seconds: float) -> asyncio.TimerHandle:
    return loop.call_later(seconds, fired.append, name)


def test_timers_fire_in_the_order_of_their_moments_and_those_of_one_moment_as_they_were_set(loop: AgentLoop) -> None:
    fired: list[str] = []
    for name, seconds in (("late", 5), ("one", 2), ("two", 2), ("never", 1)):
        handle = _set(loop, fired, name, seconds)
    handle.cancel()
    assert [timer.when for timer in loop.run_timers.pending()] == [2, 2, 5]
    moments = []
    while loop.run_timers.first() is not None:
        moments.append(len(timers := loop.run_timers.pop()))
        for timer in timers:
            timer.ring()
    assert fired == ["one", "two", "late"]
    assert moments == [2, 1], "those of one moment are taken together"


def test_a_timer_that_is_over_when_it_is_set_fires_behind_what_the_run_has_seen(loop: AgentLoop) -> None:
    loop.run_clock.reach(7.0)
    assert loop.call_at(3.0, print).when() == 7.0 + MOMENT


def test_a_timer_that_is_cancelled_when_its_moment_has_come_does_not_ring(loop: AgentLoop) -> None:
    fired: list[str] = []
    handle = _set(loop, fired, "one", 1)
    (timer,) = loop.run_timers.pop()
    handle.cancel()
    timer.ring()
    assert fired == []
