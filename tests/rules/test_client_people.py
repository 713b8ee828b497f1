"""Decisions of the client: requests and answers."""

from __future__ import annotations

import httpx
import pytest
from taxiway import client as api

from tests.rules.canned import KINDS, RUN_ID, WAIT_ID, Canned, Speaker, asked, both, problem

NOTHING_SO = problem(404, "not_found", "There is no approval with this id.")


@both
def test_the_inbox_is_read_page_by_page_into_views_that_keep_everything(speak: Speaker) -> None:
    one = asked(
        details={"n": 1}, choices=["air"], approvers=["boss"], answer={"type": "string"}, approvalUrl="http://a",
        openedAt="2026-01-02T03:04:05.678Z", runStatus="PAUSED", futureMember=True,
    )  # fmt: skip
    pages = [httpx.Response(200, json={"approvals": [one], "nextCursor": next_}) for next_ in ("c", None)]
    server = Canned(*pages)
    first, second = speak(server).listed("approvals")
    assert first == second
    assert (first.id, first.run_id, first.prompt, first.details, first.url) == (
        WAIT_ID,
        RUN_ID,
        "Ship it?",
        {"n": 1},
        "http://a",
    )
    assert (first.choices, first.approvers, first.answer_schema) == (("air",), ("boss",), {"type": "string"})
    assert (first.opened_at.year, first.expires_at, first.outcome, first.raw["futureMember"]) == (
        2026,
        None,
        None,
        True,
    )
    assert server.last.url.params["cursor"] == "c"


@both
@pytest.mark.parametrize(
    ("method", "args", "more", "body"),
    [
        ("approve", (), {}, {"decision": "approve"}),
        ("approve", (), {"choice": "air", "comment": "go"}, {"decision": "approve", "choice": "air", "comment": "go"}),
        ("deny", (), {"comment": "no"}, {"decision": "deny", "comment": "no"}),
        ("answer", (None,), {}, {"decision": "answer", "answer": None}),
        ("answer", ({"street": "Elm"},), {"comment": "x"}, {"decision": "answer", "answer": {"street": "Elm"}, "comment": "x"}),
    ],
)  # fmt: skip
def test_a_decision_says_what_was_given_and_nothing_else(
    speak: Speaker, method: str, args: tuple[object, ...], more: dict[str, str], body: dict[str, object]
) -> None:
    over = {"outcome": "approved", "choice": "air", "by": "ann", "at": "2026-01-02T03:04:05.678Z"}
    server = Canned(httpx.Response(200, json=asked(outcome=over)))
    seen = speak(server).call(method, WAIT_ID, *args, **more)
    assert (server.last.method, server.last.url.path, server.body()) == ("POST", f"/v1/approvals/{WAIT_ID}", body)
    assert (seen.outcome.outcome, seen.outcome.choice, seen.outcome.by, seen.outcome.at.year) == (
        "approved",
        "air",
        "ann",
        2026,
    )
    handled = Canned(NOTHING_SO, httpx.Response(200, json={"approvals": [asked()]}), httpx.Response(200, json=asked()))
    speak(handled).on_run(method, *args, **more)
    assert dict(handled.requests[1].url.params) == {"status": "open", "runId": RUN_ID, "limit": "200"}
    assert (handled.last.url.path, handled.body()) == (f"/v1/approvals/{WAIT_ID}", body)


@both
def test_a_run_without_exactly_one_question_is_not_decided_about(speak: Speaker) -> None:
    for found in ([], [asked(), asked(waitId="other")]):
        server = Canned(NOTHING_SO, httpx.Response(200, json={"approvals": found}))
        with pytest.raises(api.NoOneQuestion, match=RUN_ID):
            speak(server).on_run("approve")
        assert len(server.requests) == 2


@both
def test_whoever_comes_too_late_gets_a_conflict_with_the_outcome(speak: Speaker) -> None:
    late = problem(409, "wait_closed", "This was approved by ann.", outcome={"outcome": "approved", "by": "ann"})
    with pytest.raises(api.Conflict, match="approved by ann") as caught:
        speak(Canned(late)).call("deny", WAIT_ID)
    assert caught.value.problem.raw["outcome"]["by"] == "ann"


def test_an_id_that_would_name_another_resource_is_never_sent() -> None:
    server = Canned(httpx.Response(200, json=asked()))
    with pytest.raises(ValueError, match="is not the id"):
        KINDS[0](server).call("approve", "..")
    KINDS[0](server).call("approve", "../runs")
    assert server.last.url.raw_path == b"/v1/approvals/..%2Fruns"
