"""Every command keeps the same rules: one JSON document, one sentence for an error, an exit code that names the cause."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from taxiway.cli import app
from typer.testing import CliRunner

from tests.rules.canned import RUN_ID, URL, Canned, asked, problem, run
from tests.rules.command_line import ACCEPTED, Invoke

COMMANDS = ["runs", "agents", "workers", "capacity", "show x", "steps x", "logs x", "watch x", "cancel x", "enqueue x"]
COMMANDS += ["pause x", "resume x", "signal x go", "windows", "windows show x", "queues", "windows delete x"]
COMMANDS += ["queues put x", "agents put x"]
COMMANDS += ["providers", "providers grants", "providers delete x", "providers revoke x"]
COMMANDS += ["retry x", "explain x", "bulk cancel --agent x"]
COMMANDS += ["approvals", "approve x", "deny x", "answer x 1"]
COMMANDS += ["schedules", "schedules show x"]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("as_json", [True, False])
def test_an_unreachable_server_is_one_sentence_and_exit_code_3(invoke: Invoke, command: str, as_json: bool) -> None:
    result = invoke(Canned(httpx.ConnectError("refused")), *command.split(), *(["--json"] if as_json else []))
    assert result.exit_code == 3
    assert "Traceback" not in result.output
    assert result.stderr.startswith(f"No Taxiway server answers at {URL} (refused). Start one with `make up`")
    assert result.stderr.count("\n") == 1
    assert json.loads(result.stdout)["error"]["code"] == "not_reachable" if as_json else result.stdout == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_key_is_one_sentence_that_names_the_fix(invoke: Invoke, command: str) -> None:
    result = invoke(Canned(problem(401, "unauthenticated", "This key is not known here.")), *command.split())
    assert result.exit_code == 2
    assert result.stderr == (
        "This key is not known here. Use a key of this server: set TAXIWAY_API_KEY or pass --api-key.\n"
    )


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (problem(404, "run_not_found", "No such run"), 2),
        (problem(409, "run_finished", "It has ended"), 2),
        (problem(422, "invalid_input", "Wrong input", errors=[{"field": "input.n", "detail": "is no number"}]), 2),
        (problem(429, "rate_limited", "Slow down"), 3),
        (problem(503, "unavailable", "The database is away"), 3),
        (httpx.Response(500, html="<h1>oops</h1>"), 3),
    ],
)
def test_exit_codes_of_refusals(invoke: Invoke, answer: httpx.Response, code: int) -> None:
    assert invoke(Canned(answer), "cancel", RUN_ID).exit_code == code


def test_a_refused_input_names_each_field(invoke: Invoke) -> None:
    errors = [{"field": "input.n", "detail": "is no number"}]
    server = Canned(problem(422, "invalid_input", "The input does not fit", errors=errors))
    result = invoke(server, "enqueue", "greet", "--json")
    assert result.stderr == "The input does not fit.\n  input.n: is no number\n"
    assert json.loads(result.stdout)["error"]["errors"] == errors


@pytest.mark.parametrize(
    "arguments",
    [
        ["enqueue"],
        ["enqueue", "greet", "-i", "nonsense"],
        ["enqueue", "greet", "--input", "[1]"],
        ["enqueue", "greet", "--timeout", "soon"],
        ["enqueue", "greet", "--priority", "101"],
        ["runs", "--limit", "0"],
        ["enqueue", "greet", "--not-before", "tomorrow"],
        ["enqueue", "greet", "--not-before", "2026-03-01T09:30:00"],
        ["enqueue", "greet", "--expires-in", "soon"],
        ["enqueue", "greet", "--on-conflict", "wait", "--key", "k"],
        *(["queues", "put", "q", "--limit", wrong] for wrong in ("0", "-1", "1.5", "many", "²", "None")),
        *(["queues", "put", "q", "--rate", wrong] for wrong in ("100", "/1m", "0/1m", "100/", "100/soon", "x/1m")),
        *(
            ["queues", "put", "q", "--weight", wrong]
            for wrong in ("acme", "=2", "acme=", "acme=x", "acme=0", "acme=-1", "a=inf")
        ),
        ["queues", "put", "q", "--weight", "none", "--weight", "a=2"],
        ["agents", "put", "greet", "--limit", "0"],
        ["windows", "put", "night", "--cron", "0 22 * * *"],
        ["windows", "override", "night", "open"],
        ["schedules", "put", "nightly", "-i", "n=1"],
        ["windows", "override", "night", "ajar", "--for", "1h"],
        ["windows", "show", "night", "--next", "51"],
        ["runs", "--metadata", "x"],
        ["fly"],
    ],
)
def test_wrong_usage_is_exit_code_2_and_sends_nothing(invoke: Invoke, arguments: list[str]) -> None:
    server = Canned(ACCEPTED)
    assert invoke(server, *arguments).exit_code == 2
    assert server.requests == []


def test_without_any_address_the_sentence_names_the_fix(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["runs"])
    assert result.exit_code == 2
    assert "TAXIWAY_URL" in result.stderr


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("runs", {"runs": [run()], "nextCursor": None}),
        ("show x", run("SUCCESS", result={"a": 1}, futureMember=True)),
        ("steps x", {"steps": [{"key": "a", "name": "a", "status": "succeeded", "attempts": 1}]}),
        ("logs x", {"logs": [{"level": "info", "message": "hello"}]}),
        ("agents", {"agents": [{"name": "greet", "inputSchema": {}}]}),
        ("workers", {"workers": [{"name": "w1", "slots": 4}]}),
        ("capacity", {"queues": [{"queue": "default", "slots": 4}]}),
        ("windows", {"windows": [{"name": "night", "open": True}]}),
        ("windows show night", {"name": "night", "open": True, "next": []}),
        ("windows release night", {"name": "night", "open": True}),
        ("schedules", {"schedules": [{"name": "nightly", "paused": False}]}),
        ("schedules pause nightly", {"name": "nightly", "paused": True}),
        ("schedules run nightly", run()),
        ("queues", {"queues": [{"name": "default", "paused": False}]}),
        ("queues put default --paused", {"name": "default", "paused": True}),
        (
            "queues put default --rate 5/1s",
            {"name": "default", "rate": {"limit": 5, "per": "PT1S"}, "weights": {"a": 2}},
        ),
        ("agents put greet --limit 4", {"name": "greet", "limit": 4}),
        ("capacity", {"queues": [{"queue": "night", "paused": True, "nextWindow": {"open": False, "until": None}}]}),
        ("cancel x", run("CANCELED")),
        ("pause x", run("PAUSED", pause={"kind": "user"})),
        ("resume x", run("RUNNING")),
        ("signal x go", run("RUNNING")),
        ("retry x", run()),
        ("bulk cancel --agent x --dry-run", {"bulkId": None, "action": "cancel", "matched": 3}),
        ("explain x", {"runId": "x", "status": "QUEUED", "blockers": [], "futureMember": True}),
        ("approvals", {"approvals": [asked()], "nextCursor": None}),
        ("approve x", asked(outcome={"outcome": "approved"})),
        ("deny x", asked(outcome={"outcome": "denied"})),
        ("answer x 7", asked(outcome={"outcome": "answered"})),
        ("enqueue x", run()),
    ],
)
def test_json_is_one_document_that_keeps_everything(invoke: Invoke, command: str, answer: dict[str, Any]) -> None:
    result = invoke(Canned(httpx.Response(200, json=answer)), *command.split(), "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document == {name: value for name, value in answer.items() if name != "nextCursor"}


@pytest.mark.parametrize("command", [["-m", "taxiway"], ["-c", "from taxiway.cli import main; main()"]])
def test_the_version_is_printed(command: list[str]) -> None:
    done = subprocess.run([sys.executable, *command, "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()[0]) == (0, "taxiway")
