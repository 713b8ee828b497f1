"""Children of a played run: each is played to its end as soon as its parent waits, or ends as given.

A child has its own clock, which begins at its start. The whole family shares what is given; the first wait that it fits
uses it, in the order in which runs are played: a child before its parent, an elder child before a younger.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from taxiway.agents import DECLARED, Agent
from taxiway.errors import INVALID_INPUT, InvalidValue
from taxiway.testing.clock import Clock
from taxiway.testing.errors import Unanswered
from taxiway.testing.given import ChildEnd, Given, take
from taxiway.testing.lives import to_the_last
from taxiway.testing.outcome import Child, Error, Outcome
from taxiway.testing.waits import Answer, Waiting


@dataclass
class _Born:
    agent: str
    text: str
    run_id: str
    began: float
    outcome: Outcome | None = None
    stuck: Unanswered | None = None


class Family:
    """The children of one run of `parent`. `play` plays a run to its end, with this agent, input, id and clock."""

    def __init__(
        self, parent: Agent, clock: Clock, left: list[Given], play: Callable[[Agent, str, str, Clock], Outcome]
    ) -> None:
        self._module = parent.function.__module__
        self._clock = clock
        self._left = left
        self._play = play
        self._born: dict[str, _Born] = {}

    def start(self, key: str, agent: str, inputs: Sequence[str]) -> str:
        """Start a child for each input; return their ids as JSON text."""
        born = [_Born(agent, text, str(uuid.uuid4()), self._clock.now) for text in inputs]
        self._born.update((f"{key}/{place}", child) for place, child in enumerate(born))
        return json.dumps([child.run_id for child in born])

    def bring_up(self) -> None:
        """Play all children that were not played yet."""
        for child in self._born.values():
            if child.outcome is None and child.stuck is None:
                try:
                    child.outcome = self._come_to(child)
                except Unanswered as stuck:
                    child.stuck = stuck

    def end(self, wait: Waiting) -> float | None:
        """Return when the awaited child ends; None if it does not."""
        child = self._whose(wait)
        if child is None or child.outcome is None:
            return None
        return max(child.began + child.outcome.slept, wait.opened)

    def answer(self, wait: Waiting) -> Answer:
        """Return the end of the awaited child."""
        child = self._whose(wait)
        assert child is not None
        assert child.outcome is not None
        came, error = child.outcome, child.outcome.error
        told = {"run": child.run_id, "status": came.status, "result": came.returned, "error": error and asdict(error)}
        return Answer("received", json.dumps(told))

    def stuck(self, wait: Waiting) -> Unanswered | None:
        """Return why the awaited child does not end; None if it does."""
        child = self._whose(wait)
        return None if child is None else child.stuck

    def children(self) -> list[Child]:
        """Return the children for the test."""
        return [Child(child.agent, json.loads(child.text), child.outcome) for child in self._born.values()]

    def _whose(self, wait: Waiting) -> _Born | None:
        return self._born.get(wait.ended_by or "")

    def _come_to(self, child: _Born) -> Outcome:
        for given in self._left:
            if isinstance(given, ChildEnd) and given.is_for(child.agent):
                take(self._left, given)
                return given.outcome()
        agent = self._declared(child.agent)
        if agent is None:
            give = f"child({child.agent!r}, result=…)"
            raise Unanswered(f"no end is given for agent {child.agent!r}; give {give}, or import its module")
        try:
            agent.read_input(child.text)
        except InvalidValue as problem:
            error = Error(INVALID_INPUT, "InvalidInput", f"agent {agent.name!r}: {problem}")
            return Outcome("FAILED", INVALID_INPUT, error=error)
        return self._to_the_last(agent, child)

    def _declared(self, name: str) -> Agent | None:
        """Return an agent, preferably one of the parent's module: tests may declare several of the same name."""
        found = [one for one in reversed(DECLARED) if one.name == name]
        near = [one for one in found if one.function.__module__ == self._module]
        return next(iter(near + found), None)

    def _to_the_last(self, agent: Agent, child: _Born) -> Outcome:
        """Play the child and the successors of its restarts; its parent receives only the last outcome."""

        def play(text: str, run_id: str, clock: Clock) -> Outcome:
            return self._play(agent, text, run_id, clock)

        clock = Clock(child.began, self._clock.zero)
        return to_the_last(play, child.text, child.run_id, clock, whose=f"a child with agent {agent.name!r}")
