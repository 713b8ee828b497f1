"""Execution of one activation of a program by the players of a host, in a scripted world."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from typing import Any

from taxiway import AsyncRun, step_info
from taxiway.activation import Activation
from taxiway.agents import Agent
from taxiway.commands import Attempt, Execute, Sleep
from taxiway.errors import Canceled
from taxiway.frames import Frame, Kind
from taxiway.host.agent_loop import AgentLoop
from taxiway.host.alarms import AlarmThread
from taxiway.host.async_player import AsyncAgentPlayer
from taxiway.host.attempts import Attempts
from taxiway.host.interrupts import Interrupts
from taxiway.host.parking import Hold, Parking
from taxiway.host.run_clock import RunClock, Timers
from taxiway.host.script_player import ScriptPlayer
from taxiway.host.task_paths import TaskPaths
from taxiway.orders import Limits, Order
from taxiway.outcome import Outcome

from . import carrying
from .world import RECORDED, World

MOST_EVENTS = 2_000
PATIENCE = 8.0
"""Seconds within which an activation, which takes milliseconds, must have ended."""
SOON = 0.0002


class Hung(AssertionError):
    """Nothing can happen any more, or it never ends."""


class Died(SystemExit):
    """The host has died."""


class Staged(Activation):
    """An activation whose worker records in a world. `on_record` is called with each recorded frame."""

    def __init__(self, world: World, on_record: Callable[[Frame], None]) -> None:
        name = f"run.{world.activation}"
        order = Order(name, "run", world.activation, "program", "{}", None, {}, Limits(), clock=world.now)
        records = world.records
        super().__init__(order, records.recorded(), world.settled(), self._say, threading.RLock(), turns=records.turns)
        self.world, self.on_record, self.is_dead = world, on_record, False
        self._said: list[tuple[int, str | None]] = []

    def commit(self, kind: Kind, fields: dict[str, Any]) -> Future[Any]:
        """Record an item before this returns."""
        future = super().commit(kind, fields)
        self._answer()
        return future

    def conclude(self, outcome: Outcome) -> Future[None]:
        """Record the end of the activation."""
        future = super().conclude(outcome)
        self._answer()
        return future

    def die(self) -> None:
        """Send nothing from now on, and answer nothing."""
        self.is_dead = True
        self.stop(Canceled("the host is no more"))

    def _say(self, frame: Frame) -> None:
        if self.is_dead:
            return
        value = self.world.take(frame)
        if frame["frame"] in RECORDED:
            self.on_record(frame)
        if "n" in frame:
            self._said.append((frame["n"], value))

    def _answer(self) -> None:
        while self._said and not self.is_dead:
            self.acknowledge(*self._said.pop(0))


class _Clock(RunClock):
    def __init__(self, world: World) -> None:
        super().__init__(0.0)
        self._world = world
        self.beyond = 0.0
        """The time of code that is made to end, which is no part of the world's."""

    def real(self) -> float:
        return max(self.now, self._world.now, self.beyond)


class _Parking(Parking):
    stage: Stage

    def _may_park(self, holds: list[Hold]) -> bool:
        if not self._waiting.awaited():
            return self.stage.world.way != "stay" and super()._may_park(holds)
        return self.stage.world.parks()

    def unwind(self) -> None:
        if (first := self._loop.run_timers.first()) is not None:
            assert isinstance(self._loop.run_clock, _Clock)
            self._loop.run_clock.beyond = first.when
            self._loop.call_ours(self._turns.look)

    def _look_again(self, holds: list[Hold]) -> None:
        if self._turns.is_settled:
            self.stage.go_on()


class _Attempts(Attempts):
    stage: Stage

    async def execute(self, command: Execute) -> Attempt:
        key = f"{command.call.key} {command.attempt}"
        self.stage.under.add(key)
        try:
            return await super().execute(command)
        finally:
            self.stage.under.discard(key)


class _Scripts(ScriptPlayer):
    stage: Stage

    async def _back_off(self, command: Sleep, seconds: float) -> None:
        soon = self.stage.staged.back_off(command) is None
        self.stage.backing += soon
        try:
            return await super()._back_off(command, seconds)
        finally:
            self.stage.backing -= soon


class Stage(AsyncAgentPlayer):
    """The player, and the world around it. `trace` is what the agent's code has come to."""

    def __init__(self, activation: Staged, on_event: Callable[[], None] = lambda: None) -> None:
        self.world = activation.world
        self.staged = activation
        self.on_event = on_event
        self.trace: list[list[Any]] = []
        self.events = 0
        self.problem: BaseException | None = None
        self._gates: dict[str, Callable[[], None]] = {}
        self.under: set[str] = set()
        self.backing = 0
        self._zombies: list[threading.Event] = []
        super().__init__(activation, _interrupts(), _watch())
        self._loop.set_exception_handler(lambda *_: None)

    # Called by the program's steps and parts.

    async def reach(self) -> None:
        """Return when the time of the step has come."""
        key, opened = self._here(), asyncio.get_running_loop().create_future()
        self._gates[key] = lambda: None if opened.done() else opened.set_result(None)
        try:
            await opened
        finally:
            self._gates.pop(key, None)

    def reach_in_thread(self) -> None:
        """Do the same in a thread."""
        key, opened = self._here(), threading.Event()
        self._zombies.append(opened)
        self._gates[key] = opened.set
        assert opened.wait(PATIENCE), "nobody opened the gate of a step"
        if self._gates.pop(key, None) is not None or self.staged.is_stopped:
            raise Died

    def log(self, label: str, what: Any) -> None:
        """Record a result of the agent's code, unless the code was made to end."""
        if not self.staged.is_stopped and not self._ended:
            self.trace.append([label, what])

    # The next occurrences.

    def go_on(self) -> None:
        """Cause the next occurrence: a timer of the run, the effect of a step, an outcome."""
        if self._root is None or self._root.done():
            return
        if self.under - self._gates.keys() or self.backing:
            self._loop.call_ours_in(SOON, self._turns.look)
            return
        self.events += 1
        first = self._loop.run_timers.first()
        chosen, when = self.world.next(self.under, self._waiting.awaited())
        if self.events > MOST_EVENTS or (chosen is None and first is None):
            self.fail(Hung(f"nothing can happen any more after {self.events} events"))
        elif first is not None and first.when <= when:
            self.world.now = max(self.world.now, first.when)
            self._loop.call_ours(self._turns.look)
        else:
            assert chosen is not None
            self.world.now = max(self.world.now, when)
            self._happen(chosen)

    def _happen(self, chosen: str) -> None:
        if chosen in self.world.waits:
            self.staged.settle([self.world.settle(chosen)])
            return
        self.world.effect(*_parts(chosen))
        self.on_event()
        if not self.staged.is_dead:
            self._gates.pop(chosen)()

    def fail(self, problem: BaseException) -> None:
        """End the execution for this reason."""
        self.problem = problem
        self.die()

    def die(self) -> None:
        """Kill the host now."""
        self.staged.die()
        self._loop.call_soon_threadsafe(self._die)

    def _die(self) -> None:
        self._turns._under_way = self._turns._held = 0  # what is unanswered now will always be
        if not self._ended:
            raise Died

    def close(self) -> None:
        """Close everything that still waits."""
        for opened in self._zombies:
            opened.set()
        self._attempts.threads.shutdown(wait=True)

    # Observations of the player.

    def _new_loop(self) -> AgentLoop:
        clock, paths = _Clock(self.staged.world), TaskPaths()
        self.staged.where = paths.here
        return AgentLoop(clock, Timers(clock), paths)

    def _new_attempts(self) -> Attempts:
        attempts = _Attempts(self._activation, self._interrupts, self._turns)
        attempts.stage = self
        return attempts

    def _new_scripts(self) -> ScriptPlayer:
        scripts = _Scripts(
            self._activation,
            self._loop,
            self._waiting,
            self._turns,
            attempts=self._attempts,
            is_over=lambda: self._ended,
        )
        scripts.stage = self
        return scripts

    def _new_parking(self) -> Parking:
        parking = _Parking(self._activation, self._loop, self._waiting, self._turns, self._scripts.are_busy)
        parking.stage = self
        return parking

    def _here(self) -> str:
        info = step_info()
        return f"{info.key} {info.attempt}"


def carried(stage: Stage) -> Outcome:
    """Execute the program as an agent; return how the activation ended."""
    program = stage.world.program

    async def agent(run: AsyncRun) -> Any:
        value = await carrying.Program(run).go(program)
        return [value, stage.trace]

    carrying.outside = stage
    stage._loop.call_ours_in(PATIENCE, lambda: stage.fail(Hung("the loop waits for nothing")))
    outcome = stage.carry(Agent("program", "default", None, None, None, agent), {})
    with contextlib.suppress(Canceled):
        if not stage.staged.is_dead:
            stage.staged.conclude(outcome)
    stage.close()
    if stage.problem is not None:
        raise stage.problem
    return outcome


def _parts(key: str) -> tuple[str, int]:
    step, _, attempt = key.rpartition(" ")
    return step, int(attempt)


@cache
def _watch() -> AlarmThread:
    watch = AlarmThread()
    watch.start()
    return watch


@cache
def _interrupts() -> Interrupts:
    return Interrupts(_watch())
