"""An ended run is retried: what succeeded is not repeated, what failed is, and nothing else happens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.system.live import AGENTS, Live

Files = dict[str, str]


@pytest.fixture(scope="module")
def live(stack: Any) -> Iterator[Live]:
    with Live(stack(agents=str(AGENTS / "again.py"), workers=1, slots=4)) as live:
        yield live


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return {name: str(tmp_path / name) for name in ("log", "mended")}


def _retry(live: Live, run: str, key: str | None = None, **body: Any) -> httpx.Response:
    headers = {"idempotency-key": key} if key else {}
    address = f"/v1/runs/{run}/retry"
    return live.http.post(address, json=body, headers=headers) if body else live.http.post(address, headers=headers)


def _again(live: Live, run: str, **body: Any) -> str:
    answer = _retry(live, run, **body)
    assert answer.status_code == 201, answer.text
    shown: dict[str, Any] = answer.json()
    assert shown["retryOf"] == run
    return str(shown["runId"])


def _end(live: Live, run: str) -> dict[str, Any]:
    return live.end_all([run], 30)[run]


def _did(files: Files, run: str) -> list[str]:
    """Return the effects of the run outside of Taxiway."""
    lines = map(json.loads, Path(files["log"]).read_text().splitlines())
    return [line["what"] for line in lines if line["run"] == run]


def _decide(live: Live, run: str, decision: str, **more: Any) -> None:
    live.until(lambda: live.run(run)["status"] == "PAUSED", "it asks", 30, lambda: live.run(run))
    [open_one] = [wait for wait in live.run(run)["pause"]["waits"] if wait["kind"] == "approval"]
    answer = live.http.post(f"/v1/approvals/{open_one['waitId']}", json={"decision": decision, **more})
    assert answer.status_code == 200, answer.text


def _signal(live: Live, run: str, name: str, payload: object) -> None:
    assert live.http.post(f"/v1/runs/{run}/signals/{name}", json={"payload": payload}).status_code == 202


@pytest.fixture
def failed(live: Live, files: Files) -> str:
    """Return a run that was approved, received a signal, caught one failure and ended by another."""
    run = live.enqueue("order", files, metadata={"team": "a"}, tags=["x"], priority=5, userId="u", timeout="PT2M")
    _decide(live, run, "approve", choice="later")
    _signal(live, run, "unused", 9)
    _signal(live, run, "sent", {"n": 1})
    ended = _end(live, run)
    assert (ended["status"], ended["error"]["step"]) == ("FAILED", "works")
    return run


def test_what_went_well_and_what_people_decided_is_not_asked_for_again(live: Live, files: Files, failed: str) -> None:
    Path(files["mended"]).touch()
    retry = _again(live, failed)
    ended = _end(live, retry)
    assert ended["result"] == ["first", "later", "up", {"n": 1}, "ValueError", "second", "worked", 9], ended
    assert _did(files, retry) == ["tried"]
    old = live.run(failed)
    same = ("agent", "queue", "priority", "userId", "metadata", "tags")
    assert [ended[name] for name in same] == [old[name] for name in same]
    assert [step["name"] for step in ended["stepsFinished"]] == ["first", "caught", "second", "works"]
    page = live.http.get(f"/v1/runs/{retry}/steps", params={"limit": 3}).json()
    rest = live.http.get(f"/v1/runs/{retry}/steps", params={"cursor": page["nextCursor"]}).json()
    assert [step["name"] for step in (*page["steps"], *rest["steps"])] == ["first", "caught", "second", "works"]
    assert [event["seq"] for event in live.events(retry)] == list(range(1, len(live.events(retry)) + 1))
    assert ended["stepsTotal"] == 4


def test_a_retry_may_fail_and_be_tried_again(live: Live, files: Files, failed: str) -> None:
    second = _again(live, failed)
    assert _end(live, second)["error"]["step"] == "works"
    Path(files["mended"]).touch()
    third = _again(live, second)
    assert _end(live, third)["status"] == "SUCCESS"
    assert [_did(files, run) for run in (second, third)] == [["tried"], ["tried"]]


def test_from_a_step_on_everything_is_done_again(live: Live, files: Files, failed: str) -> None:
    Path(files["mended"]).touch()
    retry = _again(live, failed, fromStep="second")
    assert _end(live, retry)["status"] == "SUCCESS"
    assert _did(files, retry) == ["second", "tried"]
    key = live.run(failed)["stepsFinished"][0]["key"]
    first = _again(live, failed, fromStep=key)
    live.until(lambda: live.run(first)["status"] == "PAUSED", "it asks again")
    assert _did(files, first) == ["first"]
    live.cancel(first)


def test_with_another_input_nothing_is_kept(live: Live, files: Files, failed: str) -> None:
    other = {**files, "log": files["log"] + "2"}
    retry = _again(live, failed, input=other)
    live.until(lambda: live.run(retry)["status"] == "PAUSED", "it asks again")
    shown = live.run(retry)
    assert (shown["input"], [step["name"] for step in shown["stepsFinished"]]) == (other, ["first"])
    live.cancel(retry)


def test_an_equal_request_makes_one_retry(live: Live, failed: str) -> None:
    first, again = _retry(live, failed, "k1"), _retry(live, failed, "k1")
    assert (first.status_code, again.status_code, again.headers["idempotency-replayed"]) == (201, 200, "true")
    assert first.json()["runId"] == again.json()["runId"]
    assert _retry(live, failed, "k1", fromStep="first").json()["code"] == "idempotency_mismatch"


def test_what_it_fails_of_is_tried_again_although_it_cleaned_up_after_that(live: Live, files: Files) -> None:
    run = live.enqueue("tidy", files)
    assert _end(live, run)["status"] == "FAILED"
    Path(files["mended"]).touch()
    retry = _again(live, run)
    assert _end(live, retry)["result"] == "worked"
    assert (_did(files, run), _did(files, retry)) == (["first", "tried", "clean"], ["tried"])


@pytest.mark.parametrize("on_deny", ["cancel", "fail", "raise"])
def test_what_was_denied_is_asked_again_and_what_let_it_begin_is_not(live: Live, files: Files, on_deny: str) -> None:
    run = live.enqueue("asking", {"log": files["log"], "on_deny": on_deny}, approvalStrategy="ON_START")
    _decide(live, run, "approve")
    live.until(lambda: live.run(run)["stepsTotal"] == 1, "it has begun")
    _decide(live, run, "deny")
    assert _end(live, run)["status"] == ("CANCELED" if on_deny == "cancel" else "FAILED")
    retry = _again(live, run)
    _decide(live, retry, "approve")
    assert _end(live, retry)["result"] is True
    assert _did(files, retry) == []


def test_a_step_that_is_executed_once_at_most_is_not_repeated_unless_it_is_named(live: Live, files: Files) -> None:
    run = live.enqueue("paying", files)
    live.until(lambda: live.run(run)["stepInFlight"] and "paid" in _did(files, run), "it pays")
    live.cancel(run, grace="PT0S")
    _end(live, run)
    refused = _retry(live, run)
    assert (refused.status_code, refused.json()["code"]) == (409, "illegal_move")
    assert "Nobody knows what step pay did" in refused.json()["detail"]
    Path(files["mended"]).touch()
    retry = _again(live, run, fromStep="pay")
    assert (_end(live, retry)["result"], _did(files, retry)) == ("paid", ["paid"])


def test_children_of_which_one_failed_are_started_again_and_those_that_succeeded_are_not(
    live: Live, files: Files
) -> None:
    run = live.enqueue("family", files)
    assert _end(live, run)["error"]["type"] == "ChildFailed"
    Path(files["mended"]).touch()
    retry = _again(live, run)
    assert _end(live, retry)["result"] == [10, 11, 0, 1, 2]
    listed = [live.http.get("/v1/runs", params={"parentRunId": one}).json()["runs"] for one in (run, retry)]
    assert [len(children) for children in listed] == [5, 3]
    assert {child["parentRunId"] for child in listed[1]} == {retry}
    assert _did(files, retry) == []


def test_a_child_that_failed_and_was_caught_stays_so(live: Live, files: Files) -> None:
    run = live.enqueue("family", {**files, "catch": True})
    assert _end(live, run)["error"]["step"] == "works"
    Path(files["mended"]).touch()
    retry = _again(live, run)
    assert _end(live, retry)["result"] == [10, 11, 0, 1, "failed"]
    assert (_did(files, retry), live.http.get("/v1/runs", params={"parentRunId": retry}).json()["runs"]) == (
        ["tried"],
        [],
    )


def test_async_agents_are_tried_again_too(live: Live, files: Files) -> None:
    run = live.enqueue("beside", files)
    assert _end(live, run)["status"] == "FAILED"
    Path(files["mended"]).touch()
    retry = _again(live, run)
    assert (_end(live, retry)["result"], _did(files, retry)) == (["one", "two", "worked"], ["tried"])


def test_a_run_that_succeeded_says_the_same_again(live: Live, files: Files) -> None:
    Path(files["mended"]).touch()
    run = live.enqueue("tidy", files)
    assert _end(live, run)["result"] == "worked"
    retry = _again(live, run)
    assert (_end(live, retry)["result"], Path(files["log"]).read_text().count(retry)) == ("worked", 0)


# ----------------------------------------------------------------------------------------------------------------- refusals
def test_only_a_run_that_has_ended_is_tried_again(live: Live, files: Files) -> None:
    run = live.enqueue("asking", {"log": files["log"]})
    live.until(lambda: live.run(run)["status"] == "PAUSED", "it asks")
    answer = _retry(live, run)
    assert (answer.status_code, answer.json()["code"]) == (409, "illegal_move")
    assert "PAUSED" in answer.json()["detail"]
    live.cancel(run)


@pytest.mark.parametrize(
    ("body", "status", "code", "says"),
    [
        ({"fromStep": "nope"}, 400, "invalid_request", "it started: first, caught, second, works"),
        ({"fromStep": ""}, 400, "invalid_request", "fromStep"),
        ({"fromStep": "a\x00b"}, 400, "invalid_request", "NUL"),
        ({"fromStep": 7}, 400, "invalid_request", "fromStep"),
        ({"fromStep": "x" * 501}, 400, "invalid_request", "fromStep"),
        ({"fromStep": "first", "input": {}}, 400, "invalid_request", "send only one of them"),
        ({"input": {"log": 7}}, 422, "invalid_input", '"field":"input.mended","detail":"is missing"'),
        ({"input": [1]}, 400, "invalid_request", "must be an object"),
        ({"input": {"log": "\ud800", "mended": ""}}, 422, "invalid_input", "surrogate"),
        ({"from": "first"}, 422, "unknown_field", "from"),
    ],
)
def test_bad_requests_are_refused_by_name_and_store_nothing(
    live: Live, failed: str, body: dict[str, Any], status: int, code: str, says: str
) -> None:
    answer = live.http.post(
        f"/v1/runs/{failed}/retry", content=json.dumps(body), headers={"content-type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert says in answer.text
    with live.connect() as connection:
        assert connection.execute("SELECT FROM run WHERE retry_of = %s", [failed]).fetchall() == []


def test_runs_of_others_are_not_found(live: Live, failed: str) -> None:
    with live.client(live.key("other")) as other:
        assert other.post(f"/v1/runs/{failed}/retry").json()["code"] == "run_not_found"
        assert other.get("/v1/runs", params={"parentRunId": failed}).json()["runs"] == []
    assert live.http.get("/v1/runs", params={"parentRunId": "x"}).json()["code"] == "invalid_request"
