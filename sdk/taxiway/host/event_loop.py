"""Carries out an `async def` agent in an event loop of its own, plain functions among its steps in threads.

A cancel is a cancel of the root task, as Python programmers expect. Only a loop that is stuck in blocking code, of a
step or of the agent itself, is interrupted like a `def` agent.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, assert_never

from taxiway.activation import Activation
from taxiway.agents import Agent
from taxiway.async_run import AsyncRun
from taxiway.conduct import Attempt, Await, Command, Commit, Execute, Recall, Renew, Script, Sleep, Tell
from taxiway.errors import Canceled, Park
from taxiway.forks import ChildEndsHere
from taxiway.host.interrupts import Interrupts
from taxiway.host.rest import at_rest
from taxiway.host.watch import Watch
from taxiway.inside import stepping
from taxiway.outcome import Outcome, raised, returned
from taxiway.waits import Wait

STUCK_AFTER: Final = 0.25
"""Seconds without a turn of the loop after which it counts as stuck, where it is asked to stop something."""
LOOK_AGAIN: Final = 0.02
"""Seconds between two looks whether everything waits for the run, where something else might go on any moment."""
_CLEAN_UP: Final = 5.0
_THREADS: Final = 32


class EventLoop:
    """The player of `async def` agents."""

    def __init__(self, activation: Activation, interrupts: Interrupts, watch: Watch) -> None:
        self._activation = activation
        self._interrupts = interrupts
        self._watch = watch
        self._own = threading.current_thread()
        self._loop = asyncio.new_event_loop()
        self._root: asyncio.Task[Any] | None = None
        self._threads: set[Future[Attempt]] = set()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="taxiway-step")
        self._ended = False
        self._interrupted = False
        self._busy = 0
        self._looking = False
        self._waits: dict[asyncio.Future[None], Park] = {}

    @property
    def spoilt(self) -> bool:
        """Whether something was interrupted here or still runs, which must not meet another run."""
        return self._interrupted or bool(self._threads)

    def carry(self, agent: Agent, inputs: dict[str, Any]) -> Outcome:
        """Execute the agent to its end, then cancel whatever tasks it left."""
        run = AsyncRun(self._activation, self)
        asyncio.set_event_loop(self._loop)
        self._loop.set_default_executor(self._pool)
        outcome: Outcome
        try:
            self._interrupts.enter()
            self._root = self._loop.create_task(agent.function(run, **inputs), name=f"agent {agent.name}")
            value = self._loop.run_until_complete(self._root)
            self._interrupts.leave()
            outcome = returned(value, self._activation.order.limits.result)
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
            if self._root is not None:
                self._root.cancel()

        try:
            self._loop.call_soon_threadsafe(arrive)
        except RuntimeError:  # the loop is closed already
            alarm.cancel()

    async def play(self, script: Script) -> Any:
        """Carry out a script and return its value."""
        try:
            command = next(script)
            while True:
                try:
                    answer = await self._perform(command)
                except BaseException as error:  # noqa: BLE001 - thrown in, where it is decided upon
                    command = script.throw(error)
                else:
                    command = script.send(answer)
        except StopIteration as done:
            return done.value

    async def wait(self, waits: Sequence[Wait], wake: str = "all") -> None:
        """Return when all or any of the waits are over; until then the run may be parked, and this never returns."""
        left = self._activation.left(waits, wake)
        if not left:
            return
        future = self._loop.create_future()
        if not self._looking:
            self._looking = True
            self._loop.call_soon(self._look)
        self._waits[future] = Park(tuple(wait.as_frame() for wait in left), wake)
        try:
            await future
        finally:
            del self._waits[future]

    def _look(self) -> None:
        """Park the run once all of its tasks wait for what only the run can bring; until then look again and again."""
        self._looking = bool(self._waits) and not self._ended
        if not self._looking:
            return
        if self._busy or not at_rest(self._loop, self._waits):
            self._loop.call_later(LOOK_AGAIN, self._look)
            return
        self._activation.stop(_together(list(self._waits.values())))
        if self._root is not None:
            self._root.cancel()

    def refuse_other_threads(self, verb: str) -> None:
        """Raise RuntimeError when not called by the agent's own loop, Canceled when the agent has returned."""
        if threading.current_thread() is not self._own:
            raise RuntimeError(f"run.{verb} was called in a thread; only the agent's event loop may do that")
        if self._ended:
            raise Canceled("the agent has returned")

    async def _perform(self, command: Command) -> Any:
        match command:
            case Await(wait):
                await self.wait((wait,))
                return self._activation.value(wait)
            case Sleep(seconds=seconds):
                parked = self._activation.back_off(command)
                return await (asyncio.sleep(seconds) if parked is None else self.wait((parked,)))
            case Renew(grant=grant):
                if (await asyncio.wrap_future(self._activation.ask("lost", grant))).usable:
                    return None
                wait = self._activation.renewal(command)
                await self.wait((wait,))
                return self._activation.value(wait)
        self._busy += 1
        try:
            return await self._perform_busily(command)
        finally:
            self._busy -= 1

    async def _perform_busily(self, command: Tell | Commit | Recall | Execute) -> Any:
        match command:
            case Tell(kind, fields):
                return self._activation.tell(kind, fields)
            case Commit(kind, fields):
                return await asyncio.wrap_future(self._activation.commit(kind, fields))
            case Recall(key):
                return await asyncio.wrap_future(self._activation.recall(key))
            case Execute():
                return await self._execute(command)
            case _:
                assert_never(command)

    async def _execute(self, command: Execute) -> Attempt:
        awaited = _is_coroutine_function(command.call.function)
        attempt = await (self._await_step(command) if awaited else self._call_in_thread(command))
        self._interrupted |= attempt.timed_out
        self._activation.check()  # a cancel beats whatever the step came to
        return attempt

    async def _await_step(self, command: Execute) -> Attempt:
        call = command.call
        seconds = call.plan.timeout
        stuck = None if seconds is None else seconds + STUCK_AFTER
        timer = asyncio.timeout(seconds)
        with stepping(self._activation, command), self._interrupts.limited(stuck) as limit:
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


def _together(parks: list[Park]) -> Park:
    """Park for one thing as it wakes by itself, for several so that any of them wakes: only the code knows what it needs."""
    waits = {wait["key"]: wait for park in parks for wait in park.waits}
    return Park(tuple(waits.values()), parks[0].wake if len(parks) == 1 else "any")


def _attempt_in_thread(activation: Activation, command: Execute) -> Attempt:
    call = command.call
    with stepping(activation, command):
        try:
            with ChildEndsHere():
                return Attempt(call.function(*call.args, **call.kwargs))
        except BaseException as error:  # noqa: BLE001 - whatever a step lets out is its error
            return Attempt(error=error)


def _is_canceled(error: BaseException) -> bool:
    """Whether the present task is being canceled; a CancelledError may also be a step's own."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def _is_coroutine_function(function: Any) -> bool:
    if inspect.iscoroutinefunction(function):
        return True
    return inspect.iscoroutinefunction(type(function).__call__)  # an object that is called like one
