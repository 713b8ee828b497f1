"""starting, running, paused, paused_by_agent, awaiting_confirmation and the ends: the second documented lifecycle."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from models import moves
from models.lifecycle import MOVES, STATES, TERMINAL, Reason, State, Verb, category, execution_status
from models.waiting import waits
from models.waiting.wake import wake_run
from tests.system.fake_worker import FakeWorker
from tests.system.people import SETTINGS
from tests.system.run_states import SITUATIONS

WORDS = {
    "QUEUED": ("starting", "processing"),
    "RUNNING, executing": ("running", "processing"),
    "RUNNING, asking": ("running", "processing"),
    "RUNNING, own pause": ("running", "processing"),
    "RUNNING, listening": ("running", "processing"),
    "RUNNING, ready": ("running", "processing"),
    "PAUSED, user": ("paused", "paused"),
    "PAUSED, agent": ("paused_by_agent", "paused"),
    "PAUSED, timer": ("paused_by_agent", "paused"),
    "PAUSED, own pause": ("paused_by_agent", "paused"),
    "PAUSED, approval": ("awaiting_confirmation", "awaiting"),
    "AUTH_REQUIRED": ("awaiting_confirmation", "awaiting"),
    "SUCCESS": ("completed", "terminal"),
    "FAILED": ("failed", "terminal"),
    "CANCELED": ("cancelled", "terminal"),
}
# The page's lists of what a status "can transition to"; where its graph lacks an edge of its prose, the prose is right.
GRAPH = {
    "starting": {"running", "failed", "cancelled", "completed"},
    "running": {"paused", "paused_by_agent", "cancelled", "awaiting_confirmation", "completed", "failed"},
    "paused": {"cancelled", "running"},
    "paused_by_agent": {"cancelled", "running", "failed"},
    "awaiting_confirmation": {"completed", "cancelled", "failed", "running"},
    "completed": set(),
    "failed": set(),
    "cancelled": set(),
}


@pytest.fixture(scope="module")
def api_settings() -> dict[str, str]:
    return SETTINGS


@pytest.fixture(scope="module")
def runs(acme: httpx.Client, fake_worker: FakeWorker) -> dict[str, str]:
    """Return one run in each situation."""
    return {situation: SITUATIONS[situation](acme, fake_worker).run for situation in WORDS}


def _leads(word: str) -> set[str]:
    """Return the successors of a status by the law: moves within it (recovery, resuming) are no transition."""
    states = {state for state in STATES if execution_status(state) == word}
    targets: set[State] = {move.target for move in MOVES.values() if move.sources & states}
    return {execution_status(target) for target in targets} - {word}


def _told(acme: httpx.Client, run: str) -> list[tuple[str, str]]:
    """Read the statuses of a run, and their events, from its log, which has no gap and ends in the run's state."""
    events = acme.get(f"/v1/runs/{run}/events").json()["events"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["runStatus"] == acme.get(f"/v1/runs/{run}").json()["status"]
    return [(event.get("verb", event["event"]), event["runStatus"]) for event in events]


@pytest.mark.parametrize("word", GRAPH)
def test_can_transition_to(word: str) -> None:
    """The status system enforces a strict state machine."""
    assert _leads(word) == GRAPH[word]


@pytest.mark.parametrize("situation", WORDS)
def test_execution_statuses_fall_into_four_categories(acme: httpx.Client, runs: dict[str, str], situation: str) -> None:
    """Processing, Paused, Awaiting, Terminal: the status of a run in this vocabulary, and its category."""
    run = acme.get(f"/v1/runs/{runs[situation]}").json()
    assert (run["executionStatus"], run["category"]) == WORDS[situation]


def test_every_situation_has_its_words() -> None:
    assert set(WORDS) == set(SITUATIONS)


@pytest.mark.parametrize("name", ["processing", "awaiting", "paused", "terminal"])
def test_polling_by_category(acme: httpx.Client, runs: dict[str, str], name: str) -> None:
    """There are two primary ways to monitor execution status: polling by status category."""
    found = {}
    page: dict[str, Any] = {"nextCursor": ""}
    while page["nextCursor"] is not None:
        where = {"category": name, "limit": 50} | ({"cursor": page["nextCursor"]} if page["nextCursor"] else {})
        page = acme.get("/v1/runs", params=where).json()
        found |= {run["runId"]: (run["executionStatus"], run["category"]) for run in page["runs"]}
    assert {category for _, category in found.values()} == {name}
    ours = {situation: found[run] for situation, run in runs.items() if run in found}
    assert ours == {situation: words for situation, words in WORDS.items() if words[1] == name}


def test_event_log_monitoring(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    """And event log monitoring: the events of a run tell each change of its status, in order."""
    run_state = SITUATIONS["PAUSED, agent"](acme, fake_worker)
    told = [("enqueue", "QUEUED"), ("start", "RUNNING"), ("pause_by_agent", "PAUSED")]
    assert _told(acme, run_state.run) == told
    for action, *changes in (
        ("signals/word", ("resume", "RUNNING")),
        ("pause", ("pause_by_user", "PAUSED")),
        ("resume", ("resume", "RUNNING")),
    ):
        acme.post(f"/v1/runs/{run_state.run}/{action}")
        told += changes
        assert _told(acme, run_state.run) == told
    fake_worker.succeed(fake_worker.take(run_state.run))
    assert _told(acme, run_state.run) == [*told, ("continue", "RUNNING"), ("end", "SUCCESS")]


def test_pause_and_resume(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    """User-initiated pauses allow you to safely suspend execution and resume later without losing progress."""
    run_state = SITUATIONS["RUNNING, executing"](acme, fake_worker)
    assert run_state.fence
    fake_worker.step(run_state.fence, "fetch")
    at = (run_state.fence.run, run_state.fence.epoch, run_state.fence.worker)
    assert moves.release(*at, verb=Verb.HAND_BACK, reason=Reason.DRAINED).one(fake_worker.connection)
    assert acme.post(f"/v1/runs/{run_state.run}/pause").json()["executionStatus"] == "paused"
    resumed = acme.post(f"/v1/runs/{run_state.run}/resume").json()
    assert (resumed["executionStatus"], resumed["stepsTotal"]) == ("running", 1)
    assert fake_worker.take(run_state.run)


@pytest.mark.parametrize("order", [("pause", "cancel"), ("cancel", "pause")], ids=" then ".join)
def test_cancel_requests_take_priority_over_pause_requests(
    acme: httpx.Client, fake_worker: FakeWorker, order: tuple[str, str]
) -> None:
    """If a pause request is pending and you issue a cancel request, the execution will be cancelled instead of paused."""
    run_state = SITUATIONS["RUNNING, executing"](acme, fake_worker)
    for request in order:
        acme.post(f"/v1/runs/{run_state.run}/{request}")
    assert acme.get(f"/v1/runs/{run_state.run}").json()["controlRequest"] == "cancel"
    assert run_state.fence
    fake_worker.cancel(run_state.fence)
    assert acme.get(f"/v1/runs/{run_state.run}").json()["executionStatus"] == "cancelled"


def test_paused_by_agent_beyond_its_timeout(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    """If an execution remains paused by the agent beyond the configured timeout, it will transition to failed."""
    run_state = SITUATIONS["PAUSED, agent"](acme, fake_worker)
    with fake_worker.connection.transaction():
        fake_worker.connection.execute("UPDATE wait SET due_at = now() WHERE run_id = %s", [run_state.run])
        row = waits.lock_run(run_state.id, "acme").one(fake_worker.connection)
        assert row is not None
        over = waits.resolve_due(run_state.id).all(fake_worker.connection)
        assert [wait.outcome for wait in over] == ["timeout"]
        wake_run(fake_worker.connection, row, over)
    fence = fake_worker.take(run_state.run)  # its agent receives the time-out, and does not catch the error
    fake_worker.fail(fence)
    assert acme.get(f"/v1/runs/{run_state.run}").json()["executionStatus"] == "failed"


@pytest.mark.parametrize("situation", ["SUCCESS", "FAILED", "CANCELED"])
@pytest.mark.parametrize("operation", ["pause", "resume", "cancel", "signals/word"])
def test_terminal_states_are_immutable(
    acme: httpx.Client, fake_worker: FakeWorker, situation: str, operation: str
) -> None:
    """Operations on completed, failed, or cancelled executions will fail."""
    run = SITUATIONS[situation](acme, fake_worker).run
    answer = acme.post(f"/v1/runs/{run}/{operation}")
    assert (answer.status_code, answer.json()["code"], answer.json()["run"]["runId"]) == (409, "run_finished", run)


def test_every_terminal_state_is_one_of_three() -> None:
    """Handle all three terminal states: completed, failed, cancelled."""
    ends = {execution_status(state) for state in STATES if category(state) == "terminal"}
    assert ends == {"completed", "failed", "cancelled"}
    assert {state.status for state in STATES if category(state) == "terminal"} == set(TERMINAL)
    assert not any(MOVES[verb].sources & {state for state in STATES if state.status in TERMINAL} for verb in Verb)


def test_pause_types_are_told_apart(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    """Track whether a pause was user-initiated or agent-initiated for proper UI."""
    kinds = {}
    for situation in ("PAUSED, user", "PAUSED, agent", "PAUSED, approval"):
        kinds[situation] = acme.get(f"/v1/runs/{SITUATIONS[situation](acme, fake_worker).run}").json()["pause"]["kind"]
    assert list(kinds.values()) == ["user", "agent", "approval"]
