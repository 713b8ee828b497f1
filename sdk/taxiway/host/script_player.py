"""Player of scripts for async agents: it carries out each command with the worker, the turns, the waits and the attempts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, assert_never

from taxiway.activation import Activation
from taxiway.commands import Await, Command, Commit, Execute, Live, Recall, Renew, Script, Seen, Sleep, Tell
from taxiway.frames import Kind
from taxiway.host.agent_loop import AgentLoop
from taxiway.host.attempts import Attempts
from taxiway.host.parking import Parking
from taxiway.host.replay_order import Entry
from taxiway.host.turns import Turns
from taxiway.host.waiting import Waiting
from taxiway.inside import real_time


class ScriptPlayer:
    """Plays the scripts of one activation. Used by its loop's thread only.

    It calls `parking` when the agent's code uses a verb; `is_over` returns whether the agent has returned.
    """

    def __init__(
        self,
        activation: Activation,
        loop: AgentLoop,
        waiting: Waiting,
        turns: Turns,
        *,
        attempts: Attempts,
        is_over: Callable[[], bool],
    ) -> None:
        self._activation, self._loop, self._waiting, self._turns = activation, loop, waiting, turns
        self._attempts, self._is_over = attempts, is_over
        self._busy = 0
        self.parking: Parking

    def are_busy(self) -> bool:
        """Return whether a step executes, or a frame waits for the worker's answer."""
        return bool(self._busy)

    async def play(self, script: Script) -> Any:
        """Carry out a script and return its value."""
        self.parking.touch()
        begun: Execute | None = None
        began = time.monotonic()
        try:
            command = next(script)
            while True:
                begun = _begun(begun, command)
                try:
                    answer = await self._perform(command)
                except asyncio.CancelledError as given_up:
                    self._abandon(begun, began)
                    command = script.throw(given_up)
                except BaseException as error:  # noqa: BLE001 - the script decides about it
                    command = script.throw(error)
                else:
                    command = script.send(answer)
        except StopIteration as done:
            return done.value

    async def answered(self, future: Future[Any]) -> Any:
        """Return the worker's answer to a question; until then nothing else is shown to the agent."""
        with self._turns.holding():
            return await asyncio.wrap_future(future)

    async def _perform(self, command: Command) -> Any:
        match command:
            case Seen(key):
                return await self._turns.seen(key)
            case Live():
                return await self._turns.live()
            case Await(wait):
                await self._waiting.wait((wait,), "all", own=True)
                return self._activation.value(wait)
            case Sleep(seconds=seconds):
                return await self._back_off(command, seconds)
            case Renew():
                return await self._renew(command)
        self._busy += 1
        try:
            return await self._perform_busily(command)
        finally:
            self._busy -= 1
            self.parking.touch()
            self._turns.look()

    async def _perform_busily(self, command: Tell | Commit | Recall | Execute) -> Any:
        match command:
            case Tell(kind, fields):
                return self._activation.tell(kind, fields)
            case Commit(Kind.STEP_STARTED, fields):
                return await asyncio.wrap_future(self._activation.commit(Kind.STEP_STARTED, fields))
            case Commit(kind, fields):
                return await self._record(kind, fields)
            case Recall(key):
                return await self.answered(self._activation.recall(key))
            case Execute():
                return await self._attempts.execute(command)
            case _:
                assert_never(command)

    async def _record(self, kind: Kind, fields: dict[str, Any]) -> Any:
        """Record an item; return the worker's answer at its turn among all things that the run sees."""
        at = self._turns.stamp()
        recorded = self._activation.commit(kind, {**fields, "at": at})
        shown = self._loop.create_future()
        self._turns.expect(recorded, Entry(at / 1000, landed=lambda: _set(shown), is_step=True))
        await shown
        return recorded.result()

    def _abandon(self, begun: Execute | None, began: float) -> None:
        """Record that the agent gave up a step that had begun, so that no replay begins it again."""
        if begun is None or self._activation.is_stopped or self._is_over():
            return
        at, took = self._turns.stamp(), round((time.monotonic() - began) * 1000)
        fields = {**begun.call.identity(), "attempts": begun.attempt, "durationMs": took, "at": at}
        recorded = self._activation.commit(Kind.STEP_ABANDONED, fields)
        self._turns.expect(recorded, Entry(at / 1000, is_step=True))

    async def _renew(self, command: Renew) -> Any:
        if (await self.answered(self._activation.ask("lost", command.grant))).usable:
            return None
        wait = self._activation.renewal(command)
        await self._waiting.wait((wait,), "all", own=True)
        return self._activation.value(wait)

    async def _back_off(self, command: Sleep, seconds: float) -> None:
        parked = self._activation.back_off(command)
        if parked is not None:
            return await self._waiting.wait((parked,), "all", own=True)
        self._busy += 1  # the next attempt follows soon
        try:
            with real_time(), self._turns.unwinding():
                return await asyncio.sleep(seconds)
        finally:
            self._busy -= 1


def _set(shown: asyncio.Future[None]) -> None:
    if not shown.done():
        shown.set_result(None)


def _begun(before: Execute | None, command: Command) -> Execute | None:
    """Return the attempt of a step that has begun and whose end was not sent to the worker."""
    match command:
        case Execute():
            return command
        case Commit(Kind.STEP | Kind.STEP_FAILED | Kind.SPAWN):
            return None
    return before
