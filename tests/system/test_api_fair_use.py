"""Searches take turns: who has many under way, or slow ones, is told so, and nobody who enqueues waits behind them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from api.fair_use import AT_ONCE, OF_A_TENANT
from tests.system.api_server import ApiServer
from tests.system.hand import INPUT

PER_KEY = 2
READ_SECONDS = 4
_WAITING = "SELECT count(*) AS n FROM pg_locks WHERE relation = '\"grant\"'::regclass AND NOT granted"


@pytest.fixture(scope="module")
def api_settings() -> dict[str, str]:
    return {"TAXIWAY_SEARCHES_PER_KEY": str(PER_KEY), "TAXIWAY_READ_TIMEOUT": str(READ_SECONDS)}


@contextmanager
def nothing_reads_grants(api: ApiServer) -> Iterator[None]:
    """Keep the table from all others, as a change of it does."""
    with api.connect() as connection, connection.transaction(force_rollback=True):
        connection.execute('LOCK TABLE "grant" IN ACCESS EXCLUSIVE MODE')
        yield


def until_waiting(api: ApiServer, count: int) -> None:
    with api.connect() as connection:
        for _ in range(100_000):
            row = connection.execute(_WAITING).fetchone()
            if row and row["n"] == count:
                return
    raise AssertionError(count)


def test_a_read_that_takes_too_long_is_given_up_and_says_what_helps(api: ApiServer, acme: httpx.Client) -> None:
    with nothing_reads_grants(api):
        refused = acme.get("/v1/grants")

    assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (503, "unavailable", "2")
    assert "longer than a read may" in refused.json()["detail"]
    assert "createdAfter" in refused.json()["detail"]
    assert acme.get("/v1/grants").status_code == 200


def test_a_key_with_its_searches_under_way_is_told_to_wait_while_others_search_and_it_enqueues(
    api: ApiServer, acme: httpx.Client, other: httpx.Client
) -> None:
    paths = ("/v1/runs", "/v1/approvals", "/v1/grants")
    with ThreadPoolExecutor(PER_KEY + len(paths)) as threads, nothing_reads_grants(api):
        slow = [threads.submit(acme.get, "/v1/grants") for _ in range(PER_KEY)]
        until_waiting(api, PER_KEY)
        assert acme.post("/v1/runs", json={"agent": "refund", "input": INPUT}).status_code == 201
        assert other.get("/v1/runs").status_code == 200
        for refused in threads.map(acme.get, paths):
            assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited"), refused.request.url
            assert refused.headers["retry-after"] == "1"

    assert [one.result().status_code for one in slow] == [200] * PER_KEY
    assert acme.get("/v1/runs").status_code == 200


def test_a_tenant_with_many_keys_leaves_a_place_to_others(
    api: ApiServer, acme: httpx.Client, other: httpx.Client
) -> None:
    with ExitStack() as stack:
        keys = [stack.enter_context(api.client(api.key("acme"))) for _ in range(AT_ONCE)]
        threads = stack.enter_context(ThreadPoolExecutor(PER_KEY * len(keys)))
        stack.enter_context(nothing_reads_grants(api))
        slow = [threads.submit(key.get, "/v1/grants") for key in keys * PER_KEY]
        until_waiting(api, OF_A_TENANT)
        assert acme.get("/v1/runs").status_code == 429
        assert other.get("/v1/runs").status_code == 200
    assert sorted({one.result().status_code for one in slow}) == [200, 429]
