"""Execution of one activation of a played run, by the players of a worker.

It differs from a worker: records are written to memory immediately, stubs may replace steps, and attempts follow each
other without a delay.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, wraps
from signal import SIGUSR1, getsignal, signal
from typing import Any

from taxiway.activation import PARK_AFTER, Activation
from taxiway.agents import Agent
from taxiway.authorizations import Grant
from taxiway.commands import Attempt, Command, Execute, Script, Sleep
from taxiway.conversation import Granted
from taxiway.errors import Park
from taxiway.frames import Frame, Kind
from taxiway.host.alarms import AlarmThread
from taxiway.host.async_player import AsyncAgentPlayer
from taxiway.host.def_player import DefAgentPlayer
from taxiway.host.interrupts import Interrupts
from taxiway.host.parking import Parking
from taxiway.host.run_clock import RunClock
from taxiway.ledger import Recorded
from taxiway.orders import Order
from taxiway.outcome import Outcome
from taxiway.testing.clock import Clock
from taxiway.testing.grants import Grants
from taxiway.testing.records import Records
from taxiway.testing.resting import Resting
from taxiway.waits import Settled, Wait, Wish

Stubs = Mapping[Callable[..., Any] | str, Any]
_AN_AGENTS_OWN = (Exception, SystemExit, GeneratorExit, asyncio.CancelledError)


_OF_STEPS = frozenset({Kind.STEP, Kind.STEP_FAILED, Kind.SPAWN})


class Rehearsal(Activation):
    """An activation whose worker records in memory; `wishes` are the waits that it reached, by their keys.

    With `dies` its host dies as soon as a step is recorded; then it is `dead`.
    """

    def __init__(
        self, order: Order, records: Records, settled: list[Settled], grants: Grants, *, dies: bool = False
    ) -> None:
        recorded: list[Recorded] = records.recorded()
        self._dies, self.dead = dies, False
        super().__init__(order, recorded, settled, self._say, turns=records.turns)
        self.wishes: dict[str, Wish] = {}
        self._records = records
        self._grants = grants
        self._said: list[tuple[int, str | None]] = []

    def left(self, waits: Sequence[Wait], wake: str) -> list[Wait]:
        """Return the waits that have not ended, and keep their wishes."""
        left = super().left(waits, wake)
        self.wishes.update((wait.key, wait.wish) for wait in left)
        return left

    def commit(self, kind: Kind, fields: dict[str, Any]) -> Future[Any]:
        """Record an item before this returns; raise if the host dies after it."""
        future = self._answered_at_once(super().commit(kind, fields))
        if self._dies and kind in _OF_STEPS:
            self.dead = True
            death = self.stop(Park(()))  # ends the agent's code as a park does, at any point
            self.end()
            raise death
        return future

    def recall(self, key: str) -> Future[str]:
        """Request a large recorded value, which is delivered before this returns."""
        future = super().recall(key)
        self.deliver(key, self._records.value(key))
        return future

    def ask(self, want: str, grant: Grant) -> Future[Granted]:
        """Request a grant, which is answered before this returns."""
        self.check()
        future: Future[Granted] = Future()
        future.set_result(self._grants.answer(want, grant))
        return future

    def conclude(self, outcome: Outcome) -> Future[None]:
        """Record the end of the activation."""
        return self._answered_at_once(super().conclude(outcome))

    def _say(self, frame: Frame) -> None:
        value = self._records.take(frame)
        if "n" in frame:
            self._said.append((frame["n"], value))

    def _answered_at_once(self, future: Future[Any]) -> Future[Any]:
        # Not inside _say: the activation's lock is held there, and acknowledge() takes it too.
        while self._said:
            self.acknowledge(*self._said.pop())
        return future


class Stage:
    """Stubs and clock of the activations of one run."""

    def __init__(self, clock: Clock, stubs: Stubs) -> None:
        self.clock = clock
        self.busy = 0.0
        """Seconds for which the run's async code has executed: part of the time that it sees, but not of `slept`."""
        self._stubs = stubs
        self._broken: BaseException | None = None

    def carry(self, agent: Agent, activation: Rehearsal) -> None:
        """Execute the agent until it ends or waits; raise an error that ends the test rather than the run."""
        activation.agent_retry, activation.in_order = agent.retry, not agent.is_async
        activation.write_input, activation.check_input = agent.write_input, agent.read_input
        interrupts = _Interrupts(_watch())
        player = _Loop(self, activation, interrupts) if agent.is_async else _Thread(self, activation, interrupts)
        watched = replace(agent, function=self._watched(agent.function))
        with interrupts.installed():
            outcome = player.carry(watched, agent.read_input(activation.order.input))
        if isinstance(player, _Loop):
            self.busy = max(self.busy, player.clock.real() - self.clock.slept)
        activation.conclude(outcome)
        if self._broken is not None:
            raise self._broken

    def direct(self, script: Script) -> Script:
        """Yield a script's commands, changed to stubs and skipped sleeps."""
        try:
            command = next(script)
            while True:
                try:
                    answer = yield self._here(command)
                except BaseException as error:  # noqa: BLE001 - thrown into the script, which decides about it
                    command = script.throw(error)
                else:
                    if isinstance(answer, Attempt) and answer.error is not None:
                        self._look_at(answer.error)
                    command = script.send(answer)
        except StopIteration as done:
            return done.value

    def _here(self, command: Command) -> Command:
        match command:
            case Execute(call):
                return replace(command, call=replace(call, function=self._stub(call.name, call.function)))
            case Sleep(seconds=seconds) if 0 < seconds < PARK_AFTER:
                self.clock.pass_by(seconds)
                return replace(command, seconds=0)
        return command

    def _stub(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        for stubbed, stub in self._stubs.items():
            if stubbed in (function, name):
                return stub if callable(stub) else _saying(stub)
        return function

    def _watched(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, wrapped so that an error that must end the test is noted."""

        @wraps(function)
        def carried(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except BaseException as error:
                self._look_at(error)
                raise

        @wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            try:
                return await function(*args, **kwargs)
            except BaseException as error:
                self._look_at(error)
                raise

        return awaited if inspect.iscoroutinefunction(function) else carried

    def _look_at(self, error: BaseException) -> None:
        """Keep an error that no agent raises by itself: Ctrl-C, `pytest.fail` …"""
        if isinstance(error, BaseExceptionGroup):
            for one in error.exceptions:
                self._look_at(one)
            return
        if not isinstance(error, _AN_AGENTS_OWN) and not type(error).__module__.startswith("taxiway."):
            self._broken = self._broken or error


class _Thread(DefAgentPlayer):
    def __init__(self, stage: Stage, activation: Rehearsal, interrupts: Interrupts) -> None:
        super().__init__(activation, interrupts)
        self._stage = stage

    def play(self, script: Script) -> Any:
        return super().play(self._stage.direct(script))


class _Loop(AsyncAgentPlayer):
    def __init__(self, stage: Stage, activation: Rehearsal, interrupts: Interrupts) -> None:
        super().__init__(activation, interrupts, _watch())
        self._stage = stage
        assert isinstance(self._parking, Resting), "see _new_parking"
        self._parking.clock = stage.clock

    @property
    def clock(self) -> RunClock:
        """The run's clock."""
        return self._loop.run_clock

    async def play(self, script: Script) -> Any:
        return await super().play(self._stage.direct(script))

    def _new_parking(self) -> Parking:
        return Resting(self._activation, self._loop, self._waiting, self._turns, self._scripts.are_busy)


class _Interrupts(Interrupts):
    """Interrupts overdue steps in the main thread; in another thread they are detected when they end."""

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Handle the signal within the block, unless its handler could not be restored afterwards."""
        before = getsignal(SIGUSR1)
        if before is None or threading.current_thread() is not threading.main_thread():
            yield
            return
        self.install()
        try:
            yield
        finally:
            signal(SIGUSR1, before)

    def _press(self) -> None:
        if getsignal(SIGUSR1) == self._deliver:
            super()._press()


@cache
def _watch() -> AlarmThread:
    watch = AlarmThread()
    watch.start()
    return watch


def _saying(value: Any) -> Callable[..., Any]:
    def say(*_args: Any, **_kwargs: Any) -> Any:
        if isinstance(value, BaseException):
            raise value
        return value

    return say
