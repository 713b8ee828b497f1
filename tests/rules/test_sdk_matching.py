"""Identity of steps: digests, names, keys, and how a replay finds its records."""

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
from taxiway.waits import Settled

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


def _key(ledger: Ledger, name: str, digest: str, path: str | None = None) -> str:
    return ledger.call(name, digest, path, lambda: digest).key


def _recorded(key: str, name: str = "a", digest: str = "") -> Recorded:
    return Recorded(key, name, Status.SUCCEEDED, 1, "1", None, False, digest)


@given(CALLS, st.randoms(use_true_random=False))
def test_any_order_of_the_same_calls_finds_the_same_records(calls: list[tuple[str, str]], rnd: Any) -> None:
    first = Ledger()
    keys = [_key(first, *call) for call in calls]
    assert len(set(keys)) == len(keys)
    again = Ledger(_recorded(key) for key in keys)
    rnd.shuffle(calls)
    for call in calls:
        assert again.take(_key(again, *call)) is not None
    assert again.unmatched_names() == []


PLACED = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(["", "d1", "d2"]), st.sampled_from(["0", "0.1", "0.2"]))
)


@given(PLACED, st.randoms(use_true_random=False))
def test_calls_of_tasks_find_their_own_records_in_whichever_order_the_tasks_come(
    calls: list[tuple[str, str, str]], rnd: Any
) -> None:
    first = Ledger()
    keys = {place: _key(first, *call) for place, call in enumerate(calls)}
    assert len(set(keys.values())) == len(keys)
    again = Ledger(_recorded(key) for key in keys.values())
    left = {path: [place for place, call in enumerate(calls) if call[2] == path] for path in ("0", "0.1", "0.2")}
    while any(left.values()):  # each task keeps its order, tasks among one another have none
        place = left[rnd.choice([path for path, places in left.items() if places])].pop(0)
        assert _key(again, *calls[place]) == keys[place]


def test_a_call_that_today_s_version_recorded_is_found_by_its_key_of_that_time() -> None:
    ledger = Ledger([_recorded("a#d1#1"), _recorded("a#d1#2"), _recorded("a@0.1#1")])
    assert _key(ledger, "a", "d1", "0.2") == "a#d1#1"
    assert _key(ledger, "a", "d1", "0.3") == "a#d1#2"
    assert _key(ledger, "a", "d1", "0.3") == "a@0.3#2", "there is no third one"
    assert _key(ledger, "a", "d1", "0.1") == "a@0.1#1", "what was recorded since goes first"


def test_a_wait_that_today_s_version_opened_is_found_by_its_key_of_that_time() -> None:
    ledger = Ledger(settled=[Settled("wait:signal#paid#1", "received"), Settled("wait:signal@0.1#1/late", None)])
    assert ledger.wait_key("wait:signal", "paid", "0.3") == "wait:signal#paid#1"
    assert ledger.wait_key("wait:signal", "paid", "0.3") == "wait:signal@0.3#2/paid"
    assert ledger.wait_key("wait:signal", "late", "0.1") == "wait:signal@0.1#1/late"
    assert ledger.same_place("wait:signal@0.1#1/other") == "wait:signal@0.1#1/late"


@pytest.mark.parametrize(
    ("recorded", "called", "same"),
    [("d1 (1)", "d1 (one)", True), ("d1 (1)", "d2 (1)", False), ("", "d1", True), ("d1", " (1)", True)],
)
def test_a_record_tells_whether_its_arguments_are_those_of_a_call(recorded: str, called: str, same: bool) -> None:
    assert _recorded("a@0#1", digest=recorded).has_arguments(called) is same
