"""Player of `def` agents: agent and steps run in the main thread, where they can be interrupted."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, assert_never

from taxiway.activation import Activation, cleaning
from taxiway.agents import Agent
from taxiway.commands import Attempt, Await, Command, Commit, Execute, Live, Recall, Renew, Script, Seen, Sleep, Tell
from taxiway.current_run import agent_executing, current_run
from taxiway.forks import ChildEndsHere
from taxiway.host.interrupts import Interrupts
from taxiway.inside import stepping
from taxiway.outcome import Outcome, raised, returned
from taxiway.run import Run
from taxiway.waits import Wait


class DefAgentPlayer:
    """Executes one activation of a `def` agent. Used by the main thread; `cancel` is called by other threads.

    Interrupts wait while `play` works, and not while the agent's own code runs.
    """

    def __init__(self, activation: Activation, interrupts: Interrupts) -> None:
        self._activation = activation
        self._interrupts = interrupts
        self._own = threading.current_thread()
        self.spoilt = False
        """Whether agent code was interrupted: this process must not serve another run."""

    def carry(self, agent: Agent, inputs: dict[str, Any]) -> Outcome:
        """Execute the agent to its end."""
        run = Run(self._activation, self)
        try:
            # In a copy of the context, so that the next run sees nothing of this one.
            with agent_executing():
                value = contextvars.copy_context().run(self._agent_code, lambda: _called(agent, run, inputs))
        except BaseException as error:  # noqa: BLE001 - anything that an agent raises is its outcome
            self._interrupts.leave()
            return raised(error)
        return returned(agent, value, self._activation.order.limits.result)

    def cancel(self) -> None:
        """Interrupt the agent's code. Called by other threads, repeatedly, once per second."""
        self._interrupts.cancel()

    def play(self, script: Script) -> Any:
        """Carry out a script and return its value."""
        self._interrupts.leave()
        try:
            command = next(script)
            while True:
                try:
                    answer = self._perform(command)
                except BaseException as error:  # noqa: BLE001 - the script decides about it
                    command = script.throw(error)
                else:
                    command = script.send(answer)
        except StopIteration as done:
            return done.value
        finally:
            self._interrupts.enter()

    def clean_up(self, script: Script) -> Any:
        """Carry out a script as `play` does, even after a cancel, which then does not interrupt it."""
        token = cleaning.set(True)
        try:
            with self._interrupts.spared():
                return self.play(script)
        finally:
            cleaning.reset(token)

    def wait(self, waits: Sequence[Wait], wake: str = "all") -> None:
        """Return if all or any of the waits are resolved; otherwise raise Park. Interrupts wait, but a cancel ends this."""
        self._interrupts.leave()
        try:
            self._activation.wait(waits, wake)
        finally:
            self._interrupts.enter()

    def wait_for(self, future: Future[Any]) -> Any:
        """Return the result of a future. Interrupts wait, but a cancel ends the future."""
        self._interrupts.leave()
        try:
            return future.result()
        finally:
            self._interrupts.enter()

    def refuse_other_threads(self, verb: str) -> None:
        """Raise RuntimeError if the caller is not the agent's own thread."""
        if threading.current_thread() is not self._own:
            raise RuntimeError(
                f"run.{verb} was called in a thread of the agent's own; only its main thread may call it"
            )

    def _perform(self, command: Command) -> Any:
        match command:
            case Tell(kind, fields):
                return self._activation.tell(kind, fields)
            case Commit(kind, fields):
                return self._activation.commit(kind, fields).result()
            case Recall(key):
                return self._activation.recall(key).result()
            case Execute():
                return self._execute(command)
            case Await(wait):
                self._activation.wait((wait,))
                return self._activation.value(wait)
            case Sleep():
                return self._sleep(command)
            case Renew(grant=grant):
                return None if self._activation.ask("lost", grant).result().usable else self._renew(command)
            case Seen() | Live():
                return (
                    None  # one thread calls in the order of the records, and `_must_fit` refuses new calls before them
                )
            case _:
                assert_never(command)

    def _sleep(self, sleep: Sleep) -> None:
        if (wait := self._activation.back_off(sleep)) is not None:
            return self._activation.wait((wait,))
        if cleaning.get():
            return time.sleep(sleep.seconds)
        self._activation.canceled.wait(sleep.seconds)
        return self._activation.check()

    def _renew(self, renew: Renew) -> Any:
        wait = self._activation.renewal(renew)
        self._activation.wait((wait,))
        return self._activation.value(wait)

    def _execute(self, command: Execute) -> Attempt:
        if command.call.plan.awaited:
            return Attempt(
                error=TypeError(f"step {command.call.name!r} is a coroutine function; make the agent async def")
            )
        attempt = contextvars.copy_context().run(self._attempt, command)
        self.spoilt |= attempt.timed_out
        self._activation.check()  # a cancel replaces the outcome of the step
        return attempt

    def _attempt(self, command: Execute) -> Attempt:
        call = command.call
        value, error = None, None
        with stepping(self._activation, command), self._interrupts.limited(call.plan.timeout) as limit:
            try:
                value = self._agent_code(lambda: call.function(*call.args, **call.kwargs))
            except BaseException as raised_by_step:  # noqa: BLE001 - anything that a step raises is its error
                error = raised_by_step
            self._interrupts.leave()
            return Attempt(value, error, timed_out=limit.expired)

    def _agent_code(self, code: Callable[[], Any]) -> Any:
        self._interrupts.enter()
        try:
            with ChildEndsHere():
                return code()
        finally:
            self._interrupts.leave()


def _called(agent: Agent, run: Run, inputs: dict[str, Any]) -> Any:
    current_run.set(run)
    return agent.function(run, **inputs)
