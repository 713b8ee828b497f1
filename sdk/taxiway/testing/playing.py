"""One played run: its activations, and between them the acts of people, other runs and the clock."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Final

from taxiway.agents import Agent
from taxiway.approvals import approval
from taxiway.errors import CODE_MISMATCH, DENIED
from taxiway.frames import Frame, Kind
from taxiway.orders import Order
from taxiway.testing.clock import Clock
from taxiway.testing.desk import Desk, Verdict
from taxiway.testing.errors import Endless, Misplayed, Undetermined
from taxiway.testing.family import Family
from taxiway.testing.given import Given
from taxiway.testing.grants import Grants
from taxiway.testing.outcome import Error, Outcome
from taxiway.testing.records import Records
from taxiway.testing.stage import Rehearsal, Stage, Stubs
from taxiway.testing.waits import START
from taxiway.waits import Wait

MOST_ACTIVATIONS: Final = 300


@dataclass(frozen=True)
class Shared:
    """What a run shares with its family: what is given and not yet used, stubs, grants, and the titles of its waits.

    With `dies`, hosts die after each step.
    """

    given: list[Given]
    stubs: Stubs
    grants: Grants
    waited: list[str] = field(default_factory=list)
    dies: bool = False


class Playing:
    """One played run."""

    def __init__(self, agent: Agent, order: Order, clock: Clock, shared: Shared) -> None:
        self._agent = agent
        self._order = order
        self._clock = clock
        self._shared = shared
        self._family = Family(agent, clock, shared.given, self._play_child)
        self._desk = Desk(clock, shared.given, self._family, shared.grants)
        self._stage = Stage(clock, shared.stubs)
        self._records = Records(self._family.start)
        self._number = 0

    def to_the_end(self) -> Outcome:
        """Play the run to its end; raise Unanswered, Refused or Endless."""
        try:
            verdict = self._let_begin() or self._activated()
        except Misplayed as problem:
            # The outcome of a child may explain more, but the test plays this run.
            problem.outcome = self._outcome(Verdict("PAUSED", "waiting"))
            raise
        self._shared.waited.extend(self._desk.waited())
        self._desk.withdraw()
        if verdict.status != "CANCELED":  # a cancel reaches the children too
            self._family.bring_up()
        return self._outcome(verdict)

    def _play_child(self, agent: Agent, text: str, run_id: str, clock: Clock) -> Outcome:
        strategy = "ON_TOOL_CALL" if self._order.approval_strategy == "ON_TOOL_CALL" else "NONE"
        order = replace(
            self._order, run_id=run_id, agent=agent.name, input=text, metadata={}, approval_strategy=strategy
        )
        return Playing(agent, order, clock, self._shared).to_the_end()

    def _let_begin(self) -> Verdict | None:
        """Ask for approval of the start if the run was enqueued with ON_START."""
        if self._order.approval_strategy != "ON_START":
            return None
        details = {"agent": self._agent.name, "input": json.loads(self._order.input)}
        wish = approval(f"Start {self._agent.name}?", details=details)
        self._number += 1
        return self._desk.park([Wait(START, wish).as_frame()], "all", {START: wish})

    def _activated(self) -> Verdict:
        """Execute activations until one of them or a refusal ends the run."""
        parks = 0
        while parks < MOST_ACTIVATIONS:
            activation = self._activation(dies=self._shared.dies)
            if activation.dead:
                continue
            parks += 1
            if (verdict := self._followed(activation)) is not None:
                if self._shared.dies:
                    self._check_replay(activation)
                return verdict
        raise Endless(f"the run was parked {MOST_ACTIVATIONS} times and continues")

    def _activation(self, *, dies: bool) -> Rehearsal:
        self._number += 1
        name = f"{self._order.run_id}.{self._number}"
        clock = self._clock.slept + self._stage.busy
        order = replace(self._order, activation=name, number=self._number, clock=clock)
        activation = Rehearsal(order, self._records, self._desk.settled(), self._shared.grants, dies=dies)
        self._stage.carry(self._agent, activation)
        self._desk.give_up(self._records.gone)
        return activation

    def _check_replay(self, last: Rehearsal) -> None:
        """Raise Undetermined if the agent took another path at its end than before, or takes one in another replay."""
        end = self._records.end
        if end["frame"] == Kind.FAIL and end["error"]["code"] == CODE_MISMATCH:
            raise Undetermined(end["error"]["message"])
        if end["frame"] not in (Kind.FINISH, Kind.RESTART):
            return
        if left := last.ledger.unmatched_names():
            raise Undetermined(f"the agent ended without using recorded steps: {', '.join(left)}")
        told = len(self._records.events), len(self._records.logs)
        number, again = self._number, self._activation(dies=True)
        other, self._records.end, self._number = self._records.end, end, number
        del self._records.events[told[0] :], self._records.logs[told[1] :]
        if again.dead:
            raise Undetermined("a replay of all records executed something new")
        if _said(other) != _said(end):
            raise Undetermined(
                f"a replay of all records ended with {_said(other)}, the run had ended with {_said(end)}"
            )

    def _followed(self, activation: Rehearsal) -> Verdict | None:
        """Do what a worker does with the frame that ended an activation; return None if another one follows."""
        end = self._records.end
        match end["frame"]:
            case Kind.FINISH:
                return Verdict("SUCCESS", result=json.loads(end["value"]))
            case Kind.RESTART:
                return Verdict("SUCCESS", next_input=json.loads(end["input"]))
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
            verdict.status,
            verdict.reason,
            verdict.result,
            verdict.error,
            self._records.steps(),
            self._desk.asked(),
            self._clock.slept,
            self._number,
            self._records.events,
            self._records.logs,
            self._family.children(),
            verdict.next_input,
        )


def _said(end: Frame) -> str:
    """Return the frame that ended an activation, as text."""
    return f"{end['frame']} {end.get('value') or end.get('input') or end.get('error', {}).get('message') or ''}"
