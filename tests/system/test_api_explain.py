"""Explain by HTTP: every situation of a run has its blockers, for its own tenant and for keys that may read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import TypeAdapter

from api.shapes import ExplanationBody
from models import moves
from models.lifecycle import Reason, Verb
from models.moves import NewWait
from models.operations import schedules
from models.runtime.session_locks import LEADER
from tests.system.api_server import ApiServer
from tests.system.fake_worker import INPUT, FakeWorker
from tests.system.people import HOUR, SETTINGS, asks, wants
from tests.system.run_states import SITUATIONS, TERMINAL, executing, queued, sleeping

BODY = TypeAdapter(ExplanationBody)
KINDS = {
    "QUEUED": ["promotion"],
    "RUNNING, ready": ["promotion"],
    "RUNNING, executing": [],
    "RUNNING, asking": ["approval"],
    "RUNNING, own pause": ["pause"],
    "RUNNING, listening": ["signal"],
    "AUTH_REQUIRED": ["authorization"],
    "PAUSED, approval": ["approval"],
    "PAUSED, user": ["pause"],
    "PAUSED, agent": ["signal"],
    "PAUSED, timer": ["timer"],
    "PAUSED, own pause": ["pause"],
    **{status: [] for status in TERMINAL},
}


@pytest.fixture(scope="module")
def api_settings() -> dict[str, str]:
    return SETTINGS


@pytest.fixture(autouse=True)
def led(api: ApiServer) -> Iterator[None]:
    """Hold the leader's lock, as a scheduler would."""
    with api.connect() as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [LEADER])
        yield


@pytest.fixture(autouse=True)
def free(fake_worker: FakeWorker) -> None:
    """Offer slots of the worker, as many as all tests together may take."""
    fake_worker.connection.execute(
        "UPDATE worker SET consuming_at = now(), slots = 1000 WHERE id = %s", [fake_worker.worker]
    )


def explained(client: httpx.Client, run: str) -> dict[str, Any]:
    answer = client.get(f"/v1/runs/{run}/explain")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    BODY.validate_python(body, strict=True, extra="forbid")
    return body


def kinds(body: dict[str, Any]) -> list[str]:
    return [blocker["kind"] for blocker in body["blockers"]]


@pytest.mark.parametrize("name", SITUATIONS)
def test_every_situation_is_explained(acme: httpx.Client, fake_worker: FakeWorker, name: str) -> None:
    run_state = SITUATIONS[name](acme, fake_worker)
    shown, body = acme.get(f"/v1/runs/{run_state.run}").json(), explained(acme, run_state.run)
    assert kinds(body) == KINDS[name]
    assert {part: body[part] for part in ("runId", "status", "reason", "executing", "controlRequest")} == {
        part: shown[part] for part in ("runId", "status", "reason", "executing", "controlRequest")
    }
    assert (body["since"] is not None) is (name in TERMINAL or body["executing"])
    for blocker in body["blockers"]:
        assert blocker["detail"].endswith((".", "?"))
        if run_state.wait is not None:
            assert blocker["waitId"] == str(run_state.wait.id)
            assert blocker["until"]


def test_an_executing_run_tells_where_and_in_which_step(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    run_state = executing(acme, fake_worker)
    fake_worker.connection.execute("UPDATE run SET step_in_flight = 'fetch' WHERE id = %s", [run_state.run])
    body = explained(acme, run_state.run)
    assert (body["executing"], body["stepInFlight"]) == (True, "fetch")
    assert body["worker"] == {"workerId": str(fake_worker.worker), "name": "w@default"}
    assert acme.post(f"/v1/runs/{run_state.run}/cancel").status_code == 202
    assert explained(acme, run_state.run)["controlRequest"] == "cancel"


def test_a_run_whose_worker_is_lost_does_not_execute(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    run_state = executing(acme, fake_worker)
    for lost in ("lease_until = now() - interval '1 s'", "dead_at = now()"):
        fake_worker.connection.execute(f"UPDATE worker SET {lost} WHERE id = %s", [fake_worker.worker])
        body = explained(acme, run_state.run)
        alive = "UPDATE worker SET dead_at = NULL, lease_until = now() + interval '1 h' WHERE id = %s"
        fake_worker.connection.execute(alive, [fake_worker.worker])
        assert (kinds(body), body["executing"], body["worker"]) == (["recovering"], False, None)
        assert body["blockers"][0]["worker"]["name"] == "w@default"
    assert explained(acme, run_state.run)["executing"]


def test_a_held_run_names_who_held_it(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    for run_state, expected in (
        (queued(acme, fake_worker), ["held"]),
        (sleeping(acme, fake_worker), ["held", "timer"]),
    ):
        acme.post(f"/v1/runs/{run_state.run}/pause", json={"reason": "prices"})
        body = explained(acme, run_state.run)
        assert kinds(body) == expected
        assert (body["blockers"][0]["by"], body["blockers"][0]["comment"]) == ("test", "prices")


def test_a_pause_names_who_asked_for_it(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    run_state = executing(acme, fake_worker)
    assert run_state.fence
    acme.post(f"/v1/runs/{run_state.run}/pause", json={"reason": "prices"})
    assert moves.pause_executing(*_at(run_state.fence), active_ms=1).one(fake_worker.connection)
    [pause] = explained(acme, run_state.run)["blockers"]
    assert (pause["pausedBy"], pause["by"], pause["comment"]) == ("user", "test", "prices")
    assert pause["since"] == acme.get(f"/v1/runs/{run_state.run}").json()["pause"]["since"]


def _at(fence: Any) -> tuple[Any, ...]:
    return fence.run, fence.epoch, fence.worker


def _parked(acme: httpx.Client, fake_worker: FakeWorker, *waits: NewWait, wake: str = "all") -> dict[str, Any]:
    run = queued(acme, fake_worker).run
    fake_worker.ask(run, *waits, wake=wake)
    return explained(acme, run)


def test_several_waits_are_told_those_of_people_first(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    child = queued(acme, fake_worker).run
    waits = [
        NewWait("c", "child", {"signal": "x", "run": child, "agent": "refund"}),
        NewWait("s", "signal", {"signal": "paid"}),
        asks(approvers=["finance"]),
        wants({"type": "string"}),
    ]
    body = _parked(acme, fake_worker, *waits, wake="any")
    assert kinds(body) == ["approval", "approval", "signal", "child"]
    assert body["blockers"][0]["approvers"] == ["finance"]
    assert "must answer: Where to?" in body["blockers"][1]["detail"]
    assert body["blockers"][3]["runs"] == [{"runId": child, "status": "QUEUED"}]
    assert {blocker["wake"] for blocker in body["blockers"]} == {"any"}


def test_a_wait_that_its_agent_went_on_without_holds_nothing(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    run = queued(acme, fake_worker).run
    fake_worker.ask(
        run, NewWait("s", "signal", {"signal": "late"}), NewWait("t", "timer", {}, 0, "elapsed"), wake="any"
    )
    assert kinds(explained(acme, run)) == ["signal", "timer"]
    fake_worker.connection.execute("UPDATE wait SET epoch = epoch - 1 WHERE run_id = %s AND key = 's'", [run])
    assert kinds(explained(acme, run)) == ["timer"]


def test_of_very_many_children_some_are_told(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    waits = [NewWait(f"c{n}", "child", {"signal": f"{n}", "run": "no id", "agent": "x"}) for n in range(150)]
    body = _parked(acme, fake_worker, *waits, NewWait("s", "signal", {"signal": "stop"}, HOUR, "timeout"))
    assert (len(body["blockers"]), body["blockers"][0]["kind"], body["omitted"]) == (100, "signal", 51)


def test_a_parked_run_whose_code_was_changed_or_whose_window_closed(
    acme: httpx.Client, fake_worker: FakeWorker
) -> None:
    code = NewWait("code", "code", {"message": "step b is gone", "step": "b"})
    assert "step b is gone" in _parked(acme, fake_worker, code)["blockers"][0]["detail"]
    always_closed = {"cron": "* * * * *", "duration": 120, "timezone": "UTC", "kind": "blackout"}
    assert acme.put("/v1/windows/never", json=always_closed).status_code == 200
    [blocker] = _parked(acme, fake_worker, NewWait("window", "window", {"window": "never"}))["blockers"]
    assert (blocker["kind"], blocker["window"], blocker["until"]) == ("window_wait", "never", None)


def test_what_agents_ask_is_shown_whatever_it_holds(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    strange = "a\0b \ud800 \u202e <b>" + "x" * 5000
    run = queued(acme, fake_worker).run
    fake_worker.ask(run, NewWait("s", "signal", {}), NewWait("u", "user", {}))
    for kind, request in (("signal", {"signal": strange}), ("user", {"reason": [strange]})):
        sql = "UPDATE wait SET request = %s WHERE run_id = %s AND kind = %s"
        fake_worker.connection.execute(sql, [json.dumps(request), run, kind])
    body = acme.get(f"/v1/runs/{run}/explain").json()
    assert kinds(body) == ["pause", "signal"]
    assert body["blockers"][1]["signal"] == strange.replace("\ud800", "?")
    assert all(len(blocker["detail"]) < 300 for blocker in body["blockers"])


def test_nothing_is_told_of_another_tenants_runs(
    acme: httpx.Client, other: httpx.Client, fake_worker: FakeWorker
) -> None:
    foreign = other.post("/v1/runs", json={"agent": "refund", "input": INPUT}).json()["runId"]
    refused = acme.get(f"/v1/runs/{foreign}/explain")
    missing = acme.get(f"/v1/runs/{uuid4()}/explain")
    assert (refused.status_code, refused.json()) == (404, missing.json())
    assert refused.json()["code"] == "run_not_found"
    # A wait for a child cannot name another tenant's run; if it did, nothing of that run would be shown.
    [blocker] = _parked(acme, fake_worker, NewWait("c", "child", {"signal": "x", "run": foreign, "agent": "a"}))[
        "blockers"
    ]
    assert "runs" not in blocker


def test_the_holders_of_a_key_are_named(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    holder, waits, last = (queued(acme, fake_worker).run for _ in range(3))
    line = "key:default\nacme\nA7"
    fake_worker.connection.execute("INSERT INTO place (line, run_id, tenant) VALUES (%s, %s, 'acme')", [line, holder])
    sql = "UPDATE run SET concurrency_key = 'A7', lined = TRUE, blocked_on = %s WHERE id = ANY(%s::uuid[])"
    fake_worker.connection.execute(sql, [line, [waits, last]])
    assert (kinds(explained(acme, holder)), kinds(explained(acme, waits))) == (["promotion"], ["key"])
    [blocker] = explained(acme, last)["blockers"]
    assert {name: blocker[name] for name in ("key", "limit", "used", "ahead", "runs")} == {
        "key": "A7", "limit": 1, "used": 1, "ahead": 1, "runs": [{"runId": holder, "status": "QUEUED"}],
    }  # fmt: skip


def test_an_overlapping_run_names_the_one_before_it(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    nightly = {"cron": "0 2 * * *", "timezone": "UTC", "overlap": "queue", "run": {"agent": "refund", "input": INPUT}}
    assert acme.put("/v1/schedules/nightly", json=nightly).status_code in (200, 201)
    first, second = (queued(acme, fake_worker).run for _ in range(2))
    sql = "UPDATE schedule SET open_runs = ARRAY[%s, %s]::uuid[] WHERE name = 'nightly'"
    fake_worker.connection.execute(sql, [first, second])
    fake_worker.connection.execute("UPDATE run SET blocked_on = %s WHERE id = %s", [schedules.OVERLAP, second])
    [blocker] = explained(acme, second)["blockers"]
    assert (blocker["kind"], blocker["schedule"], blocker["runs"][0]["runId"]) == ("overlap", "nightly", first)
    assert acme.delete(f"/v1/runs/{first}").status_code == 200
    assert "runs" not in explained(acme, second)["blockers"][0]


def test_without_a_scheduler_that_is_said_where_it_matters(
    acme: httpx.Client, fake_worker: FakeWorker, api: ApiServer
) -> None:
    ready, asking, sleeps = (
        queued(acme, fake_worker),
        SITUATIONS["PAUSED, approval"](acme, fake_worker),
        sleeping(acme, fake_worker),
    )
    with api.connect() as connection:
        holder = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND database ="
        holder += " (SELECT oid FROM pg_database WHERE datname = current_database())"
        connection.execute(f"SELECT pg_terminate_backend(({holder}))", [LEADER])
        while connection.execute(holder, [LEADER]).fetchone():
            pass
    assert [kinds(explained(acme, one.run)) for one in (ready, asking, sleeps)] == [
        ["no_scheduler"],
        ["approval"],
        ["timer", "no_scheduler"],
    ]


def test_a_key_needs_the_scope_read_and_no_other(api: ApiServer, acme: httpx.Client, run: str) -> None:
    with api.client(api.key("acme", ("read",))) as client:
        assert client.get(f"/v1/runs/{run}/explain").status_code == 200
    with api.client(api.key("acme", ("enqueue", "decide", "operate", "admin"))) as client:
        answer = client.get(f"/v1/runs/{run}/explain")
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    with api.client(None) as client:
        assert client.get(f"/v1/runs/{run}/explain").status_code == 401


@pytest.mark.parametrize(
    "run",
    ["x", "0", "%00", "..%2f..", "' OR 1=1 --", "{019573a4-6f2b-7c1d-9e00-4b1c5d6e7f80}", "a" * 5000, "\u202e", "%ff"],
)
def test_what_is_no_id_is_no_run(acme: httpx.Client, run: str) -> None:
    answer = acme.get(f"/v1/runs/{run}/explain")
    assert answer.status_code in (404, 414, 400), answer.text
    assert answer.json()["code"] in ("run_not_found", "not_found", "invalid_request")


def test_only_a_get_explains(acme: httpx.Client, run: str) -> None:
    for answer in (acme.post(f"/v1/runs/{run}/explain"), acme.delete(f"/v1/runs/{run}/explain")):
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


def test_a_lease_outlives_the_row_of_its_worker(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    run_state = executing(acme, fake_worker)
    fake_worker.connection.execute("UPDATE run SET lease_worker = gen_random_uuid() WHERE id = %s", [run_state.run])
    assert kinds(explained(acme, run_state.run)) == ["recovering"]
    fenced = moves.release(*_at(run_state.fence), verb=Verb.HAND_BACK, reason=Reason.DRAINED)
    assert fenced.one(fake_worker.connection) is None
