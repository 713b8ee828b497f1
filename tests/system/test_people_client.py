"""People decide from Python and from the terminal, against a running API."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from taxiway.cli import app
from taxiway.client import Client, Conflict, Forbidden, Invalid, NoOneQuestion, NotFound, RunHandle
from typer.testing import CliRunner, Result

from tests.system.api_server import ApiServer
from tests.system.fake_worker import INPUT, FakeWorker
from tests.system.people import SETTINGS, asks, wants


@pytest.fixture(scope="module")
def api_settings() -> dict[str, str]:
    return SETTINGS


@pytest.fixture(scope="module")
def key(api: ApiServer, fake_worker: FakeWorker) -> str:
    return api.key(name="ann")


@pytest.fixture
def client(api: ApiServer, key: str) -> Iterator[Client]:
    with Client(api.url, key) as client:
        yield client


@pytest.fixture
def run(client: Client) -> RunHandle:
    return client.enqueue("refund", INPUT)


def taxiway(api: ApiServer, key: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--url", api.url, "--api-key", key])


def test_a_run_is_decided_about_from_python(client: Client, fake_worker: FakeWorker, run: RunHandle) -> None:
    with pytest.raises(NoOneQuestion):
        run.approve()
    fake_worker.ask(run.id, asks(choices=["card"]))
    [question] = client.approvals(run_id=run.id)
    assert (question.prompt, question.choices, question.url is not None) == ("Refund A7?", ("card",), True)
    with pytest.raises(Invalid, match="one of: card"):
        run.approve()
    seen = run.approve(choice="card", comment="go")
    assert seen.outcome is not None
    assert (seen.outcome.by, seen.outcome.choice, seen.run_status) == ("ann", "card", "RUNNING")
    with pytest.raises(Conflict, match="approved by ann"):
        client.deny(question.id)
    assert [found.id for found in client.approvals("decided", run_id=run.id)] == [question.id]
    with pytest.raises(NotFound):
        client.approve("01a20000-0000-7000-8000-000000000000")


def test_a_key_that_may_not_decide_is_told_so(api: ApiServer, fake_worker: FakeWorker, run: RunHandle) -> None:
    fake_worker.ask(run.id, asks())
    with Client(api.url, api.key(scopes=("read", "enqueue"))) as reader, pytest.raises(Forbidden, match="decide"):
        reader.approve(run.id)


def test_a_run_is_decided_about_from_the_terminal(
    api: ApiServer, key: str, fake_worker: FakeWorker, run: RunHandle
) -> None:
    [wait] = fake_worker.ask(
        run.id, wants({"type": "object", "properties": {"street": {"type": "string"}}, "required": ["street"]})
    )
    listed = json.loads(taxiway(api, key, "approvals", "--run", run.id, "--json").stdout)
    assert [item["waitId"] for item in listed["approvals"]] == [str(wait)]
    shown = taxiway(api, key, "show", run.id)
    assert f"approval: Where to? - {SETTINGS['TAXIWAY_PUBLIC_URL']}/v1/runs/approval?token=" in shown.stdout
    wrong = taxiway(api, key, "answer", run.id, "-i", "street=7")
    assert (wrong.exit_code, "answer.street must be of type string" in wrong.stderr) == (2, True)
    done = taxiway(api, key, "answer", run.id, "-i", "street=Elm", "--json")
    assert (done.exit_code, json.loads(done.stdout)["outcome"]["answer"]) == (0, {"street": "Elm"})
    late = taxiway(api, key, "deny", str(wait))
    assert (late.exit_code, "answered by ann" in late.stderr) == (2, True)


def test_a_denial_from_the_terminal_cancels_the_run(
    api: ApiServer, key: str, fake_worker: FakeWorker, run: RunHandle
) -> None:
    fake_worker.ask(run.id, asks())
    done = taxiway(api, key, "deny", run.id, "--comment", "too dear")
    assert (done.exit_code, done.stdout) == (0, f"Denied: Refund A7? Run {run.id} is CANCELED.\n")
    watched = taxiway(api, key, "watch", run.id)
    assert watched.exit_code == 4
    assert "waits for Refund A7?: https://taxiway.example.com/v1/runs/approval?token=" in watched.stdout
    assert "denied by ann (too dear)" in watched.stdout
