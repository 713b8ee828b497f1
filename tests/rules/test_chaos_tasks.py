"""Checks of tasks: outcomes of other tasks, results that no order of events yields, and replays that diverge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ops.chaos.async_orders import is_right
from ops.chaos.invariants import Facts, tasks
from ops.chaos.journal import Journal

RUN = "r"
CHECKS = (tasks.hears_its_own_decision, tasks.knows_its_records, tasks.goes_one_way)
Change = Callable[[Facts], object]


def _wait(mark: str, outcome: str) -> dict[str, Any]:
    return {"id": f"w{mark}", "run": RUN, "mark": mark, "outcome": outcome}


def _event(kind: str, reason: str | None = None, **data: Any) -> dict[str, Any]:
    return {"type": kind, "seq": 1, "reason": reason, "data": data}


def _step(key: str, status: str) -> dict[str, Any]:
    return _event("step", step={"key": key, "status": status, "attempts": 1})


def _facts() -> Facts:
    """A run that asked three times: one was approved, one denied, and the last was given up."""
    found = Facts(Journal(), 15, lambda label: label)
    found.waits = [_wait("0", "approved"), _wait("1", "denied"), _wait("2", "withdrawn")]
    answers = [["0", "approved", "w0"], ["1", "denied", "w1"], ["2", "late", ""]]
    found.runs = [{"id": RUN, "agent": "deciding", "status": "SUCCESS", "result": answers}]
    found.events[RUN] = [
        _step("keep@0.1#1", "succeeded"),
        _step("draw@0.2#1", "abandoned"),
        _event("agent", type="note"),
    ]
    return found


def _complaints(found: Facts) -> set[str]:
    for check in CHECKS:
        check(found)
    return {violation.invariant for violation in found.journal.violations}


def _decided_late(found: Facts) -> None:
    found.waits[2]["outcome"] = "approved"


@pytest.mark.parametrize("right", [lambda _: None, _decided_late])
def test_answers_that_went_where_they_belong_are_not_complained_of(right: Change) -> None:
    found = _facts()
    right(found)
    assert _complaints(found) == set()


def _swap(found: Facts) -> None:
    first, second, _ = found.runs[0]["result"]
    first[1:], second[1:] = second[1:], first[1:]


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (_swap, "7 decisions"),
        (lambda found: found.waits.append(_wait("0", "withdrawn")), "7 decisions"),
        (lambda found: found.waits.pop(), "7 decisions"),
        (lambda found: found.waits[0].update(outcome="withdrawn"), "7 decisions"),
        (lambda found: found.waits[2].update(outcome="expired"), "7 decisions"),
        (lambda found: found.runs[0]["result"][1].__setitem__(1, "approved"), "7 decisions"),
        (lambda found: found.events[RUN].append(_event("status", "code_mismatch")), "3 replay"),
        (lambda found: found.events[RUN].append(_event("agent", type="unused_records")), "3 replay"),
        (lambda found: found.events[RUN].append(_step("draw@0.2#1", "succeeded")), "3 replay"),
        (lambda found: found.events[RUN].append(_step("keep@0.1#1", "succeeded")), "3 replay"),
    ],
)
def test_whatever_went_to_another_task_or_another_way_is_complained_of(wrong: Change, complaint: str) -> None:
    found = _facts()
    wrong(found)
    assert _complaints(found) == {complaint}


def test_an_agent_that_changes_its_code_may_be_parked_for_that() -> None:
    found = _facts()
    found.runs[0].update(agent="turncoat", status="CANCELED")
    found.events[RUN].append(_event("status", "code_mismatch"))
    assert _complaints(found) == set()


RIGHT: list[tuple[str, dict[str, Any], Any]] = [
    ("crowd", {"tasks": 3}, [["0:s", "0:s"], ["1:s", "1.0:s", "1:s"], ["2:s", "2.0:s", "2.1:s", "2:s"]]),
    ("racing", {"rounds": 1}, [["0.2:s"], ["late"]]),
    ("racing", {"rounds": 2}, [["0.0:s", "0.1:s"], ["0.t:s"], ["1.1:s"], ["late"]]),
    ("deciding", {"questions": 2}, [["0", "approved", "w"], ["1", "late", ""]]),
    ("listening", {"words": 2}, ["1:s", "2:s"]),
    ("mapping", {"children": 2}, ["root:s", "1:s", "2:s"]),
    ("tending", {}, ["root:s", "1:s", "root:s"]),
]
WRONG: list[tuple[str, dict[str, Any], Any]] = [
    ("crowd", {"tasks": 3}, [["0:s", "0:s"], ["1:s", "1.0:s", "1:s"], ["2:s", "2.1:s", "2.0:s", "2:s"]]),
    ("racing", {"rounds": 1}, [["1.2:s"], ["late"]]),
    ("racing", {"rounds": 1}, [[], ["late"]]),
    ("racing", {"rounds": 1}, [["0.1:s", "0.1:s"], ["late"]]),
    ("racing", {"rounds": 1}, [["0.1:s"], ["1.t:s"]]),
    ("racing", {"rounds": 2}, [["0.1:s"], ["late"]]),
    ("deciding", {"questions": 2}, [["1", "approved", "w"], ["0", "late", ""]]),
    ("deciding", {"questions": 1}, [["0", "expired", ""]]),
    ("listening", {"words": 2}, ["1:s", "1:s"]),
    ("mapping", {"children": 2}, ["root:s", "2:s", "1:s"]),
    ("tending", {}, ["root:s", "1:s", "1:s"]),
]


@pytest.mark.parametrize(("agent", "given", "result"), RIGHT)
def test_a_result_that_some_order_of_events_gives_is_right(agent: str, given: dict[str, Any], result: Any) -> None:
    assert is_right(agent, {**given, "secret": "s"}, result)


@pytest.mark.parametrize(("agent", "given", "result"), WRONG)
def test_a_result_that_no_order_of_events_gives_is_wrong(agent: str, given: dict[str, Any], result: Any) -> None:
    assert not is_right(agent, {**given, "secret": "s"}, result)
