"""Checks of async agents: each task has its own waits and records, and a replay takes the same path."""

from __future__ import annotations

from collections import defaultdict

from ops.chaos.async_agents import LATE
from ops.chaos.invariants.facts import Facts, Row, step_of

_TURNS_ITS_COAT = "turncoat"


def hears_its_own_decision(facts: Facts) -> None:
    """7: each task receives the decision about its own question, or withdrew it; the comment names the question."""
    waits: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for wait in facts.waits:
        if wait.get("mark") is not None:
            waits[wait["run"], wait["mark"]].append(wait)
    for run in facts.runs:
        if run["agent"] != "deciding" or run["status"] != "SUCCESS":
            continue
        for mark, said, comment in run["result"]:
            mine = waits[run["id"], mark]
            if not (len(mine) == 1 and _is_answer(mine[0], said, comment)):
                facts.journal.complain(
                    "7 decisions", run["id"], f"task {mark} heard {said}, {comment!r}, but asked {mine}"
                )


def knows_its_records(facts: Facts) -> None:
    """3: no replay meets unknown records or leaves records unused; only one agent changes its code."""
    for run in facts.runs:
        for event in facts.events[run["id"]]:
            kind = (event["data"] or {}).get("type")
            if event["reason"] == "code_mismatch" and run["agent"] != _TURNS_ITS_COAT:
                facts.journal.complain(
                    "3 replay", run["id"], f"{run['agent']} was parked at event {event['seq']}: code_mismatch"
                )
            if kind == "unused_records":
                facts.journal.complain("3 replay", run["id"], f"{run['agent']} left records unused: {event['data']}")


def goes_one_way(facts: Facts) -> None:
    """3: an abandoned step stays abandoned, a succeeded one stays succeeded: each has exactly one final record."""
    for run in facts.runs:
        finished: dict[str, str] = {}
        for event in facts.events[run["id"]]:
            step = step_of(event)
            if step is None or step["status"] not in ("succeeded", "failed", "abandoned"):
                continue
            if step["key"] in finished:
                facts.journal.complain(
                    "3 replay", run["id"], f"{step['key']} is {finished[step['key']]}, and then {step['status']}"
                )
            finished[step["key"]] = step["status"]


def _is_answer(wait: Row, said: str, comment: str) -> bool:
    if said == LATE:  # people may have decided at the last moment
        return wait["outcome"] in ("withdrawn", "approved", "denied")
    return bool((wait["outcome"], wait["id"]) == (said, comment))
