"""`taxiway bulk` shows the number of runs before it acts on them, and stays until the operation has ended."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from taxiway.cli import bulk as command
from taxiway.client import bulk

from tests.rules.canned import RUN_ID, Canned, problem
from tests.rules.command_line import Invoke

BULK_ID = "01890000-0000-7000-8000-000000000003"


def operation(done: int = 0, *, ended: bool = False, **more: Any) -> dict[str, Any]:
    return {
        "bulkId": BULK_ID, "action": "cancel", "dryRun": False, "filter": {"agent": "greet"}, "matched": 1200, "done": done,
        "skipped": 0, "failed": 0, "createdAt": "2026-01-02T03:04:05.678Z",
        "finishedAt": "2026-01-02T03:05:05.678Z" if ended else None, **more,
    }  # fmt: skip


COUNTED = operation(bulkId=None, dryRun=True)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "LOOK_SECONDS", 0.0)


def _server(*answers: dict[str, Any]) -> Canned:
    return Canned(*(httpx.Response(202, json=answer) for answer in answers))


def _sent(server: Canned) -> list[tuple[str, Any]]:
    return [
        (f"{one.method} {one.url.path}", json.loads(one.content) if one.content else None) for one in server.requests
    ]


def test_it_counts_then_acts_and_stays_until_it_is_done(invoke: Invoke) -> None:
    server = _server(COUNTED, operation(), operation(700), operation(1198, ended=True, skipped=2))
    result = invoke(server, "bulk", "cancel", "--agent", "greet")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "1,198 canceled, 2 skipped.\n", "")
    assert _sent(server) == [
        ("POST /v1/runs/bulk/cancel", {"filter": {"agent": "greet"}, "dryRun": True}),
        ("POST /v1/runs/bulk/cancel", {"filter": {"agent": "greet"}, "dryRun": False}),
        (f"GET /v1/runs/bulk/{BULK_ID}", None),
        (f"GET /v1/runs/bulk/{BULK_ID}", None),
    ]


def test_every_criterion_is_sent_by_its_name(invoke: Invoke) -> None:
    server = _server(COUNTED)
    options = [
        "--status",
        "failed",
        "--status",
        "CANCELED",
        "--category",
        "terminal",
        "--queue",
        "q",
        "--tag",
        "a",
        "--tag",
        "b",
    ]
    options += ["--metadata", "k=v=w", "--user", "u", "--parent", RUN_ID, "--dry-run"]
    options += ["--created-after", "2026-01-01T00:00:00Z", "--created-before", "2026-02-01T00:00:00Z"]
    result = invoke(server, "bulk", "retry", *options)
    assert (result.exit_code, result.stdout) == (0, "1,200 runs would be canceled.\n")
    assert _sent(server) == [
        ("POST /v1/runs/bulk/retry", {"dryRun": True, "filter": {
            "status": ["FAILED", "CANCELED"], "category": "terminal", "queue": "q", "tag": ["a", "b"], "metadata": {"k": "v=w"},
            "userId": "u", "parentRunId": RUN_ID, "createdAfter": "2026-01-01T00:00:00Z", "createdBefore": "2026-02-01T00:00:00Z",
        }}),
    ]  # fmt: skip


@pytest.mark.parametrize(("typed", "code", "asked"), [("n\n", 130, 1), ("", 130, 1), ("y\n", 0, 3)])
def test_at_a_terminal_it_asks_first(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, typed: str, code: int, asked: int
) -> None:
    monkeypatch.setattr(command, "_is_interactive", lambda: True)
    server = _server(COUNTED, operation(), operation(1200, ended=True))
    result = invoke(server, "bulk", "cancel", "--agent", "greet", input=typed)
    assert (result.exit_code, len(server.requests)) == (code, asked)
    assert "1,200 runs would be canceled. Continue? [y/N]:" in result.stderr
    result = invoke(
        _server(COUNTED, operation(), operation(1200, ended=True)), "bulk", "cancel", "--agent", "greet", "--yes"
    )
    assert (result.exit_code, "Go on" in result.stderr) == (0, False)


def test_where_no_run_is_meant_nothing_is_sent(invoke: Invoke) -> None:
    server = _server({**COUNTED, "matched": 0})
    result = invoke(server, "bulk", "cancel", "--agent", "greet")
    assert (result.exit_code, result.stdout, len(server.requests)) == (0, "0 runs would be canceled.\n", 1)


def test_a_run_on_which_the_server_failed_is_exit_code_1(invoke: Invoke) -> None:
    server = _server(COUNTED, operation(), operation(1199, ended=True, failed=1))
    result = invoke(server, "bulk", "cancel", "--agent", "greet")
    assert (result.exit_code, result.stdout) == (1, "1,199 canceled, 0 skipped, 1 failed.\n")


def test_without_waiting_it_says_where_it_goes_on(invoke: Invoke) -> None:
    server = _server(COUNTED, operation())
    result = invoke(server, "bulk", "cancel", "--agent", "greet", "--no-wait")
    assert (result.exit_code, len(server.requests)) == (0, 2)
    assert result.stdout == f"Operation {BULK_ID} is in progress: cancel: 0 of 1,200 runs.\n"


@pytest.mark.parametrize(
    ("options", "shown"),
    [((), operation(1200, ended=True)), (("--no-wait",), operation()), (("--dry-run",), COUNTED)],
)
def test_json_is_one_document(invoke: Invoke, options: tuple[str, ...], shown: dict[str, Any]) -> None:
    server = _server(COUNTED, operation(), operation(1200, ended=True))
    result = invoke(server, "bulk", "cancel", "--agent", "greet", "--json", *options)
    assert (result.exit_code, json.loads(result.stdout)) == (0, shown)


def test_a_server_that_is_away_for_a_moment_is_waited_for(invoke: Invoke) -> None:
    answers = [httpx.Response(202, json=answer) for answer in (COUNTED, operation(), operation(1200, ended=True))]
    server = Canned(
        *answers[:2], problem(503, "unavailable", "The database is away"), httpx.ConnectError("no"), answers[2]
    )
    assert invoke(server, "bulk", "cancel", "--agent", "greet").exit_code == 0


def test_ctrl_c_stops_waiting_and_nothing_else(invoke: Invoke) -> None:
    def interrupted(_: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    server = Canned(httpx.Response(202, json=COUNTED), httpx.Response(202, json=operation()), interrupted)
    result = invoke(server, "bulk", "cancel", "--agent", "greet")
    assert (result.exit_code, result.stderr) == (130, f"\nStopped waiting; the server continues {BULK_ID}.\n")


def test_wrong_usage_sends_nothing(invoke: Invoke) -> None:
    server = _server(COUNTED)
    assert invoke(server, "bulk", "delete", "--agent", "greet").exit_code == 2
    assert invoke(server, "bulk", "cancel", "--metadata", "x").exit_code == 2
    assert server.requests == []
