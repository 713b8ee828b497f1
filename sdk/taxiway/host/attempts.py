"""Attempts of an async agent's steps: coroutine functions run in its event loop, plain functions in threads."""

from __future__ import annotations

import asyncio
import contextvars
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from taxiway.activation import Activation
from taxiway.commands import Attempt, Execute
from taxiway.forks import ChildEndsHere
from taxiway.host.interrupts import Interrupts
from taxiway.host.turns import Turns
from taxiway.inside import real_time, stepping

STUCK_AFTER: Final = 0.25
"""Seconds within which the loop must react to a stop; after that it counts as stuck."""
_THREADS: Final = 32


class Attempts:
    """The steps of one activation. Used by its loop's thread only."""

    def __init__(self, activation: Activation, interrupts: Interrupts, turns: Turns) -> None:
        self._activation, self._interrupts, self._turns = activation, interrupts, turns
        self._running: set[Future[Attempt]] = set()
        self._interrupted = False
        self.threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="taxiway-step")

    @property
    def spoilt(self) -> bool:
        """Whether a step was interrupted or still runs in a thread: this process must not serve another run."""
        return self._interrupted or bool(self._running)

    async def execute(self, command: Execute) -> Attempt:
        """Execute one attempt; raise CancelledError if its task was cancelled, even if the step swallowed that."""
        cancels = _cancels()
        with self._turns.unwinding():
            awaited = command.call.plan.awaited
            attempt = await (self._await(command) if awaited else self._call_in_thread(command))
        if _cancels() > cancels:  # a replay gives the step up as well
            raise asyncio.CancelledError
        self._interrupted |= attempt.timed_out
        self._activation.check()  # a cancel replaces the outcome of the step
        return attempt

    async def _await(self, command: Execute) -> Attempt:
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
        thread = self.threads.submit(context.run, _attempt_in_thread, self._activation, command)
        self._running.add(thread)
        thread.add_done_callback(self._running.discard)
        with real_time():
            try:
                async with asyncio.timeout(command.call.plan.timeout):
                    return await asyncio.wrap_future(thread)
            except TimeoutError:
                return Attempt(timed_out=True)


def _attempt_in_thread(activation: Activation, command: Execute) -> Attempt:
    call = command.call
    with stepping(activation, command):
        try:
            with ChildEndsHere():
                return Attempt(call.function(*call.args, **call.kwargs))
        except BaseException as error:  # noqa: BLE001 - anything that a step raises is its error
            return Attempt(error=error)


def _cancels() -> int:
    """Return the number of cancel requests of the present task."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def _is_canceled(error: BaseException) -> bool:
    """Return whether the present task is being canceled; a CancelledError may also be a step's own."""
    return isinstance(error, asyncio.CancelledError) and _cancels() > 0
