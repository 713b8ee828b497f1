"""Both clients send the same filter, and follow an operation until it has ended."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest
from taxiway.client import BulkView, NotFound, bulk

from tests.rules.canned import KINDS, Canned, Speaker, problem
from tests.rules.test_cli_bulk import BULK_ID, COUNTED, operation


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "LOOK_SECONDS", 0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_runs_are_counted_without_anything_being_done(kind: Speaker) -> None:
    server = Canned(httpx.Response(202, json=COUNTED))
    where = {"status": "FAILED", "tag": ["a", "b"], "agent": None, "created_after": datetime(2026, 1, 1, tzinfo=UTC)}
    seen = kind(server).call("bulk", "retry", dry_run=True, **where)
    assert (seen.id, seen.matched, seen.finished, seen.raw) == (None, 1200, True, COUNTED)
    assert (server.last.method, server.last.url.path) == ("POST", "/v1/runs/bulk/retry")
    assert server.body() == {
        "filter": {"status": ["FAILED"], "tag": ["a", "b"], "createdAfter": "2026-01-01T00:00:00+00:00"},
        "dryRun": True,
    }


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_list_is_sent_as_it_is_and_does_not_mean_everything(kind: Speaker) -> None:
    server = Canned(problem(400, "invalid_request", "filter.status must have at least 1 item"))
    with pytest.raises(Exception, match="at least 1 item"):
        kind(server).call("bulk", "cancel", agent="greet", status=[])
    assert server.body()["filter"] == {"agent": "greet", "status": []}


@pytest.mark.parametrize("kind", KINDS)
def test_progress_is_followed_to_the_end(kind: Speaker) -> None:
    answers = [operation(0), operation(700), operation(1200, ended=True)]
    server = Canned(*(httpx.Response(200, json=answer) for answer in answers))
    seen: list[BulkView] = kind(server).listed("bulk_progress", bulk_id=BULK_ID)
    assert [(one.done, one.finished) for one in seen] == [(0, False), (700, False), (1200, True)]
    assert server.last.url.path == f"/v1/runs/bulk/{BULK_ID}"
    assert kind(server).call("bulk_operation", BULK_ID) == seen[-1]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_operation_is_an_error_at_once(kind: Speaker) -> None:
    server = Canned(problem(404, "not_found", "There is no operation on many runs with this id"))
    with pytest.raises(NotFound):
        kind(server).listed("bulk_progress", bulk_id="x")
    assert len(server.requests) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_criterion_and_no_action_is_refused_before_anything_is_sent(kind: Speaker) -> None:
    server = Canned(httpx.Response(202, json=COUNTED))
    with pytest.raises(TypeError, match="owner is not a criterion; the criteria are: status"):
        kind(server).call("bulk", "cancel", owner="x")
    for action in ("", ".", ".."):
        with pytest.raises(ValueError, match="is no action"):
            kind(server).call("bulk", action, agent="x")
    assert server.requests == []
