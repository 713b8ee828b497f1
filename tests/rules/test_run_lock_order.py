"""Every transaction that ends a wait locks the run's row first and publishes after its commit; otherwise wake-ups get lost."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("api", "scheduler", "executor", "models")
BEHIND_THE_LOCK = {
    "resolve",
    "decide",
    "resolve_due",
    "keep_signal",
    "deliver",
    "next_for_signal",
    "authorize",
    "withdraw",
}


def _calls(function: ast.AST) -> Iterator[tuple[int, str]]:
    """Return the lines and names of the functions of `models.waiting.waits` that a function calls."""
    for node in ast.walk(function):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="waits"), attr=name)):
                yield node.lineno, name


def _locks_late(function: ast.FunctionDef) -> bool:
    """Return whether a function locks the run too late; one that takes `run_state` has a caller that locked it."""
    if "run_state" in {argument.arg for argument in function.args.args}:
        return False
    calls = sorted(_calls(function))
    touching = [line for line, name in calls if name in BEHIND_THE_LOCK]
    locks = [line for line, name in calls if name == "lock_run"]
    return bool(touching) and (not locks or min(locks) > min(touching))


def _functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.FunctionDef):
                    yield f"{file.relative_to(ROOT)}:{node.name}", node


def test_everybody_takes_the_run_before_its_waits() -> None:
    assert [name for name, function in _functions() if _locks_late(function)] == []


def _named(function: ast.AST) -> set[str]:
    """Return the last names of all functions that a function calls."""
    called = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
    names = [name.attr if isinstance(name, ast.Attribute) else getattr(name, "id", "") for name in called]
    return set(names)


def _wakes_no_worker(function: ast.AST) -> bool:
    """A function of the law returns what its caller must publish."""
    locks = any(name == "lock_run" for _, name in _calls(function))
    return locks and not _named(function) & {"announce", "of_waits", "CommandResult"}


def test_every_lock_of_a_run_for_its_waits_is_announced_to_the_worker_that_executes_it() -> None:
    assert [name for name, function in _functions() if _wakes_no_worker(function)] == []


@pytest.mark.parametrize(
    ("body", "silent"),
    [
        ("run_state = waits.lock_run(1).one(c)\n  bus.wake_up(PROMOTE)", True),
        ("run_state = waits.lock_run(1).one(c)\n  announce(bus, run_state, [])", False),
        ("run_state = waits.lock_run(1).one(c)\n  return EffectResult.of_waits(run_state, [], [])", False),
        ("waits.look(1)", False),
    ],
)
def test_a_lock_that_is_not_announced_is_seen(body: str, silent: bool) -> None:
    assert _wakes_no_worker(ast.parse(f"def f():\n  {body}").body[0]) is silent


def test_those_who_touch_waits_are_found() -> None:
    touching = {name for name, function in _functions() if {call for _, call in _calls(function)} & BEHIND_THE_LOCK}
    assert {
        "scheduler/duties/timers.py:step",
        "api/runs/signals.py:send_signal",
        "models/runs/children.py:hear",
    } <= touching


@pytest.mark.parametrize(
    ("body", "late"),
    [
        ("run_state = waits.lock_run(1)\n  waits.deliver(1)", False),
        ("waits.deliver(1)\n  waits.lock_run(1)", True),
        ("waits.decide(1)", True),
        ("waits.look(1)", False),
    ],
)
def test_the_wrong_order_is_seen(body: str, late: bool) -> None:
    function = ast.parse(f"def f():\n  {body}").body[0]
    assert isinstance(function, ast.FunctionDef)
    assert _locks_late(function) is late
