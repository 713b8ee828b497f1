"""Recovery times, measured from the effect log and the events."""

from __future__ import annotations

from dataclasses import dataclass, field

from ops.chaos.effects import Effects
from ops.chaos.invariants import Facts
from ops.chaos.journal import Incident, Journal

AFTER, SHORTLY = 5.0, 2.0
HARMLESS = frozenset({"kill_host", "kill_resting_host", "kill_api", "kill_standby", "double_tickets"})
"""Faults that do not lengthen the recovery from another fault."""


@dataclass
class Times:
    """Seconds, one for each fault that was followed by the measured event."""

    host_kill: list[float] = field(default_factory=list)
    """From the kill to the next step that the run executes."""
    worker_kill: list[float] = field(default_factory=list)
    """From the kill to the first step that one of its runs executes elsewhere."""
    worker_kill_recovered: list[float] = field(default_factory=list)
    """From the kill to the recovery of the last of its runs, without their waiting time for slots."""
    leader_kill: list[float] = field(default_factory=list)
    """From the kill to the next promotion."""


def undisturbed(journal: Journal, lease: float) -> Journal:
    """Return a journal of the faults that no other overlapped, from a lease before to some seconds after."""
    alone = Journal()
    alone.incidents = [
        one
        for one in journal.incidents
        if not any(
            other is not one
            and other.began < one.began + AFTER
            and (other.ended or one.began) > one.began - _before(one, lease)
            for other in journal.incidents
            if other.fault not in HARMLESS
        )
    ]
    return alone


def _before(one: Incident, lease: float) -> float:
    """Return how long before a fault another one may still lengthen its recovery: runs of a lost worker wait for a lease."""
    return SHORTLY if one.fault == "kill_host" else lease


def times(facts: Facts, effects: Effects, journal: Journal) -> Times:
    """Measure the recoveries from the faults in the journal."""
    found = Times()
    promoted = sorted(_promotions(facts))
    for one in journal.of("kill_host"):
        found.host_kill += [at - one.began for run, n in one.runs.items() if (at := effects.first_after(run, n))]
    for one in journal.of("kill_worker", "skew_clock"):
        again = [at for run, n in one.runs.items() if (at := effects.first_after(run, n))]
        found.worker_kill += [min(again) - one.began] if again else []
        recovered = [at for run, n in one.runs.items() if (at := _recovered(facts, run, n))]
        found.worker_kill_recovered += [max(recovered) - one.began] if recovered else []
    for one in journal.of("kill_leader"):
        later = [at for at in promoted if at > one.began + 0.01]
        found.leader_kill += [later[0] - one.began] if later else []
    return found


def _recovered(facts: Facts, run: str, activation: int) -> float | None:
    began = False
    for event in facts.events[run]:
        if event["verb"] in ("start", "continue"):
            began = event["data"]["activation"] == activation
        elif began and event["verb"] == "recover":
            return float(event["at"])
    return None


def _promotions(facts: Facts) -> list[float]:
    return [event["promoted"] for run in facts.runs for event in facts.activations(run["id"]) if event["promoted"]]


def percentile(values: list[float], share: float) -> float | None:
    """Return the value below which this share lies (nearest rank); None without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
