"""Every call needs a key with its scope, and shows nothing of another tenant."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator

import httpx
import pytest

from tests.system.api_server import ApiServer
from tests.system.refusals import GOOD, JSON, problem

CALLS = [
    ("POST", "/v1/runs"), ("POST", "/v1/runs/batch"), ("GET", "/v1/runs"), ("GET", "/v1/runs/{run}"),
    ("GET", "/v1/runs/{run}/steps"), ("GET", "/v1/runs/{run}/events"), ("GET", "/v1/runs/{run}/logs"),
    ("GET", "/v1/runs/{run}/sse"), ("GET", "/v1/runs/{run}/wait"), ("DELETE", "/v1/runs/{run}"),
    ("POST", "/v1/runs/{run}/cancel"), ("GET", "/v1/agents"), ("GET", "/v1/workers"), ("GET", "/v1/capacity"),
    ("GET", "/v1/keys"), ("POST", "/v1/keys"), ("DELETE", "/v1/keys/{run}"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_every_call_needs_a_valid_key_with_the_scope(
    api: ApiServer, no_scope: httpx.Client, nothing_stored: None, method: str, path: str
) -> None:
    where = path.format(run=uuid.uuid4())
    content = json.dumps(GOOD).encode() if method == "POST" else None
    with api.client(None) as nobody:
        answer = nobody.request(method, where, content=content, headers=JSON)
        problem(answer, 401, "unauthenticated")
        assert "www-authenticate" in answer.headers
        for headers in (
            {"x-api-key": "tw_wrong"},
            {"authorization": "Bearer tw_wrong"},
            {"authorization": "Basic eDp5"},
        ):
            problem(nobody.request(method, where, content=content, headers=JSON | headers), 401, "unauthenticated")
    problem(no_scope.request(method, where, content=content, headers=JSON), 403, "forbidden")


@pytest.fixture(scope="module")
def no_scope(api: ApiServer, acme: httpx.Client) -> Iterator[httpx.Client]:
    with api.client(api.key("acme", ("decide",))) as client:
        yield client


RUN_CALLS = [call for call in CALLS if "/runs/{run}" in call[1]]


@pytest.mark.parametrize(("method", "path"), RUN_CALLS)
def test_a_run_of_another_tenant_is_as_unknown_as_none(
    acme: httpx.Client, other: httpx.Client, method: str, path: str
) -> None:
    run = acme.post("/v1/runs", json=GOOD).json()["runId"]
    headers = JSON if method == "POST" else {}
    content = b"{}" if method == "POST" else None
    foreign = other.request(method, path.format(run=run), content=content, headers=headers)
    absent = other.request(method, path.format(run=uuid.uuid4()), content=content, headers=headers)
    assert problem(foreign, 404, "run_not_found") == problem(absent, 404, "run_not_found")
    assert acme.get(f"/v1/runs/{run}").json()["status"] == "QUEUED"
