"""The `taxiway` command against a canned server: what it prints, where, and its exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from taxiway.cli import app, options
from taxiway.client import Client, backoff
from typer.testing import CliRunner, Result

from tests.rules.canned import END, RUN_ID, URL, WAIT_ID, Canned, asked, frame, problem, run, stream

Invoke = Callable[..., Result]

ACCEPTED = httpx.Response(201, json=run())
FAILED = frame("end", 9, status="FAILED", error={"code": "step_error", "message": "no such file", "step": "read"})
CANCELED = frame("end", 9, status="CANCELED", reason="by_user")
COMMANDS = ["runs", "agents", "workers", "capacity", "show x", "steps x", "logs x", "watch x", "cancel x", "enqueue x"]
COMMANDS += ["pause x", "resume x", "signal x go", "windows", "windows show x", "queues", "windows delete x"]
COMMANDS += ["providers", "providers grants", "providers delete x", "providers revoke x"]
COMMANDS += ["retry x"]
COMMANDS += ["approvals", "approve x", "deny x", "answer x 1"]
COMMANDS += ["schedules", "schedules show x"]


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Invoke:
    """Run the command line against a canned server, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(backoff, "FIRST", 0.0)

    def call(server: Canned, *arguments: str, **kwargs: Any) -> Result:
        monkeypatch.setattr(options, "Client", partial(Client, transport=server.transport))
        return CliRunner().invoke(app, [*arguments, "--url", URL, "--api-key", "key"], **kwargs)

    return call


def test_enqueue_prints_the_bare_id_into_a_pipe(invoke: Invoke) -> None:
    server = Canned(ACCEPTED)
    result = invoke(
        server,
        *("enqueue", "greet", "-i", "name=Ann", "-i", "n=3", "--input", '{"n": 1, "m": 2}'),
        *("--queue", "fast", "--priority", "-5", "--timeout", "15m", "--idempotency-key", "k"),
        *("--metadata", "team=7", "--tag", "a", "--tag", "b", "--user-id", "u"),
        *("--approval-strategy", "ON_TOOL_CALL"),
    )
    assert (result.exit_code, result.stdout) == (0, f"{RUN_ID}\n")
    assert server.last.headers["idempotency-key"] == "k"
    assert server.body() == {
        "agent": "greet",
        "input": {"name": "Ann", "n": 3, "m": 2},
        "queue": "fast",
        "priority": -5,
        "timeout": 900,
        "metadata": {"team": "7"},
        "tags": ["a", "b"],
        "approvalStrategy": "ON_TOOL_CALL",
        "userId": "u",
    }


@pytest.mark.parametrize(("end", "code"), [(END, 0), (FAILED, 1), (CANCELED, 4)])
@pytest.mark.parametrize("as_json", [True, False])
def test_watching_ends_with_the_outcome_of_the_run(invoke: Invoke, end: bytes, code: int, as_json: bool) -> None:
    server = Canned(ACCEPTED, stream(frame("start", 1), end))
    result = invoke(server, "enqueue", "greet", "--watch", *(["--json"] if as_json else []))
    assert result.exit_code == code
    server = Canned(httpx.Response(200, json=run("RUNNING")), stream(frame("start", 1), end))
    assert invoke(server, "watch", RUN_ID, *(["--json"] if as_json else [])).exit_code == code


def test_watching_in_a_pipe_is_plain_lines_and_the_result(invoke: Invoke) -> None:
    events = [
        frame("start", 1, timestamp="2026-01-02T03:04:05.678Z"),
        frame("progress", done=1, total=2, note="one"),
        frame("progress", done=1, total=2, note="skipped, too soon"),
        frame("log", level="info", message="hello\x1b[2J"),
        frame("step", 2, step={"name": "read", "status": "succeeded", "attempts": 1, "durationMs": 5}),
        frame("progress", done=2, total=2, note="two"),
        END,
    ]
    result = invoke(Canned(ACCEPTED, stream(*events)), "enqueue", "greet", "--watch")
    lines = result.stdout.splitlines()
    assert lines[0] == f"Enqueued greet {RUN_ID}"
    assert [line[10:] for line in lines[1:6]] == ["started", "1/2 one", "info: hello�[2J", "✓ read (5 ms)", "2/2 two"]
    assert lines[6] == "SUCCESS"
    assert json.loads("".join(lines[7:])) == {"greeting": "hello"}
    assert "\x1b" not in result.stdout


def test_watching_for_machines_is_one_object_per_event(invoke: Invoke) -> None:
    result = invoke(Canned(ACCEPTED, stream(frame("start", 1), END)), "enqueue", "greet", "--watch", "--json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(line["event"], line["id"]) for line in lines] == [("start", 1), ("end", 9)]
    assert lines[1]["data"]["result"] == {"greeting": "hello"}


def test_a_failure_is_explained(invoke: Invoke) -> None:
    result = invoke(Canned(ACCEPTED, stream(FAILED)), "enqueue", "greet", "--watch")
    assert "FAILED step_error in step read: no such file" in result.stdout


def test_a_result_that_the_stream_leaves_out_is_fetched(invoke: Invoke, tmp_path: Path) -> None:
    whole = httpx.Response(200, json=run("SUCCESS", result={"markdown": "# Report", "json": [1]}))
    server = Canned(ACCEPTED, stream(frame("end", 9, status="SUCCESS")), whole)
    result = invoke(server, "enqueue", "greet", "--save", "out/deep")
    assert result.exit_code == 0
    assert "# Report" in result.stdout
    assert (tmp_path / "out" / "deep" / "report.md").read_text() == "# Report\n"
    assert json.loads((tmp_path / "out" / "deep" / "report.json").read_text()) == [1]


def test_the_request_that_had_already_made_a_run_says_so(invoke: Invoke) -> None:
    server = Canned(httpx.Response(200, json=run("RUNNING")), stream(END))
    assert invoke(server, "enqueue", "greet", "--watch").stdout.startswith("Already enqueued: greet")


def test_ctrl_c_stops_watching_but_not_the_run(invoke: Invoke) -> None:
    server = Canned(ACCEPTED, stream(frame("start", 1), KeyboardInterrupt()))
    result = invoke(server, "enqueue", "greet", "--watch")
    assert result.exit_code == 130
    assert f"taxiway watch {RUN_ID}" in result.stderr
    assert f"taxiway cancel {RUN_ID}" in result.stderr
    assert all(request.method == "GET" or request.url.path == "/v1/runs" for request in server.requests)


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


def test_runs_sends_its_filters_and_prints_lines_that_cut_can_read(invoke: Invoke) -> None:
    server = Canned(httpx.Response(200, json={"runs": [run("RUNNING", stepsTotal=4)], "nextCursor": None}))
    result = invoke(server, "runs", "--status", "running", "--agent", "greet", "--metadata", "a=b", "--limit", "5")
    assert result.exit_code == 0
    heading, line = result.stdout.splitlines()
    assert heading.split("\t")[:4] == ["RUN", "STATUS", "AGENT", "STEPS"]
    assert line.split("\t")[:4] == [RUN_ID, "RUNNING", "greet", "4"]
    assert dict(server.last.url.params) == {"status": "RUNNING", "agent": "greet", "metadata.a": "b", "limit": "5"}


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
        ("cancel x", run("CANCELED")),
        ("pause x", run("PAUSED", pause={"kind": "user"})),
        ("resume x", run("RUNNING")),
        ("signal x go", run("RUNNING")),
        ("retry x", run()),
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


def test_show_tells_where_a_run_stands(invoke: Invoke) -> None:
    error = {"code": "step_error", "type": "ValueError", "message": "no", "step": "read", "attempts": 3}
    result = invoke(Canned(httpx.Response(200, json=run("FAILED", error=error, tags=["a", "b"]))), "show", RUN_ID)
    assert "step_error in step read after 3 attempts: ValueError: no" in result.stdout
    assert "a, b" in result.stdout


def test_steps_and_logs_are_lines(invoke: Invoke) -> None:
    steps = {"steps": [{"key": "k", "name": "read", "status": "succeeded", "attempts": 2, "durationMs": 1500}]}
    result = invoke(Canned(httpx.Response(200, json=steps)), "steps", RUN_ID)
    assert result.stdout.splitlines()[1].split("\t") == ["read", "succeeded", "2", "", "1.5 s"]
    logs = {"logs": [{"level": "error", "message": "oh\x1b[0m", "step": "read"}]}
    assert invoke(Canned(httpx.Response(200, json=logs)), "logs", RUN_ID).stdout == "- error [read] oh�[0m\n"


def test_cancel_says_whether_the_run_is_canceled_yet(invoke: Invoke) -> None:
    server = Canned(httpx.Response(200, json=run("CANCELED")))
    result = invoke(server, "cancel", RUN_ID, "--reason", "wrong", "--grace", "2s")
    assert (result.exit_code, result.stdout) == (0, f"Run {RUN_ID} is CANCELED.\n")
    assert server.body() == {"reason": "wrong", "grace": 2}
    assert "was asked to stop" in invoke(Canned(httpx.Response(202, json=run("RUNNING"))), "cancel", RUN_ID).stdout


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (run("PAUSED", pause={"kind": "user"}), "is PAUSED."),
        (run("QUEUED", controlRequest="pause"), "is held"),
        (run("RUNNING", controlRequest="pause"), "at the edge of its next step"),
        (run("PAUSED", pause={"kind": "agent"}, controlRequest="pause"), "when what it waits for has come"),
    ],
)
def test_pause_says_when_the_run_stands_still(invoke: Invoke, shown: dict[str, Any], said: str) -> None:
    server = Canned(httpx.Response(200, json=shown))
    result = invoke(server, "pause", RUN_ID, "--reason", "prices")
    assert (result.exit_code, said in result.stdout, server.body()) == (0, True, {"reason": "prices"})


@pytest.mark.parametrize(("text", "payload"), [('{"n": 1}', {"n": 1}), ("hello", "hello"), (None, None)])
def test_signal_sends_json_or_text(invoke: Invoke, text: str | None, payload: Any) -> None:
    server = Canned(httpx.Response(202, json=run("RUNNING")))
    arguments = ["signal", RUN_ID, "note", *([] if text is None else [text]), "--id", "n-1"]
    assert invoke(server, *arguments).exit_code == 0
    assert (server.last.url.path, server.body()) == (
        f"/v1/runs/{RUN_ID}/signals/note",
        {"payload": payload, "id": "n-1"},
    )


def test_resume_says_where_the_run_stands(invoke: Invoke) -> None:
    result = invoke(Canned(httpx.Response(200, json=run("RUNNING"))), "resume", RUN_ID)
    assert (result.exit_code, result.stdout) == (0, f"Run {RUN_ID} is RUNNING.\n")


def test_the_fleet_is_listed_by_what_the_server_says(invoke: Invoke) -> None:
    rows = {"workers": [{"slots": 4, "name": "w1", "agents": ["a", "b"], "draining": False, "pid": 7}]}
    lines = invoke(Canned(httpx.Response(200, json=rows)), "workers").stdout.splitlines()
    assert [line.split("\t") for line in lines] == [
        ["NAME", "QUEUE", "SLOTS", "LEASED", "ALIVE", "DRAINING", "AGENTS"],
        ["w1", "", "4", "", "", "no", "a, b"],
    ]
    assert invoke(Canned(httpx.Response(200, json={"agents": []})), "agents").stderr == "There are no agents yet.\n"


NIGHT = {
    "name": "night", "kind": "window", "open": False, "until": "2026-11-26T21:00:00.000Z", "cron": "0 22 * * 1-5",
    "duration": "PT8H", "timezone": "Europe/Berlin", "onClose": "finish", "queues": ["slow"], "agents": [],
    "override": {"state": "closed", "until": "2026-11-26T20:00:00.000Z", "by": "ann", "reason": "audit"},
    "next": [{"begins": "2026-11-26T21:00:00.000Z", "ends": "2026-11-27T05:00:00.000Z"}],
}  # fmt: skip


def test_a_window_is_shown_with_its_next_periods(invoke: Invoke) -> None:
    server = Canned(httpx.Response(200, json=NIGHT))
    result = invoke(server, "windows", "show", "night", "--next", "1")
    assert result.stdout.splitlines() == [
        "window night is closed until 2026-11-26T21:00:00.000Z.",
        "0 22 * * 1-5 for PT8H in Europe/Berlin, on close: finish",
        "queues: slow",
        "held closed until 2026-11-26T20:00:00.000Z by ann: audit",
        "BEGINS\tENDS",
        "2026-11-26T21:00:00.000Z\t2026-11-27T05:00:00.000Z",
    ]
    assert (server.last.url.path, dict(server.last.url.params)) == ("/v1/windows/night", {"next": "1"})


def test_a_window_is_put_overridden_released_and_deleted(invoke: Invoke) -> None:
    server = Canned(httpx.Response(200, json=NIGHT))
    times = ("--cron", "0 22 * * *", "--duration", "8h", "--timezone", "UTC")
    assert invoke(server, "windows", "put", "night", *times, "--blackout").exit_code == 0
    assert (server.last.method, server.body()) == ("PUT", {
        "cron": "0 22 * * *", "duration": 28800, "timezone": "UTC", "kind": "blackout", "onClose": "finish",
    })  # fmt: skip
    until = ("--until", "2026-11-26T20:00Z", "--reason", "audit")
    assert invoke(server, "windows", "override", "night", "closed", *until).exit_code == 0
    assert server.last.url.path == "/v1/windows/night/override"
    assert server.body() == {"state": "closed", "until": "2026-11-26T20:00:00+00:00", "reason": "audit"}
    assert invoke(server, "windows", "release", "night").exit_code == 0
    assert (server.last.method, server.last.url.path) == ("DELETE", "/v1/windows/night/override")
    result = invoke(Canned(httpx.Response(204)), "windows", "delete", "night")
    assert (result.exit_code, result.stdout) == (0, "Window night is deleted.\n")


def test_of_a_queue_only_what_was_given_is_changed(invoke: Invoke) -> None:
    server = Canned(httpx.Response(200, json={"name": "slow", "paused": False, "window": None}))
    assert invoke(server, "queues", "put", "slow", "--window", "").exit_code == 0
    assert (server.last.url.path, server.body()) == ("/v1/queues/slow", {"window": None})
    assert invoke(server, "queues", "put", "slow", "--running", "--window", "night").exit_code == 0
    assert server.body() == {"paused": False, "window": "night"}


NIGHTLY = {
    "name": "nightly", "agent": "greet", "cron": "30 2 * * *", "timezone": "UTC", "overlap": "skip", "catchUp": "none",
    "paused": False, "nextAt": "2026-11-27T02:30:00.000Z",
    "firings": [{"at": "2026-11-26T02:30:00.000Z", "outcome": "fired", "runId": RUN_ID}],
}  # fmt: skip


def test_a_schedule_is_shown_with_its_firings(invoke: Invoke) -> None:
    result = invoke(Canned(httpx.Response(200, json=NIGHTLY)), "schedules", "show", "nightly")
    assert result.stdout.splitlines() == [
        "Schedule nightly of greet fires next at 2026-11-27T02:30:00.000Z.",
        "30 2 * * * in UTC, overlap: skip, catch-up: none",
        "FIRED FOR\tOUTCOME\tRUN",
        f"2026-11-26T02:30:00.000Z\tfired\t{RUN_ID}",
    ]


def test_a_schedule_is_put_run_and_deleted(invoke: Invoke) -> None:
    server = Canned(httpx.Response(200, json=NIGHTLY))
    rule = ("--cron", "30 2 * * *", "--timezone", "UTC", "--overlap", "queue")
    assert invoke(server, "schedules", "put", "nightly", "greet", "-i", "n=1", *rule).exit_code == 0
    assert (server.last.method, server.last.url.path) == ("PUT", "/v1/schedules/nightly")
    assert server.body() == {
        "cron": "30 2 * * *", "timezone": "UTC", "overlap": "queue", "run": {"agent": "greet", "input": {"n": 1}},
    }  # fmt: skip
    assert invoke(server, "schedules", "put", "nightly", "--catch-up", "last").exit_code == 0
    assert server.body() == {"catchUp": "last"}
    assert invoke(server, "schedules", "resume", "nightly").exit_code == 0
    assert server.body() == {"paused": False}
    assert invoke(Canned(httpx.Response(201, json=run())), "schedules", "run", "nightly").stdout == f"{RUN_ID}\n"
    deleted = invoke(Canned(httpx.Response(204)), "schedules", "delete", "nightly")
    assert deleted.stdout == "Schedule nightly is deleted.\n"


@pytest.mark.parametrize("command", [["-m", "taxiway"], ["-c", "from taxiway.cli import main; main()"]])
def test_the_version_is_printed(command: list[str]) -> None:
    done = subprocess.run([sys.executable, *command, "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()[0]) == (0, "taxiway")


NOTHING_SO = problem(404, "not_found", "There is no approval with this id.")


def test_the_inbox_is_lines_that_cut_can_read(invoke: Invoke) -> None:
    server = Canned(httpx.Response(200, json={"approvals": [asked(approvalUrl="http://a")], "nextCursor": None}))
    result = invoke(server, "approvals", "--run", RUN_ID, "--limit", "3")
    head, line = result.stdout.splitlines()
    assert head.split("\t") == ["WAIT", "AGENT", "ASKS", "OPENED", "EXPIRES", "LINK"]
    assert [line.split("\t")[n] for n in (0, 1, 2, 5)] == [WAIT_ID, "greet", "Ship it?", "http://a"]
    assert dict(server.last.url.params) == {"status": "open", "runId": RUN_ID, "limit": "3"}
    over = asked(outcome={"outcome": "approved", "choice": "air", "by": "ann", "at": "2026-01-02T03:04:05.678Z"})
    result = invoke(Canned(httpx.Response(200, json={"approvals": [over]})), "approvals", "--decided")
    assert result.stdout.splitlines()[1].split("\t")[3:5] == ["approved: air", "ann"]
    result = invoke(Canned(httpx.Response(200, json={"approvals": []})), "approvals")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "Nobody is asked anything" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "body", "said"),
    [
        (["approve", WAIT_ID], {"decision": "approve"}, "Approved: Ship it?"),
        (["approve", WAIT_ID, "--choice", "air", "--comment", "go"], {"decision": "approve", "choice": "air", "comment": "go"},
         "Approved: Ship it?"),
        (["deny", WAIT_ID, "--comment", "no"], {"decision": "deny", "comment": "no"}, "Denied: Ship it?"),
        (["answer", WAIT_ID, '{"a": 1}'], {"decision": "answer", "answer": {"a": 1}}, "Answered: Ship it?"),
        (["answer", WAIT_ID, "Elm 7"], {"decision": "answer", "answer": "Elm 7"}, "Answered: Ship it?"),
        (["answer", WAIT_ID, "null"], {"decision": "answer", "answer": None}, "Answered: Ship it?"),
        (["answer", WAIT_ID, "-i", "street=Elm", "-i", "n=7"], {"decision": "answer", "answer": {"street": "Elm", "n": 7}},
         "Answered: Ship it?"),
        (["answer", WAIT_ID, "@-"], {"decision": "answer", "answer": [1]}, "Answered: Ship it?"),
    ],
)  # fmt: skip
def test_a_decision_is_sent_and_said(invoke: Invoke, arguments: list[str], body: dict[str, Any], said: str) -> None:
    done = {"approve": "approved", "deny": "denied", "answer": "answered"}[arguments[0]]
    server = Canned(httpx.Response(200, json=asked(outcome={"outcome": done}, runStatus="RUNNING")))
    result = invoke(server, *arguments, input="[1]")
    assert (result.exit_code, server.body()) == (0, body)
    assert result.stdout == f"{said} Run {RUN_ID} is RUNNING.\n"


def test_the_only_question_of_a_run_is_decided_by_the_id_of_the_run(invoke: Invoke) -> None:
    page = httpx.Response(200, json={"approvals": [asked()]})
    server = Canned(NOTHING_SO, page, httpx.Response(200, json=asked(outcome={"outcome": "approved"})))
    assert invoke(server, "approve", RUN_ID).exit_code == 0
    assert [request.url.path for request in server.requests] == [
        f"/v1/approvals/{RUN_ID}", "/v1/approvals", f"/v1/approvals/{WAIT_ID}",
    ]  # fmt: skip


def test_a_run_that_asks_nothing_or_too_much_is_usage(invoke: Invoke) -> None:
    none = invoke(Canned(NOTHING_SO, httpx.Response(200, json={"approvals": []})), "approve", RUN_ID)
    assert (none.exit_code, "asks nobody at the moment" in none.stderr) == (2, True)
    two = httpx.Response(200, json={"approvals": [asked(), asked(waitId="other")]})
    many = invoke(Canned(NOTHING_SO, two), "deny", RUN_ID)
    assert many.exit_code == 2
    assert f"{WAIT_ID}  Ship it?" in many.stderr


def test_whoever_decides_too_late_is_told_what_was_decided(invoke: Invoke) -> None:
    late = problem(409, "wait_closed", "This was approved by ann at 2026-01-02T03:04:05.678Z.", outcome={"by": "ann"})
    result = invoke(Canned(late), "deny", WAIT_ID)
    assert (result.exit_code, "approved by ann" in result.stderr) == (2, True)
    result = invoke(Canned(late), "deny", WAIT_ID, "--json")
    assert json.loads(result.stdout)["error"]["outcome"] == {"by": "ann"}


@pytest.mark.parametrize(
    "arguments", [["answer", "x"], ["answer", "x", "1", "-i", "a=1"], ["approve"], ["answer", "x", "@none"]]
)
def test_an_answer_is_given_once(invoke: Invoke, arguments: list[str]) -> None:
    server = Canned(NOTHING_SO)
    assert invoke(server, *arguments).exit_code == 2
    assert server.requests == []


def test_show_says_what_a_parked_run_waits_for(invoke: Invoke) -> None:
    waits = [
        {"kind": "approval", "prompt": "Ship it?", "approvalUrl": "http://a"},
        {"kind": "signal", "signal": "paid"},
        {"kind": "timer"},
    ]
    result = invoke(
        Canned(httpx.Response(200, json=run("PAUSED", pause={"kind": "approval", "waits": waits}))), "show", RUN_ID
    )
    said = [line.removeprefix("waits for  ") for line in result.stdout.splitlines() if line.startswith("waits for")]
    assert said == ["approval: Ship it? - http://a", "signal: paid", "timer"]


PUT_PROVIDER = [
    "providers",
    "put",
    "bank",
    "--authorize-url",
    "https://bank.example/a",
    "--token-url",
    "https://bank.example/t",
]
PUT_PROVIDER += ["--client-id", "us"]


def test_a_provider_is_introduced_and_its_secret_kept_where_none_is_given(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Canned(httpx.Response(201, json={"name": "bank"}))
    result = invoke(server, *PUT_PROVIDER, "--scope", "read", "--parameter", "prompt=consent")
    assert (result.exit_code, "/v1/auth/callback" in result.stdout) == (0, True)
    assert (server.last.method, server.last.url.path) == ("PUT", "/v1/providers/bank")
    assert server.body() == {
        "authorizeUrl": "https://bank.example/a", "tokenUrl": "https://bank.example/t", "revocationUrl": None,
        "clientId": "us", "clientAuth": "basic", "scopes": ["read"], "parameters": {"prompt": "consent"},
    }  # fmt: skip
    monkeypatch.setenv("TAXIWAY_CLIENT_SECRET", "from outside")
    result = invoke(server, *PUT_PROVIDER, "--json")
    assert (json.loads(result.stdout), server.body()["clientSecret"]) == ({"name": "bank"}, "from outside")


def test_grants_are_lines_and_one_is_revoked_by_its_id(invoke: Invoke) -> None:
    grant = {"id": "g1", "provider": "bank", "subject": "ann", "scopes": ["a", "b"], "refreshable": True}
    server = Canned(httpx.Response(200, json={"grants": [grant], "nextCursor": None}))
    result = invoke(server, "providers", "grants", "--subject", "ann")
    assert "g1\tbank\tann\ta, b\tyes" in result.stdout
    assert dict(server.last.url.params) == {"subject": "ann", "limit": "50"}
    server = Canned(httpx.Response(204))
    result = invoke(server, "providers", "revoke", "g1")
    assert (result.stdout, server.last.method, server.last.url.path) == (
        "Grant g1 is revoked.\n",
        "DELETE",
        "/v1/grants/g1",
    )


def test_retry_says_from_where_or_with_what(invoke: Invoke) -> None:
    server = Canned(httpx.Response(201, json=run(retryOf="x")))
    result = invoke(server, "retry", "x", "--from", "second", "--idempotency-key", "k")
    assert (result.exit_code, result.stdout) == (0, f"{RUN_ID}\n")
    assert (server.last.url.path, server.body()) == ("/v1/runs/x/retry", {"fromStep": "second"})
    assert server.last.headers["idempotency-key"] == "k"
    server = Canned(httpx.Response(201, json=run()))
    assert invoke(server, "retry", "x", "--input", '{"n": 1}').exit_code == 0
    assert server.body() == {"input": {"n": 1}}
    assert invoke(Canned(), "retry", "x", "--input", "[1]").exit_code == 2


def test_show_names_the_relatives_of_a_run_and_the_children_that_it_waits_for(invoke: Invoke) -> None:
    pause = {
        "kind": "agent",
        "waits": [{"waitId": str(n), "kind": "child", "agent": "x", "childRunId": f"c-{n}"} for n in range(30)],
    }
    shown = run("PAUSED", pause=pause, parentRunId="p-1", retryOf="r-1", continuedAs="n-1")
    said = invoke(Canned(httpx.Response(200, json=shown)), "show", RUN_ID).stdout
    assert all(line in said.splitlines() for line in ("parent     p-1", "retry of   r-1", "goes on as n-1"))
    assert (said.count("waits for  child: x c-"), "child: x c-0" in said) == (20, True)


def test_a_retry_is_followed_to_its_end(invoke: Invoke) -> None:
    result = invoke(Canned(ACCEPTED, stream(FAILED)), "retry", "x", "--watch")
    assert (result.exit_code, "Retrying x as greet" in result.stdout) == (1, True)


def test_children_are_listed_by_their_parent(invoke: Invoke) -> None:
    server = Canned(httpx.Response(200, json={"runs": [run()], "nextCursor": None}))
    assert invoke(server, "runs", "--parent", "p-1").exit_code == 0
    assert server.last.url.params["parentRunId"] == "p-1"
