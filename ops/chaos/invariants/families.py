"""What became of runs that were started by others: as many as were wanted, and none that outlives its parent."""

from __future__ import annotations

from collections import defaultdict

from ops.chaos.async_agents import REST
from ops.chaos.book import Accepted
from ops.chaos.invariants.facts import Facts, Row, step_of

PARENTS = ("family", "mapping")


def starts_each_child_once(facts: Facts) -> None:
    """3: a parent has all of its children from the step that records them on, and none before or beside."""
    children = _children(facts)
    for run in facts.runs:
        accepted = facts.book.accepted.get(run["id"])
        if accepted is None or accepted.agent not in PARENTS:
            continue
        wanted = sum(_started_by(key, accepted) for key in _recorded(facts, run))
        if len(children[run["id"]]) != wanted:
            facts.book.complain("3 children", run["id"], f"{wanted} wanted, {len(children[run['id']])} started")


def ends_together(facts: Facts) -> None:
    """6: a child succeeds with its one step, or is canceled because its parent was."""
    runs = {run["id"]: run for run in facts.runs}
    for parent, born in _children(facts).items():
        canceled = runs[parent]["status"] == "CANCELED"
        for child in born:
            good = child["status"] == "SUCCESS" or (canceled and child["reason"] == "by_parent")
            if not good:
                facts.book.complain(
                    "6 children", child["id"], f"{child['status']}, {child['reason']}, its parent {runs[parent]}"
                )


def reaches_everybody(facts: Facts) -> None:
    """6: when all is at rest, no effect on another run is still on its way."""
    for effect in facts.unfolded:
        facts.book.complain("6 children", effect["run"], f"never reached by {effect['effect']}")


def _children(facts: Facts) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for run in facts.runs:
        if run["parent"]:
            found[run["parent"]].append(run)
    return found


def _started_by(key: str, parent: Accepted) -> int:
    """Return how many children a recorded call has started."""
    children = int(parent.input["children"])
    if parent.agent == "family":
        return children
    return children - 2 if REST in key else 1


def _recorded(facts: Facts, run: Row) -> set[str]:
    steps = [step for event in facts.events[run["id"]] if (step := step_of(event))]
    return {step["key"] for step in steps if step["key"].startswith("spawn:child") and step["status"] == "succeeded"}
