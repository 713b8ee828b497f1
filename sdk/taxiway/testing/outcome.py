"""Outcome of a played run: how it ended, and everything that it did."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from taxiway.testing.telling import in_a_line

_FRAME: Final = re.compile(r'^  File "(.+)", line (\d+)', re.MULTILINE)


@dataclass(frozen=True)
class Error:
    """Why a run or a step failed; `code` is `agent_error`, `step_error`, `denied`, `timeout` …"""

    code: str
    type: str
    message: str
    step: str | None = None
    attempts: int | None = None
    traceback: str | None = field(default=None, repr=False)

    @property
    def place(self) -> str | None:
        """File and line of the agent's code that raised it; relative if below the current folder."""
        frames = _FRAME.findall(self.traceback or "")
        if not frames:
            return None
        file, line = Path(frames[-1][0]), frames[-1][1]
        return f"{file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file}:{line}"

    @property
    def where(self) -> str:
        """The step, its attempts and the place, to follow the error in a sentence; empty if nothing is known."""
        attempts = f" after {self.attempts} attempts" if self.attempts and self.attempts > 1 else ""
        step = f", in step {self.step!r}{attempts}" if self.step else ""
        return step + (f", at {self.place}" if self.place else "")


@dataclass(frozen=True)
class Step:
    """A recorded step; `status` is succeeded, failed, retrying or intended, `value` is its result as JSON."""

    name: str
    status: str
    attempts: int
    value: Any = None
    error: Error | None = None
    approval: str | None = None
    key: str = field(default="", repr=False)


@dataclass(frozen=True)
class Asked:
    """A question to people; `outcome` is None until it is answered, `answer` is the choice or the answer.

    The prompt of an authorization is its provider; subject and scopes are in its details.
    """

    prompt: str
    details: Any = None
    choices: list[str] | None = None
    approvers: list[str] | None = None
    step: str | None = None
    outcome: str | None = None
    answer: Any = None
    by: str | None = None
    comment: str | None = None


@dataclass(frozen=True)
class Event:
    """An event that the agent or a step emitted; progress is an event too."""

    type: str
    data: Any
    durable: bool = False
    step: str | None = None


@dataclass(frozen=True, repr=False)
class Outcome:
    """How a run ended. `returned` is the agent's result as JSON; `slept` are the seconds that were skipped.

    Of a restarted run this is the last one: `earlier` are the runs before it, whose `next_input` is the input of the next;
    `slept` counts all of them. `unused` is what was given and not used.
    """

    status: str
    reason: str | None = None
    returned: Any = None
    error: Error | None = None
    steps: list[Step] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    slept: float = 0.0
    activations: int = 0
    events: list[Event] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    children: list[Child] = field(default_factory=list)
    next_input: Any = None
    earlier: tuple[Outcome, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def runs(self) -> list[Outcome]:
        """The run and its successors, this one last."""
        return [*self.earlier, self]

    @property
    def result(self) -> Any:
        """The agent's result as JSON; raises AssertionError with the reason if the run did not succeed."""
        if self.status != "SUCCESS":
            traceback = self.error.traceback if self.error else None
            where = self.error.where if self.error else ""
            raise AssertionError(
                f"the run has no result, it is {self}{where}" + (f"\n\n{traceback}" if traceback else "")
            )
        return self.returned

    @property
    def prompts(self) -> list[str]:
        """The prompts of all questions to people, in order."""
        return [asked.prompt for asked in self.asked]

    def __str__(self) -> str:
        """Return status, reason and error as one line."""
        why = f" ({self.reason})" if self.reason else ""
        error = f": {self.error.type}: {self.error.message}" if self.error else ""
        return f"{self.status}{why}{error}"

    def __repr__(self) -> str:
        """Return the line that a failing assert shows."""
        return f"<Outcome {in_a_line(self)}>"


@dataclass(frozen=True)
class Child:
    """A child of the run; `outcome` is None if it did not end."""

    agent: str
    input: Any
    outcome: Outcome | None = None
