"""An async agent awaits people beside the other content of its loop: they are asked immediately, and it receives the answer."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.system.beside import decide, noted, question, run_state, waits
from tests.system.explaining import explained, kinds
from tests.system.live import AGENTS, Live

SITUATIONS = ["in_shield", "in_future", "in_anyio", "beside_heartbeat", "beside_socket"]
ASKED_WITHIN = 1.0
"""Seconds; 0.1 is what is promised where the machine is not busy. The real figure is a property of the test's report."""


@pytest.fixture(scope="module")
def live(stack: Any) -> Iterator[Live]:
    with Live(stack(agents=str(AGENTS / "beside.py"), workers=1, slots=2)) as live:
        yield live


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "effects"


def _asked_after(live: Live, log: Path, run: str) -> float:
    return float(waits(live, run)[0]["opened"] - noted(log, run, "awaits")[0])


@pytest.mark.parametrize("agent", SITUATIONS)
def test_people_are_asked_when_the_agent_awaits_them_and_the_run_ends_with_what_they_say(
    live: Live, log: Path, agent: str, record_property: Any
) -> None:
    run = live.enqueue(agent, {"log": str(log)})
    wait = question(live, run)
    asked_after = _asked_after(live, log, run)
    record_property("asked_after_s", asked_after)
    assert asked_after < ASKED_WITHIN
    decide(live, wait["id"])
    ended = live.end(run)
    assert (ended["status"], ended["result"]) == ("SUCCESS", True)
    assert len(waits(live, run)) == 1, "it was asked once"


def test_a_decision_reaches_an_agent_that_executes_without_another_activation(live: Live, log: Path) -> None:
    run = live.enqueue("beside_heartbeat", {"log": str(log)})
    wait = question(live, run)
    assert run_state(live, run)["status"] == "RUNNING"
    decide(live, wait["id"])
    assert live.end(run)["result"] is True
    assert run_state(live, run)["activations"] == 1
    assert {event["status"] for event in live.events(run) if "status" in event} <= {"QUEUED", "RUNNING", "SUCCESS"}


def test_a_denial_is_heard_in_the_same_way(live: Live, log: Path) -> None:
    run = live.enqueue("beside_heartbeat", {"log": str(log)})
    decide(live, question(live, run)["id"], "deny")
    assert live.end(run)["result"] is False


def test_people_are_asked_while_a_step_executes_and_the_step_goes_on(live: Live, log: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    run = live.enqueue("working", {"log": str(log), "gate": str(gate)})
    wait = question(live, run)
    assert _asked_after(live, log, run) < ASKED_WITHIN
    decide(live, wait["id"])
    gate.touch()
    assert live.end(run)["result"] == "worked, approved True"
    assert run_state(live, run)["activations"] == 1


def test_a_wait_that_its_agent_gives_up_is_withdrawn_and_its_link_is_gone(live: Live, log: Path) -> None:
    run = live.enqueue("in_time", {"log": str(log), "seconds": 1.0, "beats": True})
    wait = question(live, run)
    link = next(event for event in live.events(run) if event["event"] == "run_approval")["approvalUrl"]
    ended = live.end(run)
    assert (ended["status"], ended["result"]) == ("SUCCESS", "late")
    assert [one["outcome"] for one in waits(live, run)] == ["withdrawn"]
    inbox = live.http.get("/v1/approvals?status=open&limit=100").json()["approvals"]
    assert wait["id"] not in {one["waitId"] for one in inbox}
    assert live.http.post(f"/v1/approvals/{wait['id']}", json={"decision": "approve"}).status_code in (409, 410)
    token = parse_qs(urlsplit(link).query)["token"][0]
    with httpx.Client(base_url=live.stack.url, trust_env=False) as anybody:
        refused = anybody.post("/v1/runs/approval", json={"token": token, "decision": "approve"})
        assert (refused.status_code, refused.json()["code"]) == (410, "token_used")


def test_a_step_that_its_agent_gives_up_is_shown_as_abandoned(live: Live, log: Path) -> None:
    run = live.enqueue("with_fallback", {"log": str(log)})
    wait = question(live, run)
    steps = {step["name"]: step for step in live.http.get(f"/v1/runs/{run}/steps").json()["steps"]}
    assert {name: step["status"] for name, step in steps.items()} == {"endless": "abandoned", "fallback": "succeeded"}
    decide(live, wait["id"])
    assert live.end(run)["result"] == "fallback True"
    assert len(noted(log, run, "begun")) == 1, "the step that was given up was begun once"


def test_a_cancel_ends_a_run_whose_waits_are_open_and_nobody_is_asked_any_more(live: Live, log: Path) -> None:
    run = live.enqueue("beside_heartbeat", {"log": str(log)})
    wait = question(live, run)
    assert live.cancel(run).status_code in (200, 202)
    assert live.end(run)["status"] == "CANCELED"
    assert [one["outcome"] for one in waits(live, run)] == ["withdrawn"]
    assert live.http.post(f"/v1/approvals/{wait['id']}", json={"decision": "approve"}).status_code in (409, 410)


def test_a_pause_parks_a_run_beside_a_heartbeat_and_a_resume_lets_it_go_on(live: Live, log: Path) -> None:
    run = live.enqueue("beside_heartbeat", {"log": str(log)})
    wait = question(live, run)
    assert live.http.post(f"/v1/runs/{run}/pause", json={}).status_code in (200, 202)
    live.until(lambda: run_state(live, run)["status"] == "PAUSED", "it is paused", 5, lambda: run_state(live, run))
    paused = run_state(live, run)
    assert (paused["pause_kind"], paused["leased"]) == ("user", False)
    assert live.http.post(f"/v1/runs/{run}/resume", json={}).status_code in (200, 202)
    live.until(lambda: run_state(live, run)["activations"] == 2, "it executes again")
    decide(live, wait["id"])
    assert live.end(run)["result"] is True
    assert len(waits(live, run)) == 1, "the question stayed the same"


def test_explain_names_what_keeps_the_slot_of_a_run_that_only_waits(live: Live, log: Path) -> None:
    run = live.enqueue("beside_heartbeat", {"log": str(log)})
    wait = question(live, run)
    live.until(
        lambda: kinds(live, run) == ["approval", "slot_held"],
        "what holds the slot is named",
        8,
        lambda: kinds(live, run),
    )
    [timer] = explained(live, run)["blockers"][1]["slotHeldBy"]
    assert timer["kind"] == "timer"
    source = (AGENTS / "beside.py").read_text().splitlines()
    assert (Path(timer["file"]).name, source[timer["line"] - 1].strip()) == ("beside.py", "await asyncio.sleep(BEAT)")
    decide(live, wait["id"])
    assert live.end(run)["result"] is True


def test_a_worker_that_drains_hands_a_run_that_waits_on_with_its_question(live: Live, log: Path) -> None:
    runs = [live.enqueue("beside_heartbeat", {"log": str(log)}) for _ in range(2)]
    asked = {run: question(live, run)["id"] for run in runs}
    [leaving] = live.stack.workers
    live.stack.fleet.start_worker(2)
    leaving.send(signal.SIGTERM)
    assert leaving.wait(30)
    for run, wait in asked.items():
        decide(live, wait)
        assert live.end(run)["result"] is True
        assert [one["id"] for one in waits(live, run)] == [wait]
        assert (run_state(live, run)["crashes"], run_state(live, run)["losses"]) == (0, 0)
