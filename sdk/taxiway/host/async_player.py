"""Player of `async def` agents: an event loop for each activation, with threads for plain functions among the steps.

A cancel cancels the root task, as Python programmers expect. Only a loop that is stuck in blocking code, of a step or of
the agent itself, is interrupted like a `def` agent.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, Final

from taxiway.activation import NOT_AWAITED, Activation, cleaning
from taxiway.agents import Agent
from taxiway.async_run import AsyncRun
from taxiway.commands import Script
from taxiway.current_run import agent_executing, current_run
from taxiway.errors import AGENT_ERROR, Canceled
from taxiway.host import ordered_completion as ordered_completion  # noqa: PLC0414 - imported for its effect
from taxiway.host.agent_loop import AgentLoop
from taxiway.host.alarms import AlarmThread
from taxiway.host.attempts import STUCK_AFTER, Attempts
from taxiway.host.interrupts import Interrupts
from taxiway.host.parking import Parking
from taxiway.host.replay_order import past
from taxiway.host.run_clock import RunClock, Timers
from taxiway.host.script_player import ScriptPlayer
from taxiway.host.task_paths import TaskPaths
from taxiway.host.turns import Turns
from taxiway.host.waiting import Waiting
from taxiway.inside import agent_code
from taxiway.outcome import Failed, Outcome, raised, returned
from taxiway.waits import Settled, Wait

UNUSED_RECORDS: Final = "unused_records"
"""The event of an activation that ends with unmatched records."""
MOST_NAMED: Final = 50
_CLEAN_UP: Final = 5.0


class AsyncAgentPlayer:
    """Executes one activation of an `async def` agent. Used by the main thread; `cancel` is called by other threads."""

    def __init__(self, activation: Activation, interrupts: Interrupts, watch: AlarmThread) -> None:
        self._activation = activation
        self._interrupts = interrupts
        self._watch = watch
        self._own = threading.current_thread()
        self._root: asyncio.Task[Any] | None = None
        self._ended = False
        self._interrupted = False
        self._cleanups = 0
        self._loop = self._new_loop()
        self._waiting = Waiting(activation, self._loop)
        self._turns = self._waiting.turns = Turns(
            self._loop,
            past(activation.ledger, activation.order.clock),
            see=self._waiting.see,
            lose=self._waiting.lose,
            catch_up=self._waiting.catch_up,
            on_rest=self._rest,
        )
        self._attempts = self._new_attempts()
        self._scripts = self._new_scripts()
        self._parking = self._scripts.parking = self._new_parking()
        activation.end = self._end
        activation.on_settled = self._take_outcomes
        activation.on_pause = self._take_pause

    @property
    def spoilt(self) -> bool:
        """Whether something was interrupted or still runs: this process must not serve another run."""
        return self._interrupted or self._attempts.spoilt or self._activation.unawaited.stopped

    def carry(self, agent: Agent, inputs: dict[str, Any]) -> Outcome:
        """Execute the agent to its end, then cancel all tasks that it left."""
        run = AsyncRun(self._activation, self)
        asyncio.set_event_loop(self._loop)
        self._loop.set_default_executor(self._attempts.threads)
        outcome: Outcome
        try:
            self._interrupts.enter()
            self._root = self._begin(agent, run, inputs)
            with agent_executing():
                value = self._loop.run_until_complete(self._root)
            self._interrupts.leave()
            outcome = self._outcome_of(agent, value)
        except BaseException as error:  # noqa: BLE001 - anything that an agent raises is its outcome
            self._interrupts.leave()
            outcome = raised(error)
        self._ended = True
        self._close()
        return outcome

    def cancel(self) -> None:
        """Cancel the root task, or interrupt a stuck loop. Called by other threads, repeatedly, once per second."""
        self._interrupted = True
        alarm = self._watch.after(STUCK_AFTER, self._interrupts.cancel)

        def arrive() -> None:
            alarm.cancel()
            if not self._cleanups:
                self._end()

        if not self._threadsafe(arrive):
            alarm.cancel()

    async def play(self, script: Script) -> Any:
        """Carry out a script and return its value."""
        return await self._scripts.play(script)

    async def clean_up(self, script: Script) -> Any:
        """Carry out a script as `play` does, even after a cancel, which then does not interrupt it."""
        token = cleaning.set(True)
        self._cleanups += 1
        try:
            with self._interrupts.spared():
                return await self.play(script)
        finally:
            self._cleanups -= 1
            cleaning.reset(token)

    async def wait(self, waits: Sequence[Wait], wake: str = "all", *, own: bool = True) -> None:
        """Return when all or any of the waits are resolved; if the run is parked before that, this never returns."""
        self._parking.touch()
        await self._waiting.wait(waits, wake, own=own)

    async def answered(self, future: Future[Any]) -> Any:
        """Return the worker's answer to a question; until then nothing else is shown to the agent."""
        return await self._scripts.answered(future)

    def refuse_other_threads(self, verb: str) -> None:
        """Raise RuntimeError outside the agent's own loop, and Canceled after the agent has returned."""
        if threading.current_thread() is not self._own:
            raise RuntimeError(f"run.{verb} was called in a thread; only the agent's event loop may call it")
        if self._ended:
            raise Canceled("the agent has returned")

    # Beginning and end.

    def _rest(self) -> bool:
        if self._ended:
            self._parking.unwind()
            return False
        return self._parking.on_rest()

    def _outcome_of(self, agent: Agent, value: object) -> Outcome:
        """Return the outcome of an agent that returned `value`: an error for a missing `await`, and report unused records."""
        if (problem := self._activation.unawaited.first()) is not None:
            return Failed(AGENT_ERROR, NOT_AWAITED, problem)
        if (left := self._activation.ledger.unmatched_names()) and not self._activation.is_stopped:
            self._activation.event(UNUSED_RECORDS, {"names": left[:MOST_NAMED], "count": len(left)}, durable=True)
        return returned(agent, value, self._activation.order.limits.result)

    def _new_loop(self) -> AgentLoop:
        activation = self._activation
        has_past = activation.order.number > 1 or activation.ledger.has_past
        clock = RunClock(activation.order.clock if has_past else 0.0)
        paths = TaskPaths()
        activation.where = paths.here
        return AgentLoop(clock, Timers(clock), paths)

    def _new_attempts(self) -> Attempts:
        return Attempts(self._activation, self._interrupts, self._turns)

    def _new_scripts(self) -> ScriptPlayer:
        return ScriptPlayer(
            self._activation,
            self._loop,
            self._waiting,
            self._turns,
            attempts=self._attempts,
            is_over=lambda: self._ended,
        )

    def _new_parking(self) -> Parking:
        return Parking(self._activation, self._loop, self._waiting, self._turns, self._scripts.are_busy)

    def _begin(self, agent: Agent, run: AsyncRun, inputs: dict[str, Any]) -> asyncio.Task[Any]:
        def begin() -> asyncio.Task[Any]:
            agent_code.set(True)
            current_run.set(run)
            return self._loop.create_task(agent.function(run, **inputs), name=f"agent {agent.name}")

        # In a copy of the context, so that the next run sees nothing of this one.
        return contextvars.copy_context().run(begin)

    def _end(self) -> None:
        if self._root is not None:
            self._root.cancel()

    def _take_outcomes(self, arrived: list[Settled]) -> None:
        self._threadsafe(lambda: self._waiting.settled(arrived))

    def _take_pause(self) -> None:
        self._threadsafe(self._parking.ask)

    def _threadsafe(self, call: Any) -> bool:
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:  # the loop is closed already
            return False
        return True

    def _close(self) -> None:
        try:
            self._interrupts.enter()
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            if left:
                _, stubborn = self._loop.run_until_complete(asyncio.wait(left, timeout=_CLEAN_UP))
                self._interrupted |= bool(stubborn)
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        except BaseException:  # noqa: BLE001 - the outcome is known; this host serves no further run
            self._interrupted = True
        finally:
            self._interrupts.leave()
        # Threads are not awaited: those that still run cannot be stopped, and `spoilt` reports them.
        asyncio.set_event_loop(None)
        with contextlib.suppress(RuntimeError):  # an interrupt left the loop running; this host ends now
            self._loop.close()
