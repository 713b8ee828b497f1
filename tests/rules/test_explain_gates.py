"""The explanation of a pause or a window names its author and its end."""

from __future__ import annotations

from datetime import datetime

import pytest

from api.explain import gates
from api.explain.blocker_kinds import Kind
from api.explain.snapshot import (
    AgentRule,
    Named,
    Overlap,
)
from tests.rules.explained import HOUR, NOW, ONE, SOON, kinds, only, queue, ready, run, window


def test_a_held_run_names_who_held_it() -> None:
    held = only(
        gates.closed(ready(run(control_request="pause", control_by="ann", control_reason="prices", control_at=NOW)))
    )
    assert (held.kind, held.since, held.facts) == (Kind.HELD, NOW, {"by": "ann", "comment": "prices"})
    assert held.detail.startswith("ann paused it")


@pytest.mark.parametrize(
    ("gate", "until", "said"),
    [
        ("not_before", NOW + HOUR, "Its start time has not come yet."),
        ("not_before", NOW, "This ends in a moment."),
        ("declined", SOON, "does not take runs of echo returned its ticket."),
    ],
)
def test_gates_of_its_own_say_until_when(gate: str, until: datetime, said: str) -> None:
    found = only(gates.closed(ready(run(blocked_on=gate, blocked_until=until))))
    assert (found.kind, found.until) == (gate, until)
    assert said in found.detail


def test_an_overlapping_run_names_the_runs_before_it() -> None:
    waits = run(blocked_on="overlap")
    found = only(gates.closed(ready(waits, overlap=Overlap("nightly", [Named(ONE, "RUNNING")]))))
    assert found.facts == {"schedule": "nightly", "runs": [{"runId": str(ONE), "status": "RUNNING"}]}
    assert found.detail == f"An earlier run of its schedule nightly has not ended: {ONE} (RUNNING)."
    for gone in (None, Overlap("nightly", [])):
        assert "in a moment" in only(gates.closed(ready(waits, overlap=gone))).detail


def test_a_cordon_holds_new_runs_only() -> None:
    cordoned = queue(cordoned=True)
    assert kinds(gates.closed(ready(queue=cordoned))) == ["queue_cordoned"]
    assert gates.closed(ready(run(resumed=True), queue=cordoned)) == []


def test_a_pause_of_its_queue_and_of_its_agent_holds_every_run() -> None:
    for one in (run(), run(resumed=True)):
        found = gates.closed(ready(one, queue=queue(paused=True), agents={"echo": AgentRule("echo", paused=True)}))
        assert kinds(found) == ["queue_paused", "agent_paused"]


def test_a_closed_window_says_through_what_it_gates_the_run_and_when_it_opens() -> None:
    facts = {"windows": [window("night"), window("day", kind="blackout")], "queue": queue(window_name="night")}
    agents = {"echo": AgentRule("echo", window="day")}
    found = only(gates.closed(ready(run(window_name="night"), agents=agents, **facts)))
    assert (found.kind, found.until) == (Kind.WINDOW_CLOSED, NOW.replace(hour=22, minute=0))
    assert found.facts == {"window": "night", "through": ["run", "queue"]}
    assert found.detail == "The window night, which gates this run and the queue default, is closed."


def test_a_window_that_is_held_closed_says_by_whom() -> None:
    held = {"override": "closed", "override_by": "ann", "override_reason": "audit", "override_until": NOW + HOUR}
    found = only(gates.closed(ready(windows=[window("day", kind="blackout", **held)], queue=queue(window_name="day"))))
    assert (found.until, found.facts["by"], found.facts["comment"]) == (NOW + HOUR, "ann", "audit")
    assert found.detail.endswith("ann holds it closed: audit.")
    over = {**held, "override_until": NOW}
    assert gates.closed(ready(windows=[window("day", kind="blackout", **over)], queue=queue(window_name="day"))) == []


def test_a_window_that_is_gone_or_not_understood_lets_nothing_go() -> None:
    assert "no longer exists" in only(gates.closed(ready(run(window_name="gone")))).detail
    assert gates.closed(ready(queue=queue(window_name="gone"))) == [], "as the scheduler takes it"
    unknown = ready(run(window_name="x"), windows=[window("x", timezone="Mars/Base")])
    assert only(gates.closed(unknown)).until is None
