"""What became of a run that was played: how it ended, and all that it did on the way."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from taxiway.testing.telling import in_a_line

_FRAME: Final = re.compile(r'^  File "(.+)", line (\d+)', re.MULTILINE)


@dataclass(frozen=True)
class Error:
    """Why a run failed, or why a step did; `code` is `agent_error`, `step_error`, `denied`, `timeout` …"""

    code: str
    type: str
    message: str
    step: str | None = None
    attempts: int | None = None
    traceback: str | None = field(default=None, repr=False)

    @property
    def place(self) -> str | None:
        """File and line of the agent's code that raised it, below the current folder without that."""
        frames = _FRAME.findall(self.traceback or "")
        if not frames:
            return None
        file, line = Path(frames[-1][0]), frames[-1][1]
        return f"{file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file}:{line}"

    @property
    def where(self) -> str:
        """The step, its attempts and the place, as they follow the error in a sentence; empty where nothing is known."""
        attempts = f" after {self.attempts} attempts" if self.attempts and self.attempts > 1 else ""
        step = f", in step {self.step!r}{attempts}" if self.step else ""
        return step + (f", at {self.place}" if self.place else "")


@dataclass(frozen=True)
class Step:
    """A step as it is recorded; `status` is succeeded, failed, retrying or intended, `value` what it returned, as JSON has it."""

    name: str
    status: str
    attempts: int
    value: Any = None
    error: Error | None = None
    approval: str | None = None
    key: str = field(default="", repr=False)


@dataclass(frozen=True)
class Asked:
    """Something that people were asked; `outcome` is None while nobody has answered, `answer` is what they chose or said.

    The prompt of an authorization is its provider; whose, and what for, is in its details.
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
    """Something that the agent or a step emitted; progress is an event too."""

    type: str
    data: Any
    durable: bool = False
    step: str | None = None


@dataclass(frozen=True, repr=False)
class Outcome:
    """How a run ended. `returned` is what the agent returned, as JSON has it; `slept` are the seconds that nobody had to wait.

    Of a run that began anew this is the last one: `earlier` are those before it, whose `next_input` is what the next began
    with; `slept` counts all of them. `unused` is what was given in vain.
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
        """The runs that took over one from another, this one last."""
        return [*self.earlier, self]

    @property
    def result(self) -> Any:
        """What the agent returned, as JSON has it; raise AssertionError, which says why, when the run did not succeed."""
        if self.status != "SUCCESS":
            traceback = self.error.traceback if self.error else None
            where = self.error.where if self.error else ""
            raise AssertionError(
                f"the run has no result, it is {self}{where}" + (f"\n\n{traceback}" if traceback else "")
            )
        return self.returned

    @property
    def prompts(self) -> list[str]:
        """What people were asked, in order."""
        return [asked.prompt for asked in self.asked]

    def __str__(self) -> str:
        """Say it in a line."""
        why = f" ({self.reason})" if self.reason else ""
        error = f": {self.error.type}: {self.error.message}" if self.error else ""
        return f"{self.status}{why}{error}"

    def __repr__(self) -> str:
        """Say it in a line that a failing assert shows."""
        return f"<Outcome {in_a_line(self)}>"


@dataclass(frozen=True)
class Child:
    """A run that the run started; `outcome` is None where it did not come to an end."""

    agent: str
    input: Any
    outcome: Outcome | None = None
