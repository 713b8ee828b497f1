"""Which step is which: digests, names, keys, and how a replay finds its records."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from taxiway.identity import arguments_digest, idempotency_key, step_name
from taxiway.ledger import Ledger, Recorded, Status

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(JSON, max_size=3), st.dictionaries(st.text(), JSON, max_size=3))
def test_a_digest_depends_on_the_arguments_alone_and_not_on_the_order_of_names(
    args: list[Any], kwargs: dict[str, Any]
) -> None:
    digest = arguments_digest(tuple(args), kwargs)
    assert len(digest) == 16
    assert digest == arguments_digest(tuple(args), dict(reversed(kwargs.items())))
    assert digest != arguments_digest((*args, 1), kwargs)


@dataclass
class Order7:
    id: int
    lock: Any = None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (object(), object(), True),
        (object(), Order7(1), False),
        (Order7(1), Order7(2), False),
        (Order7(1, object()), Order7(1, object()), True),
        ({1: 2}, {1: 2}, True),
        ({1: 2, "a": 3}, {"a": 3, 1: 2}, True),
        ({(1, 2): 3}, {(1, 3): 3}, False),
        ({1, 2}, {3}, True),
        (float("nan"), float("nan"), True),
        ("\ud800", "\ud801", False),
        (b"a", b"b", True),
    ],
)
def test_arguments_that_json_cannot_hold_count_by_the_name_of_their_type(one: Any, other: Any, same: bool) -> None:
    assert (arguments_digest((one,), {}) == arguments_digest((other,), {})) is same


def test_arguments_that_contain_themselves_have_a_digest() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert arguments_digest((endless,), {}) == arguments_digest((endless,), {})


class Shop:
    def fetch(self) -> None: ...

    def __call__(self) -> None: ...


def test_the_name_of_a_step_is_the_function_s_own() -> None:
    def local() -> None: ...

    assert step_name(local) == "local"
    assert step_name(Shop().fetch) == "Shop.fetch"
    assert step_name(len) == "len"
    assert step_name(dict) == "dict"


@pytest.mark.parametrize("nameless", [lambda: 1, functools.partial(int, 1), Shop()])
def test_what_has_no_name_needs_one(nameless: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"use run\.using\(name='…'\)\.step\(…\)"):
        step_name(nameless)


def test_an_idempotency_key_is_stable() -> None:
    assert idempotency_key("run", "a##1") == hashlib.sha256(b"run/a##1").hexdigest()[:32], "outside systems remember it"
    assert len({idempotency_key(run, key) for run in "ab" for key in ("a##1", "a##2")}) == 4


CALLS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["", "d1", "d2"])), max_size=20)


@given(CALLS, st.randoms(use_true_random=False))
def test_any_order_of_the_same_calls_finds_the_same_records(calls: list[tuple[str, str]], rnd: Any) -> None:
    first = Ledger()
    keys = [first.next_key(*call)[0] for call in calls]
    assert len(set(keys)) == len(keys)
    again = Ledger(Recorded(key, key[0], Status.SUCCEEDED, 1, "1", None, False) for key in keys)
    rnd.shuffle(calls)
    for call in calls:
        assert again.take(again.next_key(*call)[0]) is not None
    assert again.unmatched_names() == []
