"""Checks of people's decisions against their effects on the runs."""

from __future__ import annotations

from collections import Counter

from ops.chaos.invariants.facts import Facts, Row

_OUTCOMES = {"approve": "approved", "deny": "denied"}


def decides_once(facts: Facts) -> None:
    """7: exactly one answer to a question is accepted, it is the outcome, and exactly one event reports it."""
    told = Counter(decided.wait for decided in facts.journal.decided)
    for question, times in told.items():
        if times > 1:
            facts.journal.complain("7 decisions", "", f"{times} decisions about {question} were answered with 200")
    known = {wait["id"]: wait for wait in facts.waits}
    for decided in facts.journal.decided:
        wait = known.get(decided.wait)
        if wait is None or wait["outcome"] != _OUTCOMES[decided.decision]:
            facts.journal.complain(
                "7 decisions", decided.run, f"{decided.decision} was answered with 200, but {wait} stands"
            )
    for wait in facts.waits:
        told_so = [event["data"].get("decision") for event in _actions(facts, wait)]
        if wait["kind"] == "approval" and told_so not in _told_by(wait):
            facts.journal.complain("7 decisions", wait["run"], f"{wait} is reported by {told_so}")


def cancel_comes_first(facts: Facts) -> None:
    """8: a run whose cancel was accepted ends CANCELED, regardless of other requests, unless the cancel came too late."""
    for run in facts.runs:
        accepted = facts.journal.accepted.get(run["id"])
        if accepted is None or not accepted.cancel_taken or run["status"] == "CANCELED":
            continue
        end = (facts.events[run["id"]] or [{"data": None}])[-1]
        if not (end["data"] or {}).get("cancelTooLate"):
            facts.journal.complain("8 cancel", run["id"], f"its cancel was accepted, and it is {run['status']}")


def leaves_no_question_open(facts: Facts) -> None:
    """5: an ended run has no open wait, so that no person is asked in vain."""
    ended = {run["id"] for run in facts.runs if run["status"] in ("SUCCESS", "FAILED", "CANCELED")}
    for wait in facts.waits:
        if wait["open"] and wait["run"] in ended:
            facts.journal.complain("5 parked", wait["run"], f"it has ended but still waits: {wait}")


def _told_by(wait: Row) -> list[list[str]]:
    """Return the decisions that a question's events may report; one that its run no longer needs may be missing."""
    if wait["outcome"] == "withdrawn":
        return [[], ["withdrawn"]]
    if wait["decided_by"] is None:
        return [[]]
    return [["approve" if wait["outcome"] == "approved" else "deny"]]


def _actions(facts: Facts, wait: Row) -> list[Row]:
    events = facts.events[wait["run"]]
    return [event for event in events if event["type"] == "run_action" and event["data"]["waitId"] == wait["id"]]
