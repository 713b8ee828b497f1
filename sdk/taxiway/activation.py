"""One activation of a run: it matches calls with records, describes waits, and refuses verbs after its end.

A cancel, a halt or the agent's own end stops the activation. From then on every verb is refused, so that no agent code can
turn an end into progress.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, Final, NoReturn

from taxiway import mismatch
from taxiway.authorizations import AUTHORIZATION, AuthorizationWish, RenewedWish, again
from taxiway.children import CHILD, SpawnCall, Start, spawn
from taxiway.commands import Renew, Script, Sleep, StepCall
from taxiway.conversation import Conversation, Granted
from taxiway.encode import json_text
from taxiway.errors import AGENT_ERROR, CODE_MISMATCH, Canceled, Halt, NotRecorded, Park, Restart
from taxiway.frames import Frame, Kind
from taxiway.identity import arguments_digest, call_digest, shown_arguments
from taxiway.ledger import WAIT, Call, Ledger, Recorded, Turn
from taxiway.orders import Order
from taxiway.outcome import Finished, Outcome, Parked, Restarted, stopped
from taxiway.retry import Retry
from taxiway.step_script import step_script
from taxiway.steps import StepOptions, StepPlan, plan
from taxiway.tool_approvals import ON_TOOL_CALL, tool_call
from taxiway.tool_approvals import shown_arguments as arguments_for_people
from taxiway.verb_call import Unawaited
from taxiway.waits import SIGNAL, Settled, Wait, Wish, still_open, timer

PARK_AFTER: Final = 5.0
"""Shortest delay between two attempts of a step, in seconds, for which the run is parked."""
NOT_AWAITED: Final = "NotAwaited"
cleaning: Final[ContextVar[bool]] = ContextVar("taxiway_cleaning", default=False)
"""Whether a step of `run.cleanup` is carried out, which a cancel does not interrupt."""


class Activation(Conversation):
    """One activation; see the module. The agent's thread (or loop) calls the verbs, the reader thread the answers.

    `write` and `lock` are those of the conversation. `agent_retry` is the agent's default for its steps. With `in_order`, a new
    step halts the activation while recorded steps are unmatched. `where` returns the place of the present call in an async
    agent; outcomes of waits then count only after `see`, in the order of the records.
    """

    def __init__(
        self,
        order: Order,
        recorded: list[Recorded],
        settled: list[Settled],
        write: Callable[[Frame], None],
        lock: AbstractContextManager[object] | None = None,
        *,
        turns: Sequence[Turn] = (),
        key: bytes | None = None,
    ) -> None:
        super().__init__(order, write, lock, key)
        self.agent_retry: Retry | None = None
        self.in_order = False
        self.where: Callable[[], str] | None = None
        self.write_input: Callable[[dict[str, object]], str] = json_text
        """Returns an input of the agent as JSON text, as the agent reads it."""
        self.check_input: Callable[[str], object] = lambda _: None
        """Raises InvalidValue for an invalid input (JSON text) of the agent."""
        self.canceled = threading.Event()
        self.on_park: Callable[[], None] | None = None
        """Called once, when the run parks or restarts; the agent's code may still take time to unwind."""
        self.end: Callable[[], None] = lambda: None
        """Ends an async agent's code after the activation was stopped. Call it in the agent's loop."""
        self._arrived: list[Settled] = []
        self.on_settled: Callable[[list[Settled]], None] = self._take_outcomes
        """Called by the reader thread with outcomes of waits that arrive while the agent executes."""
        self.on_pause: Callable[[], None] = lambda: None
        """Called by the reader thread to park the run as soon as it only waits."""
        self.unawaited = Unawaited(self._drop)
        self.ledger = Ledger(recorded, settled, turns)
        self._seen: dict[str, tuple[int, Settled]] = {}
        self._stopped: Halt | Canceled | Park | Restart | None = None
        self._cancel_kind: str | None = None
        self._over = False

    @property
    def over(self) -> bool:
        """Whether the end of the activation was sent."""
        return self._over

    @property
    def is_stopped(self) -> bool:
        """Whether verbs are refused."""
        return self._stopped is not None or self._over

    # Called by the agent's side.

    def check(self) -> None:
        """Raise the error that stopped the activation, if it is stopped."""
        reason = self._stopped
        if isinstance(reason, Halt):
            raise Halt(reason.code, reason.message, reason.step, reason.type)
        if isinstance(reason, Park):
            raise Park(reason.waits, reason.wake)
        if isinstance(reason, Restart):
            raise Restart(reason.text)
        if reason is not None and not cleaning.get():
            raise Canceled(*reason.args)
        if self._over:
            raise Canceled("the activation is over")

    def open_step(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Any, options: StepOptions
    ) -> Script:
        """Return the script of a step's call. The call is matched now, in the order of the calls."""
        self.check()
        settled = plan(function, options, self.agent_retry)
        called = self._called(settled, args, kwargs)
        past = self._recorded(called)
        approval = self._approval(called.key, settled, function, args, kwargs)
        if past is None and not _is_refused(approval):
            self._must_fit(lambda: f"execute step {settled.name!r}{mismatch.given(called.digest)}", settled.name)
        renewed, _ = self._renewals(called.key, settled.name)
        call = StepCall(
            called.key,
            called.digest,
            called.occurrence,
            settled,
            function,
            args,
            kwargs,
            approval,
            renewed,
            cleaning.get(),
        )
        return self._halting(step_script(call, past, self.order.limits.value))

    def open_spawn(self, start: Start, made: Callable[[list[Wait], list[str]], Any]) -> Script:
        """Return the script of a call that starts children. The call is matched now, as that of a step is."""
        self.check()
        path = None if start.pinned else self._path()
        called = self.ledger.call(start.name, start.digest, path, lambda: start.older_digest)
        past = self._recorded(called)
        call = SpawnCall(start, called.key, called.occurrence)
        handles = functools.partial(made, [self.describe(wish) for wish in call.wishes()])

        def begin() -> None:
            self._must_fit(lambda: f"start {start.name!r}{mismatch.given(called.digest)}", start.name)

        return self._halting(spawn(call, past, begin, handles, self.order.limits.input))

    def describe(self, wish: Wish) -> Wait:
        """Return a wait with its outcome, matched in the order of the calls. The wait is not opened by that."""
        self.check()
        path = None if wish.is_placed else self._path()
        key = self.ledger.wait_key(f"{WAIT}{wish.kind}", wish.name, path)
        if path is not None and not self.ledger.was_opened(key) and (other := self.ledger.same_place(key)):
            raise self.stop(Halt(CODE_MISMATCH, mismatch.other_wait(wish, other, self.ledger)))
        return self.now(self.ledger.wait(key, wish))

    def now(self, wait: Wait) -> Wait:
        """Return a wait with its outcome, if the agent may know that now; an async agent may not before its turn."""
        if self.where is not None:
            place, settled = self._seen.get(wait.key, (0, None))
        elif wait.settled is None:
            known = self.ledger.wait(wait.key, wait.wish)
            place, settled = known.place, known.settled
        else:
            return wait
        return replace(wait, settled=settled, place=place)

    def see(self, key: str) -> None:
        """Show the outcome of a wait to the agent, as the next in the order of outcomes it has seen."""
        if (settled := self.ledger.outcome(key)) is not None and key not in self._seen:
            self._seen[key] = (len(self._seen), settled)

    def beside(self, step: str, what: str, wish: Wish) -> Wait:
        """Return a wait that belongs to a step: before it executes, or between two attempts."""
        return self.ledger.wait(f"{what}:{step}", wish)

    def back_off(self, sleep: Sleep) -> Wait | None:
        """Return the wait before the next attempt of a step, None if the delay is too short to park the run."""
        wait = self.beside(sleep.call.key, f"retry {sleep.attempt}", timer(sleep.seconds, "retry"))
        return wait if sleep.seconds >= PARK_AFTER or self.ledger.was_opened(wait.key) else None

    def renewal(self, renew: Renew) -> Wait:
        """Return the wait for an authorization that a step has lost. Each loss has a wait of its own."""
        _, place = self._renewals(renew.call.key, renew.call.name)
        return self.beside(renew.call.key, f"lost {place}", again(renew.grant))

    def look_for(self, wish: AuthorizationWish, wait: Wait) -> Future[Granted] | None:
        """Ask the worker for an existing grant; return None if the run has to wait, or its wait is resolved.

        Records behind this call show that the run passed it once. It does not wait again then: a step detects a grant that has
        been lost since.
        """
        if wait.settled is not None or wish.request["url"] is not None or self.ledger.was_opened(wait.key):
            return None
        if self._is_past():
            past: Future[Granted] = Future()
            past.set_result(Granted(usable=True))
            return past
        return self.ask("find", wish.grant)

    def left(self, waits: Sequence[Wait], wake: str) -> list[Wait]:
        """Return the open waits that `all` or `any` depend on; halt if the agent's code has changed under them."""
        self.check()
        left = still_open([self.now(wait) for wait in waits], wake)
        if (own := next((wait for wait in left if wait.key.startswith(WAIT)), None)) is not None:
            self._must_fit(lambda: f"wait for {own.wish.kind} {own.wish.title!r}")
        return left

    def wait(self, waits: Sequence[Wait], wake: str = "all") -> None:
        """Return if all or any of the waits are resolved, or can be now; otherwise stop the activation and raise Park."""
        while left := self.left(waits, wake):
            looked = self.look(left, wake)
            if looked is None or not self._has_heard(looked):
                raise self.stop(Park(tuple(wait.as_frame() for wait in left), wake))

    def look(self, waits: Sequence[Wait], wake: str = "any") -> Future[Any] | None:
        """Ask the worker for outcomes of these waits, which arrive before its answer; return None if there can be none."""
        if not self.order.looks or not any(map(self._may_be_over, waits)):
            return None
        return self.commit(Kind.LOOK, {"waits": [wait.as_frame() for wait in waits], "wake": wake})

    def _may_be_over(self, wait: Wait) -> bool:
        known = self.ledger.was_opened(wait.key)
        return known or wait.wish.kind in (SIGNAL, CHILD) or wait.wish.due_ms == 0

    def _has_heard(self, looked: Future[Any]) -> bool:
        """Return whether a look brought new outcomes. They are added in the order in which they arrived."""
        try:
            looked.result()
        except NotRecorded:  # the park is refused for the same reason, and reports it
            return False
        arrived, self._arrived = self._arrived, []
        return sum(map(self.ledger.settle, arrived)) > 0

    def value(self, wait: Wait) -> Any:
        """Return the value of a wait, or raise its error; a Halt stops the activation."""
        try:
            return self.now(wait).value()
        except Halt as halt:
            self.stop(halt)
            raise

    def restart(self, inputs: dict[str, object]) -> NoReturn:
        """Stop the activation and raise Restart; raise InvalidValue or ValueError for an input the agent does not accept."""
        self.check()
        text = self.write_input(inputs)
        if (size := len(text.encode())) > self.order.limits.input:
            raise ValueError(f"the input has {size:,} bytes of JSON, {self.order.limits.input:,} are allowed")
        self.check_input(text)
        raise self.stop(Restart(text))

    def stop(self, reason: Halt | Canceled | Park | Restart) -> Halt | Canceled | Park | Restart:
        """Refuse every further verb for this reason, unless an earlier one exists; return the reason that applies."""
        with self._lock:
            first = self._stopped is None
            if self._stopped is None:
                self._stopped = reason
            holds = self._stopped
        if first and isinstance(reason, Park | Restart) and self.on_park is not None:
            self.on_park()
        return holds

    def conclude(self, outcome: Outcome) -> Future[None]:
        """Send the outcome, or, if the activation was stopped, the outcome of that."""
        with self._lock:
            if self._stopped is not None:
                outcome = stopped(self._stopped, self._cancel_kind)
            self._over = True
            if isinstance(outcome, Finished):
                return self._commit(Kind.FINISH, {"value": outcome.text})
            if isinstance(outcome, Restarted):
                return self._commit(Kind.RESTART, {"input": outcome.text})
            if isinstance(outcome, Parked):
                return self._commit(Kind.PARK, {"wake": outcome.wake, "waits": list(outcome.waits)})
            return self._commit(Kind.FAIL, {"error": outcome.as_frame()})

    # Called by the reader's side.

    def cancel(self, kind: str) -> bool:
        """Stop the agent; return False if it has ended already."""
        with self._lock:
            if self._over:
                return False
            reason = Canceled("the run was canceled" if kind == "cancel" else "the run used up its active time")
            self._stopped, self._cancel_kind = reason, kind  # a cancel replaces a halt
            waiting = self._take_unanswered()
        self.canceled.set()
        for future in waiting:
            future.set_exception(Canceled(*reason.args))
        return True

    def _drop(self, problem: str) -> Halt | None:
        """Halt for a call without `await`: it must not be skipped, and nothing may happen after it."""
        if self.is_stopped:
            return None
        self.stop(halt := Halt(AGENT_ERROR, problem, kind=NOT_AWAITED))
        self.end()
        return halt

    def settle(self, settled: list[Settled]) -> None:
        """Take outcomes of waits. Called by the reader thread."""
        self.on_settled(settled)

    def _take_outcomes(self, settled: list[Settled]) -> None:
        self._arrived = [*self._arrived, *settled]

    def _path(self) -> str | None:
        return None if self.where is None else self.where()

    def _called(self, settled: StepPlan, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        if settled.pinned:
            return self.ledger.call(settled.name, f" {shown_arguments(args, kwargs)}", None, lambda: "")
        digest = call_digest(args, kwargs)
        return self.ledger.call(settled.name, digest, self._path(), lambda: arguments_digest(args, kwargs))

    def _recorded(self, call: Call) -> Recorded | None:
        """Return the record of a call; halt if it was recorded with other arguments."""
        past = self.ledger.take(call.key)
        if past is not None and self.where is not None and not past.has_arguments(call.digest):
            raise self.stop(Halt(CODE_MISMATCH, mismatch.other_arguments(call, past), call.name))
        return past

    def _is_past(self) -> bool:
        """Return whether records follow the present call: then the run has passed it once."""
        if self.where is None:
            return self.in_order and not self.ledger.is_used_up
        here = f"@{self.where()}#"
        return any(here in record.key for record in self.ledger.unmatched())

    def _renewals(self, key: str, step: str) -> tuple[Wait | None, int]:
        """Return the last renewal of an authorization that the step lost, and the number of the next one."""
        place, last = 1, None
        if not self.ledger.has_past:
            return last, place
        while (wait := self.beside(key, f"lost {place}", RenewedWish(AUTHORIZATION, step))).settled is not None:
            place, last = place + 1, wait
        return last, place

    def _approval(
        self, key: str, step_plan: StepPlan, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Wait | None:
        if not step_plan.tool or self.order.approval_strategy != ON_TOOL_CALL:
            return None
        return self.beside(
            key,
            "tool",
            tool_call(step_plan.name, key, arguments_for_people(function, args, kwargs), on_deny=step_plan.on_deny),
        )

    def _must_fit(self, what: Callable[[], str], step: str | None = None) -> None:
        """Halt if something new would happen while records are unused."""
        if self.in_order and not self.ledger.is_used_up:
            raise self.stop(Halt(CODE_MISMATCH, mismatch.skipped(what(), self.ledger), step))

    def _halting(self, script: Script) -> Script:
        try:
            return (yield from script)
        except Halt as halt:
            self.stop(halt)
            raise


def _is_refused(approval: Wait | None) -> bool:
    """Return whether people have refused the call before, which leaves no record but their decision."""
    return approval is not None and approval.settled is not None and approval.settled.outcome != "approved"
