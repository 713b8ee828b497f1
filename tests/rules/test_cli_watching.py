"""`enqueue`, `retry` and `watch` create runs, follow them, and exit with their outcome."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from tests.rules.canned import END, RUN_ID, Canned, frame, run, stream
from tests.rules.command_line import ACCEPTED, FAILED, Invoke

CANCELED = frame("end", 9, status="CANCELED", reason="by_user")


def test_enqueue_says_when_a_run_may_begin_and_what_it_must_not_meet(invoke: Invoke) -> None:
    server = Canned(ACCEPTED)
    words = "--not-before 2026-03-01T09:30:00Z --expires-in 1h30m --key A7 --on-conflict cancel_running"
    result = invoke(server, "enqueue", "greet", *words.split())
    assert result.exit_code == 0, result.output
    assert server.body() == {
        "agent": "greet", "input": {}, "notBefore": "2026-03-01T09:30:00+00:00", "expiresIn": 5400, "concurrencyKey": "A7",
        "onConflict": "cancel_running",
    }  # fmt: skip


def test_enqueue_prints_the_bare_id_into_a_pipe(invoke: Invoke) -> None:
    server = Canned(httpx.Response(200, json={"agents": []}), ACCEPTED)
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
    assert [line[10:] for line in lines[1:6]] == [
        "started",
        "1/2 one",
        "info: hello⟨U+001B⟩[2J",
        "✓ read (5 ms)",
        "2/2 two",
    ]
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


def test_a_retry_is_followed_to_its_end(invoke: Invoke) -> None:
    result = invoke(Canned(ACCEPTED, stream(FAILED)), "retry", "x", "--watch")
    assert (result.exit_code, "Retrying x as greet" in result.stdout) == (1, True)
