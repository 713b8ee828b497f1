"""A tenant's live stream: what happens to its runs from now on, and the e-mails that a notifier makes of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as Mailbox
from psycopg.rows import dict_row
from taxiway import Client
from taxiway.client import NotReachable

from models.runs.public_event import public
from models.runtime.bus import Bus, tenant_channel
from models.waiting.questions import question
from ops.ports import free_port
from tests.system.api_server import ApiServer
from tests.system.fake_worker import INPUT, FakeWorker
from tests.system.following import frames

EXAMPLE = Path(__file__).resolve().parents[2] / "sdk" / "examples" / "mail_approvals.py"
PATIENCE = 20
TENANT = "watched"
"""A tenant of these tests' own: other installations on the same Redis have one called acme."""


@pytest.fixture(scope="module")
def mine(api: ApiServer, fake_worker: FakeWorker) -> Iterator[httpx.Client]:
    with api.client(api.key(TENANT)) as client:
        yield client


@pytest.fixture(scope="module")
def bus(api: ApiServer) -> Iterator[Bus]:
    bus = Bus(api.redis_url).start()
    yield bus
    bus.stop()


def _enqueue(client: httpx.Client, agent: str = "refund") -> str:
    made: str = client.post("/v1/runs", json={"agent": agent, "input": INPUT}).json()["runId"]
    return made


def _ask(api: ApiServer, fake_worker: FakeWorker, bus: Bus, run: str, prompt: str) -> None:
    """Park the run at a question, and say so on the bus as its worker would."""
    fake_worker.ask(run, question("q", {"prompt": prompt, "details": {"n": 7}, "onDeny": "cancel"}, None, None))
    with psycopg.connect(api.database_url, row_factory=dict_row) as connection:
        row = connection.execute("SELECT * FROM event WHERE run_id = %s ORDER BY seq DESC", [UUID(run)]).fetchone()
    assert row is not None
    bus.publish_event(TENANT, public(row))


def _watch(client: httpx.Client, **params: Any) -> Any:
    return client.stream("GET", "/v1/events/sse", params=params)


def test_what_happens_to_the_tenants_runs_comes_without_ids_from_the_first_keepalive_on(
    mine: httpx.Client, other: httpx.Client
) -> None:
    with _watch(mine) as response:
        coming = frames(response)
        assert next(coming)["event"] == "keepalive"
        foreign = _enqueue(other)
        run = _enqueue(mine)
        heard = [next(coming)]
        while heard[-1].json["runId"] != run:  # a hint of an earlier test's may still have been under way
            heard.append(next(coming))
    assert (heard[-1]["event"], heard[-1].json["seq"]) == ("status", 1)
    assert not any("id" in frame or frame.json["runId"] == foreign for frame in heard)


def test_the_stream_is_narrowed_by_status_and_agent(mine: httpx.Client) -> None:
    with _watch(mine, agent="echo", status=["QUEUED", "CANCELED"]) as response:
        coming = frames(response)
        next(coming)
        _enqueue(mine, "refund")
        run = _enqueue(mine, "echo")
        assert next(coming).json["runId"] == run
        mine.delete(f"/v1/runs/{run}")
        assert next(coming).json["runStatus"] == "CANCELED"
    refused = mine.get("/v1/events/sse", params={"status": "NOTHING"})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")


def test_a_question_comes_with_its_link_for_who_may_have_it_and_the_bus_never_carries_one(
    api: ApiServer, mine: httpx.Client, fake_worker: FakeWorker, bus: Bus, servers: Any
) -> None:
    run = _enqueue(mine)
    with api.client(api.key(TENANT, ("read",))) as reader, _watch(mine) as whole, _watch(reader) as narrow:
        one, two = frames(whole), frames(narrow)
        next(one), next(two)
        _ask(api, fake_worker, bus, run, "Go on?")
        assert "/v1/runs/approval?token=" in next(one).json["approvalUrl"]
        seen = next(two).json
    assert (seen["event"], seen["prompt"], "approvalUrl" in seen) == ("run_approval", "Go on?", False)


def test_another_installation_on_the_same_redis_is_not_heard(api: ApiServer, mine: httpx.Client, bus: Bus) -> None:
    run, foreign = _enqueue(mine), Bus(api.redis_url, "another:").start()
    with _watch(mine) as response:
        coming = frames(response)
        next(coming)
        said = {"event": "status", "runId": run, "runStatus": "RUNNING", "timestamp": ""}
        foreign.publish_event(TENANT, {**said, "seq": 7})
        foreign.stop(PATIENCE)  # it has said everything
        bus.publish_event(TENANT, {**said, "seq": 8})
        assert next(coming).json["seq"] == 8


def test_what_is_no_message_of_ours_is_passed_over(mine: httpx.Client, bus: Bus) -> None:
    with _watch(mine) as response:
        coming = frames(response)
        next(coming)
        for text in (
            "",
            "[]",
            "{}",
            '{"event": "a\\nb", "runId": "x"}',
            '{"event": "status", "runId": "x"}',
            "[" * 5000,
        ):
            bus.wake_up(tenant_channel(TENANT), text)
        run = _enqueue(mine)
        assert next(coming).json["runId"] == run


def test_a_client_listens_from_the_beginning_of_its_block(api: ApiServer, mine: httpx.Client) -> None:
    with Client(api.url, mine.headers["x-api-key"]) as client, client.listen(status="QUEUED") as events:
        run = client.enqueue("refund", INPUT)
        heard = next(events)
    assert (heard.type, heard.id, heard.data["runId"]) == ("status", None, run.id)
    with Client(f"http://127.0.0.1:{free_port()}", "key") as nobody, pytest.raises(NotReachable), nobody.listen():
        pass


class _Received(Mailbox):
    """Hands e-mails over to the test; `subjects` are those that it has taken."""

    def __init__(self) -> None:
        super().__init__()
        self.mails: SimpleQueue[Message] = SimpleQueue()
        self.subjects: list[str] = []

    def handle_message(self, message: Message) -> None:
        self.mails.put(message)


def test_the_notifier_mails_what_was_asked_before_it_came_and_what_is_asked_then(
    api: ApiServer, mine: httpx.Client, fake_worker: FakeWorker, bus: Bus
) -> None:
    early, late = _enqueue(mine), _enqueue(mine)
    _ask(api, fake_worker, bus, early, "An early question?")
    received = _Received()
    postman = Controller(received, hostname="127.0.0.1", port=free_port())
    postman.start()
    settings = {
        "TAXIWAY_URL": api.url, "TAXIWAY_API_KEY": str(mine.headers["x-api-key"]), "MAIL_TO": "ann@example.com",
        "SMTP_URL": f"smtp://127.0.0.1:{postman.port}",
    }  # fmt: skip
    notifier = subprocess.Popen([sys.executable, str(EXAMPLE)], env={**os.environ, **settings}, stderr=subprocess.PIPE)
    try:
        first = _about(received, "An early question?")
        assert first["To"] == "ann@example.com"
        assert "/v1/runs/approval?token=" in str(first.get_payload())
        assert json.dumps({"n": 7}, indent=2) in str(first.get_payload()).replace("\r\n", "\n")
        _ask(api, fake_worker, bus, late, "A late question?")
        assert "/v1/runs/approval?token=" in str(_about(received, "A late question?").get_payload())
        assert received.mails.empty()
        ours = [subject for subject in received.subjects if subject in ("An early question?", "A late question?")]
        assert ours == ["An early question?", "A late question?"], "each is mailed once"
    finally:
        notifier.send_signal(signal.SIGKILL)
        notifier.communicate()
        postman.stop()


def _about(received: _Received, prompt: str) -> Message:
    """Wait for the e-mail with this subject; other tests have left questions open too."""
    while True:
        message = received.mails.get(timeout=PATIENCE)
        received.subjects.append(str(message["Subject"]))
        if message["Subject"] == prompt:
            return message
