"""What a parked run stands still for is told wait by wait, with who can end it."""

from __future__ import annotations

from typing import Any

import pytest

from api.explain import parked
from api.explain.facts import (
    Paused,
)
from api.explain.kinds import Kind
from models.wait import Wait
from tests.rules.explained import HOUR, NOW, ONE, SOON, TWO, kinds, only, run, stands, wait, window


@pytest.mark.parametrize(
    ("kind", "request_", "named", "detail", "facts"),
    [
        ("approval", {"prompt": "Ship it?", "details": {"a": 1}}, "approval", "Somebody has to approve: Ship it?",
         {"prompt": "Ship it?"}),
        ("approval", {"prompt": "Where to?", "answer": {}, "approvers": ["a", "b"]}, "approval",
         "Somebody with the role a or b has to answer: Where to?", {"approvers": ["a", "b"]}),
        ("authorization", {"provider": "stripe", "subject": "ann", "scopes": ["mail", "pay"]}, "authorization",
         "ann has to authorize stripe (mail and pay).", {"provider": "stripe", "scopes": ["mail", "pay"]}),
        ("signal", {"signal": "paid"}, "signal", "It waits for the signal paid.", {"signal": "paid"}),
        ("timer", {}, "timer", "It sleeps.", {}),
        ("timer", None, "timer", "It sleeps.", {}),
        ("user", {"reason": "look"}, "pause", "Its agent paused it: look; it goes on when somebody resumes it.",
         {"pausedBy": "agent", "reason": "look"}),
        ("code", {"message": "step b"}, "code_mismatch",
         "Its code does not fit what it recorded: step b; it goes on when the code was mended and somebody resumes it.", {}),
        ("child", {"agent": "sub", "run": "no id"}, "child", "It waits for its child sub.", {}),
    ],
)  # fmt: skip
def test_each_wait_says_what_for_and_who_can_end_it(
    kind: str, request_: Any, named: str, detail: str, facts: dict[str, Any]
) -> None:
    found = only(parked.holding(stands(wait(kind, request_, due_at=SOON))))
    assert (found.kind, found.detail, found.since, found.until) == (named, detail, NOW - HOUR, SOON)
    shown = found.shown()
    assert {"waitId": str(ONE), "wake": "all", **facts}.items() <= shown.items()
    assert None not in [value for name, value in shown.items() if name not in ("since", "until")]


def test_a_child_is_named_with_its_status() -> None:
    asked = wait("child", {"agent": "sub", "run": str(TWO)})
    found = only(parked.holding(stands(asked, children={TWO: "RUNNING"})))
    assert found.facts["runs"] == [{"runId": str(TWO), "status": "RUNNING"}]
    assert found.detail == f"It waits for its child sub {TWO}, which is RUNNING."
    assert "told of that in a moment" in only(parked.holding(stands(asked, children={TWO: "SUCCESS"}))).detail
    assert "runs" not in only(parked.holding(stands(asked))).facts, "of another tenant nothing is told"


def test_a_run_that_was_parked_for_its_window_says_when_that_opens() -> None:
    asked = wait("window", {"window": "night"})
    found = only(parked.holding(stands(asked, windows=[window("night")])))
    assert (found.kind, found.until) == (Kind.WINDOW_WAIT, NOW.replace(hour=22, minute=0))
    assert "goes on when that opens" in found.detail
    for open_or_gone in ([window("night", kind="blackout")], []):
        found = only(parked.holding(stands(asked, windows=open_or_gone)))
        assert (found.until, "in a moment" in found.detail) == (None, True)


def test_of_several_waits_each_is_told_and_whether_one_will_do() -> None:
    both = [wait("signal", {"signal": name}, wake="any") for name in ("a", "b")]
    found = parked.holding(stands(*both))
    assert kinds(found) == ["signal", "signal"]
    assert all("first of its waits" in one.detail for one in found)
    assert "first of" not in only(parked.holding(stands(both[0]))).detail
    assert "first of" not in parked.holding(stands(wait("timer"), wait("timer")))[0].detail


def test_a_wait_whose_time_is_over_ends_in_a_moment() -> None:
    assert "ends in a moment" in only(parked.holding(stands(wait("signal", {"signal": "a"}, due_at=NOW)))).detail


@pytest.mark.parametrize(
    ("the_wait", "needed"),
    [(wait("timer"), True), (wait("child"), True), (wait("window", {"window": "x"}), True), (wait("approval"), False),
     (wait("approval", due_at=SOON), False), (wait("approval", due_at=NOW), True)],
)  # fmt: skip
def test_a_scheduler_is_missed_where_nobody_else_ends_the_wait(the_wait: Wait, needed: bool) -> None:
    assert ("no_scheduler" in kinds(parked.holding(stands(the_wait, led=False)))) is needed
    assert "no_scheduler" not in kinds(parked.holding(stands(the_wait)))


def test_a_pause_of_a_users_is_all_that_is_told_of_a_run_that_stands_still_for_it() -> None:
    paused = run(status="PAUSED", pause_kind="user")
    found = only(parked.holding(stands(the_run=paused, paused=Paused("ann", "prices", NOW), led=False)))
    assert (found.kind, found.since) == (Kind.PAUSE, NOW)
    assert found.shown()["pausedBy"] == "user"
    assert (found.shown()["by"], found.shown()["comment"]) == ("ann", "prices")


def test_a_pause_that_is_recorded_holds_beside_what_the_run_waits_for() -> None:
    held = run(status="PAUSED", pause_kind="agent", control_request="pause", control_by="ann", control_at=NOW)
    found = parked.holding(stands(wait("signal", {"signal": "a"}), the_run=held))
    assert [(one.kind.value, one.facts.get("by")) for one in found] == [("held", "ann"), ("signal", None)]
