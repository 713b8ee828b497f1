"""The explanation of a parked run lists each of its waits, with the people or systems that can end it."""

from __future__ import annotations

from typing import Any

import pytest

from api.explain import parked_blockers
from api.explain.blocker_kinds import Kind
from api.explain.snapshot import (
    Paused,
    SlotHeld,
)
from models.tables.wait import Wait
from tests.rules.explained import HOUR, NOW, ONE, SOON, TWO, kinds, only, run, run_state, wait, window


@pytest.mark.parametrize(
    ("kind", "request_", "named", "detail", "facts"),
    [
        ("approval", {"prompt": "Ship it?", "details": {"a": 1}}, "approval", "A person must approve: Ship it?",
         {"prompt": "Ship it?"}),
        ("approval", {"prompt": "Where to?", "answer": {}, "approvers": ["a", "b"]}, "approval",
         "A person with the role a or b must answer: Where to?", {"approvers": ["a", "b"]}),
        ("authorization", {"provider": "stripe", "subject": "ann", "scopes": ["mail", "pay"]}, "authorization",
         "ann must authorize stripe (mail and pay).", {"provider": "stripe", "scopes": ["mail", "pay"]}),
        ("signal", {"signal": "paid"}, "signal", "It waits for the signal paid.", {"signal": "paid"}),
        ("timer", {}, "timer", "It sleeps.", {}),
        ("timer", None, "timer", "It sleeps.", {}),
        ("user", {"reason": "look"}, "pause", "Its agent paused it: look; it continues when it is resumed.",
         {"pausedBy": "agent", "reason": "look"}),
        ("code", {"message": "step b"}, "code_mismatch",
         "Its code does not match what it recorded: step b; it continues when the code is fixed and the run is resumed.", {}),
        ("child", {"agent": "sub", "run": "no id"}, "child", "It waits for its child sub.", {}),
    ],
)  # fmt: skip
def test_each_wait_says_what_for_and_who_can_end_it(
    kind: str, request_: Any, named: str, detail: str, facts: dict[str, Any]
) -> None:
    found = only(parked_blockers.holding(run_state(wait(kind, request_, due_at=SOON))))
    assert (found.kind, found.detail, found.since, found.until) == (named, detail, NOW - HOUR, SOON)
    shown = found.shown()
    assert {"waitId": str(ONE), "wake": "all", **facts}.items() <= shown.items()
    assert None not in [value for name, value in shown.items() if name not in ("since", "until")]


def test_a_child_is_named_with_its_status() -> None:
    asked = wait("child", {"agent": "sub", "run": str(TWO)})
    found = only(parked_blockers.holding(run_state(asked, children={TWO: "RUNNING"})))
    assert found.facts["runs"] == [{"runId": str(TWO), "status": "RUNNING"}]
    assert found.detail == f"It waits for its child sub {TWO}, which is RUNNING."
    assert (
        "receives the result in a moment"
        in only(parked_blockers.holding(run_state(asked, children={TWO: "SUCCESS"}))).detail
    )
    assert "runs" not in only(parked_blockers.holding(run_state(asked))).facts, "of another tenant nothing is told"


def test_a_run_that_was_parked_for_its_window_says_when_that_opens() -> None:
    asked = wait("window", {"window": "night"})
    found = only(parked_blockers.holding(run_state(asked, windows=[window("night")])))
    assert (found.kind, found.until) == (Kind.WINDOW_WAIT, NOW.replace(hour=22, minute=0))
    assert "continues when it opens" in found.detail
    for open_or_gone in ([window("night", kind="blackout")], []):
        found = only(parked_blockers.holding(run_state(asked, windows=open_or_gone)))
        assert (found.until, "in a moment" in found.detail) == (None, True)


def test_of_several_waits_each_is_told_and_whether_one_will_do() -> None:
    both = [wait("signal", {"signal": name}, wake="any") for name in ("a", "b")]
    found = parked_blockers.holding(run_state(*both))
    assert kinds(found) == ["signal", "signal"]
    assert all("first of its waits" in one.detail for one in found)
    assert "first of" not in only(parked_blockers.holding(run_state(both[0]))).detail
    assert "first of" not in parked_blockers.holding(run_state(wait("timer"), wait("timer")))[0].detail


def test_a_wait_whose_time_is_over_ends_in_a_moment() -> None:
    assert (
        "ends in a moment"
        in only(parked_blockers.holding(run_state(wait("signal", {"signal": "a"}, due_at=NOW)))).detail
    )


@pytest.mark.parametrize(
    ("the_wait", "needed"),
    [(wait("timer"), True), (wait("child"), True), (wait("window", {"window": "x"}), True), (wait("approval"), False),
     (wait("approval", due_at=SOON), False), (wait("approval", due_at=NOW), True)],
)  # fmt: skip
def test_a_scheduler_is_missed_where_nobody_else_ends_the_wait(the_wait: Wait, needed: bool) -> None:
    assert ("no_scheduler" in kinds(parked_blockers.holding(run_state(the_wait, led=False)))) is needed
    assert "no_scheduler" not in kinds(parked_blockers.holding(run_state(the_wait)))


def test_a_pause_of_a_users_is_all_that_is_told_of_a_run_that_stands_still_for_it() -> None:
    paused = run(status="PAUSED", pause_kind="user")
    found = only(parked_blockers.holding(run_state(the_run=paused, paused=Paused("ann", "prices", NOW), led=False)))
    assert (found.kind, found.since) == (Kind.PAUSE, NOW)
    assert found.shown()["pausedBy"] == "user"
    assert (found.shown()["by"], found.shown()["comment"]) == ("ann", "prices")


def test_a_pause_that_is_recorded_holds_beside_what_the_run_waits_for() -> None:
    held = run(status="PAUSED", pause_kind="agent", control_request="pause", control_by="ann", control_at=NOW)
    found = parked_blockers.holding(run_state(wait("signal", {"signal": "a"}), the_run=held))
    assert [(one.kind.value, one.facts.get("by")) for one in found] == [("held", "ann"), ("signal", None)]


# ------------------------------------------------------------------------------------------------ while the run executes
EXECUTES = {"status": "RUNNING", "lease_worker": TWO, "ready_at": None}


def test_of_a_run_that_executes_each_wait_is_told_and_none_keeps_it_from_executing() -> None:
    waits = [wait("approval", {"prompt": "Ship it?"}, wake="any"), wait("signal", {"signal": "paid"}, wake="any")]
    found = parked_blockers.holding(
        run_state(*waits, the_run=run(**EXECUTES, control_request="pause", control_by="ann"))
    )
    assert kinds(found) == ["approval", "signal"], "the pause that it was asked for is told by its control request"
    assert all("wake" not in one.shown() and "first of its waits" not in one.detail for one in found)


def test_a_scheduler_is_missed_by_a_run_that_executes_and_sleeps() -> None:
    sleeps = run_state(wait("timer"), the_run=run(**EXECUTES), led=False)
    assert kinds(parked_blockers.holding(sleeps)) == ["timer", "no_scheduler"]


def test_what_keeps_the_slot_of_an_agent_that_only_waits_is_named_with_its_place() -> None:
    by = [
        {"kind": "timer", "what": "a timer of 1 s", "file": "/app/agents.py", "line": 12},
        {"kind": "socket", "what": None, "file": None, "line": None},
        {"kind": "task", "what": "the task beat", "file": "beat.py", "line": None},
    ]
    slot = SlotHeld(by, NOW)
    found = parked_blockers.holding(run_state(wait("approval", {"prompt": "?"}), the_run=run(**EXECUTES), slot=slot))
    assert kinds(found) == ["approval", "slot_held"]
    said = "a timer of 1 s (agents.py:12), socket and the task beat (beat.py)"
    assert found[1].detail == f"Its agent is waiting but keeps its slot because of {said}."
    assert (found[1].since, found[1].shown()["slotHeldBy"]) == (NOW, by)  # type: ignore[typeddict-item]


def test_of_very_much_that_keeps_a_slot_some_is_spoken_of_and_all_is_shown() -> None:
    by = [{"kind": "task", "what": f"task {n}", "file": None, "line": None} for n in range(7)]
    found = only(parked_blockers.holding(run_state(the_run=run(**EXECUTES), slot=SlotHeld(by, NOW))))
    assert found.detail.endswith("task 0, task 1, task 2 and 4 more.")
    assert len(found.facts["slotHeldBy"]) == 7
