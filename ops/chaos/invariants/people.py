"""What people decided, against what the runs made of it."""

from __future__ import annotations

from collections import Counter

from ops.chaos.invariants.facts import Facts, Row

_OUTCOMES = {"approve": "approved", "deny": "denied"}


def decides_once(facts: Facts) -> None:
    """7: one of those who answer a question is told that it counts, that is the outcome, and one event tells of it."""
    told = Counter(decided.wait for decided in facts.book.decided)
    for question, times in told.items():
        if times > 1:
            facts.book.complain("7 decisions", "", f"{times} decisions about {question} were answered with 200")
    known = {wait["id"]: wait for wait in facts.waits}
    for decided in facts.book.decided:
        wait = known.get(decided.wait)
        if wait is None or wait["outcome"] != _OUTCOMES[decided.decision]:
            facts.book.complain(
                "7 decisions", decided.run, f"{decided.decision} was answered with 200, but {wait} stands"
            )
    for wait in facts.waits:
        told_so = [event["data"].get("decision") for event in _actions(facts, wait)]
        if wait["kind"] == "approval" and told_so not in _told_by(wait):
            facts.book.complain("7 decisions", wait["run"], f"{wait} is told by {told_so}")


def cancel_comes_first(facts: Facts) -> None:
    """8: a run whose cancel was accepted ends CANCELED, whatever else was asked for, or says that it came too late."""
    for run in facts.runs:
        accepted = facts.book.accepted.get(run["id"])
        if accepted is None or not accepted.cancel_taken or run["status"] == "CANCELED":
            continue
        end = (facts.events[run["id"]] or [{"data": None}])[-1]
        if not (end["data"] or {}).get("cancelTooLate"):
            facts.book.complain("8 cancel", run["id"], f"its cancel was accepted, and it is {run['status']}")


def leaves_no_question_open(facts: Facts) -> None:
    """5: nothing of a run that has ended waits any more: nobody is asked for what nobody needs."""
    ended = {run["id"] for run in facts.runs if run["status"] in ("SUCCESS", "FAILED", "CANCELED")}
    for wait in facts.waits:
        if wait["open"] and wait["run"] in ended:
            facts.book.complain("5 parked", wait["run"], f"it has ended, and still waits: {wait}")


def _told_by(wait: Row) -> list[list[str]]:
    """Return which decisions the events of a question may name: one that its run no longer needs may be told or not."""
    if wait["outcome"] == "withdrawn":
        return [[], ["withdrawn"]]
    if wait["decided_by"] is None:
        return [[]]
    return [["approve" if wait["outcome"] == "approved" else "deny"]]


def _actions(facts: Facts, wait: Row) -> list[Row]:
    events = facts.events[wait["run"]]
    return [event for event in events if event["type"] == "run_action" and event["data"]["waitId"] == wait["id"]]
