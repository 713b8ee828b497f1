"""Enqueueing, listing, cancelling and retrying runs: requests and answers."""

from __future__ import annotations

import dataclasses
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
from taxiway import client as api
from taxiway.client.options import NewRunOptions

from tests.rules.canned import KINDS, RUN_ID, Canned, Speaker, both, problem, run


@both
def test_enqueue_sends_what_was_given_and_nothing_else(speak: Speaker) -> None:
    server = Canned(httpx.Response(201, json=run()))
    handle = speak(server).call("enqueue", "greet", {"name": "Ann"}, idempotency_key="k1", timeout="15m", tags=("a",))
    assert server.last.method == "POST"
    assert server.last.url.path == "/v1/runs"
    assert server.body() == {"agent": "greet", "input": {"name": "Ann"}, "timeout": 900, "tags": ["a"]}
    assert server.last.headers["idempotency-key"] == "k1"
    assert server.last.headers["x-api-key"] == "key"
    assert server.last.headers["content-type"] == "application/json"
    assert handle.id == RUN_ID
    assert handle.accepted is not None
    assert not handle.accepted.replayed


@both
def test_enqueue_says_when_the_same_request_had_made_the_run(speak: Speaker) -> None:
    handle = speak(Canned(httpx.Response(200, json=run("RUNNING")))).call("enqueue", "greet", idempotency_key="k1")
    assert handle.accepted is not None
    assert handle.accepted.replayed


def test_enqueue_names_every_field_as_the_api_does() -> None:
    server = Canned(httpx.Response(201, json=run()))
    new = api.NewRun("greet", {}, "u1", "fast", -5, timedelta(minutes=2), {"team": "a"}, ["x", "y"], "ON_START")
    server.answers = [httpx.Response(201, json={"runs": [run(), run()]})]
    handles = KINDS[0](server).call("enqueue_batch", [new, {"agent": "other"}], idempotency_key="b1")
    assert [handle.id for handle in handles] == [RUN_ID, RUN_ID]
    assert server.last.headers["idempotency-key"] == "b1"
    assert server.body()["runs"] == [
        {
            "agent": "greet",
            "input": {},
            "userId": "u1",
            "queue": "fast",
            "priority": -5,
            "timeout": 120,
            "metadata": {"team": "a"},
            "tags": ["x", "y"],
            "approvalStrategy": "ON_START",
        },
        {"agent": "other"},
    ]


@both
def test_a_run_says_when_it_may_begin_and_what_it_must_not_meet(speak: Speaker) -> None:
    shown = run(
        concurrencyKey="A7",
        onConflict="skip",
        notBefore="2026-03-01T08:30:00.000Z",
        expiresAt="2026-03-01T10:00:00.000Z",
    )
    server = Canned(httpx.Response(201, json=shown))
    berlin = timezone(timedelta(hours=1))
    handle = speak(server).call(
        "enqueue", "greet", not_before=datetime(2026, 3, 1, 9, 30, tzinfo=berlin), expires_in="2h", concurrency_key="A7",
        on_conflict="skip",
    )  # fmt: skip
    assert server.body() == {
        "agent": "greet", "notBefore": "2026-03-01T09:30:00+01:00", "expiresIn": 7200, "concurrencyKey": "A7",
        "onConflict": "skip",
    }  # fmt: skip
    assert handle.accepted is not None
    view = handle.accepted.run
    assert (view.concurrency_key, view.on_conflict) == ("A7", "skip")
    assert (view.open_waits, view.awaits) == ((), ())
    assert (view.not_before, view.expires_at) == (
        datetime(2026, 3, 1, 8, 30, tzinfo=UTC),
        datetime(2026, 3, 1, 10, tzinfo=UTC),
    )
    speak(server).call("enqueue", "greet", not_before="2026-03-01T09:30:00Z", expires_in=0.5)
    assert server.body() == {"agent": "greet", "notBefore": "2026-03-01T09:30:00Z", "expiresIn": 0.5}


@both
def test_a_beginning_that_could_be_any_is_never_sent(speak: Speaker) -> None:
    server = Canned(httpx.Response(201, json=run()))
    with pytest.raises(ValueError, match="not_before needs a time zone"):
        speak(server).call("enqueue", "greet", not_before=datetime(2026, 3, 1))
    with pytest.raises(ValueError, match="no duration"):
        speak(server).call("enqueue", "greet", expires_in="soon")
    assert server.requests == []


@both
def test_of_a_queue_what_is_given_is_sent_and_none_takes_away(speak: Speaker) -> None:
    server = Canned(httpx.Response(200, json={"name": "slow jobs"}))
    client = speak(server)
    assert client.call("put_queue", "slow jobs") == {"name": "slow jobs"}
    assert (server.last.method, server.last.url.raw_path, server.body()) == ("PUT", b"/v1/queues/slow%20jobs", {})
    client.call(
        "put_queue", "q", limit=20, tenant_limit=5, key_limit=2, hold_keys=True, rate={"limit": 100, "per": timedelta(minutes=1)},
        weights={"acme": 2}, cordoned=True, paused=False, window="night",
    )  # fmt: skip
    assert server.body() == {
        "limit": 20, "tenantLimit": 5, "keyLimit": 2, "holdKeys": True, "rate": {"limit": 100, "per": 60},
        "weights": {"acme": 2}, "cordoned": True, "paused": False, "window": "night",
    }  # fmt: skip
    client.call("put_queue", "q", limit=None, tenant_limit=None, key_limit=None, rate=None, weights=None, window=None)
    assert server.body() == dict.fromkeys(("limit", "tenantLimit", "keyLimit", "rate", "weights", "window"))
    client.call("put_queue", "q", rate={"limit": 1})
    assert server.body() == {"rate": {"limit": 1}}, "what is missing is for the server to say"


@both
def test_of_an_agent_what_is_given_is_sent_and_none_takes_away(speak: Speaker) -> None:
    server = Canned(httpx.Response(200, json={"name": "greet"}))
    speak(server).call("put_agent", "greet", limit=4, window=None)
    assert (server.last.url.path, server.body()) == ("/v1/agents/greet", {"limit": 4, "window": None})


@both
@pytest.mark.parametrize(
    ("call", "options", "named"),
    [
        ("put_queue", {"colour": "red"}, "colour"),
        ("put_agent", {"tenant_limit": 1}, "tenant_limit"),
        ("put_window", {"cron": "0 9 * * *", "duration": "1h"}, "timezone"),
        ("put_provider", {"authorize_url": "https://a", "token_url": "https://b"}, "client_id"),
        ("enqueue", {"colour": "red"}, "colour"),
    ],
)
def test_an_option_that_is_unknown_or_missing_is_refused_by_name(
    speak: Speaker, call: str, options: dict[str, Any], named: str
) -> None:
    server = Canned(httpx.Response(200, json={}))
    with pytest.raises(TypeError, match=named):
        speak(server).call(call, "q", **options)
    assert server.requests == []


def test_the_options_of_enqueue_are_the_fields_of_a_new_run() -> None:
    fields = [field.name for field in dataclasses.fields(api.NewRun)]
    assert {*NewRunOptions.__annotations__, "agent", "input"} == set(fields)


@both
@pytest.mark.parametrize("value", [math.nan, math.inf, object()])
def test_an_input_that_json_cannot_hold_is_never_sent(speak: Speaker, value: object) -> None:
    server = Canned(httpx.Response(201, json=run()))
    with pytest.raises((ValueError, TypeError)):
        speak(server).call("enqueue", "greet", {"x": value})
    assert server.requests == []


@both
def test_a_run_is_read_into_a_view_that_keeps_everything(speak: Speaker) -> None:
    raw = run(
        "FAILED",
        error={"code": "step_error", "type": "ValueError", "message": "no", "step": "fetch", "attempts": 3},
        stepsFinished=[{"key": "a#b#1", "name": "a", "status": "succeeded", "attempts": 1, "durationMs": 12}],
        stepsTotal=1,
        somethingNew=True,
    )
    server = Canned(httpx.Response(200, json=raw))
    view = speak(server).on_run("get", outputs=True)
    assert server.last.url.query == b"includeOutputs=true"
    assert view.finished
    assert view.error is not None
    assert (view.error.code, view.error.step, view.error.attempts) == ("step_error", "fetch", 3)
    assert (view.steps[0].name, view.steps[0].duration_ms) == ("a", 12)
    assert view.created_at == datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
    assert view.raw["somethingNew"] is True


@both
def test_runs_walks_all_pages_and_sends_every_criterion(speak: Speaker) -> None:
    pages = [{"runs": [run()] * 2, "nextCursor": "c1"}, {"runs": [run()], "nextCursor": None}]
    server = Canned(*(httpx.Response(200, json=page) for page in pages))
    found = speak(server).listed(
        "runs",
        status=["FAILED", "CANCELED"],
        agent="greet",
        tag="t",
        user_id="u1",
        metadata={"team": "a b"},
        created_after=datetime(2026, 1, 1, tzinfo=UTC),
        queue=None,
    )
    assert len(found) == 3
    first, second = (request.url.params for request in server.requests)
    assert first.get_list("status") == ["FAILED", "CANCELED"]
    assert dict(first) | {"status": ""} == {
        "status": "",
        "agent": "greet",
        "tag": "t",
        "userId": "u1",
        "metadata.team": "a b",
        "createdAfter": "2026-01-01T00:00:00+00:00",
        "limit": "200",
    }
    assert second["cursor"] == "c1"
    assert second["agent"] == "greet"


@both
def test_runs_stops_at_its_limit_without_asking_for_more(speak: Speaker) -> None:
    server = Canned(httpx.Response(200, json={"runs": [run()] * 3, "nextCursor": "c1"}))
    assert len(speak(server).listed("runs", limit=3)) == 3
    assert len(server.requests) == 1
    assert server.last.url.params["limit"] == "3"


@both
def test_pages_that_are_short_or_empty_are_not_the_last(speak: Speaker) -> None:
    pages = [{"runs": [], "nextCursor": "c1"}, {"runs": [run()], "nextCursor": "c2"}, {"runs": [], "nextCursor": "c3"}]
    last = {"runs": [run()] * 5, "nextCursor": "c4"}
    server = Canned(*(httpx.Response(200, json=page) for page in (*pages, last)))
    assert len(speak(server).listed("runs", limit=3, agent="rare")) == 3
    assert [request.url.params.get("cursor") for request in server.requests] == [None, "c1", "c2", "c3"]


@both
def test_a_list_waits_where_the_server_wants_fewer_at_once_and_other_calls_say_so(speak: Speaker) -> None:
    slow = problem(429, "rate_limited", "Fewer at once.", headers={"retry-after": "0"})
    server = Canned(slow, slow, httpx.Response(200, json={"runs": [run()], "nextCursor": None}))
    assert len(speak(server).listed("runs")) == 1
    assert len(server.requests) == 3
    with pytest.raises(api.RateLimited):
        speak(Canned(slow)).call("agents")


def test_a_cursor_that_repeats_itself_does_not_walk_for_ever() -> None:
    server = Canned(httpx.Response(200, json={"runs": [run()], "nextCursor": "same"}))
    assert len(KINDS[0](server).listed("runs")) == 2


def test_an_unknown_criterion_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="colour"):
        KINDS[0](Canned(httpx.Response(500))).listed("runs", colour="red")


@both
@pytest.mark.parametrize(("method", "member"), [("agents", "agents"), ("workers", "workers"), ("capacity", "queues")])
def test_the_installation_is_listed(speak: Speaker, method: str, member: str) -> None:
    server = Canned(httpx.Response(200, json={member: [{"name": "x"}]}))
    assert speak(server).call(method) == [{"name": "x"}]
    assert server.last.url.path == f"/v1/{method}"


@both
def test_cancel_sends_reason_and_grace(speak: Speaker) -> None:
    server = Canned(httpx.Response(202, json=run("RUNNING", controlRequest="cancel")))
    view = speak(server).on_run("cancel", "wrong file", grace="2s")
    assert server.last.url.path == f"/v1/runs/{RUN_ID}/cancel"
    assert server.body() == {"reason": "wrong file", "grace": 2}
    assert not view.finished


@both
def test_pause_sends_its_reason_and_resume_nothing(speak: Speaker) -> None:
    server = Canned(httpx.Response(200, json=run("PAUSED", pause={"kind": "user", "reason": "by_user"})))
    view = speak(server).on_run("pause", "prices")
    assert (server.last.url.path, server.body()) == (f"/v1/runs/{RUN_ID}/pause", {"reason": "prices"})
    assert view.paused_by_user
    server = Canned(httpx.Response(200, json=run("RUNNING")))
    assert not speak(server).on_run("resume").paused_by_user
    assert (server.last.url.path, server.body()) == (f"/v1/runs/{RUN_ID}/resume", {})


@both
def test_a_signal_carries_its_payload_and_its_id(speak: Speaker) -> None:
    server = Canned(httpx.Response(202, json=run("RUNNING")), httpx.Response(202, json=run("RUNNING")))
    client = speak(server)
    client.on_run("signal", "paid in full?", {"amount": 3}, id="p-1")
    assert server.last.url.raw_path.decode() == f"/v1/runs/{RUN_ID}/signals/paid%20in%20full%3F"
    assert server.body() == {"payload": {"amount": 3}, "id": "p-1"}
    client.on_run("signal", "go")
    assert server.body() == {"payload": None}


def test_no_run_id_can_name_another_resource() -> None:
    server = Canned(httpx.Response(200, json=run()))
    with api.Client("http://host", "key", transport=server.transport) as client:
        client.run("../keys?x=1").get()
        assert server.last.url.raw_path == b"/v1/runs/..%2Fkeys%3Fx%3D1"
        with pytest.raises(ValueError, match="run id"):
            client.run("..").get()


@both
def test_retry_sends_what_was_said_and_gives_a_handle_on_the_new_run(speak: Speaker) -> None:
    server = Canned(httpx.Response(201, json=run(retryOf="old")))
    handle = speak(server).on_run("retry", from_step="second", idempotency_key="k")
    assert (handle.id, handle.accepted.replayed) == (RUN_ID, False)
    assert (server.last.url.path, server.body()) == (f"/v1/runs/{RUN_ID}/retry", {"fromStep": "second"})
    assert server.last.headers["idempotency-key"] == "k"
    server = Canned(httpx.Response(200, json=run()))
    assert speak(server).on_run("retry", input={}).accepted.replayed
    assert server.body() == {"input": {}}
