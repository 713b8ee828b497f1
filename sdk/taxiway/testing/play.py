"""Plays a run from its beginning to its end, without a server."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

from taxiway.agents import DECLARED, Agent
from taxiway.approvals import approval
from taxiway.encode import json_text
from taxiway.errors import CODE_MISMATCH, DENIED
from taxiway.frames import Kind
from taxiway.orders import Limits, Order
from taxiway.testing.clock import Clock
from taxiway.testing.desk import Desk, Verdict
from taxiway.testing.errors import Endless, Misplayed
from taxiway.testing.given import Given
from taxiway.testing.outcome import Error, Outcome
from taxiway.testing.records import Records
from taxiway.testing.stage import Rehearsal, Stage, Stubs
from taxiway.testing.waits import START
from taxiway.waits import Wait

MOST_ACTIVATIONS: Final = 300
STRATEGIES: Final = ("NONE", "ON_START", "ON_TOOL_CALL")


def play(
    agent: Callable[..., Any],
    /,
    *,
    given: Iterable[Given] = (),
    stub: Stubs | None = None,
    input: Mapping[str, Any] | None = None,  # noqa: A002 - it is called so
    user_id: str | None = None,
    metadata: Mapping[str, str] | None = None,
    approval_strategy: str = "NONE",
    **inputs: Any,
) -> Outcome:
    """Run an agent to its end and return how that came, as a worker would have it; its waits take no time.

    Keywords are the agent's input; those with a name of an option here go into `input`. `given` are decisions, answers and
    signals, each used once. `stub` replaces steps, by their functions or names: by a function, a value, or an exception.

    Raises Unanswered when the run waits for somebody who is not given and no time-out was set by the agent, Unused when
    something was given in vain, Refused when a server would refuse it (all of them AssertionErrors), InvalidValue when the
    agent does not take this input, and TypeError.
    """
    __tracebackhide__ = True  # pytest shows the line of the test
    if approval_strategy not in STRATEGIES:
        raise ValueError(f"approval_strategy is one of {', '.join(STRATEGIES)}, not {approval_strategy!r}")
    given = list(given)
    if wrong := [one for one in given if not isinstance(one, Given)]:
        raise TypeError(f"given takes approve(…), answer(…), signal(…) and the like, not {wrong[0]!r:.80}")
    text = json_text({**(input or {}), **inputs})
    declared = _declared(agent)
    declared.read_input(text)  # a run with an input that does not fit is not even accepted
    order = Order(
        "", str(uuid.uuid4()), 0, declared.name, text, user_id, dict(metadata or {}), Limits(), approval_strategy
    )
    playing = _Play(declared, order, given, stub or {})
    try:
        return _beside_any_loop(playing.to_the_end)
    except Misplayed as problem:
        raise problem.with_traceback(None) from None


class _Play:
    def __init__(self, agent: Agent, order: Order, given: list[Given], stubs: Stubs) -> None:
        self._agent = agent
        self._order = order
        self._clock = Clock()
        self._desk = Desk(self._clock, given)
        self._stage = Stage(self._clock, stubs)
        self._records = Records()
        self._number = 0

    def to_the_end(self) -> Outcome:
        verdict = Verdict("PAUSED", "waiting")
        try:
            verdict = self._let_begin() or self._activated()
            self._desk.withdraw()
            self._desk.check_all_used(verdict)
        except Misplayed as problem:
            problem.outcome = self._outcome(verdict)
            raise
        return self._outcome(verdict)

    def _let_begin(self) -> Verdict | None:
        """Ask whether the run may begin at all, where it was enqueued so."""
        if self._order.approval_strategy != "ON_START":
            return None
        details = {"agent": self._agent.name, "input": json.loads(self._order.input)}
        wish = approval(f"Start {self._agent.name}?", details=details)
        self._number += 1
        return self._desk.park([Wait(START, wish).as_frame()], "all", {START: wish})

    def _activated(self) -> Verdict:
        """Carry activation after activation, until one of them ends the run or a refusal does."""
        while self._number < MOST_ACTIVATIONS:
            self._number += 1
            order = replace(self._order, activation=f"{self._order.run_id}.{self._number}", number=self._number)
            activation = Rehearsal(order, self._records, self._desk.settled())
            self._stage.carry(self._agent, activation)
            if (verdict := self._followed(activation)) is not None:
                return verdict
        raise Endless(f"the run was parked {MOST_ACTIVATIONS} times and goes on")

    def _followed(self, activation: Rehearsal) -> Verdict | None:
        """Do what a worker does with the frame that ended an activation; None when there is another one."""
        end = self._records.end
        match end["frame"]:
            case Kind.FINISH:
                return Verdict("SUCCESS", result=json.loads(end["value"]))
            case Kind.PARK:
                return self._desk.park(end["waits"], end["wake"], activation.wishes)
        error = Error(**end["error"])
        if error.code == CODE_MISMATCH:
            return Verdict("PAUSED", CODE_MISMATCH, error)
        if (error.code, error.type) == (DENIED, "Denied"):
            return Verdict("CANCELED", DENIED)
        return Verdict("FAILED", error.code, error)

    def _outcome(self, verdict: Verdict) -> Outcome:
        return Outcome(
            verdict.status, verdict.reason, verdict.result, verdict.error, self._records.steps(), self._desk.asked(),
            self._clock.now, self._number, self._records.events, self._records.logs,
        )  # fmt: skip


def _declared(function: Callable[..., Any]) -> Agent:
    for agent in reversed(DECLARED):
        if agent.function is function:
            return agent
    raise TypeError(f"{getattr(function, '__qualname__', function)!r} is no agent; declare it with @taxiway.agent")


def _beside_any_loop(work: Callable[[], Outcome]) -> Outcome:
    """Do it here, or where an event loop runs here already (in an `async def` test) in a thread beside it."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        beside = None
    else:
        beside = ThreadPoolExecutor(1)
    if beside is None:
        return work()
    with beside:
        return beside.submit(work).result()
