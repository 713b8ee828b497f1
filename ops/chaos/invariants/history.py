"""Checks of a run's row against its events: nothing lost, nothing skipped, nothing after the end."""

from __future__ import annotations

from models.lifecycle import MOVES, TERMINAL, Status, Verb
from ops.chaos.invariants.facts import Facts, Row
from ops.chaos.orders import FAILING, is_right


def ends_for_good(facts: Facts) -> None:
    """1: nothing follows a terminal event, and the row agrees with that event."""
    for run in facts.runs:
        events = facts.events[run["id"]]
        ends = [event for event in events if event["verb"] and event["status"] in TERMINAL]
        if len(ends) > 1 or (ends and ends[-1] is not events[-1]):
            facts.journal.complain("1 terminal", run["id"], f"events after its end: {[e['type'] for e in events[-3:]]}")
        if run["status"] in TERMINAL and (not ends or ends[-1]["status"] != run["status"]):
            facts.journal.complain("1 terminal", run["id"], f"the row says {run['status']}, its events do not")


def is_gapless(facts: Facts) -> None:
    """4: `seq` counts 1, 2, 3 … up to the row's, and every status change has exactly one legal event."""
    for run in facts.runs:
        events = facts.events[run["id"]]
        numbers = [event["seq"] for event in events]
        if numbers != list(range(1, run["seq"] + 1)):
            facts.journal.complain("4 events", run["id"], f"seq {run['seq']}, but the events are {numbers}")
        status: str | None = None
        for event in events:
            if wrong := _illegal(event, status):
                facts.journal.complain("4 events", run["id"], f"event {event['seq']}: {wrong}")
            status = event["status"]
        if status != run["status"]:
            facts.journal.complain("4 events", run["id"], f"the row says {run['status']}, the last event {status}")


def _illegal(event: Row, status: str | None) -> str | None:
    verb = event["verb"]
    if verb is None:
        return None if event["status"] == status else f"{event['type']} says {event['status']} while it was {status}"
    move = MOVES[Verb(verb)]
    sources = {source.status for source in move.sources}
    if verb == Verb.ENQUEUE:
        legal = status is None
    else:
        legal = event["status_was"] == status and status is not None and Status(status) in sources
    return None if legal and event["status"] == move.target.status else f"{verb} from {status} to {event['status']}"


def holds_nothing_while_parked(facts: Facts) -> None:
    """5: a parked run has no lease and no ticket, has a wait that can be answered, and none of its steps executes."""
    for run in facts.runs:
        if run["status"] in ("PAUSED", "AUTH_REQUIRED") and (
            run["lease_worker"] or run["ticket_at"] or run["ready_at"] or not run["open_waits"]
        ):
            facts.journal.complain(
                "5 parked", run["id"], f"it is parked but holds a lease or a ticket, or has no wait: {run}"
            )
        since: float | None = None
        for event in facts.events[run["id"]]:
            if event["verb"] and since is not None:
                _is_quiet(facts, run["id"], since, event["at"])
            since = event["at"] if event["status"] in ("PAUSED", "AUTH_REQUIRED") else None


def _is_quiet(facts: Facts, run: str, since: float, until: float) -> None:
    """Record a violation if a step ran while the run was parked; its last log line may be later than its frame."""
    for effect in facts.effects.get(run, []):
        if since + 0.5 < effect.at < until - 0.01:
            facts.journal.complain(
                "5 parked", run, f"{effect.what} of {effect.key} {effect.at - since:.2f} s after parking"
            )


def is_all_there(facts: Facts) -> None:
    """9: exactly the accepted runs exist, and each request made its runs once."""
    stored = {run["id"] for run in facts.runs}
    for run in facts.journal.accepted.keys() - stored:
        facts.journal.complain("9 accepted", run, "it was accepted but does not exist")
    started = {run["id"] for run in facts.runs if run["parent"] in facts.journal.accepted}
    for run in stored - started - facts.journal.accepted.keys():
        facts.journal.complain("9 accepted", run, "it exists, but its request was answered with another run")
    for run, accepted in facts.journal.accepted.items():
        if run not in facts.keys.get(accepted.key, []):
            facts.journal.complain(
                "9 accepted", run, f"its key {accepted.key} belongs to {facts.keys.get(accepted.key)}"
            )


def ends_as_it_should(facts: Facts) -> None:
    """6 and 9: every accepted run ends with the right result, unless it was canceled or had its own reason to fail."""
    for run in facts.runs:
        accepted = facts.journal.accepted.get(run["id"])
        if accepted is None:
            continue
        match run["status"]:
            case "SUCCESS":
                good = is_right(accepted.agent, accepted.input, run["result"])
            case "CANCELED":
                denied = any((one.run, one.decision) == (run["id"], "deny") for one in facts.journal.decided)
                good = accepted.cancel_asked or (denied and run["reason"] == "denied")
            case "FAILED":
                doomed = accepted.agent == "flaky" and accepted.input["times"] >= FAILING
                unknown = run["reason"] == "once_unknown" and accepted.agent == "only_once" and run["activations"] > 1
                good = unknown or (doomed and run["reason"] == "step_error")
            case _:
                good = False
        if not good:
            shown = {name: value for name, value in run.items() if name not in ("result", "ready_at")}
            facts.journal.complain("6, 9 ends", run["id"], f"{accepted.agent} has the state {shown}")
