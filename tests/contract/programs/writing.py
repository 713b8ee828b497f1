"""Random generation of programs."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from .node import Node
from .values import MAKERS

SHORT = st.sampled_from([1, 2, 3, 5, 8, 20])
LONG = st.sampled_from([None, 7, 60])


def programs(max_leaves: int = 7) -> st.SearchStrategy[Node]:
    """Return programs of up to so many steps and waits."""
    leaves = st.one_of(_steps(), _steps(), _waits(), _node("emit"), _node("rest", seconds=SHORT))
    return st.recursive(leaves, _woven, max_leaves=max_leaves).map(Node.labelled)


def chains(max_leaves: int = 9) -> st.SearchStrategy[Node]:
    """Return programs whose values do not depend on any order of arrival."""

    def woven(part: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        some = st.lists(part, min_size=2, max_size=4).map(tuple)
        kinds = [_node(kind, some) for kind in ("seq", "gather", "group")]
        return st.one_of(*kinds, _node("locked", some, many=st.integers(1, 2)))

    return st.recursive(_steps(), woven, max_leaves=max_leaves).map(Node.labelled)


def _node(
    kind: str, parts: st.SearchStrategy[tuple[Node, ...]] | None = None, **options: Any
) -> st.SearchStrategy[Node]:
    return st.builds(Node, st.just(kind), st.fixed_dictionaries(options), st.just(()) if parts is None else parts)


def _steps() -> st.SearchStrategy[Node]:
    return _node(
        "step", arg=st.sampled_from(sorted(MAKERS)),
        loop=st.integers(0, 3).map(bool), pinned=st.integers(0, 5).map(lambda n: n == 0),
        attempts=st.sampled_from([1, 1, 1, 2, 3]), fails=st.sampled_from([0, 0, 0, 1, 2]), delay=st.sampled_from([0, 0, 10]),
    )  # fmt: skip


def _waits() -> st.SearchStrategy[Node]:
    kinds = st.lists(st.sampled_from(["signal", "timer", "approval", "child"]), min_size=1, max_size=3)
    return st.one_of(
        _node("approve", seconds=LONG),
        _node("signal", seconds=LONG),
        _node("pause", seconds=LONG),
        _node("sleep", seconds=SHORT),
        _node("spawn"),
        _node("fan", many=st.integers(1, 3), as_they_come=st.booleans()),
        _node("together", kinds=kinds),
        _node("first", kinds=kinds, rest=st.booleans()),
    )


def _woven(part: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    one, two = st.tuples(part), st.tuples(part, part)
    some = st.lists(part, min_size=2, max_size=3).map(tuple)
    how = st.sampled_from(["timeout", "wait_for", "anyio", "wait"])
    return st.one_of(
        _node("seq", some),
        _node("branch", st.tuples(part, part, part)),
        *(_node(kind, some) for kind in ("gather", "group", "as_completed", "event", "condition")),
        _node("race", some, give_up=st.booleans()),
        _node("timeout", one, seconds=SHORT, how=how, rounds=st.integers(0, 3)),
        _node("shield", one, seconds=SHORT),
        _node("give_up", two),
        _node("tidy", two, seconds=SHORT),
        _node("queue", some, size=st.integers(0, 1)),
        _node("locked", some, many=st.integers(1, 2)),
        _node("future", one),
        _node("anyio_group", some, seconds=st.sampled_from([None, 2, 5])),
        _node("beside_beats", one, seconds=SHORT),
    )
