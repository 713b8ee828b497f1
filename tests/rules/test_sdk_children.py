"""Rules of calls that start children: their keys, their frames, and what cannot be started; without any process."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from taxiway import ChildFailed, StepFailed, waits
from taxiway.activation import Activation
from taxiway.children import Child, handles, start
from taxiway.commands import Commit, Live, Recall, Script, Seen, Tell
from taxiway.errors import Halt, InvalidValue, NotRecorded
from taxiway.frames import Kind
from taxiway.ledger import Recorded, Status
from taxiway.orders import Limits, Order
from taxiway.waits import MOST_AT_ONCE, Settled, Wait, still_open, timer


def _activation(recorded: Sequence[Recorded] = (), settled: Sequence[Settled] = (), limit: int = 1 << 20) -> Activation:
    order = Order("a", "run-1", 1, "x", "{}", None, {}, Limits(input=limit))
    return Activation(order, list(recorded), list(settled), lambda _: None)


def _open(activation: Activation, *inputs: dict[str, Any], **options: Any) -> Script:
    asked = start("echo", inputs, list(inputs), **options)

    def made(given: list[Wait], ids: list[str]) -> list[Child]:
        return handles(Child, given, ids, "echo", lambda wait: wait)

    return activation.open_spawn(asked, made)


def _next(script: Script) -> Any:
    """Return the next command that requests something, after all records were seen."""
    while isinstance(command := next(script), Seen | Live):
        pass
    return command


def _done(script: Script, answer: Any) -> Any:
    try:
        while isinstance(command := script.send(answer), Seen | Live):
            answer = None
    except StopIteration as end:
        return end.value
    raise AssertionError(f"it goes on: {command}")


def _recorded(key: str, value: str | None, status: Status = Status.SUCCEEDED, large: bool = False) -> Recorded:
    return Recorded(key, "spawn:echo", status, 1, value, None, large)


def test_a_call_is_recognised_by_its_inputs_and_its_order_among_equals_or_by_its_key() -> None:
    activation = _activation()
    calls = [
        _open(activation, {"n": 1}),
        _open(activation, {"n": 1}),
        _open(activation, {"n": 2}, queue="q"),
        _open(activation, {"n": 3}, key="k"),
        _open(activation, {"n": 4}, key="k"),
    ]
    keys = [_next(call).fields["key"] for call in calls]
    assert keys[0][:-1] == keys[1][:-1]
    assert [key[-1] for key in keys] == ["1", "2", "1", "1", "2"]
    assert keys[3:] == ["spawn:echo/k##1", "spawn:echo/k##2"]
    assert len(set(keys)) == 5


def test_children_that_were_started_before_are_not_started_again() -> None:
    key = "spawn:echo/k##1"
    script = _open(_activation([_recorded(key, '["c-1"]')]), {"n": 1}, key="k")
    [child] = _done(script, None)
    assert (child.run_id, child.agent, child.wish.name) == ("c-1", "echo", f"{key}/0")
    assert child.wish.request == {"signal": f"taxiway.child/{key}/0", "run": "c-1", "agent": "echo"}
    large = _open(_activation([_recorded(key, None, large=True)]), {"n": 1}, key="k")
    assert isinstance(_next(large), Recall)
    assert _done(large, '["c-2"]')[0].run_id == "c-2"


def test_many_inputs_go_in_pieces_that_fit_a_frame_and_the_last_is_answered() -> None:
    inputs = [{"text": "x" * 400_000, "n": n} for n in range(5)]
    script = _open(_activation(), *inputs)
    told = [_next(script), _next(script), _next(script)]
    assert [type(command) for command in told] == [Tell, Tell, Commit]
    assert [command.fields["more"] for command in told] == [True, True, False]
    sent = [json.loads(text) for command in told for text in command.fields["inputs"]]
    assert sent == inputs
    assert {command.kind for command in told} == {Kind.SPAWN}
    assert [child.run_id for child in _done(script, json.dumps([str(n) for n in range(5)]))] == [
        "0",
        "1",
        "2",
        "3",
        "4",
    ]


def test_a_refusal_is_recorded_and_raised_again_by_every_replay() -> None:
    script = _open(_activation(), {"n": 1})
    _next(script)
    recorded = script.throw(NotRecorded("unknown_agent", "there is no agent echo"))
    assert (recorded.kind, recorded.fields["final"], recorded.fields["error"]["code"]) == (
        Kind.STEP_FAILED, True, "unknown_agent",
    )  # fmt: skip
    with pytest.raises(StepFailed, match="there is no agent echo"):
        script.send(None)
    replay = _open(_activation([_recorded(recorded.fields["key"], None, Status.FAILED)]), {"n": 1})
    with pytest.raises(StepFailed):
        _next(replay)
    full = _open(_activation(), {"n": 1})
    _next(full)
    full.throw(NotRecorded("history_limit", "full"))
    with pytest.raises(Halt):
        full.throw(NotRecorded("history_limit", "full"))


def test_new_children_while_recorded_steps_lie_unused_are_a_mismatch() -> None:
    activation = _activation([Recorded("old##1", "old", Status.SUCCEEDED, 1, "1", None, False)])
    activation.in_order = True
    with pytest.raises(Halt, match=r"it would start 'spawn:echo'\(\[{'n': 1}\]\) while recorded 'old'\(\) are unused"):
        _next(_open(activation, {"n": 1}))


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: start("echo", [[1]], 1), TypeError, "a child's input is a dict"),
        (lambda: start("echo", [{"n": {1}}], 1), InvalidValue, "set is not JSON"),
        (lambda: start("", [{}], 1), ValueError, "a name has 1 to 200"),
        (lambda: start(print, [{}], 1), TypeError, "an agent is given by its name"),
        (lambda: start("echo", [{}], 1, key=""), ValueError, "a name has 1 to 200"),
        (lambda: start("echo", [{}], 1, queue="q\x00"), ValueError, "printable"),
        (lambda: start("echo", [{}], 1, priority=-101), ValueError, "from -100 to 100"),
        (lambda: start("echo", [{}], 1, priority=True), ValueError, "from -100 to 100"),
        (lambda: start("echo", [{}], 1, timeout=0), ValueError, "more than zero"),
        (lambda: start("echo", [{}] * (MOST_AT_ONCE + 1), 1), ValueError, "5,000 children at most"),
        (lambda: _next(_open(_activation(limit=5), {"n": 100})), ValueError, "has 9 bytes of JSON, 5 are allowed"),
        (lambda: waits.signal("taxiway.child/x", None), ValueError, "Taxiway's own"),
    ],
)
def test_what_cannot_be_started_says_so(make: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        make()


def test_a_run_cannot_wait_for_more_at_once_than_fits_a_frame() -> None:
    many = [Wait(str(n), timer(1)) for n in range(MOST_AT_ONCE + 1)]
    assert len(still_open(many[1:], "all")) == MOST_AT_ONCE
    with pytest.raises(ValueError, match="5,000 open waits at most"):
        still_open(many, "all")


def test_a_child_that_ended_comes_to_its_result_or_raises() -> None:
    activation = _activation()
    script = _open(activation, {"n": 1})
    _next(script)
    [child] = _done(script, '["c-1"]')
    answer = {"run": "c-9", "status": "SUCCESS", "result": [1], "error": None}
    assert child.wish.value(Settled(child.key, "received", json.dumps(answer))) == [1]
    error = {"code": "step_error", "message": "no"}
    failed = Settled(child.key, "received", json.dumps({**answer, "status": "FAILED", "error": error}))
    with pytest.raises(ChildFailed, match="child c-9 of agent 'echo' ended as FAILED: no") as raised:
        child.wish.value(failed)
    assert (raised.value.run_id, raised.value.status, raised.value.error) == ("c-9", "FAILED", error)
