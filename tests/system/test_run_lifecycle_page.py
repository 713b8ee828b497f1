"""QUEUED → RUNNING → (AUTH_REQUIRED | PAUSED)* → (SUCCESS | FAILED | CANCELED): the first documented lifecycle, line by line."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from api.links.tokens import Purpose
from models.lifecycle import MOVES, TERMINAL, Status, Verb
from tests.system.following import frames
from tests.system.hand import Hand
from tests.system.people import JSON, SETTINGS, token_of, with_secret
from tests.system.situations import SITUATIONS, Stands


@pytest.fixture(scope="module")
def api_settings() -> dict[str, str]:
    return SETTINGS


def _in(status: str, acme: httpx.Client, hand: Hand) -> Stands:
    return SITUATIONS[status](acme, hand)


def _run(acme: httpx.Client, stands: Stands) -> dict[str, Any]:
    run: dict[str, Any] = acme.get(f"/v1/runs/{stands.run}", params={"includeEvents": True}).json()
    return run


def _streamed(acme: httpx.Client, run: str, count: int) -> list[dict[str, Any]]:
    """Give the first events of the run's stream, which goes on."""
    with acme.stream("GET", f"/v1/runs/{run}/sse") as response:
        coming = frames(response)
        return [
            {"event": frame["event"], **json.loads(frame["data"])} for frame in (next(coming) for _ in range(count))
        ]


def _decided(acme: httpx.Client, stands: Stands, decision: str) -> httpx.Response:
    assert stands.wait
    with with_secret():
        asked = {"token": token_of(stands.wait), "decision": decision}
    return acme.get("/v1/runs/approval", params=asked, headers=JSON)


def test_terminal_states() -> None:
    """Terminal states: SUCCESS, FAILED, CANCELED."""
    assert set(TERMINAL) == {"SUCCESS", "FAILED", "CANCELED"}
    assert [status.value for status in Status] == [
        "QUEUED", "RUNNING", "AUTH_REQUIRED", "PAUSED", "SUCCESS", "FAILED", "CANCELED",
    ]  # fmt: skip


def test_queued_waits_to_start(acme: httpx.Client, hand: Hand) -> None:
    """The run was accepted and is waiting to start (e.g., executor capacity, scheduling window)."""
    run = _run(acme, _in("QUEUED", acme, hand))
    assert (run["status"], run["startedAt"], run["executing"]) == ("QUEUED", None, False)


def test_queued_can_be_aborted(acme: httpx.Client, hand: Hand) -> None:
    """You can abort queued runs: DELETE /v1/runs/{runId}."""
    stands = _in("QUEUED", acme, hand)
    assert acme.delete(f"/v1/runs/{stands.run}").json()["status"] == "CANCELED"


def test_running_streams_events(acme: httpx.Client, hand: Hand) -> None:
    """The platform is planning/executing the steps and streaming events: observe via GET /v1/runs/{runId}/sse."""
    stands = _in("RUNNING, executing", acme, hand)
    assert stands.fence
    hand.step(stands.fence, "fetch")
    seen = _streamed(acme, stands.run, 3)
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


def test_auth_required_gives_its_link_in_the_stream_and_in_the_events(acme: httpx.Client, hand: Hand) -> None:
    """The link is provided in the SSE stream and under the events in the run."""
    stands = _in("AUTH_REQUIRED", acme, hand)
    run = _run(acme, stands)
    assert run["status"] == "AUTH_REQUIRED"
    [event] = [event for event in run["events"] if event["event"] == "authentication"]
    [streamed] = [event for event in _streamed(acme, stands.run, 3) if event["event"] == "authentication"]
    assert event["authUrl"] == streamed["authUrl"]
    assert event["authUrl"].startswith("https://")
    assert (event["provider"], event["scopes"]) == ("ours", ["mail"])


def test_auth_required_returns_to_running_by_itself(acme: httpx.Client, hand: Hand) -> None:
    """Resume once completed: the run returns to RUNNING automatically."""
    stands = _in("AUTH_REQUIRED", acme, hand)
    assert stands.wait
    with with_secret():
        body = {"token": token_of(stands.wait, Purpose.AUTHORIZATION), "outcome": "authorized"}
    assert acme.post(f"/v1/auth/{stands.wait.id}/complete", json=body).status_code == 200
    assert _run(acme, stands)["status"] == "RUNNING"


def test_paused_waits_for_a_decision(acme: httpx.Client, hand: Hand) -> None:
    """Execution is waiting for an approval decision."""
    run = _run(acme, _in("PAUSED, approval", acme, hand))
    assert (run["status"], run["pause"]["kind"]) == ("PAUSED", "approval")
    assert "/v1/runs/approval?token=" in run["pause"]["waits"][0]["approvalUrl"]


@pytest.mark.parametrize(
    ("decision", "status", "reason"), [("approve", "RUNNING", "approved"), ("deny", "CANCELED", "denied")]
)
def test_paused_is_decided_by_a_one_time_token(
    acme: httpx.Client, hand: Hand, decision: str, status: str, reason: str
) -> None:
    """GET /v1/runs/approval?token=... (one-time token). Approve → back to RUNNING. Deny → typically CANCELED."""
    stands = _in("PAUSED, approval", acme, hand)
    assert _decided(acme, stands, decision).status_code == 200
    run = _run(acme, stands)
    assert (run["status"], run["reason"]) == (status, reason)
    for again in ("approve", "deny"):
        assert _decided(acme, stands, again).status_code == 410
        assert _run(acme, stands) == run


@pytest.mark.parametrize("situation", ["QUEUED", "RUNNING, ready", "AUTH_REQUIRED", "PAUSED, approval", "PAUSED, user"])
def test_canceled_is_how_an_aborted_run_ends(acme: httpx.Client, hand: Hand, situation: str) -> None:
    """The run was aborted (via API). Abort any running/queued run with DELETE /v1/runs/{runId}."""
    stands = _in(situation, acme, hand)
    assert acme.delete(f"/v1/runs/{stands.run}").status_code == 200
    run = _run(acme, stands)
    assert (run["status"], run["reason"], run["events"][-1]["event"]) == ("CANCELED", "by_user", "end")


def test_canceled_of_an_executing_run_is_asked_of_its_worker(acme: httpx.Client, hand: Hand) -> None:
    """Abort any running run."""
    stands = _in("RUNNING, executing", acme, hand)
    assert acme.delete(f"/v1/runs/{stands.run}").status_code == 202
    assert stands.fence
    hand.cancel(stands.fence)
    assert _run(acme, stands)["status"] == "CANCELED"


@pytest.mark.parametrize("status", ["SUCCESS", "FAILED", "CANCELED"])
def test_final_states_are_final(acme: httpx.Client, hand: Hand, status: str) -> None:
    """Final state."""
    stands = _in(status, acme, hand)
    before = _run(acme, stands)
    assert acme.delete(f"/v1/runs/{stands.run}").status_code == 409
    assert _run(acme, stands) == before


@pytest.mark.parametrize("status", ["FAILED", "CANCELED"])
def test_a_fresh_run_is_the_next_step(acme: httpx.Client, hand: Hand, status: str) -> None:
    """Recreate a new run if you want to restart; fix the cause and create a fresh run."""
    stands = _in(status, acme, hand)
    again = acme.post(f"/v1/runs/{stands.run}/retry")
    assert again.status_code == 201, again.text
    assert (again.json()["status"], again.json()["retryOf"]) == ("QUEUED", stands.run)


def test_failed_says_what_to_check(acme: httpx.Client, hand: Hand) -> None:
    """What to check: event logs (tool errors, validation failures), stepsFinished, and the last event payload."""
    stands = _in("RUNNING, executing", acme, hand)
    assert stands.fence
    hand.step(stands.fence, "fetch")
    hand.fail(stands.fence)
    run = _run(acme, stands)
    assert (run["error"]["code"], run["error"]["message"]) == ("step_error", "no")
    assert [(step["name"], step["status"]) for step in run["stepsFinished"]] == [("fetch", "succeeded")]
    assert (run["events"][-1]["event"], run["events"][-1]["status"]) == ("end", "FAILED")


def test_success_gives_its_result(acme: httpx.Client, hand: Hand) -> None:
    """All planned steps completed. Read result (if present)."""
    run = _run(acme, _in("SUCCESS", acme, hand))
    assert (run["result"], [step["name"] for step in run["stepsFinished"]]) == ({"done": True}, ["fetch"])
