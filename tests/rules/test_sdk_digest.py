"""Digests of arguments: by value, with its type, the same in every process."""

from __future__ import annotations

import subprocess
import sys
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from uuid import UUID

import pydantic
import pytest
from taxiway.digest import value_digest


class Colour(Enum):
    RED = "red"
    BLUE = ("blue", 1)


@dataclass
class Line:
    sku: str
    parts: Any = None


class Point(NamedTuple):
    x: int
    y: int


class Item(pydantic.BaseModel):
    sku: str


class Client:
    """Has no value of its own."""


def digest(value: Any) -> str:
    return value_digest((value,), {})


DIFFERENT: list[Any] = [
    1, True, 1.0, "1", b"1", 1 + 0j, Decimal(1), None, 0, -1, "", b"", Decimal("1.0"), 2**80, 1.5,
    [1], (1,), {1}, frozenset({1}), deque([1]), {"1": 1}, {1: 1}, [[1]], [1, 1], ["1"], Point(1, 2), (1, 2), [1, [2]], [[1], 2],
    range(3), range(0, 3, 2), PurePosixPath("1"),
    UUID(int=1), date(2026, 1, 1), datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC),
    timedelta(1), timedelta(days=1, microseconds=1), Colour.RED, "red", Colour.BLUE, ("blue", 1),
    Line("a"), Line("b"), Line("a", {1}),
    Item(sku="a"), Item(sku="b"), {"sku": "a"}, Line, len, Client(), lambda: 1,
]  # fmt: skip


def test_values_that_differ_have_different_digests() -> None:
    assert len({digest(value) for value in DIFFERENT}) == len(DIFFERENT)


def test_what_equals_has_one_digest_whatever_its_order() -> None:
    texts = [f"t{n}" for n in range(50)]
    assert digest(set(texts)) == digest({*texts[25:], *texts[:25]})
    assert digest(dict.fromkeys(texts, 1)) == digest(dict.fromkeys(reversed(texts), 1))
    assert digest([Line("a", [1])]) == digest([Line("a", [1])])
    assert digest(OrderedDict(a=1, b=2)) == digest(OrderedDict(b=2, a=1))


def test_what_has_no_value_of_its_own_counts_by_its_type() -> None:
    assert digest(Client()) == digest(Client())
    assert digest([Client(), 1]) != digest([Client(), 2])
    assert digest(lambda: 1) == digest(lambda: 2)


def test_names_of_arguments_count_and_their_order_does_not() -> None:
    assert value_digest((), {"a": 1, "b": 2}) == value_digest((), {"b": 2, "a": 1})
    assert (
        len({value_digest((1,), {}), value_digest((), {"a": 1}), value_digest((), {"b": 1}), value_digest((), {})}) == 4
    )
    assert value_digest((1, 2), {}) != value_digest((1,), {"2": 2})


class Hostile:
    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not to be compared")

    def __hash__(self) -> int:
        return 1

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(f"no {name} here")


class Endless(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("not to be looked at")


def test_hostile_arguments_have_a_digest_too() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    for value in (Hostile(), Endless(), cycle, deep, float("nan"), "\ud800", [Hostile()]):
        assert digest(value) == digest(value)
        assert len(digest(value)) == 16


def test_a_digest_is_the_same_in_every_process() -> None:
    code = """if True:
        from taxiway.digest import value_digest
        from pathlib import PurePosixPath
        from decimal import Decimal
        class Client: pass
        texts = {f"t{n}" for n in range(99)}
        print(value_digest((texts, {frozenset(texts): Client()}, Decimal("1.50")), {"p": PurePosixPath("a"), "f": lambda: 1}))
    """
    said = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("0", "1", "77")
    }
    assert len(said) == 1
    assert said != {""}


@pytest.mark.parametrize(
    ("value", "known"),
    [((1, "a"), "019d35fc096a2590"), ({"k": [1.5, None, b"x"]}, "cef153c679da5d07"), ({3, 1, 2}, "e4b2dba2f6c2c5b4")],
)
def test_digests_are_those_that_records_hold(value: Any, known: str) -> None:
    assert digest(value) == known
