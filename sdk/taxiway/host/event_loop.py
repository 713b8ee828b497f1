"""Carries out an `async def` agent in an event loop of its own, plain functions among its steps in threads.

A cancel is a cancel of the root task, as Python programmers expect. Only a loop that is stuck in blocking code, of a
step or of the agent itself, is interrupted like a `def` agent.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, assert_never

from taxiway.activation import NOT_AWAITED, Activation, cleaning
from taxiway.agents import Agent
from taxiway.async_run import AsyncRun
from taxiway.conduct import (
    Attempt,
    Await,
    Command,
    Commit,
    Execute,
    Live,
    Recall,
    Renew,
    Script,
    Seen,
    Sleep,
    Tell,
)
from taxiway.errors import AGENT_ERROR, Canceled
from taxiway.forks import ChildEndsHere
from taxiway.frames import Kind
from taxiway.host import in_order as in_order  # noqa: PLC0414 - imported for what it does
from taxiway.host.agent_loop import AgentLoop
from taxiway.host.entries import Entry, past
from taxiway.host.interrupts import Interrupts
from taxiway.host.parking import Parking
from taxiway.host.run_clock import RunClock, Timers
from taxiway.host.task_paths import TaskPaths
from taxiway.host.turns import Turns
from taxiway.host.waiting import Waiting
from taxiway.host.watch import Watch
from taxiway.inside import agent_code, real_time, stepping
from taxiway.outcome import Failed, Outcome, raised, returned
from taxiway.present import an_agent, present_run
from taxiway.waits import Settled, Wait

STUCK_AFTER: Final = 0.25
"""Seconds without a turn of the loop after which it counts as stuck, where it is asked to stop something."""
UNUSED_RECORDS: Final = "unused_records"
"""The event of an activation at whose end records lie that no call has asked for."""
MOST_NAMED: Final = 50
_CLEAN_UP: Final = 5.0
_THREADS: Final = 32


class EventLoop:
    """The player of `async def` agents."""

    def __init__(self, activation: Activation, interrupts: Interrupts, watch: Watch) -> None:
        self._activation = activation
        self._interrupts = interrupts
        self._watch = watch
        self._own = threading.current_thread()
        self._root: asyncio.Task[Any] | None = None
        self._threads: set[Future[Attempt]] = set()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="taxiway-step")
        self._ended = False
        self._interrupted = False
        self._busy = 0
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
        self._parking = self._new_parking()
        activation.end = self._end
        activation.on_settled = self._hear
        activation.on_pause = self._hear_of_pause

    @property
    def spoilt(self) -> bool:
        """Whether something was interrupted here or still runs, which must not meet another run."""
        return self._interrupted or bool(self._threads) or self._activation.unawaited.stopped

    def carry(self, agent: Agent, inputs: dict[str, Any]) -> Outcome:
        """Execute the agent to its end, then cancel whatever tasks it left."""
        run = AsyncRun(self._activation, self)
        asyncio.set_event_loop(self._loop)
        self._loop.set_default_executor(self._pool)
        outcome: Outcome
        try:
            self._interrupts.enter()
            self._root = self._begin(agent, run, inputs)
            with an_agent():
                value = self._loop.run_until_complete(self._root)
            self._interrupts.leave()
            outcome = self._came_to(agent, value)
        except BaseException as error:  # noqa: BLE001 - whatever an agent lets out is how it ended
            self._interrupts.leave()
            outcome = raised(error)
        self._ended = True
        self._close()
        return outcome

    def cancel(self) -> None:
        """Cancel the root task, or interrupt the loop when it is stuck. Called by other threads, again each second."""
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
        self._parking.touch()
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
                except BaseException as error:  # noqa: BLE001 - thrown in, where it is decided upon
                    command = script.throw(error)
                else:
                    command = script.send(answer)
        except StopIteration as done:
            return done.value

    async def clean_up(self, script: Script) -> Any:
        """Carry out a script as `play` does, also after a cancel, which interrupts it no more."""
        token = cleaning.set(True)
        self._cleanups += 1
        try:
            with self._interrupts.spared():
                return await self.play(script)
        finally:
            self._cleanups -= 1
            cleaning.reset(token)

    async def wait(self, waits: Sequence[Wait], wake: str = "all", *, own: bool = True) -> None:
        """Return when all or any of the waits are over; until then the run may be parked, and this never returns."""
        self._parking.touch()
        await self._waiting.wait(waits, wake, own=own)

    async def answered(self, future: Future[Any]) -> Any:
        """Return what a question to the worker comes to; meanwhile the agent is shown nothing else."""
        with self._turns.holding():
            return await asyncio.wrap_future(future)

    def refuse_other_threads(self, verb: str) -> None:
        """Raise RuntimeError when not called by the agent's own loop, Canceled when the agent has returned."""
        if threading.current_thread() is not self._own:
            raise RuntimeError(f"run.{verb} was called in a thread; only the agent's event loop may do that")
        if self._ended:
            raise Canceled("the agent has returned")

    # Beginning and end.

    def _rest(self) -> bool:
        if self._ended:
            self._parking.unwind()
            return False
        return self._parking.on_rest()

    def _came_to(self, agent: Agent, value: object) -> Outcome:
        """Return the outcome of an agent that returned `value`; what it left undone is said."""
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

    def _new_parking(self) -> Parking:
        return Parking(self._activation, self._loop, self._waiting, self._turns, lambda: bool(self._busy))

    def _begin(self, agent: Agent, run: AsyncRun, inputs: dict[str, Any]) -> asyncio.Task[Any]:
        def begin() -> asyncio.Task[Any]:
            agent_code.set(True)
            present_run.set(run)
            return self._loop.create_task(agent.function(run, **inputs), name=f"agent {agent.name}")

        # In a copy of the context, so that nothing of one run is seen by the next.
        return contextvars.copy_context().run(begin)

    def _end(self) -> None:
        if self._root is not None:
            self._root.cancel()

    def _hear(self, came: list[Settled]) -> None:
        self._threadsafe(lambda: self._waiting.settled(came))

    def _hear_of_pause(self) -> None:
        self._threadsafe(self._parking.ask)

    def _threadsafe(self, call: Any) -> bool:
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:  # the loop is closed already
            return False
        return True

    # What scripts ask for.

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
            case Renew(grant=grant):
                if (await self.answered(self._activation.ask("lost", grant))).usable:
                    return None
                wait = self._activation.renewal(command)
                await self._waiting.wait((wait,), "all", own=True)
                return self._activation.value(wait)
        self._busy += 1
        try:
            return await self._perform_busily(command)
        finally:
            self._busy -= 1
            self._parking.touch()
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
                return await self._execute(command)
            case _:
                assert_never(command)

    async def _record(self, kind: Kind, fields: dict[str, Any]) -> Any:
        """Have an item recorded, and go on when its turn has come among all that the run sees."""
        at = self._turns.stamp()
        recorded = self._activation.commit(kind, {**fields, "at": at})
        shown = self._loop.create_future()
        self._turns.expect(recorded, Entry(at / 1000, landed=lambda: _set(shown), is_step=True))
        await shown
        return recorded.result()

    def _abandon(self, begun: Execute | None, began: float) -> None:
        """Have recorded that the agent gave up a step that it had begun, so that no replay begins it again."""
        if begun is None or self._activation.is_stopped or self._ended:
            return
        at, took = self._turns.stamp(), round((time.monotonic() - began) * 1000)
        fields = {**begun.call.identity(), "attempts": begun.attempt, "durationMs": took, "at": at}
        recorded = self._activation.commit(Kind.STEP_ABANDONED, fields)
        self._turns.expect(recorded, Entry(at / 1000, is_step=True))

    async def _back_off(self, command: Sleep, seconds: float) -> None:
        parked = self._activation.back_off(command)
        if parked is not None:
            return await self._waiting.wait((parked,), "all", own=True)
        self._busy += 1  # as the next attempt follows soon
        try:
            with real_time(), self._turns.unwinding():
                return await asyncio.sleep(seconds)
        finally:
            self._busy -= 1

    async def _execute(self, command: Execute) -> Attempt:
        awaited = command.call.plan.awaited
        cancels = _cancels()
        with self._turns.unwinding():
            attempt = await (self._await_step(command) if awaited else self._call_in_thread(command))
        if _cancels() > cancels:  # which the step has swallowed: a replay gives it up nevertheless
            raise asyncio.CancelledError
        self._interrupted |= attempt.timed_out
        self._activation.check()  # a cancel beats whatever the step came to
        return attempt

    async def _await_step(self, command: Execute) -> Attempt:
        call = command.call
        seconds = call.plan.timeout
        stuck = None if seconds is None else seconds + STUCK_AFTER
        with stepping(self._activation, command), self._interrupts.limited(stuck) as limit:
            timer = asyncio.timeout(seconds)
            try:
                async with timer:
                    with ChildEndsHere():
                        value = await call.function(*call.args, **call.kwargs)
            except BaseException as error:
                if isinstance(error, GeneratorExit) or _is_canceled(error):
                    raise
                return Attempt(error=error, timed_out=timer.expired() or limit.expired)
            return Attempt(value, timed_out=timer.expired() or limit.expired)

    async def _call_in_thread(self, command: Execute) -> Attempt:
        context = contextvars.copy_context()
        thread = self._pool.submit(context.run, _attempt_in_thread, self._activation, command)
        self._threads.add(thread)
        thread.add_done_callback(self._threads.discard)
        with real_time():
            try:
                async with asyncio.timeout(command.call.plan.timeout):
                    return await asyncio.wrap_future(thread)
            except TimeoutError:
                return Attempt(timed_out=True)

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
        except BaseException:  # noqa: BLE001 - the outcome stands; this host has seen enough
            self._interrupted = True
        finally:
            self._interrupts.leave()
        # Not waiting for threads: those that still run cannot be stopped, and `spoilt` counts them.
        asyncio.set_event_loop(None)
        with contextlib.suppress(RuntimeError):  # an interrupt left it running; this host ends now
            self._loop.close()


def _set(shown: asyncio.Future[None]) -> None:
    if not shown.done():
        shown.set_result(None)


def _begun(before: Execute | None, command: Command) -> Execute | None:
    """Return the attempt of a step that has begun and whose end is not on its way to be recorded."""
    match command:
        case Execute():
            return command
        case Commit(Kind.STEP | Kind.STEP_FAILED | Kind.SPAWN):
            return None
    return before


def _attempt_in_thread(activation: Activation, command: Execute) -> Attempt:
    call = command.call
    with stepping(activation, command):
        try:
            with ChildEndsHere():
                return Attempt(call.function(*call.args, **call.kwargs))
        except BaseException as error:  # noqa: BLE001 - whatever a step lets out is its error
            return Attempt(error=error)


def _cancels() -> int:
    """Return how often the present task was asked to end."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def _is_canceled(error: BaseException) -> bool:
    """Whether the present task is being canceled; a CancelledError may also be a step's own."""
    return isinstance(error, asyncio.CancelledError) and _cancels() > 0
