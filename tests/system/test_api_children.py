"""A run that waits for thousands of children is shown in a bounded way, and its children are found by it."""

from __future__ import annotations

from uuid import UUID

import httpx

from api.runs.waits_view import MOST_SHOWN
from models import moves
from models.lifecycle import Reason, Verb
from models.moves import NewWait
from models.runs.children import CHILD
from models.waiting.park import Park
from models.waiting.questions import question
from tests.system.fake_worker import INPUT, FakeWorker


def _enqueue(acme: httpx.Client) -> str:
    made: str = acme.post("/v1/runs", json={"agent": "refund", "input": INPUT}).json()["runId"]
    return made


def test_of_very_many_waits_some_are_shown_and_those_of_people_first(
    acme: httpx.Client, fake_worker: FakeWorker
) -> None:
    run, other = _enqueue(acme), _enqueue(acme)
    fence = fake_worker.take(run)
    opened = [
        NewWait(f"wait:child#{n}#1", "child", {"signal": f"{CHILD}{n}", "run": f"run {n}", "agent": "echo"})
        for n in range(MOST_SHOWN + 50)
    ]
    opened.append(question("asked", {"prompt": "Go on?", "onDeny": "cancel"}, None, None))
    park = moves.park(
        Verb.AWAIT_APPROVAL, fence.run, fence.epoch, fence.worker, inbox=0, active_ms=1,
        reason=Reason.APPROVAL_NEEDED, waits=opened,
    )  # fmt: skip
    with fake_worker.connection.transaction():
        assert Park(park, opened).one(fake_worker.connection)
    fake_worker.ask(other, NewWait("b", "signal", {"signal": "paid"}))

    shown = {one["runId"]: one["pause"]["waits"] for one in acme.get("/v1/runs").json()["runs"] if one["pause"]}
    assert (len(shown[run]), [wait["signal"] for wait in shown[other]]) == (MOST_SHOWN, ["paid"])
    assert [wait["kind"] for wait in shown[run]].count("approval") == 1
    [first, *_] = [wait for wait in shown[run] if wait["kind"] == "child"]
    assert {name: first[name] for name in first if name not in ("waitId", "openedAt")} == {
        "kind": "child", "expiresAt": None, "childRunId": "run 0", "agent": "echo",
    }  # fmt: skip
    assert acme.get(f"/v1/runs/{run}").json()["pause"]["waits"] == shown[run]


def test_children_are_listed_by_their_parent_within_the_tenant(
    acme: httpx.Client, other: httpx.Client, fake_worker: FakeWorker
) -> None:
    parent, child = _enqueue(acme), _enqueue(acme)
    fake_worker.connection.execute("UPDATE run SET parent_run_id = %s WHERE id = %s", [parent, UUID(child)])
    found = acme.get("/v1/runs", params={"parentRunId": parent}).json()["runs"]
    assert [(run["runId"], run["parentRunId"]) for run in found] == [(child, parent)]
    assert other.get("/v1/runs", params={"parentRunId": parent}).json()["runs"] == []
    for wrong in ("", "x", f"{parent}0"):
        answer = acme.get("/v1/runs", params={"parentRunId": wrong})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "parentRunId")
