"""Checks of counted crashes and losses: each has a cause among the faults."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ops.chaos.invariants.facts import Facts, Row, worker_label

KILLING_HOSTS = ("kill_host", "kill_resting_host")
KILLING = ("kill_worker", "skew_clock")
AWAY = frozenset({"freeze_worker", "freeze_machine", "hole_database"})
LINGER = 10.0
"""Seconds beyond a lease for which a fault may still show: it must be noticed and written."""


def crashes_have_a_cause(facts: Facts) -> None:
    """A crash is counted only for a killed host: no restart, stall, drain or freeze counts."""
    for run in facts.runs:
        crashes = [event for event in facts.events[run["id"]] if _is_recovery(event, "host_lost")]
        for event in crashes:
            began = facts.began_before(run["id"], event["seq"])
            activation = began["data"]["activation"] if began else 0
            kills = [one for one in facts.journal.of(*KILLING_HOSTS) if one.runs.get(run["id"]) == activation]
            own = [
                line
                for line in facts.effects.get(run["id"], [])
                if line.what == "suicide" and line.activation == activation
            ]
            if not kills and not own:
                facts.journal.complain(
                    "crashes", run["id"], f"activation {activation} counted as a crash; nobody killed its host"
                )
        if run["crashes"] != len(crashes):
            facts.journal.complain("crashes", run["id"], f"{run['crashes']} counted, {len(crashes)} in its events")


def losses_have_a_cause(facts: Facts) -> None:
    """A loss is counted only for a worker that was killed, frozen, or cut off for longer than its lease."""
    for run in facts.runs:
        losses = [event for event in facts.events[run["id"]] if _is_recovery(event, "worker_lost")]
        for event in losses:
            began = facts.began_before(run["id"], event["seq"])
            worker = facts.worker_of(worker_label(began)) if began else "nobody"
            if began is None or not _explains(facts, worker, began["at"], event["at"]):
                facts.journal.complain(
                    "losses", run["id"], f"{worker} counted as lost at event {event['seq']} without a cause"
                )
        if run["losses"] != len(losses):
            facts.journal.complain("losses", run["id"], f"{run['losses']} counted, {len(losses)} in its events")


def _explains(facts: Facts, worker: str, claimed: float, lost: float) -> bool:
    """Return whether a fault of that worker explains a loss: a frozen or cut off worker returns, a killed one never does.

    A death may be detected late: no worker is declared dead during the first lease of a leader's session.
    """
    killed = [one for one in facts.journal.of(*KILLING) if one.target == worker and claimed < one.began < lost]
    away = facts.hits(worker, AWAY, lost, facts.lease + LINGER)
    return bool(killed) or any(claimed < (one.ended or lost) for one in away)


def keeps_secrets(logs: Iterable[Path], secrets: list[str], facts: Facts) -> None:
    """11: no log of any process holds a payload or a credential."""
    for log in logs:
        text = log.read_text(errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if any(secret in line for secret in secrets):
                facts.journal.complain("11 secrets", "", f"{log.name}, line {number}: {line[:160]}")


def _is_recovery(event: Row, cause: str) -> bool:
    """Return whether an event counted a crash (`host_lost`) or a loss (`worker_lost`).

    A pending cancel replaces the recovery, which is counted all the same. A run that the worker itself ended
    (`stopped: killed`) is handed back and counts nothing.
    """
    if event["verb"] == "recover":
        return bool(event["reason"] == cause)
    data = event["data"] or {}
    stopped = data.get("stopped")
    return data.get("cause") == cause and stopped == ("died" if cause == "host_lost" else None)
