"""Bulk operations: the filter is exact, its runs are counted before, and never guessed; the scheduler does the rest."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

from models.runtime.database import set_up
from scheduler.duties.bulk import Bulks
from tests.postgres.stepping import do
from tests.system.api_server import ApiServer
from tests.system.fake_worker import FakeWorker
from tests.system.test_api_windows import refused

JSON = {"content-type": "application/json"}
BULK = "/v1/runs/bulk"


@pytest.fixture
def tag() -> str:
    """Return a tag that only the runs of this test have."""
    return f"t-{uuid.uuid4().hex[:8]}"


@pytest.fixture(autouse=True)
def all_over(api: ApiServer) -> Iterator[None]:
    yield
    with api.connect() as connection:
        connection.execute("DELETE FROM bulk")


def enqueue(client: httpx.Client, *tags: str, **more: Any) -> str:
    answer = client.post("/v1/runs", json={"agent": "echo", "tags": list(tags), **more})
    assert answer.status_code == 201, answer.text
    made: str = answer.json()["runId"]
    return made


def ask(client: httpx.Client, action: str, *, dry: bool = False, **where: Any) -> dict[str, Any]:
    answer = client.post(f"{BULK}/{action}", json={"filter": where, "dryRun": dry})
    assert answer.status_code == 202, answer.text
    body: dict[str, Any] = answer.json()
    return body


def carry_out(api: ApiServer) -> None:
    """Do what the leading scheduler does."""
    with api.connect() as connection:
        set_up(connection)
        duty = Bulks(5.0)
        while connection.execute("SELECT FROM bulk WHERE finished_at IS NULL").fetchone() is not None:
            duty._next = 0.0
            do(duty, connection)


def status(client: httpx.Client, run: str) -> str:
    shown: str = client.get(f"/v1/runs/{run}").json()["status"]
    return shown


def test_runs_are_counted_and_nothing_is_stored(acme: httpx.Client, api: ApiServer, tag: str) -> None:
    for _ in range(3):
        enqueue(acme, tag)
    assert ask(acme, "cancel", dry=True, tag=[tag]) == {
        "bulkId": None, "action": "cancel", "dryRun": True, "filter": {"tag": [tag]}, "matched": 3, "done": 0, "skipped": 0,
        "countedAll": True, "failed": 0, "by": "test", "createdAt": None, "finishedAt": None,
    }  # fmt: skip
    assert ask(acme, "resume", dry=True, tag=[tag])["matched"] == 0
    with api.connect() as connection:
        assert connection.execute("SELECT FROM bulk").fetchall() == []


def test_an_operation_is_accepted_carried_out_and_shown(acme: httpx.Client, api: ApiServer, tag: str) -> None:
    runs, other = [enqueue(acme, tag) for _ in range(3)], enqueue(acme)
    asked = ask(acme, "cancel", tag=[tag])
    assert (asked["matched"], asked["done"], asked["finishedAt"], asked["dryRun"]) == (3, 0, None, False)
    shown = acme.get(f"{BULK}/{asked['bulkId']}")
    assert (shown.status_code, shown.json()) == (200, asked)
    later = enqueue(acme, tag)
    carry_out(api)
    ended = acme.get(f"{BULK}/{asked['bulkId']}").json()
    assert (ended["done"], ended["skipped"], ended["failed"]) == (3, 0, 0)
    assert ended["finishedAt"] >= ended["createdAt"]
    assert [status(acme, run) for run in (*runs, other, later)] == ["CANCELED"] * 3 + ["QUEUED"] * 2
    last = acme.get(f"/v1/runs/{runs[0]}/events").json()["events"][-1]
    assert (last["event"], last["status"], last["reason"], last["by"]) == ("end", "CANCELED", "by_user", "test")


def test_runs_are_held_and_let_go_and_tried_again(
    acme: httpx.Client, api: ApiServer, fake_worker: FakeWorker, tag: str
) -> None:
    held, failed = enqueue(acme, tag), enqueue(acme, tag, metadata={"team": "a"})
    fake_worker.fail(fake_worker.take(failed))
    assert ask(acme, "pause", tag=[tag])["matched"] == 1
    carry_out(api)
    assert acme.get(f"/v1/runs/{held}").json()["controlRequest"] == "pause"
    assert ask(acme, "resume", tag=[tag])["matched"] == 1
    carry_out(api)
    assert acme.get(f"/v1/runs/{held}").json()["controlRequest"] is None
    ask(acme, "retry", tag=[tag], status=["FAILED"])
    carry_out(api)
    [again] = [run for run in acme.get("/v1/runs", params={"tag": tag}).json()["runs"] if run["retryOf"]]
    assert (again["retryOf"], again["status"], again["metadata"]) == (failed, "QUEUED", {"team": "a"})


FILTERS: list[dict[str, Any]] = [
    {"status": ["QUEUED"]}, {"status": ["QUEUED", "PAUSED", "QUEUED"]}, {"category": "processing"}, {"category": "paused"},
    {"agent": "echo"}, {"agent": "refund"}, {"queue": "default"}, {"queue": "x"}, {"metadata": {"k": "v"}},
    {"metadata": {"k": "other"}}, {"userId": "ann"}, {"userId": "bo"}, {"parentRunId": "0195a3c4-6f2b-7c1d-9e00-4b1c5d6e7f80"},
    {"createdAfter": "2020-01-01T00:00:00+23:59"}, {"createdBefore": "2020-01-01T00:00:00Z"},
]  # fmt: skip


@pytest.mark.parametrize("where", FILTERS, ids=json.dumps)
def test_the_filter_means_what_the_list_of_runs_shows(acme: httpx.Client, tag: str, where: dict[str, Any]) -> None:
    enqueue(acme, tag, metadata={"k": "v"}, userId="ann")
    acme.post(f"/v1/runs/{enqueue(acme, tag)}/cancel")
    params: dict[str, Any] = {name: value for name, value in where.items() if name != "metadata"}
    params |= {f"metadata.{name}": value for name, value in where.get("metadata", {}).items()}
    listed = acme.get("/v1/runs", params={"tag": tag, **params}).json()["runs"]
    alive = [run for run in listed if run["category"] != "terminal"]
    assert ask(acme, "cancel", dry=True, tag=[tag], **where)["matched"] == len(alive)


# --------------------------------------------------------------------------------------------------------------- refusals
CASES: list[tuple[Any, str, str, str]] = [
    ({"filter": {}}, "invalid_request", "filter", "names no criterion"),
    ({}, "invalid_request", "filter", "required"),
    ({"filter": None}, "invalid_request", "filter", ""),
    ({"filter": []}, "invalid_request", "filter", ""),
    ({"filter": {"agent": None}}, "invalid_request", "filter.agent", "must not be null"),
    ({"filter": {"agent": "echo", "status": []}}, "invalid_request", "filter.status", "at least 1"),
    ({"filter": {"agent": "echo", "tag": []}}, "invalid_request", "filter.tag", "at least 1"),
    ({"filter": {"agent": "echo", "metadata": {}}}, "invalid_request", "filter.metadata", "at least 1"),
    ({"filter": {"status": "QUEUED"}}, "invalid_request", "filter.status", ""),
    ({"filter": {"status": ["DONE"]}}, "invalid_request", "filter.status[0]", "QUEUED"),
    ({"filter": {"category": "all"}}, "invalid_request", "filter.category", "processing"),
    ({"filter": {"agent": ""}}, "invalid_request", "filter.agent", ""),
    ({"filter": {"agent": "a\0"}}, "invalid_request", "filter.agent", "NUL"),
    ({"filter": {"tag": ["\ud800"]}}, "invalid_request", "filter.tag[0]", "surrogate"),
    ({"filter": {"metadata": {"k": 1}}}, "invalid_request", "filter.metadata.k", ""),
    ({"filter": {"createdAfter": "yesterday"}}, "invalid_request", "filter.createdAfter", "offset"),
    ({"filter": {"createdAfter": "2026-01-01T00:00:00"}}, "invalid_request", "filter.createdAfter", "offset"),
    ({"filter": {"parentRunId": "x"}}, "invalid_request", "filter.parentRunId", "id of a run"),
    ({"filter": {"parentRunId": 7}}, "invalid_request", "filter.parentRunId", "id of a run"),
    ({"filter": {"agent": "echo"}, "dryRun": "no"}, "invalid_request", "dryRun", ""),
    ({"filter": {"agent": "echo"}, "dryRun": None}, "invalid_request", "dryRun", ""),
    ({"filter": {"agents": "echo"}}, "unknown_field", "filter.agents", ""),
    ({"filter": {"metadata.k": "v"}}, "unknown_field", "filter.metadata.k", ""),
    ({"filter": {"agent": "echo"}, "dryrun": True}, "unknown_field", "dryrun", ""),
    ({"filter": {"agent": "echo"}, "reason": "x"}, "unknown_field", "reason", ""),
    ([], "invalid_json", "", ""),
]  # fmt: skip


@pytest.mark.parametrize("action", ["cancel", "retry"])
@pytest.mark.parametrize(("body", "code", "field", "says"), CASES, ids=[json.dumps(case[0]) for case in CASES])
def test_what_is_not_said_exactly_is_refused_and_nothing_is_stored(
    acme: httpx.Client, api: ApiServer, run: str, body: Any, code: str, field: str, says: str, action: str
) -> None:
    answer = acme.post(f"{BULK}/{action}", content=json.dumps(body), headers=JSON)
    document = refused(answer, 422 if code == "unknown_field" else 400, code)
    assert [error["field"] for error in document.get("errors", [])] == ([field] if field else [])
    assert says in answer.text
    with api.connect() as connection:
        assert connection.execute("SELECT FROM bulk").fetchall() == []
    assert status(acme, run) == "QUEUED"


@pytest.mark.parametrize("action", ["delete", "Cancel", "signal", "%00"])
def test_other_actions_are_refused_with_those_that_there_are(acme: httpx.Client, action: str) -> None:
    answer = acme.post(f"{BULK}/{action}", json={"filter": {"agent": "echo"}})
    refused(answer, 400, "invalid_request")
    assert action == "%00" or "'cancel', 'pause', 'resume' or 'retry'" in answer.json()["detail"]


def test_only_the_callers_own_runs_are_meant_and_only_its_own_operations_shown(
    acme: httpx.Client, other: httpx.Client, api: ApiServer, tag: str
) -> None:
    run = enqueue(acme, tag)
    assert ask(other, "cancel", tag=[tag])["matched"] == 0
    assert ask(other, "cancel", category="processing")["matched"] == 0
    carry_out(api)
    assert status(acme, run) == "QUEUED"
    asked = ask(acme, "cancel", tag=[tag])["bulkId"]
    foreign, absent = other.get(f"{BULK}/{asked}"), other.get(f"{BULK}/{uuid.uuid4()}")
    assert refused(foreign, 404, "not_found") == refused(absent, 404, "not_found")
    refused(acme.get(f"{BULK}/nothing"), 404, "not_found")


def test_it_needs_the_scopes_of_the_calls_for_one_run(api: ApiServer, run: str) -> None:
    body = {"filter": {"agent": "echo"}}
    for scope, posts, gets in (("read", 403, 404), ("enqueue", 202, 403), ("decide", 403, 403)):
        with api.client(api.key("acme", (scope,))) as client:
            assert client.post(f"{BULK}/pause", json=body).status_code == posts
            assert client.get(f"{BULK}/{uuid.uuid4()}").status_code == gets
    with api.client(None) as nobody:
        refused(nobody.post(f"{BULK}/pause", json=body), 401, "unauthenticated")


def test_a_tenant_has_only_a_few_under_way(acme: httpx.Client, other: httpx.Client, api: ApiServer) -> None:
    answers = [acme.post(f"{BULK}/pause", json={"filter": {"agent": "nobody"}}) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [202] * 10 + [409]
    assert "Your tenant runs 10 such operations already" in refused(answers[-1], 409, "conflict")["detail"]
    ask(acme, "pause", dry=True, agent="nobody")
    ask(other, "pause", agent="nobody")
    carry_out(api)
    ask(acme, "pause", agent="nobody")


def test_a_body_of_megabytes_is_too_large_and_no_json_is_no_media_type(acme: httpx.Client) -> None:
    large = json.dumps({"filter": {"tag": ["x" * 400_000]}})
    refused(acme.post(f"{BULK}/cancel", content=large, headers=JSON), 413, "payload_too_large")
    refused(acme.post(f"{BULK}/cancel", content="{}"), 415, "unsupported_media_type")


values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.datetimes().map(lambda at: at.isoformat() + "+23:59"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
NAMES = [
    "status",
    "category",
    "agent",
    "queue",
    "tag",
    "metadata",
    "createdAfter",
    "createdBefore",
    "userId",
    "parentRunId",
]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), values, max_size=4), dry=values)
def test_any_filter_is_answered_or_refused_in_words(acme: httpx.Client, where: dict[str, Any], dry: Any) -> None:
    for body in (
        {"filter": where, "dryRun": True},
        {"filter": where, "dryRun": dry},
        {"filter": {**where, "agent": "nobody"}},
    ):
        answer = acme.post(f"{BULK}/cancel", content=json.dumps(body), headers=JSON)
        assert answer.status_code in {202, 400, 409, 422}, answer.text
        assert answer.status_code == 202 or answer.json()["detail"]


def test_times_at_the_ends_of_the_calendar_are_taken(acme: httpx.Client, api: ApiServer, tag: str) -> None:
    run = enqueue(acme, tag)
    for after, before in (("1970-01-01T00:00:00+23:59", "8999-12-31T23:59:59-23:59"), ("1970-01-01T00:00:00Z", None)):
        where = {"createdAfter": after, **({"createdBefore": before} if before else {})}
        assert ask(acme, "cancel", dry=True, tag=[tag], **where)["matched"] == 1
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    ask(acme, "cancel", tag=[tag], createdAfter="1970-01-01T00:00:00+23:59", createdBefore=soon)
    carry_out(api)
    assert status(acme, run) == "CANCELED"


def test_the_runs_of_a_parent_are_meant_by_its_id(acme: httpx.Client, api: ApiServer, fake_worker: FakeWorker) -> None:
    parent, child = enqueue(acme), enqueue(acme)
    fake_worker.connection.execute("UPDATE run SET parent_run_id = %s, parent_key = 'k' WHERE id = %s", [parent, child])
    assert ask(acme, "cancel", parentRunId=parent)["filter"] == {"parentRunId": parent}
    carry_out(api)
    assert (status(acme, parent), status(acme, child)) == ("QUEUED", "CANCELED")


# --------------------------------------------------------------------------------------------- runs that were deleted since
def _forget(api: ApiServer, run: str) -> None:
    with api.connect() as connection:
        connection.row_factory = dict_row  # type: ignore[assignment]
        for table, column in (("payload", "run_id"), ("event", "run_id"), ("run", "id")):
            connection.execute(f"DELETE FROM {table} WHERE {column} = %s", [run])


def test_an_equal_request_does_not_make_again_what_was_deleted(acme: httpx.Client, api: ApiServer, tag: str) -> None:
    one, two = {"idempotency-key": f"{tag}-1"}, {"idempotency-key": f"{tag}-2"}
    body, batch = {"agent": "echo", "tags": [tag]}, {"runs": [{"agent": "echo"}, {"agent": "echo"}]}
    run = acme.post("/v1/runs", json=body, headers=one).json()["runId"]
    first, second = [made["runId"] for made in acme.post("/v1/runs/batch", json=batch, headers=two).json()["runs"]]
    _forget(api, run)
    _forget(api, first)
    before = api.rows()
    for answer, gone in (
        (acme.post("/v1/runs", json=body, headers=one), run),
        (acme.post("/v1/runs/batch", json=batch, headers=two), first),
    ):
        document = refused(answer, 404, "run_not_found")
        assert document["deleted"] == [gone]
        assert f"made run {gone}, which ended long ago and was deleted" in document["detail"]
    assert refused(acme.post("/v1/runs", json={"agent": "echo"}, headers=one), 409, "idempotency_mismatch")
    assert (api.rows(), status(acme, second)) == (before, "QUEUED")


def test_a_run_that_was_deleted_is_not_found_by_any_call(acme: httpx.Client, api: ApiServer, run: str) -> None:
    acme.post(f"/v1/runs/{run}/cancel")
    _forget(api, run)
    for call in ("", "/steps", "/events", "/logs", "/sse", "/wait"):
        refused(acme.get(f"/v1/runs/{run}{call}"), 404, "run_not_found")
    for call in ("cancel", "pause", "resume", "retry", "signals/x"):
        refused(acme.post(f"/v1/runs/{run}/{call}"), 404, "run_not_found")
