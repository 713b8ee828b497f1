"""Links are shown to approvers and to the user who made the run, wherever a question is shown; they are stored nowhere."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import redis

from api.links.tokens import Purpose
from models.moves import NewWait
from models.waiting.questions import start_question
from tests.system.api_server import ApiServer
from tests.system.fake_worker import INPUT, FakeWorker
from tests.system.people import HOUR, JSON, PUBLIC_URL, SETTINGS, asks, decide, token_of, wants

FULL = ("enqueue", "read", "decide")
pytestmark = pytest.mark.usefixtures("same_secret")


@pytest.fixture(scope="module")
def api_settings() -> dict[str, str]:
    return SETTINGS


@pytest.fixture(scope="module")
def viewers(api: ApiServer, fake_worker: FakeWorker) -> Iterator[dict[str, httpx.Client]]:
    """Return a client for each kind of viewer: the user who made the run, one who may decide, one who may read."""
    keys = {
        "maker": api.key(scopes=("enqueue", "read")),
        "decider": api.key(scopes=FULL),
        "finance": api.key(scopes=FULL, roles=("finance",)),
        "reader": api.key(scopes=("enqueue", "read"), roles=("finance",)),
    }
    clients = {name: api.client(key) for name, key in keys.items()}
    yield clients
    for client in clients.values():
        client.close()


def enqueue(client: httpx.Client, **more: Any) -> str:
    made: str = client.post("/v1/runs", json={"agent": "refund", "input": INPUT, **more}).json()["runId"]
    return made


def streamed(client: httpx.Client, run: str, event: str) -> dict[str, Any]:
    """Return the first event of a kind that a stream from the beginning delivers."""
    with client.stream("GET", f"/v1/runs/{run}/sse") as response:
        assert response.headers["referrer-policy"] == "no-referrer"
        lines = response.iter_lines()
        for line in lines:
            if line == f"event: {event}":
                found: dict[str, Any] = json.loads(next(lines).removeprefix("data: "))
                return found
    raise AssertionError(f"no {event}")


def told(client: httpx.Client, run: str, event: str) -> list[dict[str, Any]]:
    """Return the first event of a kind from each of its sources."""
    ways = [
        client.get(f"/v1/runs/{run}/events").json()["events"],
        client.get(f"/v1/runs/{run}", params={"includeEvents": True}).json()["events"],
    ]
    return [next(item for item in way if item["event"] == event) for way in ways] + [streamed(client, run, event)]


def links(client: httpx.Client, run: str, name: str = "approvalUrl", event: str = "run_approval") -> set[str | None]:
    """Return the links that a client sees of a run with one question, in each place."""
    shown = client.get(f"/v1/runs/{run}").json()["pause"]["waits"][0]
    listed = next(item for item in client.get("/v1/runs").json()["runs"] if item["runId"] == run)["pause"]["waits"][0]
    waited = client.get(f"/v1/runs/{run}/wait").json()["pause"]["waits"][0]
    return {item.get(name) for item in (shown, listed, waited, *told(client, run, event))}


@pytest.mark.parametrize(
    ("approvers", "given"),
    [(None, {"maker", "decider", "finance"}), (["finance"], {"maker", "finance"}), (["boss"], {"maker"})],
)
def test_who_may_decide_and_who_made_the_run_are_given_the_link_and_nobody_else(
    viewers: dict[str, httpx.Client], fake_worker: FakeWorker, approvers: list[str] | None, given: set[str]
) -> None:
    run = enqueue(viewers["maker"])
    wait = asks(approvers=approvers)
    fake_worker.ask(run, wait)
    link = f"{PUBLIC_URL}/v1/runs/approval?token={token_of(wait)}"
    for name, client in viewers.items():
        assert links(client, run) == {link if name in given else None}, name
    for name in ("decider", "finance"):
        found = viewers[name].get("/v1/approvals").json()["approvals"]
        assert {item["approvalUrl"] for item in found if item["runId"] == run} == {link if name in given else None}


def test_the_link_that_is_given_opens_the_question(
    viewers: dict[str, httpx.Client], api: ApiServer, fake_worker: FakeWorker
) -> None:
    run = enqueue(viewers["maker"])
    [wait] = fake_worker.ask(run, asks())
    link = urlsplit(viewers["maker"].get(f"/v1/runs/{run}").json()["pause"]["waits"][0]["approvalUrl"])
    with api.client(None) as anybody:
        assert anybody.get(link.path, params=parse_qs(link.query), headers=JSON).json()["waitId"] == str(wait)


def test_the_link_of_an_authorization_is_another_one(viewers: dict[str, httpx.Client], fake_worker: FakeWorker) -> None:
    run = enqueue(viewers["maker"])
    asked = {"provider": "stripe", "scopes": ["refunds"], "subject": "u-1"}
    wait = NewWait("authorize#1", "authorization", asked, HOUR, "failed", nonce="c" * 32)
    fake_worker.ask(run, wait)
    link = f"{PUBLIC_URL}/v1/auth/{wait.id}/start?token={token_of(wait, Purpose.AUTHORIZATION)}"
    assert links(viewers["maker"], run, "authUrl", "authentication") == {link}
    assert links(viewers["reader"], run, "authUrl", "authentication") == {None}
    shown = viewers["reader"].get(f"/v1/runs/{run}").json()["pause"]
    assert (shown["kind"], shown["waits"][0]["provider"], shown["waits"][0]["scopes"]) == (
        "authorization", "stripe", ["refunds"],
    )  # fmt: skip
    assert "approvalUrl" not in viewers["decider"].get(f"/v1/runs/{run}").text


def test_a_parked_run_says_what_it_waits_for(viewers: dict[str, httpx.Client], fake_worker: FakeWorker) -> None:
    run = enqueue(viewers["maker"])
    fake_worker.ask(run, asks(choices=["card"]), NewWait("word#1", "signal", {"signal": "paid"}))
    approval, signal = viewers["reader"].get(f"/v1/runs/{run}").json()["pause"]["waits"]
    assert (approval["prompt"], approval["choices"], "details" in approval) == ("Refund A7?", ["card"], False)
    assert (signal["signal"], set(signal)) == ("paid", {"waitId", "kind", "openedAt", "expiresAt", "signal"})


def test_each_of_several_questions_has_its_own_link(viewers: dict[str, httpx.Client], fake_worker: FakeWorker) -> None:
    run = enqueue(viewers["maker"])
    one, two = asks("approval#1"), wants({"type": "string"})
    fake_worker.ask(run, one, two)
    events = viewers["maker"].get(f"/v1/runs/{run}/events").json()["events"]
    found = [event["approvalUrl"].rpartition("=")[2] for event in events if event["event"] == "run_approval"]
    assert found == [token_of(one), token_of(two)]


def test_a_start_is_told_with_the_agent_and_its_input_unless_it_is_large(
    viewers: dict[str, httpx.Client], fake_worker: FakeWorker
) -> None:
    run = enqueue(viewers["maker"])
    fake_worker.ask(run, start_question("refund", json.dumps(INPUT)))
    for event in told(viewers["reader"], run, "run_approval"):
        assert event["details"] == {"agent": "refund", "input": INPUT}
        assert "approvalUrl" not in event
    large = viewers["maker"].post("/v1/runs", json={"agent": "echo", "input": {"text": "x" * 70_000}}).json()["runId"]
    fake_worker.ask(large, start_question("echo", "{}"))
    for event in told(viewers["maker"], large, "run_approval"):
        assert (event["details"], event["inputOmitted"]) == ({"agent": "echo"}, True)
        assert "approvalUrl" in event
    assert [row["data"] for row in fake_worker.connection.execute(
        "SELECT data::text AS data FROM event WHERE run_id = ANY(%s::uuid[]) AND data::text LIKE '%%A7%%'", [[run, large]]
    )] == []  # fmt: skip


class Overheard:
    """Everything that is published on the bus while it listens."""

    def __init__(self, url: str) -> None:
        self.texts: list[str] = []
        self._redis = redis.Redis.from_url(url)
        self._heard = self._redis.pubsub()
        self._heard.psubscribe("*")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen)

    def _listen(self) -> None:
        while not self._over.is_set():
            message = self._heard.get_message(timeout=0.1)
            if message:
                self.texts.append(str(message["data"]))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._heard.close()
        self._redis.close()

    def until(self, word: str) -> None:
        deadline = time.monotonic() + 10
        while not any(word in text for text in self.texts):
            assert time.monotonic() < deadline, self.texts
            time.sleep(0.01)  # the listener is another thread


def everything(fake_worker: FakeWorker) -> str:
    """Return every row of every table as text."""
    names = fake_worker.connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    rows = [
        fake_worker.connection.execute(f'SELECT t::text AS t FROM "{name["tablename"]}" AS t').fetchall()
        for name in names
    ]
    return "\n".join(row["t"] for table in rows for row in table)


def test_a_token_is_in_no_table_no_event_no_message_and_no_log(
    viewers: dict[str, httpx.Client], api: ApiServer, fake_worker: FakeWorker
) -> None:
    waits = [asks(onDeny="return"), asks(), wants({"type": "string"})]
    with Overheard(api.redis_url) as bus, api.client(None) as anybody:
        for wait in waits:
            run = enqueue(viewers["maker"])
            fake_worker.ask(run, wait)
            assert links(viewers["maker"], run) == {f"{PUBLIC_URL}/v1/runs/approval?token={token_of(wait)}"}
            viewers["decider"].get("/v1/approvals")
            decision = {"decision": "answer", "answer": "x"} if wait is waits[2] else {"decision": "deny"}
            anybody.get("/v1/runs/approval", params={"token": token_of(wait), "decision": "nonsense"})
            anybody.get("/v1/runs/approval", params={"token": token_of(wait)[:-1]})
            for _ in range(2):
                decide(anybody, wait, **decision)
            viewers["maker"].get(f"/v1/runs/{run}/events")
        bus.until(str(waits[2].id))
        said = "\n".join(bus.texts)
    broker = redis.Redis.from_url(api.redis_url)
    kept = str([(key, broker.type(key)) for key in broker.scan_iter("*")])
    broker.close()
    for text in (everything(fake_worker), said, kept, api.log.read_text()):
        for wait in waits:
            head, _, tail = token_of(wait).partition(".")
            assert head not in text
            assert tail not in text
    assert all(wait.nonce not in said + api.log.read_text() for wait in waits if wait.nonce)
    assert "approvalUrl" not in said + everything(fake_worker)


def test_a_link_works_in_every_process_and_after_a_restart(
    viewers: dict[str, httpx.Client], api: ApiServer, fake_worker: FakeWorker, tmp_path: Path
) -> None:
    run = enqueue(viewers["maker"])
    wait = asks()
    fake_worker.ask(run, wait)
    link = urlsplit(viewers["maker"].get(f"/v1/runs/{run}").json()["pause"]["waits"][0]["approvalUrl"])
    twin = ApiServer(api.database_url, api.redis_url, tmp_path / "twin.log", SETTINGS).start()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TAXIWAY_SECRET_KEY")
        stranger = ApiServer(api.database_url, api.redis_url, tmp_path / "stranger.log").start()
    try:
        with stranger.client(None) as client:
            assert client.get(link.path, params=parse_qs(link.query), headers=JSON).json()["code"] == "token_unknown"
        with twin.client(None) as client:
            assert decide(client, wait).status_code == 200
    finally:
        twin.stop()
        stranger.stop()
    assert "secret_key.temporary" in stranger.log.read_text(), "no secret key is set: its links are its own"
    assert "secret_key.temporary" not in twin.log.read_text() + api.log.read_text()


def test_a_question_that_the_run_went_on_without_is_decided_while_it_executes(
    viewers: dict[str, httpx.Client], api: ApiServer, fake_worker: FakeWorker
) -> None:
    run = enqueue(viewers["maker"])
    wait = asks(onDeny="return")
    fake_worker.ask(run, wait, NewWait("word#1", "signal", {"signal": "go"}), wake="any")
    assert viewers["maker"].post(f"/v1/runs/{run}/signals/go").json()["status"] == "RUNNING"
    fence = fake_worker.take(run)
    with api.client(None) as anybody:
        assert decide(anybody, wait, "deny").json()["runStatus"] == "RUNNING"
        assert decide(anybody, wait).json()["outcome"]["outcome"] == "denied"
    fake_worker.step(fence, "one")
    fake_worker.succeed(fence)
    events = viewers["maker"].get(f"/v1/runs/{run}/events").json()["events"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["event"] for event in events][-3:] == ["run_action", "step", "end"]
