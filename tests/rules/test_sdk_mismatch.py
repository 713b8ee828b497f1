"""The sentence of a code mismatch shows the difference on both sides, or states that it is in a part that is not shown."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel, SecretStr
from taxiway import AsyncRun, Run, agent
from taxiway.testing import play

CALLS = itertools.count()


@dataclass
class Order:
    id: int
    token: str = field(default="hidden", repr=False)


class Point(NamedTuple):
    x: int
    y: int


class Login(BaseModel):
    id: int
    password: SecretStr = SecretStr("hidden")


VALUES: dict[str, Callable[[int], list[Any]]] = {
    "Order(id={})": lambda n: [Order(n)],
    "[Order(id={})]": lambda n: [[Order(n)]],
    "Point(x={}, y=2)": lambda n: [Point(n, 2)],
    "Login(id={}, password=<pydantic.types.SecretStr>)": lambda n: [Login(id=n)],
    "b'{}'": lambda n: [b"%d" % n],
    "{}": lambda n: [n],
    "[0, 1, 2, 3, 4, 5, ...]": lambda n: [[*range(50), n]],
    "0, 1, 2, 3, 4, 5, …": lambda n: [*range(6), n],
}
UNSHOWN = "; the two differ in a part that is not shown here"


def work(*_: Any) -> None: ...


@agent(name="mismatch-drifts")
def drifts(run: Run, kind: str) -> None:
    run.step(work, *VALUES[kind](next(CALLS)))
    run.sleep("1h")


@agent(name="mismatch-drifts-too")
async def drifts_too(run: AsyncRun, kind: str) -> None:
    await run.step(work, *VALUES[kind](next(CALLS)))
    await run.sleep("1h")


@agent(name="mismatch-starts")
def starts(run: Run) -> None:
    run.spawn("elsewhere", {"n": next(CALLS)})
    run.sleep("1h")


@pytest.mark.parametrize("one", [drifts, drifts_too])
@pytest.mark.parametrize("kind", VALUES)
def test_both_sides_show_what_differs_or_that_it_is_not_shown(one: Any, kind: str) -> None:
    error = play(one, kind=kind).error
    assert error is not None
    now, then = re.findall(_shown(kind), error.message)
    assert error.code == "code_mismatch"
    assert "hidden" not in error.message
    assert (now == then) is ("{}" not in kind), error.message
    assert error.message.endswith(UNSHOWN) is ("{}" not in kind), error.message


def _shown(kind: str) -> str:
    return re.escape(f"({kind})").replace(re.escape("{}"), r"\d+")


def test_children_show_their_inputs_on_both_sides() -> None:
    error = play(starts).error
    assert error is not None
    now, then = re.findall(r"'spawn:elsewhere'\(\{'n': (\d+)\}\)", error.message)
    assert int(now) == int(then) + 1
