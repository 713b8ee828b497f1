"""Every request gets an answer: never a 500, and always JSON of the documented shape."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MANY = settings(
    max_examples=150, deadline=None, database=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip

texts = st.text(st.characters(codec=None), max_size=20) | st.sampled_from(
    ["\0", "\ud800", "a\udfff", "💥", "x" * 300, ""]
)
numbers = st.integers() | st.floats() | st.sampled_from([10**400, 2**63, -(2**31), 1e308])
plain = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)
NAMES = [
    "agent",
    "input",
    "userId",
    "queue",
    "priority",
    "timeout",
    "metadata",
    "tags",
    "window",
    "runs",
    "reason",
    "grace",
]
names = st.sampled_from(NAMES) | texts
bodies = st.dictionaries(names, values | st.sampled_from(["refund", "echo", "PT5S"]), max_size=6)


NOT_HTTP = "Invalid HTTP request received."  # uvicorn's answer to what is not HTTP: no application ever sees it


def checked(answer: httpx.Response) -> None:
    if (answer.status_code, answer.text) == (400, NOT_HTTP):
        return
    assert answer.status_code < 500, (answer.status_code, answer.text)
    content = answer.json()
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert {"type", "title", "status", "detail", "code"} <= set(content)
        assert content["status"] == answer.status_code


def send(client: httpx.Client, path: str, body: Any) -> None:
    raw = json.dumps(body).encode()
    checked(client.post(path, content=raw, headers={"content-type": "application/json"}))


@MANY
@given(body=bodies)
def test_any_object_as_a_run(acme: httpx.Client, body: dict[str, Any]) -> None:
    send(acme, "/v1/runs", body)
    send(acme, "/v1/runs/batch", {"runs": [body, body]})
    send(acme, "/v1/keys", body)


@MANY
@given(field=st.sampled_from(NAMES), value=values)
def test_any_value_in_any_field(acme: httpx.Client, field: str, value: Any) -> None:
    send(acme, "/v1/runs", {"agent": "echo", field: value})


@MANY
@given(value=st.dictionaries(texts, values, max_size=5))
def test_any_input(acme: httpx.Client, value: dict[str, Any]) -> None:
    raw = json.dumps({"agent": "echo", "input": value}).encode()
    answer = acme.post("/v1/runs", content=raw, headers={"content-type": "application/json"})
    checked(answer)
    if answer.status_code == 201:
        run = answer.json()["runId"]
        assert acme.get(f"/v1/runs/{run}").json()["input"] == json.loads(json.dumps(value))


@MANY
@given(raw=st.binary(max_size=200) | st.text(alphabet='{}[]",:0-9eE.\\u truefalsn', max_size=60).map(str.encode))
def test_any_bytes(acme: httpx.Client, raw: bytes) -> None:
    for path in ("/v1/runs", "/v1/runs/batch", "/v1/keys"):
        checked(acme.post(path, content=raw, headers={"content-type": "application/json"}))


FILTERS = [
    "status",
    "category",
    "agent",
    "queue",
    "tag",
    "metadata.k",
    "createdAfter",
    "createdBefore",
    "userId",
    "limit",
    "cursor",
]
readable = st.text(max_size=12)
moments = st.datetimes().map(lambda moment: moment.isoformat() + "+23:59")


@MANY
@given(
    query=st.lists(
        st.tuples(st.sampled_from(FILTERS) | readable, readable | moments | st.integers().map(str)), max_size=4
    )
)
def test_any_query(acme: httpx.Client, query: list[tuple[str, str]]) -> None:
    checked(acme.get("/v1/runs", params=query))


@MANY
@given(
    name=readable,
    tail=st.sampled_from(["", "/steps", "/events", "/logs", "/sse", "/wait", "/cancel"]),
    query=st.binary(max_size=8),
)
def test_any_address(acme: httpx.Client, name: str, tail: str, query: bytes) -> None:
    path = f"/v1/runs/{quote(name, safe='')}{tail}?afterSeq={quote(query)}"
    checked(acme.delete(path) if not tail else acme.get(path))


@MANY
@given(value=st.binary(min_size=1, max_size=40).filter(lambda raw: not set(raw) & {0, 10, 13} and raw.strip() == raw))
def test_any_header(acme: httpx.Client, value: bytes) -> None:
    try:
        headers = {"idempotency-key": value, "last-event-id": value, "authorization": value}
        request = acme.build_request("POST", "/v1/runs", json={"agent": "nobody"}, headers=headers)
        checked(acme.send(request))
        checked(acme.get("/v1/agents", headers={"x-api-key": value}))
    except (httpx.LocalProtocolError, httpx.RemoteProtocolError):
        pass  # no header can contain it
