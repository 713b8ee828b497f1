"""A run asks people while it executes: it lists its waits, all ways to decide work, and its worker is woken immediately."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import redis
from pydantic import TypeAdapter
from taxiway.cli import app
from taxiway.client import Client
from typer.testing import CliRunner

from api.links.tokens import Purpose
from api.shapes import RunBody
from models.authorization.grants import Holder
from models.moves import NewWait
from models.runtime.bus import worker_channel
from models.waiting.questions import authorization
from tests.oauth import NAME, Loopback, consent, loopback
from tests.system.api_server import ApiServer
from tests.system.fake_worker import FakeWorker
from tests.system.people import HOUR, JSON, SETTINGS, asks, decide, kept, refused, token_of, wants, with_secret
from tests.system.run_states import (
    SITUATIONS,
    Stands,
    auth_required,
    executing,
    executing_and_asking,
    executing_and_listening,
    executing_and_pausing,
)

BODY = TypeAdapter(RunBody)
Woken = Callable[[], int]


@pytest.fixture(scope="module")
def api(servers: Any, api_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Return an API that knows its own address: a provider redirects people to it."""
    settings = {**SETTINGS, "TAXIWAY_PRIVATE_PROVIDERS": "true"}
    server = ApiServer(api_database, servers.broker(0), tmp_path_factory.mktemp("api") / "api.log", settings)
    settings["TAXIWAY_PUBLIC_URL"] = server.url
    yield server.start()
    server.stop()
    assert "api.fault" not in server.log.read_text(), server.log.read_text()[-5000:]


@pytest.fixture(autouse=True)
def secret() -> Iterator[None]:
    with with_secret():
        yield


@pytest.fixture
def woken(api: ApiServer, fake_worker: FakeWorker) -> Iterator[Woken]:
    """Listen to the channel of the worker; return how often it was woken since the last call."""
    broker = redis.Redis.from_url(api.redis_url)
    heard = broker.pubsub(ignore_subscribe_messages=True)
    heard.subscribe(worker_channel(fake_worker.worker), "sync")
    heard.get_message(timeout=5)
    heard.get_message(timeout=5)

    def count() -> int:
        # What the API published before its answer was sent arrives before this.
        broker.publish("sync", "")
        found = 0
        while message := heard.get_message(timeout=5):
            if message["channel"] == b"sync":
                return found
            found += 1
        raise AssertionError("the broker does not answer")

    yield count
    heard.close()
    broker.close()


def _read(client: httpx.Client, run: str) -> dict[str, Any]:
    answer = client.get(f"/v1/runs/{run}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    BODY.validate_python(body, strict=True, extra="forbid")
    return body


def _withdraw(fake_worker: FakeWorker, run_state: Stands) -> None:
    assert run_state.wait
    sql = "UPDATE wait SET resolved_at = now(), outcome = 'withdrawn' WHERE id = %s"
    fake_worker.connection.execute(sql, [run_state.wait.id])


# ------------------------------------------------------------------------------------------------------------- the run
def test_a_run_lists_what_it_awaits_while_it_executes(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    run_state = executing(acme, fake_worker)
    assert run_state.fence
    assert _read(acme, run_state.run)["openWaits"] == []
    ask, word = asks(), NewWait("s", "signal", {"signal": "paid"}, HOUR, "timeout")
    fake_worker.open(run_state.fence, ask, word)
    run = _read(acme, run_state.run)
    assert (run["status"], run["executing"], run["pause"]) == ("RUNNING", True, None)
    assert [wait["waitId"] for wait in run["openWaits"]] == [str(ask.id), str(word.id)]
    question = run["openWaits"][0]
    assert (question["kind"], question["prompt"]) == ("approval", "Refund A7?")
    assert question["approvalUrl"].endswith(token_of(ask))
    assert question["openedAt"] < question["expiresAt"]
    assert run["openWaits"][1]["signal"] == "paid"
    [listed] = [one for one in acme.get("/v1/runs").json()["runs"] if one["runId"] == run_state.run]
    assert listed["openWaits"] == run["openWaits"]


def test_its_items_have_the_shape_of_those_of_a_parked_run(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    parked = _read(acme, SITUATIONS["PAUSED, approval"](acme, fake_worker).run)["pause"]["waits"][0]
    awaited = _read(acme, executing_and_asking(acme, fake_worker).run)["openWaits"][0]
    assert awaited.keys() == parked.keys()


def test_a_link_is_for_those_who_may_decide(api: ApiServer, acme: httpx.Client, fake_worker: FakeWorker) -> None:
    run_state = executing_and_asking(acme, fake_worker)
    with api.client(api.key("acme", ("read",), name="reader")) as reader:
        assert "approvalUrl" not in _read(reader, run_state.run)["openWaits"][0]
    with api.client(api.key("acme", ("read", "decide"), name="ann")) as ann:
        assert "approvalUrl" in _read(ann, run_state.run)["openWaits"][0]


def test_what_an_earlier_activation_opened_is_not_listed(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    run_state = executing_and_asking(acme, fake_worker)
    fake_worker.connection.execute("UPDATE wait SET epoch = epoch - 1 WHERE run_id = %s", [run_state.run])
    assert _read(acme, run_state.run)["openWaits"] == []


def test_of_very_many_waits_those_of_people_are_listed_first(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    run_state = executing(acme, fake_worker)
    assert run_state.fence
    fake_worker.open(
        run_state.fence, *(NewWait(f"c{n}", "child", {"signal": f"c{n}", "agent": "x"}) for n in range(150)), asks()
    )
    kinds = [wait["kind"] for wait in _read(acme, run_state.run)["openWaits"]]
    assert (len(kinds), kinds.count("approval")) == (100, 1)


def test_its_stream_tells_the_question_with_its_link(
    api: ApiServer, acme: httpx.Client, fake_worker: FakeWorker
) -> None:
    run_state = executing_and_asking(acme, fake_worker)
    with api.client(api.key("acme", ("read",), name="reader")) as reader:
        for client, linked in ((acme, True), (reader, False)):
            with client.stream("GET", f"/v1/runs/{run_state.run}/sse") as stream:
                told = next(line for line in stream.iter_lines() if line.startswith("data: ") and "Refund A7?" in line)
            event = json.loads(told.removeprefix("data: "))
            assert (event["event"], event["runStatus"]) == ("run_approval", "RUNNING")
            assert ("approvalUrl" in event) is linked


# ----------------------------------------------------------------------------------------------------- people who decide
@pytest.mark.parametrize("how", ["link", "page", "get", "key"])
def test_people_decide_while_it_executes_and_its_worker_is_woken(
    acme: httpx.Client, anybody: httpx.Client, fake_worker: FakeWorker, woken: Woken, how: str
) -> None:
    run_state = executing_and_asking(acme, fake_worker)
    assert run_state.wait
    token, before = token_of(run_state.wait), woken()
    if how == "link":
        answer = decide(anybody, run_state.wait, "deny")
    elif how == "page":
        assert "Refund A7?" in anybody.get("/v1/runs/approval", params={"token": token}).text
        answer = anybody.post("/v1/runs/approval", data={"token": token, "decision": "deny"}, follow_redirects=True)
        assert "The run has continued." in answer.text
    elif how == "get":
        answer = anybody.get("/v1/runs/approval", params={"token": token, "decision": "deny"}, headers=JSON)
    else:
        answer = acme.post(f"/v1/approvals/{run_state.wait.id}", json={"decision": "deny"})
    assert (answer.status_code, before) == (200, 0), answer.text
    assert woken() == 1
    run = _read(acme, run_state.run)
    assert (run["status"], run["executing"], run["openWaits"]) == ("RUNNING", True, [])
    assert kept(fake_worker, run_state.wait)["outcome"] == "denied"
    again = decide(anybody, run_state.wait)
    assert refused(again) == (410, "token_used")
    assert (again.json()["outcome"]["outcome"], again.json()["runStatus"], woken()) == ("denied", "RUNNING", 0)


def test_the_inbox_holds_it_until_it_is_decided(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    run_state = executing_and_asking(acme, fake_worker)
    assert run_state.wait

    def listed(status: str) -> list[tuple[str, str]]:
        found = acme.get("/v1/approvals", params={"runId": run_state.run, "status": status}).json()["approvals"]
        return [(one["waitId"], one["runStatus"]) for one in found]

    assert (listed("open"), listed("decided")) == ([(str(run_state.wait.id), "RUNNING")], [])
    assert decide(acme, run_state.wait).status_code == 200
    assert (listed("open"), listed("decided")) == ([], [(str(run_state.wait.id), "RUNNING")])


def test_an_answer_is_checked_before_it_is_taken(acme: httpx.Client, fake_worker: FakeWorker, woken: Woken) -> None:
    run_state, wait = executing(acme, fake_worker), wants({"type": "integer"})
    assert run_state.fence
    fake_worker.open(run_state.fence, wait)
    assert refused(decide(acme, wait, "answer", answer="x")) == (422, "invalid_answer")
    assert (kept(fake_worker, wait)["outcome"], woken()) == (None, 0)
    assert decide(acme, wait, "answer", answer=3).status_code == 200
    assert (kept(fake_worker, wait)["outcome"], woken()) == ("answered", 1)


def test_it_is_decided_about_from_python_and_from_the_terminal(
    api: ApiServer, acme: httpx.Client, fake_worker: FakeWorker
) -> None:
    key = api.key(name="ann")
    with Client(api.url, key) as client:
        by_hand, by_command = executing_and_asking(acme, fake_worker), executing_and_asking(acme, fake_worker)
        run = client.run(by_hand.run).get()
        assert [wait["prompt"] for wait in run.open_waits] == ["Refund A7?"]
        client.run(by_hand.run).approve(comment="fine")
        shown = CliRunner().invoke(app, ["show", by_command.run, "--url", api.url, "--api-key", key])
        assert "waits for  approval: Refund A7? - http" in shown.stdout
        done = CliRunner().invoke(app, ["approve", by_command.run, "--url", api.url, "--api-key", key])
        assert done.exit_code == 0, done.output
    for run_state in (by_hand, by_command):
        assert run_state.wait
        assert (kept(fake_worker, run_state.wait)["outcome"], _read(acme, run_state.run)["status"]) == (
            "approved",
            "RUNNING",
        )


# -------------------------------------------------------------------------------------------------- signals and resumes
def test_a_signal_is_received_while_it_executes(acme: httpx.Client, fake_worker: FakeWorker, woken: Woken) -> None:
    run_state = executing_and_listening(acme, fake_worker)
    assert run_state.wait
    answer = acme.post(f"/v1/runs/{run_state.run}/signals/word", json={"payload": {"n": 1}})
    assert (answer.status_code, answer.json()["status"], answer.json()["openWaits"]) == (202, "RUNNING", [])
    assert kept(fake_worker, run_state.wait) == {
        "outcome": "received",
        "answer": '{"n":1}',
        "decided_by": None,
        "comment": None,
    }
    assert woken() == 1


def test_a_payload_that_it_cannot_use_is_refused_while_it_executes(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    run_state = executing(acme, fake_worker)
    assert run_state.fence
    fake_worker.open(run_state.fence, NewWait("s", "signal", {"signal": "word", "schema": {"type": "integer"}}))
    assert refused(acme.post(f"/v1/runs/{run_state.run}/signals/word", json={"payload": "x"})) == (
        422,
        "invalid_answer",
    )
    assert acme.post(f"/v1/runs/{run_state.run}/signals/word", json={"payload": 3}).json()["openWaits"] == []


def test_a_resume_ends_the_pause_of_its_agent_and_its_worker_is_woken(
    acme: httpx.Client, fake_worker: FakeWorker, woken: Woken
) -> None:
    run_state = executing_and_pausing(acme, fake_worker)
    assert run_state.wait
    [pause] = _read(acme, run_state.run)["openWaits"]
    assert (pause["kind"], pause["reason"]) == ("user", "look at this")
    answer = acme.post(f"/v1/runs/{run_state.run}/resume")
    assert (answer.status_code, answer.json()["status"], answer.json()["openWaits"]) == (200, "RUNNING", [])
    assert (kept(fake_worker, run_state.wait)["outcome"], woken()) == ("resumed", 1)
    assert refused(acme.post(f"/v1/runs/{run_state.run}/resume")) == (409, "illegal_move")


def test_a_resume_ends_a_recorded_pause_together_with_that_of_its_agent(
    acme: httpx.Client, fake_worker: FakeWorker
) -> None:
    run_state = executing_and_pausing(acme, fake_worker)
    assert acme.post(f"/v1/runs/{run_state.run}/pause").json()["controlRequest"] == "pause"
    answer = acme.post(f"/v1/runs/{run_state.run}/resume").json()
    assert (answer["controlRequest"], answer["openWaits"]) == (None, [])


# -------------------------------------------------------------------------------------------------------- authorizations
def test_another_system_authorizes_while_it_executes(acme: httpx.Client, fake_worker: FakeWorker, woken: Woken) -> None:
    parked = auth_required(acme, fake_worker)  # its wait is like the one that is opened here
    assert parked.wait
    run_state = executing(acme, fake_worker)
    assert run_state.fence
    wait = NewWait(
        "a", "authorization", parked.wait.request, HOUR, "timeout", parked.wait.nonce, parked.wait.digest, None
    )
    fake_worker.open(run_state.fence, wait)
    assert _read(acme, run_state.run)["openWaits"][0]["authUrl"].startswith("https://ours.example.com/consent?waitId=")
    body = {"token": token_of(wait, Purpose.AUTHORIZATION), "outcome": "authorized"}
    answer = acme.post(f"/v1/auth/{wait.id}/complete", json=body)
    assert (answer.status_code, answer.json()["runStatus"]) == (200, "RUNNING")
    assert (kept(fake_worker, wait)["outcome"], woken()) == ("authorized", 1)


@pytest.fixture(scope="module")
def provider() -> Iterator[Loopback]:
    with loopback() as provider:
        yield provider


def test_a_person_authorizes_at_the_provider_while_it_executes(
    acme: httpx.Client, fake_worker: FakeWorker, provider: Loopback, woken: Woken
) -> None:
    assert acme.put(f"/v1/providers/{NAME}", json=provider.settings()).status_code in (200, 201)
    request = {"provider": NAME, "subject": "zoe", "scopes": ["read:notes"], "onDeny": "fail"}
    waits = [authorization("a", request, HOUR, "timeout", Holder("acme", "zoe", NAME)) for _ in range(2)]
    runs = [executing(acme, fake_worker) for _ in waits]
    for run_state, wait in zip(runs, waits, strict=True):
        assert run_state.fence
        fake_worker.open(run_state.fence, wait)
    link = _read(acme, runs[0].run)["openWaits"][0]["authUrl"]
    assert consent(link).status_code == 200
    run = _read(acme, runs[0].run)
    assert (run["status"], run["openWaits"], woken()) == ("RUNNING", [], 1)
    sql = "SELECT target_run_id::text AS run FROM outbox WHERE target_run_id = %s"
    told = fake_worker.connection.execute(sql, [runs[1].run]).fetchall()
    assert [row["run"] for row in told] == [runs[1].run], "the scheduler tells the other, which executes too"


# -------------------------------------------------------------------------------------------------------------- given up
def test_a_question_that_the_agent_gave_up_says_so_everywhere(
    acme: httpx.Client, anybody: httpx.Client, fake_worker: FakeWorker
) -> None:
    run_state = executing_and_asking(acme, fake_worker)
    assert run_state.wait
    _withdraw(fake_worker, run_state)
    answer = decide(anybody, run_state.wait)
    assert refused(answer) == (410, "token_used")
    assert "the agent no longer asks" in answer.json()["detail"]
    assert (answer.json()["outcome"]["outcome"], answer.json()["runStatus"]) == ("withdrawn", "RUNNING")
    by_key = acme.post(f"/v1/approvals/{run_state.wait.id}", json={"decision": "approve"})
    assert (refused(by_key), "no longer asks" in by_key.json()["detail"]) == ((409, "wait_closed"), True)
    page = anybody.get("/v1/runs/approval", params={"token": token_of(run_state.wait)})
    assert (page.status_code, "Withdrawn: the agent no longer asks" in page.text) == (200, True)
    form = {"token": token_of(run_state.wait), "decision": "approve"}
    late = anybody.post("/v1/runs/approval", data=form)
    assert (late.status_code, "Withdrawn: the agent no longer asks" in late.text) == (410, True)
    assert acme.get("/v1/approvals", params={"runId": run_state.run}).json()["approvals"] == []
    assert _read(acme, run_state.run)["openWaits"] == []


def test_what_the_end_of_a_run_withdrew_says_that_the_run_has_ended(
    acme: httpx.Client, anybody: httpx.Client, fake_worker: FakeWorker
) -> None:
    run_state = executing_and_asking(acme, fake_worker)
    assert run_state.wait
    assert run_state.fence
    fake_worker.succeed(run_state.fence)
    answer = decide(anybody, run_state.wait)
    assert (refused(answer), "has ended as SUCCESS" in answer.json()["detail"]) == ((410, "token_used"), True)


def test_an_authorization_that_the_agent_gave_up_says_so(
    acme: httpx.Client, anybody: httpx.Client, fake_worker: FakeWorker
) -> None:
    parked = auth_required(acme, fake_worker)
    assert parked.wait
    _withdraw(fake_worker, parked)
    body = {"token": token_of(parked.wait, Purpose.AUTHORIZATION), "outcome": "authorized"}
    answer = anybody.post(f"/v1/auth/{parked.wait.id}/complete", json=body)
    assert refused(answer) == (410, "token_used")
    assert "the agent no longer asks" in answer.json()["detail"]


# --------------------------------------------------------------------------------------------------------------- explain
def test_what_keeps_its_slot_is_told_of_this_activation_alone(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    run_state = executing_and_asking(acme, fake_worker)
    assert run_state.fence
    timer = {"kind": "timer", "what": "a timer of 1 s", "file": "/app/agents.py", "line": 12}
    sql = "INSERT INTO held (run_id, tenant, epoch, what) VALUES (%s, 'acme', %s, %s)"
    fake_worker.connection.execute(
        sql, [run_state.run, run_state.fence.epoch, json.dumps([timer, "no object", {"line": "x"}])]
    )
    body = acme.get(f"/v1/runs/{run_state.run}/explain").json()
    assert (body["executing"], [one["kind"] for one in body["blockers"]]) == (True, ["approval", "slot_held"])
    slot = body["blockers"][1]
    assert slot["slotHeldBy"] == [timer, {"kind": "other", "what": None, "file": None, "line": None}]
    assert "a timer of 1 s (agents.py:12) and other" in slot["detail"]
    assert slot["since"]
    fake_worker.connection.execute("UPDATE held SET epoch = epoch - 1 WHERE run_id = %s", [run_state.run])
    body = acme.get(f"/v1/runs/{run_state.run}/explain").json()
    assert [one["kind"] for one in body["blockers"]] == ["approval"]
