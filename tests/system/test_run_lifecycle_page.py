"""QUEUED → RUNNING → (AUTH_REQUIRED | PAUSED)* → (SUCCESS | FAILED | CANCELED): the first documented lifecycle, line by line."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from api.links.tokens import Purpose
from models.lifecycle import MOVES, TERMINAL, Status, Verb
from tests.system.fake_worker import FakeWorker
from tests.system.following import frames
from tests.system.people import JSON, SETTINGS, token_of, with_secret
from tests.system.run_states import SITUATIONS, Stands


@pytest.fixture(scope="module")
def api_settings() -> dict[str, str]:
    return SETTINGS


def _in(status: str, acme: httpx.Client, fake_worker: FakeWorker) -> Stands:
    return SITUATIONS[status](acme, fake_worker)


def _run(acme: httpx.Client, run_state: Stands) -> dict[str, Any]:
    run: dict[str, Any] = acme.get(f"/v1/runs/{run_state.run}", params={"includeEvents": True}).json()
    return run


def _streamed(acme: httpx.Client, run: str, count: int) -> list[dict[str, Any]]:
    """Return the first events of the run's stream, which continues."""
    with acme.stream("GET", f"/v1/runs/{run}/sse") as response:
        coming = frames(response)
        return [
            {"event": frame["event"], **json.loads(frame["data"])} for frame in (next(coming) for _ in range(count))
        ]


def _decided(acme: httpx.Client, run_state: Stands, decision: str) -> httpx.Response:
    assert run_state.wait
    with with_secret():
        asked = {"token": token_of(run_state.wait), "decision": decision}
    return acme.get("/v1/runs/approval", params=asked, headers=JSON)


def test_terminal_states() -> None:
    """Terminal states: SUCCESS, FAILED, CANCELED."""
    assert set(TERMINAL) == {"SUCCESS", "FAILED", "CANCELED"}
    assert [status.value for status in Status] == [
        "QUEUED", "RUNNING", "AUTH_REQUIRED", "PAUSED", "SUCCESS", "FAILED", "CANCELED",
    ]  # fmt: skip


def test_queued_waits_to_start(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    """The run was accepted and is waiting to start (e.g., executor capacity, scheduling window)."""
    run = _run(acme, _in("QUEUED", acme, fake_worker))
    assert (run["status"], run["startedAt"], run["executing"]) == ("QUEUED", None, False)


def test_queued_can_be_aborted(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    """You can abort queued runs: DELETE /v1/runs/{runId}."""
    run_state = _in("QUEUED", acme, fake_worker)
    assert acme.delete(f"/v1/runs/{run_state.run}").json()["status"] == "CANCELED"


def test_running_streams_events(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    """The platform is planning/executing the steps and streaming events: observe via GET /v1/runs/{runId}/sse."""
    run_state = _in("RUNNING, executing", acme, fake_worker)
    assert run_state.fence
    fake_worker.step(run_state.fence, "fetch")
    seen = _streamed(acme, run_state.run, 3)
    assert [event["event"] for event in seen] == ["status", "start", "step"]
    assert [event["runStatus"] for event in seen] == ["QUEUED", "RUNNING", "RUNNING"]


@pytest.mark.parametrize(
    ("verb", "status"), [(Verb.AWAIT_APPROVAL, Status.PAUSED), (Verb.REQUIRE_AUTHORIZATION, Status.AUTH_REQUIRED)]
)
def test_running_may_be_paused_by_approvals_or_authorization(verb: Verb, status: Status) -> None:
    """Approvals or auth may pause progress."""
    assert {source.status for source in MOVES[verb].sources} == {Status.RUNNING}
    assert MOVES[verb].target.status == status
    assert status in {source.status for source in MOVES[Verb.RESUME].sources}


def test_auth_required_gives_its_link_in_the_stream_and_in_the_events(
    acme: httpx.Client, fake_worker: FakeWorker
) -> None:
    """The link is provided in the SSE stream and under the events in the run."""
    run_state = _in("AUTH_REQUIRED", acme, fake_worker)
    run = _run(acme, run_state)
    assert run["status"] == "AUTH_REQUIRED"
    [event] = [event for event in run["events"] if event["event"] == "authentication"]
    [streamed] = [event for event in _streamed(acme, run_state.run, 3) if event["event"] == "authentication"]
    assert event["authUrl"] == streamed["authUrl"]
    assert event["authUrl"].startswith("https://")
    assert (event["provider"], event["scopes"]) == ("ours", ["mail"])


def test_auth_required_returns_to_running_by_itself(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    """Resume once completed: the run returns to RUNNING automatically."""
    run_state = _in("AUTH_REQUIRED", acme, fake_worker)
    assert run_state.wait
    with with_secret():
        body = {"token": token_of(run_state.wait, Purpose.AUTHORIZATION), "outcome": "authorized"}
    assert acme.post(f"/v1/auth/{run_state.wait.id}/complete", json=body).status_code == 200
    assert _run(acme, run_state)["status"] == "RUNNING"


def test_paused_waits_for_a_decision(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    """Execution is waiting for an approval decision."""
    run = _run(acme, _in("PAUSED, approval", acme, fake_worker))
    assert (run["status"], run["pause"]["kind"]) == ("PAUSED", "approval")
    assert "/v1/runs/approval?token=" in run["pause"]["waits"][0]["approvalUrl"]


@pytest.mark.parametrize(
    ("decision", "status", "reason"), [("approve", "RUNNING", "approved"), ("deny", "CANCELED", "denied")]
)
def test_paused_is_decided_by_a_one_time_token(
    acme: httpx.Client, fake_worker: FakeWorker, decision: str, status: str, reason: str
) -> None:
    """GET /v1/runs/approval?token=... (one-time token). Approve → back to RUNNING. Deny → typically CANCELED."""
    run_state = _in("PAUSED, approval", acme, fake_worker)
    assert _decided(acme, run_state, decision).status_code == 200
    run = _run(acme, run_state)
    assert (run["status"], run["reason"]) == (status, reason)
    for again in ("approve", "deny"):
        assert _decided(acme, run_state, again).status_code == 410
        assert _run(acme, run_state) == run


@pytest.mark.parametrize("situation", ["QUEUED", "RUNNING, ready", "AUTH_REQUIRED", "PAUSED, approval", "PAUSED, user"])
def test_canceled_is_how_an_aborted_run_ends(acme: httpx.Client, fake_worker: FakeWorker, situation: str) -> None:
    """The run was aborted (via API). Abort any running/queued run with DELETE /v1/runs/{runId}."""
    run_state = _in(situation, acme, fake_worker)
    assert acme.delete(f"/v1/runs/{run_state.run}").status_code == 200
    run = _run(acme, run_state)
    assert (run["status"], run["reason"], run["events"][-1]["event"]) == ("CANCELED", "by_user", "end")


def test_canceled_of_an_executing_run_is_asked_of_its_worker(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    """Abort any running run."""
    run_state = _in("RUNNING, executing", acme, fake_worker)
    assert acme.delete(f"/v1/runs/{run_state.run}").status_code == 202
    assert run_state.fence
    fake_worker.cancel(run_state.fence)
    assert _run(acme, run_state)["status"] == "CANCELED"


@pytest.mark.parametrize("status", ["SUCCESS", "FAILED", "CANCELED"])
def test_final_states_are_final(acme: httpx.Client, fake_worker: FakeWorker, status: str) -> None:
    """Final state."""
    run_state = _in(status, acme, fake_worker)
    before = _run(acme, run_state)
    assert acme.delete(f"/v1/runs/{run_state.run}").status_code == 409
    assert _run(acme, run_state) == before


@pytest.mark.parametrize("status", ["FAILED", "CANCELED"])
def test_a_fresh_run_is_the_next_step(acme: httpx.Client, fake_worker: FakeWorker, status: str) -> None:
    """Recreate a new run if you want to restart; fix the cause and create a fresh run."""
    run_state = _in(status, acme, fake_worker)
    again = acme.post(f"/v1/runs/{run_state.run}/retry")
    assert again.status_code == 201, again.text
    assert (again.json()["status"], again.json()["retryOf"]) == ("QUEUED", run_state.run)


def test_failed_says_what_to_check(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    """What to check: event logs (tool errors, validation failures), stepsFinished, and the last event payload."""
    run_state = _in("RUNNING, executing", acme, fake_worker)
    assert run_state.fence
    fake_worker.step(run_state.fence, "fetch")
    fake_worker.fail(run_state.fence)
    run = _run(acme, run_state)
    assert (run["error"]["code"], run["error"]["message"]) == ("step_error", "no")
    assert [(step["name"], step["status"]) for step in run["stepsFinished"]] == [("fetch", "succeeded")]
    assert (run["events"][-1]["event"], run["events"][-1]["status"]) == ("end", "FAILED")


def test_success_gives_its_result(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    """All planned steps completed. Read result (if present)."""
    run = _run(acme, _in("SUCCESS", acme, fake_worker))
    assert (run["result"], [step["name"] for step in run["stepsFinished"]]) == ({"done": True}, ["fetch"])
