"""A run that waits for a person: the question is exactly what was shown, and nothing gets past it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from models.runs.enqueue import NewRun
from models.runtime.bus import PROMOTE, Bus
from models.waiting import waits
from models.waiting.wake import wake_run
from tests.conftest import Servers
from tests.processes.fleet import TENANT, Fleet, fleet_of

AGENTS = """
    from dataclasses import dataclass
    import taxiway

    def said(run, what):
        effect(f"{run.id} {what}")
        return what

    @agent
    def ship(run: Run, on_deny: str = "cancel", on_timeout: str = "deny", timeout: float | None = 60):
        run.using(name="before").step(said, run, "before")
        decision = run.approve("Ship it?", details={"order": 7}, choices=["air", "sea"], on_deny=on_deny,
                               on_timeout=on_timeout, timeout=timeout)
        run.using(name="after").step(said, run, "after")
        return [decision.approved, decision.choice, decision.comment, decision.by, decision.at is not None]

    @dataclass
    class Address:
        street: str
        number: int

    @agent
    def where(run: Run):
        address = run.ask("Where to?", Address)
        return f"{type(address).__name__} {address.street} {address.number}"

    @agent
    def both(run: Run):
        one, two = run.gather(run.approval("One?"), run.approval("Two?", on_deny="return"))
        return [one.approved, two.approved]

    @agent
    def reminded(run: Run):
        approval, reminders = run.approval("Really?"), 0
        while True:
            index, value = run.first(approval, run.timer(0.3))
            if index == 0:
                return [value.by, reminders > 0]
            reminders += 1

    @taxiway.step(tool=True, on_deny="raise")
    def search(query: str, limit: int = 3):
        return f"{query} {limit}"

    @agent
    def loop(run: Run):
        found = []
        for query in ("cats", "dogs"):
            try:
                found.append(run.step(search, query))
            except taxiway.ApprovalDenied as denied:
                found.append(f"no: {denied.comment}")
        return found

    @agent
    async def aloop(run: AsyncRun):
        return await asyncio.gather(*(run.step(search, query, limit=1) for query in ("cats", "dogs")))

    @agent
    def long_retry(run: Run):
        tried = Path(__file__).parent / f"tried-{run.id}"
        def flaky():
            if not tried.exists():
                tried.touch()
                raise ValueError("not yet")
            return "at last"
        return run.using(name="flaky", retry=Retry(2, initial="5s", jitter=0)).step(flaky)
"""


@pytest.fixture(scope="module")
def fleet(
    servers: Servers, template_database: str, shared_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("approvals")
    with fleet_of(servers, template_database, shared_folder, folder) as fleet:
        fleet.serve(AGENTS)
        fleet.scheduler()
        fleet.worker("only", slots=2)
        yield fleet


def _open(fleet: Fleet, run: UUID) -> list[dict[str, Any]]:
    sql = "SELECT * FROM wait WHERE run_id = %s AND resolved_at IS NULL AND kind = 'approval' ORDER BY id"
    return fleet.database.execute(sql, [run]).fetchall()


def _asked(fleet: Fleet, run: UUID, count: int = 1) -> list[dict[str, Any]]:
    row = fleet.status(run, "PAUSED")
    assert (row["pause_kind"], row["lease_worker"], row["ticket_at"]) == ("approval", None, None)
    found = _open(fleet, run)
    assert len(found) == count
    return found


def _decide(
    fleet: Fleet, wait: dict[str, Any], outcome: str, answer: object = None, comment: str | None = None
) -> None:
    """Decide as the API does."""
    with fleet.database.transaction():
        run_state = waits.lock_run(wait["run_id"], TENANT).one(fleet.database)
        assert run_state is not None
        text = None if answer is None else json.dumps(answer)
        over = waits.decide(wait["run_id"], wait["id"], outcome=outcome, by="ann", answer=text, comment=comment).all(
            fleet.database
        )
        assert len(over) == 1
        wake_run(fleet.database, run_state, over)
    bus = Bus(fleet.redis_url).start()
    bus.wake_up(PROMOTE, "default")
    bus.stop()


def test_an_approval_lets_the_run_go_on_with_the_decision(fleet: Fleet) -> None:
    run = fleet.enqueue("ship")
    [wait] = _asked(fleet, run)
    assert (wait["nonce"], wait["digest"][:7], wait["on_due"]) == (wait["nonce"] or "", "sha256:", "denied")
    _decide(fleet, wait, "approved", {"choice": "sea"}, "go")
    assert fleet.result(run) == [True, "sea", "go", "ann", True]


@pytest.mark.parametrize(
    ("on_deny", "status", "reason"),
    [("cancel", "CANCELED", "denied"), ("fail", "FAILED", "denied"), ("raise", "FAILED", "denied")],
)
def test_a_denial_ends_the_run_as_it_was_asked_to(fleet: Fleet, on_deny: str, status: str, reason: str) -> None:
    run = fleet.enqueue("ship", on_deny=on_deny)
    [wait] = _asked(fleet, run)
    _decide(fleet, wait, "denied", comment="too dear")
    row = fleet.ends(run)
    assert (row["status"], row["reason"]) == (status, reason)
    assert f"{run} after" not in fleet.effects(str(run))
    [decided] = [event["data"] for event in fleet.events(run, "run_action")]
    assert (decided["decision"], decided["by"], decided["comment"]) == ("deny", "ann", "too dear")
    assert decided["digest"] == wait["digest"]


def test_a_denial_may_be_returned(fleet: Fleet) -> None:
    run = fleet.enqueue("ship", on_deny="return")
    [wait] = _asked(fleet, run)
    _decide(fleet, wait, "denied")
    assert fleet.result(run) == [False, None, None, "ann", True]


@pytest.mark.parametrize(
    ("on_timeout", "status", "reason"),
    [("deny", "CANCELED", "timeout"), ("fail", "FAILED", "timeout"), ("return", "SUCCESS", None)],
)
def test_when_nobody_decides_in_time_the_policy_does(fleet: Fleet, on_timeout: str, status: str, reason: str) -> None:
    run = fleet.enqueue("ship", on_timeout=on_timeout, timeout=0.2)
    row = fleet.ends(run)
    assert (row["status"], row["reason"]) == (status, reason)
    assert [event["data"]["decision"] for event in fleet.events(run, "run_action")] == ["expire"]


def test_a_wait_without_end_has_no_time_at_which_it_is_over(fleet: Fleet) -> None:
    run = fleet.enqueue("ship", timeout=None)
    [wait] = _asked(fleet, run)
    assert fleet.one("SELECT due_at, on_due FROM wait WHERE run_id = %s", run)["due_at"] is None
    assert fleet.events(run, "run_approval")[0]["data"].get("expiresAt") is None
    _decide(fleet, wait, "approved")
    assert fleet.result(run)[0] is True


def test_a_duration_beyond_the_bound_fails_the_run_with_a_sentence_and_no_crash(fleet: Fleet) -> None:
    run = fleet.enqueue("ship", timeout=1e11)
    row = fleet.ends(run)
    assert (row["reason"], row["crashes"]) == ("agent_error", 0)
    assert "between 0 and 100 years (36,600 days), not 100000000000.0" in row["error"]["message"]


def test_an_answer_comes_back_in_its_type(fleet: Fleet) -> None:
    run = fleet.enqueue("where")
    [wait] = _asked(fleet, run)
    assert fleet.run(run)["reason"] == "answer_needed"
    assert wait["request"]["answer"]["$ref"] == "#/$defs/Address"
    _decide(fleet, wait, "answered", {"answer": {"street": "Elm", "number": 7}})
    assert fleet.result(run) == "Address Elm 7"


def test_two_approvals_are_told_by_two_events_and_both_are_needed(fleet: Fleet) -> None:
    run = fleet.enqueue("both")
    one, two = _asked(fleet, run, 2)
    assert [event["data"]["prompt"] for event in fleet.events(run, "run_approval")] == ["One?", "Two?"]
    _decide(fleet, two, "denied")
    assert fleet.run(run)["status"] == "PAUSED"
    _decide(fleet, one, "approved")
    assert fleet.result(run) == [True, False]
    assert [event["seq"] for event in fleet.events(run)] == list(range(1, fleet.run(run)["seq"] + 1))


def test_whoever_is_reminded_decides_on_the_same_wait(fleet: Fleet) -> None:
    run = fleet.enqueue("reminded")
    [wait] = _asked(fleet, run)
    fleet.until(lambda: fleet.run(run)["activations"] >= 3, "two reminders")
    fleet.status(run, "PAUSED")
    _decide(fleet, wait, "approved")
    assert fleet.result(run) == ["ann", True]


def test_a_run_that_must_be_let_begin_executes_nothing_before(fleet: Fleet) -> None:
    new = NewRun("ship", "default", '{"on_deny": "return"}', approval_strategy="ON_START")
    run = fleet.enqueue_many([new])[0]
    [wait] = _asked(fleet, run)
    assert (wait["key"], wait["request"]["prompt"]) == ("start", "Start ship?")
    assert fleet.effects(str(run)) == []
    _decide(fleet, wait, "approved")
    fleet.until(lambda: [found["key"] for found in _open(fleet, run)] not in ([], ["start"]), "its own question")
    [own] = _asked(fleet, run)
    _decide(fleet, own, "denied")
    assert fleet.result(run) == [False, None, None, "ann", True]
    assert fleet.run(run)["activations"] == 3


def test_a_tool_is_called_only_when_somebody_approved_and_a_denial_can_be_caught(fleet: Fleet) -> None:
    run = fleet.enqueue_many([NewRun("loop", "default", "{}", approval_strategy="ON_TOOL_CALL")])[0]
    [cats] = _asked(fleet, run)
    assert cats["request"]["details"] == {"function": "search", "arguments": {"query": "cats"}}
    assert fleet.events(run, "run_approval")[0]["data"]["step"]["name"] == "search"
    _decide(fleet, cats, "denied", comment="no cats")
    fleet.until(lambda: [wait["id"] for wait in _open(fleet, run)] not in ([], [cats["id"]]), "the second question")
    [dogs] = _asked(fleet, run)
    _decide(fleet, dogs, "approved")
    assert fleet.result(run) == ["no: no cats", "dogs 3"]
    [step] = [event["data"]["step"] for event in fleet.events(run, "step")]
    assert step["approval"] == "APPROVED"


def test_tools_called_at_once_are_asked_for_at_once(fleet: Fleet) -> None:
    run = fleet.enqueue_many([NewRun("aloop", "default", "{}", approval_strategy="ON_TOOL_CALL")])[0]
    cats, dogs = _asked(fleet, run, 2)
    _decide(fleet, dogs, "approved")
    fleet.until(lambda: len(fleet.events(run, "step")) == 1, "the approved one is called")
    _asked(fleet, run)
    _decide(fleet, cats, "approved")
    assert fleet.result(run) == ["cats 1", "dogs 1"]


def test_a_long_back_off_is_spent_parked(fleet: Fleet) -> None:
    run = fleet.enqueue("long_retry")
    row = fleet.status(run, "PAUSED")
    assert (row["pause_kind"], row["lease_worker"]) == ("agent", None)
    assert fleet.result(run) == "at last"
    assert fleet.run(run)["activations"] == 2
