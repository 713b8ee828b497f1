"""Each check reports its own kind of fault only, and nothing in a correct history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ops.chaos.effects import Effect
from ops.chaos.invariants import CHECKS, Facts, keeps_secrets
from ops.chaos.journal import Accepted, Decided, Incident, Journal

RUN = "r"
Change = Callable[[Facts], None]


def event(
    seq: int, at: float, verb: str | None, was: str | None, status: str, kind: str = "status", **data: Any
) -> dict[str, Any]:
    reason = data.pop("reason", None)
    return {"seq": seq, "at": at, "type": kind, "verb": verb, "status_was": was, "status": status, "reason": reason, "data": data,
            "promoted": None}  # fmt: skip


def step(seq: int, at: float, key: str, status: str = "succeeded", attempts: int = 1) -> dict[str, Any]:
    return event(seq, at, None, None, "RUNNING", "step", step={"key": key, "status": status, "attempts": attempts})


def effect(at: float, activation: int, what: str, key: str, attempt: int = 1) -> Effect:
    return Effect(what, RUN, activation, 100 + activation, at, key, attempt)


def facts() -> Facts:
    """A run whose host was killed in its second step: recovered, continued, finished."""
    journal = Journal()
    journal.accept([Accepted(RUN, "k", "sequence", {"steps": 2, "millis": 0, "secret": "s"})])
    journal.incidents.append(Incident("kill_host", "default-1x4", began=3.0, ended=3.0, runs={RUN: 1}))
    found = Facts(journal, 15, lambda label: label)
    found.runs = [{
        "id": RUN, "parent": None, "agent": "sequence", "status": "SUCCESS", "reason": None, "seq": 7,
        "crashes": 1, "losses": 0, "activations": 2, "concurrency_key": None,
        "ticket_at": None, "lease_worker": None, "ready_at": None, "open_waits": 0, "result": ["0:s", "1:s"], "error": None,
    }]  # fmt: skip
    found.events[RUN] = [
        event(1, 1.0, "enqueue", None, "QUEUED"),
        event(2, 1.1, "start", "QUEUED", "RUNNING", "start", worker="worker-1", activation=1),
        step(3, 2.0, "a"),
        event(4, 3.1, "recover", "RUNNING", "RUNNING", reason="host_lost"),
        event(5, 3.2, "continue", "RUNNING", "RUNNING", worker="worker-2", activation=2),
        step(6, 4.0, "b"),
        event(7, 4.1, "succeed", "RUNNING", "SUCCESS", "end"),
    ]
    found.keys = {"k": [RUN]}
    found.effects[RUN] = [
        effect(1.5, 1, "begin", "a"), effect(1.9, 1, "end", "a"), effect(2.5, 1, "begin", "b"),
        effect(3.5, 2, "begin", "b"), effect(3.9, 2, "end", "b"),
    ]  # fmt: skip
    return found


def complaints(found: Facts) -> set[str]:
    for check in CHECKS:
        check(found)
    return {violation.invariant for violation in found.journal.violations}


def test_a_history_that_is_right_is_not_complained_of() -> None:
    assert complaints(facts()) == set()


def late(activation: int, what: str, key: str, at: float) -> Change:
    return lambda found: found.effects[RUN].append(effect(at, activation, what, key))


def row(**changes: Any) -> Change:
    return lambda found: found.runs[0].update(changes)


def events(change: Callable[[list[dict[str, Any]]], Any]) -> Change:
    return lambda found: (change(found.events[RUN]), None)[1]


def hit(fault: str, began: float, ended: float) -> Change:
    return lambda found: found.journal.incidents.append(Incident(fault, "worker-1", began=began, ended=ended))


def lose(found: Facts) -> None:
    found.events[RUN][3]["reason"] = "worker_lost"
    found.runs[0].update(crashes=0, losses=1)
    found.journal.incidents.clear()


def park(found: Facts) -> None:
    found.events[RUN][3:4] = [
        event(4, 2.1, "pause_by_agent", "RUNNING", "PAUSED"), event(5, 3.1, "resume", "PAUSED", "RUNNING")
    ]  # fmt: skip
    for number, one in enumerate(found.events[RUN], 1):
        one["seq"] = number
    found.runs[0].update(seq=8, crashes=0)
    late(1, "tick", "b", 2.9)(found)


WRONG: dict[str, tuple[Change, set[str]]] = {
    "an event after the end": (events(lambda all_: all_.append(step(8, 5, "a"))), {"3 replay", "1 terminal", "4 events"}),
    "a row that ended otherwise than its events": (row(status="FAILED"), {"1 terminal", "4 events", "6, 9 ends"}),
    "a recorded step executed again": (late(2, "begin", "a", 3.6), {"3 recorded"}),
    "a zombie that executes on": (late(1, "tick", "b", 3.7), {"2 one writer"}),
    "an attempt begun twice": (late(2, "begin", "b", 3.6), {"2 one writer"}),
    "an activation that nobody claimed": (late(3, "begin", "c", 3.95), {"2 one writer"}),
    "a gap in the events": (events(lambda all_: all_.pop(2)), {"4 events"}),
    "a move that is not legal": (events(lambda all_: all_[6].update(status_was="QUEUED")), {"4 events"}),
    "a status without a move": (events(lambda all_: all_[5].update(status="PAUSED")), {"4 events"}),
    "a wrong result": (row(result=["0:s"]), {"6, 9 ends"}),
    "a run that never ends": (row(status="RUNNING"), {"4 events", "6, 9 ends"}),
    "a run that was lost": (lambda found: found.runs.clear(), {"9 accepted"}),
    "a run that nobody was told of": (lambda found: found.journal.accepted.clear(), {"9 accepted"}),
    "a key that stands for another run": (lambda found: found.keys.update(k=["other"]), {"9 accepted"}),
    "a crash without a killed host": (lambda found: found.journal.incidents.clear(), {"crashes"}),
    "a crash that no event tells of": (row(crashes=2), {"crashes"}),
    "a loss without a killed worker": (lose, {"losses"}),
    "a loss that no event tells of": (row(losses=1), {"losses"}),
    "a parked run that executes": (park, {"5 parked"}),
    "a record of what was never done": (lambda found: found.effects[RUN].pop(1), {"3 recorded"}),
    "a step that was given up and never begun": (
        events(lambda all_: all_.__setitem__(5, step(6, 4.0, "c", "abandoned"))), {"3 recorded"}
    ),
    "a step that succeeds and is given up": (
        events(lambda all_: all_.__setitem__(5, step(6, 4.0, "a", "abandoned"))), {"3 replay"}
    ),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_a_broken_promise_is_complained_of(wrong: str) -> None:
    change, expected = WRONG[wrong]
    found = facts()
    change(found)
    assert complaints(found) == expected


def test_a_parked_run_must_hold_nothing_and_wait_for_something() -> None:
    found = facts()
    found.events[RUN] = [*found.events[RUN][:3], event(4, 3.9, "pause_by_agent", "RUNNING", "PAUSED")]
    found.runs[0].update(status="PAUSED", seq=4, crashes=0, open_waits=1)
    assert complaints(found) == {"6, 9 ends"}
    found.runs[0].update(lease_worker="w")
    assert "5 parked" in complaints(found)


def test_a_once_step_is_begun_once_in_the_life_of_a_run() -> None:
    found = facts()
    found.effects[RUN] += [effect(2.6, 1, "begin", "pay#d#1"), effect(3.6, 2, "begin", "pay#d#1")]
    assert complaints(found) == {"3 once"}


def test_an_attempt_that_was_recorded_as_failed_is_not_made_again() -> None:
    found = facts()
    found.events[RUN][2] = step(3, 2.0, "a", "retrying", 2)
    found.effects[RUN].append(effect(3.6, 2, "begin", "a", attempt=3))
    assert complaints(found) == set()
    found.effects[RUN].append(effect(3.7, 2, "begin", "a", attempt=2))
    assert complaints(found) == {"3 recorded"}


def test_a_step_of_a_frozen_worker_may_overlap_for_a_lease_and_no_longer() -> None:
    found = facts()
    hit("freeze_worker", 2.6, 5.0)(found)
    late(1, "end", "b", 4.9)(found)
    assert complaints(found) == set()
    late(1, "end", "b", 25)(found)
    assert complaints(found) == {"2 one writer"}


def test_a_frozen_worker_begins_nothing_new() -> None:
    found = facts()
    hit("freeze_worker", 2.6, 5.0)(found)
    late(1, "begin", "c", 4.9)(found)
    assert complaints(found) == {"2 one writer"}


def test_a_loss_is_explained_by_a_fault_of_that_worker_only() -> None:
    found = facts()
    lose(found)
    found.journal.incidents.append(Incident("kill_worker", "worker-2", began=2.0, ended=2.0))
    assert complaints(found) == {"losses"}


def test_a_canceled_run_was_asked_to_be() -> None:
    found = facts()
    found.events[RUN][6].update(verb="cancel", status="CANCELED")
    found.runs[0].update(status="CANCELED")
    assert complaints(found) == {"6, 9 ends"}
    found = facts()
    found.events[RUN][6].update(verb="cancel", status="CANCELED")
    found.runs[0].update(status="CANCELED")
    found.journal.accepted[RUN].cancel_asked = True
    assert complaints(found) == set()


def asked(outcome: str | None = "approved", told: int = 1, *decisions: str) -> Change:
    """Return facts of a question with this outcome, so many events about it, and these decisions answered with 200."""

    def change(found: Facts) -> None:
        found.waits.append({"id": "w", "run": RUN, "kind": "approval", "outcome": outcome, "open": outcome is None,
                            "decided_by": "ann" if outcome in ("approved", "denied") else None})  # fmt: skip
        said = {"waitId": "w", "decision": {"approved": "approve", "denied": "deny"}.get(outcome or "", outcome)}
        for seq in range(told):
            found.events[RUN].insert(-1, event(7 + seq, 4.05, None, None, "RUNNING", "run_action", **said))
        found.events[RUN][-1]["seq"] = found.runs[0]["seq"] = 7 + told
        found.journal.decided += [Decided("w", RUN, decision) for decision in decisions]

    return change


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (asked("approved", 1, "approve"), set()),
        (asked("approved", 1, "approve", "approve"), {"7 decisions"}),
        (asked("approved", 1, "deny"), {"7 decisions"}),
        (asked("approved", 0), {"7 decisions"}),
        (asked("approved", 2, "approve"), {"7 decisions"}),
        (asked(None, 0), {"5 parked"}),
        (asked("withdrawn", 0), set()),
        (asked("withdrawn", 1), set()),
        (asked("withdrawn", 2), {"7 decisions"}),
        (asked("withdrawn", 1, "approve"), {"7 decisions"}),
    ],
)
def test_a_question_has_one_outcome_and_nobody_else_is_told_otherwise(change: Change, complaint: set[str]) -> None:
    found = facts()
    change(found)
    assert complaints(found) == complaint


def test_an_accepted_cancel_is_the_end_unless_it_says_that_it_came_too_late() -> None:
    found = facts()
    found.journal.accepted[RUN].cancel_asked = found.journal.accepted[RUN].cancel_taken = True
    assert complaints(found) == {"8 cancel"}
    late = facts()
    late.journal.accepted[RUN].cancel_asked = late.journal.accepted[RUN].cancel_taken = True
    late.events[RUN][-1]["data"] = {"cancelTooLate": True}
    assert complaints(late) == set()


def test_a_denied_run_may_end_canceled() -> None:
    found = facts()
    asked("denied", 1, "deny")(found)
    found.events[RUN][-1].update(verb="cancel", status="CANCELED")
    found.runs[0].update(status="CANCELED", reason="denied")
    assert complaints(found) == set()


def test_a_key_is_held_by_one_run_at_a_time_from_promotion_to_park_or_end() -> None:
    found = facts()
    found.runs[0]["concurrency_key"] = "k"
    found.events[RUN][1]["promoted"], found.events[RUN][4]["promoted"] = 1.05, 3.15
    found.runs.append({**found.runs[0], "id": "other"})
    found.events["other"] = [
        event(1, 0.1, "enqueue", None, "QUEUED"),
        event(2, 4.3, "start", "QUEUED", "RUNNING", "start", worker="w", activation=1),
        event(3, 4.4, "succeed", "RUNNING", "SUCCESS", "end"),
    ]
    found.events["other"][1]["promoted"] = 4.2
    assert "10 limits" not in complaints(found)
    found.events["other"][1]["promoted"] = 3.12  # between the recovery and the next activation
    assert "10 limits" in complaints(found)


def test_a_payload_in_a_log_is_seen(tmp_path: Any) -> None:
    found, log = facts(), tmp_path / "api.log"
    log.write_text("all is well\nrun.accepted\n")
    keeps_secrets([log], ["secret-1"], found)
    assert not found.journal.violations
    log.write_text("all is well\nit said secret-1 aloud\n")
    keeps_secrets([log], ["secret-1"], found)
    assert [violation.invariant for violation in found.journal.violations] == ["11 secrets"]
