"""Checks of the effect log against the event log: no recorded step executes again, and no step overlaps with itself.

Allowed (design: zombies): while a worker or its machine is frozen or cut off, a step in flight there may overlap with its
repetition elsewhere, for at most a lease after the thaw.
"""

from __future__ import annotations

from itertools import pairwise

from ops.chaos.effects import Effect
from ops.chaos.invariants.facts import Facts, Row, step_of, worker_label

CUT_OFF = frozenset({"freeze_worker", "freeze_machine", "hole_database", "stall_database"})
SEVERAL_AT_ONCE = frozenset({"fan_out", "either", "crowd", "racing", "deciding", "listening", "mapping"})
"""Agents with several tasks; each task may have an unread acknowledgement."""
_SHOWN_BY = {"succeeded": "end", "abandoned": "begin"}
SLACK = 0.25
"""Seconds that a host needs to die; its last line may be that late."""


def is_not_executed_again(facts: Facts) -> None:
    """3: an activation executes no step and no attempt that was recorded before it began."""
    for run in facts.runs:
        done: dict[str, int] = {}
        known: dict[int, dict[str, int]] = {}
        for event in facts.events[run["id"]]:
            if event["verb"] in ("start", "continue"):
                known[event["data"]["activation"]] = dict(done)
            elif step := step_of(event):
                for_good = step["status"] in ("succeeded", "failed", "abandoned")
                done[step["key"]] = 1_000_000 if for_good else step["attempts"] if step["status"] == "retrying" else 0
        for line in facts.effects.get(run["id"], []):
            recorded = known.get(line.activation, {}).get(line.key or "", 0)
            if line.what == "begin" and (line.attempt or 0) <= recorded:
                what = f"attempt {line.attempt} of {line.key} in activation {line.activation}"
                facts.journal.complain("3 recorded", run["id"], f"{what} was executed although it was recorded before")


def has_happened(facts: Facts) -> None:
    """3: records are true: a succeeded step has ended at least once, an abandoned one has begun."""
    for run in facts.runs:
        lines = {(line.what, line.key) for line in facts.effects.get(run["id"], [])}
        for event in facts.events[run["id"]]:
            step = step_of(event)
            what = None if step is None else _SHOWN_BY.get(step["status"])
            if step and what and not step["key"].startswith("spawn:") and (what, step["key"]) not in lines:
                facts.journal.complain(
                    "3 recorded", run["id"], f"{step['key']} is recorded as {step['status']}: it was not executed"
                )


def begins_once(facts: Facts) -> None:
    """2: an activation has one host and begins each attempt once; a `once` step is begun once in the run's life."""
    for run in facts.runs:
        begun: set[tuple[int, str | None, int | None]] = set()
        hosts: dict[int, set[int]] = {}
        paid: list[Effect] = []
        for line in facts.effects.get(run["id"], []):
            hosts.setdefault(line.activation, set()).add(line.pid)
            if line.what != "begin":
                continue
            what = (line.activation, line.key, line.attempt)
            if what in begun:
                facts.journal.complain("2 one writer", run["id"], f"begun twice: {what}")
            begun.add(what)
            paid += [line] if (line.key or "").startswith("pay#") else []
        if len(paid) > 1:
            facts.journal.complain("3 once", run["id"], f"a once step was begun {len(paid)} times: {paid}")
        for activation, pids in hosts.items():
            if len(pids) > 1 or activation > run["activations"]:
                facts.journal.complain(
                    "2 one writer", run["id"], f"activation {activation} ran in the hosts {sorted(pids)}"
                )


def runs_alone(facts: Facts) -> None:
    """2: no step executes beside a later activation, except steps in flight in a host of a frozen or cut off worker."""
    for run in facts.runs:
        lines = facts.effects.get(run["id"], [])
        by_activation = {
            n: [line for line in lines if line.activation == n] for n in {line.activation for line in lines}
        }
        for earlier, later in pairwise(sorted(by_activation)):
            began = min(line.at for line in by_activation[later])
            late = [line for line in by_activation[earlier] if line.at > began]
            if late and not _is_excused(facts, run, earlier, began, late):
                facts.journal.complain("2 one writer", run["id"], _describe(earlier, later, began, late))


def _is_excused(facts: Facts, run: Row, activation: int, began: float, late: list[Effect]) -> bool:
    start = next((e for e in facts.activations(run["id"]) if e["data"]["activation"] == activation), None)
    if start is None:
        return False
    worker = facts.worker_of(worker_label(start))
    hits = [
        one
        for one in facts.journal.incidents
        if one.fault in CUT_OFF
        and (worker in one.target.split() or one.target == "all")
        and one.began < began
        and (one.ended or began) + facts.lease > start["at"]
    ]
    if not hits:
        return False
    thaw = max(one.ended or began for one in hits)
    # With an unread acknowledgement, a frozen host may begin one more step before it notices.
    new_steps = sum(line.what == "begin" for line in late)
    was_frozen = any(one.fault == "freeze_machine" for one in hits)
    allowed = 0 if not was_frozen else len(late) if run["agent"] in SEVERAL_AT_ONCE else 1
    return new_steps <= allowed and all(line.at < max(began, thaw) + facts.lease + SLACK for line in late)


def _describe(earlier: int, later: int, began: float, late: list[Effect]) -> str:
    shown = [(line.what, line.key, f"{line.at - began:+.3f} s") for line in late[:4]]
    return f"activation {earlier} still executed after {later} had begun: {shown}"
