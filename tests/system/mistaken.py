"""Results of each mistake of `agents/mistakes.py`: the same on a worker and in `taxiway.testing.play`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tests.system.agents import mistakes


@dataclass(frozen=True)
class Failure:
    """How an agent with a mistake ends: `says` is a part of its message, `at` the place that this names.

    `done` are the effects of earlier steps. No question is asked.
    """

    code: str
    says: str
    at: str
    done: tuple[str, ...] = ()
    step: str | None = None


def place(function: Callable[..., Any], text: str | None = None) -> str:
    """Return file and line of the beginning of a function, or of its line with this text."""
    lines, first = inspect.getsourcelines(inspect.unwrap(function))
    number = first if text is None else first + next(n for n, line in enumerate(lines) if text in line)
    return f"{mistakes.__file__}:{number}"


def _not_awaited(agent: Callable[..., Any], verb: str, text: str) -> Failure:
    return Failure("agent_error", f"was never awaited: write `await run.{verb}(…)`", place(agent, text))


def _invalid(function: Callable[..., Any], says: str, *done: str) -> Failure:
    step = function.__name__ if done else None
    return Failure("invalid_output", says, place(function), done, step)


FAILURES: Final = {
    "sneaky": _not_awaited(mistakes.sneaky, "approve", "run.approve"),
    "sneaky_without_a_step": _not_awaited(mistakes.sneaky_without_a_step, "approve", "run.approve"),
    "sneaky_if": _not_awaited(mistakes.sneaky_if, "approve", "run.approve"),
    "sneaky_kept": _not_awaited(mistakes.sneaky_kept, "approve", "run.approve"),
    "sneaky_answer": _not_awaited(mistakes.sneaky_answer, "approve", "run.approve"),
    "sneaky_step": _not_awaited(mistakes.sneaky_step, "step", "run.step"),
    "sneaky_call": _not_awaited(mistakes.sneaky_call, "step", "wipe_too"),
    "ages": _invalid(mistakes.age, "step 'age' -> int returned $: expected int, got 'x'", "asked"),
    "configures": _invalid(mistakes.config, "expected dict[str, Any], got None", "asked"),
    "finds": _invalid(mistakes.anything, "mistakes.Thing is not JSON: return a dataclass, a model", "asked"),
    "counts": _invalid(mistakes.counts, "the agent -> int returned $: expected int, got 'x'"),
    "lists": _invalid(mistakes.lists, "the agent -> dict[str, Any] returned $: expected dict[str, Any], got None"),
    "explodes": Failure("agent_error", "one of", place(mistakes.explodes, "run.approve")),
    "naps": Failure("agent_error", "'banana' is no duration", place(mistakes.naps, "run.sleep")),
}
