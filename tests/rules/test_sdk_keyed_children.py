"""The key of a call that starts children identifies the call, at any place of an async agent."""

from __future__ import annotations

from taxiway.activation import Activation
from taxiway.children import AsyncChild, handles, start
from taxiway.commands import Commit, Script
from taxiway.ledger import Recorded, Status
from taxiway.orders import Limits, Order


def _open(path: str, *recorded: Recorded, n: int = 1, key: str | None = "k") -> Script:
    order = Order("a", "run-1", 1, "x", "{}", None, {}, Limits())
    activation = Activation(order, list(recorded), [], lambda _: None)
    activation.where = lambda: path
    asked = start("echo", [{"n": n}], [{"n": n}], key=key)
    return activation.open_spawn(asked, lambda given, ids: handles(AsyncChild, given, ids, "echo", lambda wait: wait))


def _key(script: Script) -> str:
    commit = next(command for command in script if isinstance(command, Commit))
    key: str = commit.fields["key"]
    return key


def test_a_keyed_call_has_the_same_key_in_any_task_and_another_one_has_not() -> None:
    assert _key(_open("0.1")) == _key(_open("0.2")) == "spawn:echo/k##1"
    assert _key(_open("0.1", key=None)) != _key(_open("0.2", key=None))


def test_a_keyed_call_that_has_moved_to_another_task_has_the_children_that_it_started() -> None:
    started = Recorded("spawn:echo/k##1", "spawn:echo/k", Status.SUCCEEDED, 1, '["c-1"]', None, False)
    assert [child.run_id for child in _outcome_of(_open("0.7", started, n=2))] == ["c-1"]


def _outcome_of(script: Script) -> list[AsyncChild[object]]:
    """Carry out a script that needs no answers."""
    try:
        while True:
            next(script)
    except StopIteration as end:
        children: list[AsyncChild[object]] = end.value
        return children
