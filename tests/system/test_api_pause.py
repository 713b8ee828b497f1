"""Every run that has not ended accepts a pause; the effect depends on its state."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
import pytest

from models import moves
from models.lifecycle import Reason, Verb
from models.moves import NewWait
from tests.system.api_server import ApiServer
from tests.system.fake_worker import FakeWorker


def _pause(acme: httpx.Client, run: str, **body: Any) -> httpx.Response:
    return acme.post(f"/v1/runs/{run}/pause", json=body) if body else acme.post(f"/v1/runs/{run}/pause")


def _resume(acme: httpx.Client, run: str) -> httpx.Response:
    return acme.post(f"/v1/runs/{run}/resume")


def _stands(answer: httpx.Response) -> tuple[int, str, str | None, str | None]:
    shown = answer.json()
    return answer.status_code, shown["status"], (shown["pause"] or {}).get("kind"), shown["controlRequest"]


def _verbs(acme: httpx.Client, run: str) -> list[str]:
    return [event["verb"] for event in acme.get(f"/v1/runs/{run}/events").json()["events"] if event.get("verb")]


def _park(fake_worker: FakeWorker, run: str) -> None:
    """Park the run until its code is fixed."""
    fence = fake_worker.take(run)
    row = moves.park(
        Verb.PAUSE_BY_AGENT, fence.run, fence.epoch, fence.worker, inbox=0, active_ms=1, reason=Reason.CODE_MISMATCH,
        waits=[NewWait("code", "code")],
    ).one(fake_worker.connection)  # fmt: skip
    assert row is not None


def test_a_queued_run_is_held_until_it_is_resumed(
    acme: httpx.Client, fake_worker: FakeWorker, run: str, api: ApiServer
) -> None:
    assert _stands(_pause(acme, run, reason="prices")) == (200, "QUEUED", None, "pause")
    with api.connect() as connection:
        row = connection.execute("SELECT ticket_at, ready_at, control_by FROM run WHERE id = %s", [run]).fetchone()
    assert row is not None
    assert (row["ticket_at"], row["control_by"]) == (None, "test")
    with pytest.raises(AssertionError):
        fake_worker.take(run)  # it cannot be promoted

    assert _stands(_resume(acme, run)) == (200, "QUEUED", None, None)
    fake_worker.succeed(fake_worker.take(run))
    assert acme.get(f"/v1/runs/{run}").json()["status"] == "SUCCESS"


def test_an_executing_run_pauses_at_the_edge_of_its_step(acme: httpx.Client, fake_worker: FakeWorker, run: str) -> None:
    fence = fake_worker.take(run)
    assert _stands(_pause(acme, run, reason="prices")) == (202, "RUNNING", None, "pause")
    assert _stands(_pause(acme, run)) == (202, "RUNNING", None, "pause")
    assert moves.pause_executing(fence.run, fence.epoch, fence.worker, active_ms=5).one(fake_worker.connection)
    assert _stands(acme.get(f"/v1/runs/{run}")) == (200, "PAUSED", "user", None)
    paused = acme.get(f"/v1/runs/{run}/events").json()["events"][-1]
    assert (paused["verb"], paused["by"], paused["comment"]) == ("pause_by_user", "test", "prices")

    assert _stands(_pause(acme, run)) == (200, "PAUSED", "user", None), "again changes nothing"
    shown = _resume(acme, run)
    assert _stands(shown) == (200, "RUNNING", None, None)
    assert shown.json()["readyAt"]
    assert _verbs(acme, run)[-2:] == ["pause_by_user", "resume"]
    fake_worker.succeed(fake_worker.take(run))


def test_a_pause_that_is_only_recorded_can_be_taken_back(acme: httpx.Client, fake_worker: FakeWorker, run: str) -> None:
    fence = fake_worker.take(run)
    assert _pause(acme, run).status_code == 202
    assert _stands(_resume(acme, run)) == (200, "RUNNING", None, None)
    assert moves.pause_executing(fence.run, fence.epoch, fence.worker, active_ms=5).one(fake_worker.connection) is None
    fake_worker.succeed(fence)


def test_a_started_run_that_waits_for_a_slot_is_paused_at_once(
    acme: httpx.Client, fake_worker: FakeWorker, run: str
) -> None:
    fence = fake_worker.take(run)
    released = moves.release(fence.run, fence.epoch, fence.worker, verb=Verb.HAND_BACK, reason=Reason.DRAINED)
    assert released.one(fake_worker.connection)
    assert _stands(_pause(acme, run)) == (200, "PAUSED", "user", None)
    assert _stands(_resume(acme, run)) == (200, "RUNNING", None, None)


def test_a_parked_run_keeps_waiting_and_remembers_the_pause(
    acme: httpx.Client, fake_worker: FakeWorker, run: str
) -> None:
    _park(fake_worker, run)
    assert _stands(_pause(acme, run)) == (202, "PAUSED", "agent", "pause")
    assert _stands(_resume(acme, run)) == (200, "RUNNING", None, None), "a resume ends both"


def test_a_cancel_beats_a_pause_in_either_order(acme: httpx.Client, fake_worker: FakeWorker, run: str) -> None:
    fence = fake_worker.take(run)
    assert _stands(_pause(acme, run)) == (202, "RUNNING", None, "pause")
    assert acme.post(f"/v1/runs/{run}/cancel").status_code == 202
    assert _stands(_pause(acme, run)) == (202, "RUNNING", None, "cancel"), "and a pause takes no cancel back"
    assert _resume(acme, run).json()["code"] == "illegal_move", "nor does a resume"
    fake_worker.cancel(fence)
    assert acme.get(f"/v1/runs/{run}").json()["status"] == "CANCELED"


def test_a_paused_run_can_be_canceled(acme: httpx.Client, fake_worker: FakeWorker, run: str) -> None:
    assert _pause(acme, run).status_code == 200
    assert acme.delete(f"/v1/runs/{run}").json()["status"] == "CANCELED"


def test_what_has_ended_is_neither_paused_nor_resumed(acme: httpx.Client, fake_worker: FakeWorker, run: str) -> None:
    fake_worker.succeed(fake_worker.take(run))
    for answer in (_pause(acme, run), _resume(acme, run)):
        assert (answer.status_code, answer.json()["code"]) == (409, "run_finished")
        assert answer.json()["run"]["status"] == "SUCCESS"


def test_only_a_pause_is_ended_by_a_resume(acme: httpx.Client, fake_worker: FakeWorker, run: str) -> None:
    assert _resume(acme, run).json()["code"] == "illegal_move"
    fence = fake_worker.take(run)
    assert _resume(acme, run).json()["code"] == "illegal_move"
    row = moves.park(
        Verb.AWAIT_APPROVAL, fence.run, fence.epoch, fence.worker, inbox=_inbox(fake_worker, run), active_ms=1,
        reason=Reason.APPROVAL_NEEDED, waits=[NewWait("a", "approval")],
    ).one(fake_worker.connection)  # fmt: skip
    assert row is not None
    assert _resume(acme, run).json()["code"] == "illegal_move"


def _inbox(fake_worker: FakeWorker, run: str) -> int:
    row = fake_worker.connection.execute("SELECT inbox FROM run WHERE id = %s", [UUID(run)]).fetchone()
    assert row is not None
    return int(row["inbox"])


def test_nobody_pauses_what_is_not_theirs(acme: httpx.Client, other: httpx.Client, run: str) -> None:
    assert _pause(other, run).json()["code"] == "run_not_found"
    assert _resume(other, run).json()["code"] == "run_not_found"
    assert _stands(acme.get(f"/v1/runs/{run}")) == (200, "QUEUED", None, None)
    unknown = acme.post("/v1/runs/01a20000-0000-7000-8000-000000000000/pause")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "run_not_found")


@pytest.mark.parametrize(
    ("body", "code"), [({"because": "x"}, "unknown_field"), ({"reason": 7}, "invalid_request"), ([], "invalid_json")]
)
def test_a_body_that_makes_no_sense_pauses_nothing(acme: httpx.Client, run: str, body: Any, code: str) -> None:
    assert acme.post(f"/v1/runs/{run}/pause", json=body).json()["code"] == code
    assert _stands(acme.get(f"/v1/runs/{run}")) == (200, "QUEUED", None, None)
