"""The commands about runs show their state, and the result of an action."""

from __future__ import annotations

from datetime import datetime
from threading import Event
from typing import Any

import httpx
import pytest
from taxiway.cli import runs
from taxiway.cli.output import Output

from tests.rules.canned import RUN_ID, Canned, run
from tests.rules.command_line import Invoke


def test_runs_sends_its_filters_and_prints_lines_that_cut_can_read(invoke: Invoke) -> None:
    server = Canned(httpx.Response(200, json={"runs": [run("RUNNING", stepsTotal=4)], "nextCursor": None}))
    result = invoke(server, "runs", "--status", "running", "--agent", "greet", "--metadata", "a=b", "--limit", "5")
    assert result.exit_code == 0
    heading, line = result.stdout.splitlines()
    assert heading.split("\t")[:4] == ["RUN", "STATUS", "AGENT", "STEPS"]
    assert line.split("\t")[:4] == [RUN_ID, "RUNNING", "greet", "4"]
    assert dict(server.last.url.params) == {"status": "RUNNING", "agent": "greet", "metadata.a": "b", "limit": "5"}


def test_runs_searches_on_behind_an_empty_page_and_says_so_to_whoever_waits(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = Event()
    monkeypatch.setattr(runs, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(Output, "is_live", True)
    monkeypatch.setattr(Output, "note", lambda _, text: said.set() if "further back" in text else None)

    def last(_: httpx.Request) -> httpx.Response:
        assert said.wait(10)
        return httpx.Response(200, json={"runs": [run()], "nextCursor": None})

    result = invoke(Canned(httpx.Response(200, json={"runs": [], "nextCursor": "c"}), last), "runs", "--agent", "rare")
    assert RUN_ID[:8] in result.stdout


def test_show_tells_where_a_run_stands(invoke: Invoke) -> None:
    error = {"code": "step_error", "type": "ValueError", "message": "no", "step": "read", "attempts": 3}
    result = invoke(Canned(httpx.Response(200, json=run("FAILED", error=error, tags=["a", "b"]))), "show", RUN_ID)
    assert "step_error in step read after 3 attempts: ValueError: no" in result.stdout
    assert "a, b" in result.stdout


def test_show_tells_what_a_queued_run_waits_for(invoke: Invoke) -> None:
    times = {"notBefore": "2026-03-01T08:30:00.000Z", "expiresAt": "2026-03-01T10:00:00.000Z"}
    shown = run(concurrencyKey="A7", onConflict="skip", **times)
    said = invoke(Canned(httpx.Response(200, json=shown)), "show", RUN_ID).stdout
    local = {name: f"{datetime.fromisoformat(at).astimezone():%Y-%m-%d %H:%M:%S}" for name, at in times.items()}
    for name, value in (("key", "A7 (skip)"), ("not before", local["notBefore"]), ("expires", local["expiresAt"])):
        assert f"{name:<10} {value}" in said
    shown["status"] = "RUNNING"
    assert "expires" not in invoke(Canned(httpx.Response(200, json=shown)), "show", RUN_ID).stdout


def test_steps_and_logs_are_lines(invoke: Invoke) -> None:
    steps = {"steps": [{"key": "k", "name": "read", "status": "succeeded", "attempts": 2, "durationMs": 1500}]}
    result = invoke(Canned(httpx.Response(200, json=steps)), "steps", RUN_ID)
    assert result.stdout.splitlines()[1].split("\t") == ["read", "succeeded", "2", "", "1.5 s"]
    logs = {"logs": [{"level": "error", "message": "oh\x1b[0m", "step": "read"}]}
    assert invoke(Canned(httpx.Response(200, json=logs)), "logs", RUN_ID).stdout == "- error [read] oh⟨U+001B⟩[0m\n"


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
        (run("RUNNING", controlRequest="pause"), "pauses at its next step"),
        (run("PAUSED", pause={"kind": "agent"}, controlRequest="pause"), "stays paused when its wait ends"),
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


def test_show_says_what_a_parked_run_waits_for(invoke: Invoke) -> None:
    waits = [
        {"kind": "approval", "prompt": "Ship it?", "approvalUrl": "http://a"},
        {"kind": "signal", "signal": "paid"},
        {"kind": "timer"},
        {"kind": "code", "message": "it is not deterministic"},
    ]
    result = invoke(
        Canned(httpx.Response(200, json=run("PAUSED", pause={"kind": "approval", "waits": waits}))), "show", RUN_ID
    )
    said = [line.removeprefix("waits for  ") for line in result.stdout.splitlines() if line.startswith("waits for")]
    assert said == ["approval: Ship it? - http://a", "signal: paid", "timer", "code: it is not deterministic"]


def test_show_says_what_an_executing_run_awaits(invoke: Invoke) -> None:
    waits = [
        {"kind": "approval", "prompt": "Ship it?", "approvalUrl": "http://a"},
        {"kind": "signal", "signal": "paid"},
    ]
    result = invoke(Canned(httpx.Response(200, json=run("RUNNING", executing=True, openWaits=waits))), "show", RUN_ID)
    said = [line.removeprefix("waits for  ") for line in result.stdout.splitlines() if line.startswith("waits for")]
    assert said == ["approval: Ship it? - http://a", "signal: paid"]


def test_show_names_the_relatives_of_a_run_and_the_children_that_it_waits_for(invoke: Invoke) -> None:
    pause = {
        "kind": "agent",
        "waits": [{"waitId": str(n), "kind": "child", "agent": "x", "childRunId": f"c-{n}"} for n in range(30)],
    }
    shown = run("PAUSED", pause=pause, parentRunId="p-1", retryOf="r-1", continuedAs="n-1")
    said = invoke(Canned(httpx.Response(200, json=shown)), "show", RUN_ID).stdout
    assert all(line in said.splitlines() for line in ("parent     p-1", "retry of   r-1", "successor  n-1"))
    assert (said.count("waits for  child: x c-"), "child: x c-0" in said) == (20, True)


def test_children_are_listed_by_their_parent(invoke: Invoke) -> None:
    server = Canned(httpx.Response(200, json={"runs": [run()], "nextCursor": None}))
    assert invoke(server, "runs", "--parent", "p-1").exit_code == 0
    assert server.last.url.params["parentRunId"] == "p-1"
