"""`approvals`, `approve`, `deny` and `answer` list the questions to people, and decide them."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.rules.canned import RUN_ID, WAIT_ID, Canned, asked, problem
from tests.rules.command_line import Invoke

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
    endless = Canned(httpx.Response(200, json={"approvals": [asked(expiresAt=None)]}))
    assert invoke(endless, "approvals").stdout.splitlines()[1].split("\t")[4] == "no end"
    result = invoke(Canned(httpx.Response(200, json={"approvals": []})), "approvals")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "No run asks a question" in result.stderr


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
    assert (none.exit_code, "asks no question at the moment" in none.stderr) == (2, True)
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
