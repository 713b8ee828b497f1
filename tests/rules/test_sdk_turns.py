"""An async agent is shown one thing at a time: records in their order, and timers between them, each at its own time."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from taxiway.host.agent_loop import AgentLoop
from taxiway.host.replay_order import Entry
from taxiway.host.run_clock import MOMENT, RunClock, Timer, Timers
from taxiway.host.task_paths import TaskPaths
from taxiway.host.turns import MAX_BUSY_TURNS, Turns
from taxiway.inside import agent_code, real_time

PATIENCE = 10.0


class _Clock(RunClock):
    """A clock that is as late as the test sets it."""

    late = 1000.0

    def real(self) -> float:
        return max(self.now, self.late)


class Shown:
    """One activation with a given past: `code` is the agent's, `seen` is what the code and its waits were shown."""

    def __init__(self, *past: Entry, catch_up: Callable[[Timer | None], bool] = lambda _: False) -> None:
        self.clock = _Clock(0.0)
        self.loop = AgentLoop(self.clock, Timers(self.clock), TaskPaths())
        self.seen: list[Any] = []
        self.turns = Turns(
            self.loop,
            list(past),
            see=lambda key: self.seen.append(f"sees {key}"),
            lose=lambda key: self.seen.append(f"loses {key}"),
            catch_up=catch_up,
            on_rest=lambda: False,
        )

    def carry(self, code: Coroutine[Any, Any, Any]) -> list[Any]:
        """Execute the agent's code to its end; return what it saw."""

        def begin() -> asyncio.Task[Any]:
            agent_code.set(True)
            return self.loop.create_task(code)

        root = contextvars.copy_context().run(begin)
        self.loop.call_ours_in(PATIENCE, root.cancel)
        try:
            self.loop.run_until_complete(root)
        finally:
            self.loop.close()
        return self.seen

    async def step(self, key: str, *then: str) -> None:
        """Call a recorded step, and continue for a while."""
        await self.turns.seen(key)
        self.seen.append(key)
        for what in then:
            await asyncio.sleep(0)
            self.seen.append(what)

    def timer(self, seconds: float, name: str) -> None:
        """Set a timer."""
        self.loop.call_later(seconds, lambda: self.seen.append(f"{name} at {self.clock.now:g}"))


def _step(key: str, at: float | None = None) -> Entry:
    return Entry(at, [key], is_step=True)


def _gone(key: str, at: float) -> Entry:
    return Entry(at, gone=(key,), is_step=True)


def test_each_record_is_shown_when_what_the_one_before_it_set_going_has_come_to_rest() -> None:
    shown = Shown(_step("c"), _step("a"), _step("b"))

    async def code() -> None:
        await asyncio.gather(*(shown.step(key, f"{key}1", f"{key}2", f"{key}3") for key in "abc"))

    steps = [f"{key}{n}" for key in "cab" for n in ("", 1, 2, 3)]
    assert [what for what in shown.carry(code()) if not what.startswith("sees")] == steps


def test_outcomes_of_one_turn_are_shown_one_by_one_and_in_order() -> None:
    shown = Shown(Entry(1.0, ["b", "a"]))

    async def code() -> None:
        await asyncio.gather(shown.step("a", "a1"), shown.step("b", "b1"))

    assert shown.carry(code()) == ["sees b", "b", "b1", "sees a", "a", "a1"]


def test_nothing_new_begins_before_all_that_is_recorded_was_seen() -> None:
    shown = Shown(_step("a"), _step("b"))

    async def new() -> None:
        await shown.turns.live()
        shown.seen.append("new")

    async def code() -> None:
        await asyncio.gather(new(), shown.step("a", "a1"), shown.step("b"))

    assert shown.carry(code()) == ["sees a", "a", "a1", "sees b", "b", "new"]


def test_a_record_that_nobody_asks_for_holds_nothing_up_and_is_there_when_somebody_does() -> None:
    shown = Shown(_step("gone"), _step("later"), _step("a"))

    async def code() -> None:
        await shown.step("a")
        await shown.turns.live()
        await asyncio.gather(shown.step("later"), shown.step("gone"))

    assert shown.carry(code()) == ["sees a", "a", "sees gone", "gone", "sees later", "later"]


def test_timers_fire_before_what_was_seen_after_them_each_at_its_own_time() -> None:
    shown = Shown(_step("a", 5.0), Entry(7.0, ["w"]), _step("b", 9.0))

    async def code() -> None:
        for seconds in (1, 2, 6, 8, 20):
            shown.timer(seconds, "timer")
        await asyncio.gather(shown.step("a"), shown.step("w"), shown.step("b"))

    timers = ["timer at 1", "timer at 2", "sees a", "a", "timer at 6", "sees w", "w", "timer at 8", "sees b", "b"]
    assert shown.carry(code()) == timers


def test_a_step_s_value_was_there_before_a_timer_of_its_very_moment_and_an_outcome_after_it() -> None:
    shown = Shown(_step("a", 5.0), Entry(7.0, ["w"]))

    async def code() -> None:
        shown.timer(5, "timer")
        shown.timer(7, "timer")
        await asyncio.gather(shown.step("a"), shown.step("w"))

    assert shown.carry(code()) == ["sees a", "a", "timer at 5", "timer at 7", "sees w", "w"]


def test_a_step_that_a_timer_of_its_record_s_moment_begins_waits_for_that() -> None:
    shown = Shown(_step("begun", 5.0), _step("b", 6.0))

    async def behind() -> None:
        await asyncio.sleep(5)
        await shown.step("begun")

    async def code() -> None:
        await asyncio.gather(behind(), shown.step("b"))

    assert shown.carry(code()) == ["sees begun", "begun", "sees b", "b"]


def test_a_mere_moment_has_overdue_timers_fire_at_once_so_that_a_heartbeat_beats_once() -> None:
    shown = Shown(Entry(500.0, jump=True), Entry(500.0, ["w"]))

    async def beat() -> None:
        while True:
            await asyncio.sleep(1)
            shown.seen.append(f"beat at {shown.clock.now:g}")

    async def code() -> None:
        heart = asyncio.create_task(beat())
        await shown.step("w")
        heart.cancel()

    assert shown.carry(code()) == ["beat at 500", "sees w", "w"]


@pytest.mark.parametrize("at", [3.0, 3.5])
def test_a_step_that_a_time_out_gave_up_is_given_up_by_it_again(at: float) -> None:
    shown = Shown(_gone("slow", at), _step("b", 9.0))

    async def code() -> None:
        try:
            async with asyncio.timeout(3):
                await shown.step("slow")
        except TimeoutError:
            shown.seen.append(f"too late at {shown.clock.now:g}")
        await shown.step("b")

    assert shown.carry(code()) == ["too late at 3", "loses slow", "sees b", "b"]


def test_a_step_that_was_given_up_for_no_reason_that_comes_again_is_given_up_at_its_place() -> None:
    shown = Shown(_step("a"), _gone("slow", 4.0))

    async def code() -> None:
        ends = await asyncio.gather(shown.step("slow"), shown.step("a"), return_exceptions=True)
        shown.seen.append([type(end).__name__ for end in ends])

    assert shown.carry(code()) == ["sees a", "a", "loses slow", ["CancelledError", "NoneType"]]


def test_overdue_timers_fire_before_anything_new_begins() -> None:
    shown = Shown(_step("a", 1.0))
    shown.clock.late = 4.0

    async def code() -> None:
        for seconds in (2, 3, 5):
            shown.timer(seconds, "timer")
        await shown.step("a")
        await shown.turns.live()
        shown.seen.append("new")

    assert shown.carry(code()) == ["sees a", "a", "timer at 2", "timer at 3", "new"]


def test_nothing_is_shown_while_the_agent_waits_for_an_answer_that_is_no_part_of_the_records() -> None:
    shown = Shown(_step("a"))

    async def asking() -> None:
        with shown.turns.holding():
            for _ in range(20):
                with real_time():
                    await asyncio.sleep(0)
            shown.seen.append("answered")

    async def code() -> None:
        await asyncio.gather(asking(), shown.step("a"))

    assert shown.carry(code()) == ["answered", "sees a", "a"]


def test_nothing_is_shown_while_a_step_that_was_cancelled_unwinds() -> None:
    shown = Shown(_step("a"), _step("b"))

    async def stubborn() -> None:
        with shown.turns.unwinding(), real_time():
            try:
                await asyncio.sleep(3600)
            finally:
                for _ in range(20):
                    await asyncio.sleep(0)
                shown.seen.append("unwound")

    async def code() -> None:
        task = asyncio.create_task(stubborn())
        waiting = asyncio.create_task(shown.step("b"))
        await shown.step("a")
        task.cancel()
        await waiting

    assert shown.carry(code()) == ["sees a", "a", "unwound", "sees b", "b"]


def test_code_that_never_rests_is_shown_the_next_thing_nevertheless() -> None:
    shown, polls = Shown(_step("a")), 0

    async def code() -> None:
        nonlocal polls
        task = asyncio.create_task(shown.step("a"))
        while not task.done():
            polls += 1
            await asyncio.sleep(0)

    assert shown.carry(code()) == ["sees a", "a"]
    assert MAX_BUSY_TURNS / 2 < polls < MAX_BUSY_TURNS * 2


def test_what_is_recorded_now_is_later_than_all_that_was_seen_and_no_later_than_the_next_timer() -> None:
    shown = Shown(_step("a", 5.0))
    stamps: list[float] = []

    async def code() -> None:
        shown.clock.late = 5.5
        shown.timer(6, "timer")
        shown.timer(8, "timer")
        await shown.step("a")
        stamps.append(shown.turns.stamp())
        shown.clock.late = 7.0
        stamps.append(shown.turns.stamp())
        await shown.turns.live()
        stamps.append(shown.turns.stamp())
        shown.clock.late = 6.0
        stamps.append(shown.turns.stamp())

    shown.carry(code())
    assert stamps == [5500.0, 6000.0, 7000.0, 7000.0]
    assert shown.seen[-1] == "timer at 6"


def test_what_is_recorded_behind_a_timer_is_later_than_it_to_the_clock_too() -> None:
    shown = Shown()
    stamps: list[float] = []

    async def code() -> None:
        shown.clock.late = 5.0
        await asyncio.sleep(5)
        stamps.append(shown.turns.stamp())
        assert shown.turns.is_unnoted, "no record tells of the timer"

    shown.carry(code())
    assert 5000 < stamps[0] < (5 + MOMENT) * 1000


def test_what_comes_now_is_shown_in_the_order_in_which_it_is_recorded() -> None:
    shown = Shown()

    async def code() -> None:
        await shown.turns.live()
        done: list[asyncio.Future[None]] = [shown.loop.create_future() for _ in range(3)]
        landed = [asyncio.Event() for _ in range(3)]
        for place in range(3):
            entry = Entry(shown.turns.stamp() / 1000, landed=landed[place].set)
            shown.turns.expect(done[place], entry)

        async def one(place: int) -> None:
            await landed[place].wait()
            shown.seen.append(place)
            await asyncio.sleep(0)
            shown.seen.append(f"{place} goes on")

        tasks = asyncio.gather(*map(one, range(3)))
        for future in done:
            future.set_result(None)
        await tasks

    assert shown.carry(code()) == [0, "0 goes on", 1, "1 goes on", 2, "2 goes on"]
