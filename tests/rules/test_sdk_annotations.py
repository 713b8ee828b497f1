"""Annotations of steps and agents hold: unsupported types are refused at the declaration, wrong values at the call."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from enum import Enum
from typing import Any

import pytest
import taxiway
from taxiway.agents import DECLARED, agent
from taxiway.errors import UnknownType
from taxiway.testing import play


class Opaque:
    pass


def bare_set() -> set: ...  # type: ignore[type-arg, empty-body]


def function() -> Callable[[], int]: ...  # type: ignore[empty-body]


def opaque() -> list[Opaque]: ...  # type: ignore[empty-body]


def generator() -> Iterator[int]:
    yield 1


def unreadable() -> Missing: ...  # type: ignore[name-defined, empty-body] # noqa: F821


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (bare_set, r"bare_set -> set cannot be recorded: .* write set\[str\]"),
        (function, "function -> .*Callable.* has no counterpart in JSON"),
        (opaque, "opaque -> .*Opaque has no counterpart in JSON; return what JSON has, a dataclass"),
        (generator, "generator is a generator, which cannot be recorded: return a list"),
    ],
)
def test_a_step_whose_annotation_cannot_be_carried_is_refused_before_it_is_executed(wrong: Any, says: str) -> None:
    executed: list[int] = []

    def main(run: taxiway.Run) -> None:
        run.step(wrong)

    agent(main)
    declared = DECLARED[-1]
    try:
        outcome = play(main, stub={wrong: lambda: executed.append(1)})
    finally:
        DECLARED.remove(declared)
    assert outcome.error is not None
    assert outcome.error.type == "UnknownType"
    assert re.match(says, outcome.error.message)
    assert executed == []


def test_a_declared_step_is_refused_where_it_is_declared() -> None:
    for wrong in (bare_set, function, opaque, generator):
        with pytest.raises(UnknownType, match=wrong.__name__):
            taxiway.step(wrong)
    assert taxiway.step(unreadable).__wrapped__ is unreadable, "what it names may be defined further below"


class Verdict(Enum):
    GOOD = "good"


def stranger() -> int:
    return "x"  # type: ignore[return-value]


def nothing() -> dict[str, int]:
    return None  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (stranger, "step 'stranger' -> int returned $: expected int, got 'x'"),
        (nothing, "step 'nothing' -> dict[str, int] returned $: expected dict[str, int], got None"),
    ],
)
def test_a_step_that_breaks_its_annotation_fails_once_and_names_what_came(step: Any, says: str) -> None:
    @agent
    def main(run: taxiway.Run) -> None:
        run.using(retry=taxiway.Retry(attempts=3)).step(step)

    outcome = play(main)
    DECLARED.pop()
    assert outcome.error is not None
    place = f"; see {__file__}:{step.__code__.co_firstlineno}"
    assert (outcome.error.code, outcome.error.message, outcome.error.attempts) == ("invalid_output", says + place, 1)


def test_an_agent_is_held_to_its_annotation_and_left_alone_without_one() -> None:
    @agent
    def wrong(run: taxiway.Run) -> int:
        return "x"  # type: ignore[return-value]

    @agent
    def free(run):  # type: ignore[no-untyped-def]
        return {"at": datetime(2026, 1, 1), "verdict": Verdict.GOOD}

    held, left = play(wrong), play(free)
    del DECLARED[-2:]
    assert held.error is not None
    assert (held.error.code, held.error.message) == (
        "invalid_output",
        f"the agent -> int returned $: expected int, got 'x'; see {__file__}:{wrong.__code__.co_firstlineno}",
    )
    assert left.result == {"at": "2026-01-01T00:00:00", "verdict": "good"}
