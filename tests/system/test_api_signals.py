"""A signal is stored before its answer, wakes the run that waits for it, and is refused in words if it cannot be taken."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx
import pytest
from taxiway.waits import signal

from models import moves
from models.lifecycle import Reason, Verb
from models.moves import NewWait
from models.waiting.park import Park
from tests.system.fake_worker import FakeWorker

UNKNOWN = "01a20000-0000-7000-8000-000000000000"


def _signal(client: httpx.Client, run: str, name: str = "paid", **body: Any) -> httpx.Response:
    return client.post(f"/v1/runs/{run}/signals/{name}", json=body)


def _park(fake_worker: FakeWorker, run: str, kind: str = "signal", **request: Any) -> None:
    fence = fake_worker.take(run)
    row = fake_worker.connection.execute("SELECT inbox FROM run WHERE id = %s", [fence.run]).fetchone()
    assert row is not None
    park = moves.park(
        Verb.PAUSE_BY_AGENT, fence.run, fence.epoch, fence.worker, inbox=row["inbox"], active_ms=1, reason=Reason.WAITING,
        waits=[NewWait("a", kind, request)],
    )  # fmt: skip
    with fake_worker.connection.transaction():
        assert Park(park).one(fake_worker.connection)


def test_a_signal_wakes_the_run_that_waits_for_it(acme: httpx.Client, fake_worker: FakeWorker, run: str) -> None:
    _park(fake_worker, run, signal="paid")
    shown = acme.get(f"/v1/runs/{run}").json()
    assert (shown["status"], shown["pause"]["kind"], shown["pause"]["waits"][0]["kind"]) == (
        "PAUSED",
        "agent",
        "signal",
    )
    assert _signal(acme, run, "other").json()["status"] == "PAUSED"
    answer = _signal(acme, run, payload={"amount": 3}, id="p-1")
    assert (answer.status_code, answer.json()["status"]) == (202, "RUNNING")
    kept = fake_worker.connection.execute("SELECT answer::text AS answer FROM wait WHERE run_id = %s", [run]).fetchone()
    assert kept == {"answer": '{"amount":3}'}
    assert acme.get(f"/v1/runs/{run}/events").json()["events"][-1]["reason"] == "wait_over"


def test_a_signal_is_kept_for_a_run_that_does_not_wait_yet(
    acme: httpx.Client, fake_worker: FakeWorker, run: str
) -> None:
    for _ in range(2):
        assert _signal(acme, run, payload=1, id="same").status_code == 202
    kept = fake_worker.connection.execute("SELECT payload FROM signal WHERE run_id = %s", [run]).fetchall()
    assert kept == [{"payload": 1}]
    _park(fake_worker, run, signal="paid")
    assert acme.get(f"/v1/runs/{run}").json()["status"] == "RUNNING", "it was there before the wait"


def test_an_agents_own_pause_is_ended_by_a_resume(acme: httpx.Client, fake_worker: FakeWorker, run: str) -> None:
    _park(fake_worker, run, kind="user", reason="look")
    answer = acme.post(f"/v1/runs/{run}/resume")
    assert (answer.status_code, answer.json()["status"]) == (200, "RUNNING")
    assert acme.get(f"/v1/runs/{run}/events").json()["events"][-1]["by"] == "test"


def test_a_wait_for_a_signal_is_not_ended_by_a_resume(acme: httpx.Client, fake_worker: FakeWorker, run: str) -> None:
    _park(fake_worker, run, signal="paid")
    answer = acme.post(f"/v1/runs/{run}/resume")
    assert (answer.status_code, answer.json()["code"]) == (409, "illegal_move")


def test_who_may_not_or_cannot_be_reached_gets_nothing(
    acme: httpx.Client, other: httpx.Client, fake_worker: FakeWorker, run: str
) -> None:
    assert _signal(other, run).json()["code"] == "run_not_found"
    assert _signal(acme, UNKNOWN).json()["code"] == "run_not_found"
    fake_worker.succeed(fake_worker.take(run))
    ended = _signal(acme, run)
    assert (ended.status_code, ended.json()["code"], ended.json()["run"]["status"]) == (409, "run_finished", "SUCCESS")
    assert fake_worker.connection.execute("SELECT FROM signal WHERE run_id = %s", [run]).fetchall() == []


@pytest.mark.parametrize(
    ("name", "body", "status", "code"),
    [
        ("paid", {"value": 1}, 422, "unknown_field"),
        ("paid", {"id": 7}, 400, "invalid_request"),
        ("paid", {"payload": "x" * 70_000}, 413, "payload_too_large"),
        ("x" * 201, {}, 400, "invalid_request"),
        ("%20", {}, 400, "invalid_request"),
        ("taxiway.mine", {}, 400, "invalid_request"),
    ],
)
def test_a_signal_that_makes_no_sense_is_refused_and_not_kept(
    acme: httpx.Client, fake_worker: FakeWorker, run: str, name: str, body: dict[str, Any], status: int, code: str
) -> None:
    answer = _signal(acme, run, name, **body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert fake_worker.connection.execute("SELECT FROM signal WHERE run_id = %s", [run]).fetchall() == []


@pytest.mark.parametrize("payload", [b'"\\u0000"', b'{"\\u0000": 1}', b'["\\ud800"]', b"NaN"])
def test_a_payload_that_cannot_be_stored_is_refused(
    acme: httpx.Client, fake_worker: FakeWorker, run: str, payload: bytes
) -> None:
    json = {"content-type": "application/json"}
    answer = acme.post(f"/v1/runs/{run}/signals/paid", content=b'{"payload": ' + payload + b"}", headers=json)
    refusal = (400, "invalid_json") if payload == b"NaN" else (422, "invalid_answer")
    assert (answer.status_code, answer.json()["code"]) == refusal, answer.text
    assert fake_worker.connection.execute("SELECT FROM signal WHERE run_id = %s", [run]).fetchall() == []


AMOUNT = {"type": "object", "properties": {"amount": {"type": "integer"}}, "required": ["amount"]}


def test_a_payload_that_the_wait_cannot_use_is_refused_and_not_kept(
    acme: httpx.Client, fake_worker: FakeWorker, run: str
) -> None:
    assert _signal(acme, run, payload="early", id="p-0").status_code == 202, "nobody waits yet, so nobody can tell"
    _park(fake_worker, run, signal="paid")  # takes the early one
    _park(fake_worker, run, signal="paid", schema=AMOUNT)
    for payload in (None, "much", {"amount": "3"}, {}):
        answer = _signal(acme, run, payload=payload, id="p-1")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_answer")
        assert answer.json()["errors"][0]["field"].startswith("payload")
    assert (
        fake_worker.connection.execute("SELECT FROM signal WHERE run_id = %s AND consumed_by IS NULL", [run]).fetchall()
        == []
    )
    assert _signal(acme, run, payload="early", id="p-0").json()["status"] == "PAUSED", "sent again, it counts once"
    assert _signal(acme, run, "other", payload="anything").status_code == 202
    answer = _signal(acme, run, payload={"amount": 3}, id="p-1")
    assert (answer.status_code, answer.json()["status"]) == (202, "RUNNING")


def test_a_payload_whose_format_the_agent_would_not_read_is_refused_too(
    acme: httpx.Client, fake_worker: FakeWorker, run: str
) -> None:
    _park(fake_worker, run, signal="due", schema=signal("due", None, datetime).request["schema"])
    for payload in ("soon", "2026-02-30T00:00:00Z", "2026-01-02T03:04:05Z\n"):
        answer = _signal(acme, run, "due", payload=payload)
        assert (answer.status_code, answer.json()["errors"][0]["detail"]) == (422, "must be a date-time")
    assert _signal(acme, run, "due", payload="2026-01-02T03:04:05Z").json()["status"] == "RUNNING"
