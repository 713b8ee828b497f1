"""Calls that read take turns: a key with too many in progress is refused, and no enqueue waits behind them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from api.build import build
from api.http.fair_use import OF_A_TENANT, READS_AT_ONCE, READS_PER_KEY, SEARCHES_AT_ONCE
from tests.system.api_server import ApiServer
from tests.system.fake_worker import INPUT, FakeWorker
from tests.system.following import enqueue

PER_KEY = 2
READ_SECONDS = 4
GRANTS = '"grant"'
_WAITING = "SELECT count(*) AS n FROM pg_locks WHERE relation = '{}'::regclass AND NOT granted"


@pytest.fixture(scope="module")
def api_settings() -> dict[str, str]:
    return {"TAXIWAY_SEARCHES_PER_KEY": str(PER_KEY), "TAXIWAY_READ_TIMEOUT": str(READ_SECONDS)}


@contextmanager
def nothing_reads(api: ApiServer, table: str) -> Iterator[None]:
    """Lock a table against all reads, as a change of its schema does."""
    with api.connect() as connection, connection.transaction(force_rollback=True):
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        yield


def until_waiting(api: ApiServer, table: str, count: int) -> None:
    with api.connect() as connection:
        for _ in range(100_000):
            row = connection.execute(_WAITING.format(table).encode()).fetchone()
            if row and row["n"] == count:
                return
    raise AssertionError(count)


def test_a_read_that_takes_too_long_is_given_up_and_says_what_helps(api: ApiServer, acme: httpx.Client) -> None:
    with nothing_reads(api, GRANTS):
        refused = acme.get("/v1/grants")

    assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (503, "unavailable", "2")
    assert "This read took too long" in refused.json()["detail"]
    assert "createdAfter" in refused.json()["detail"]
    assert acme.get("/v1/grants").status_code == 200


def test_a_key_with_its_searches_under_way_is_told_to_wait_while_others_search_and_it_enqueues(
    api: ApiServer, acme: httpx.Client, other: httpx.Client
) -> None:
    paths = ("/v1/runs", "/v1/approvals", "/v1/grants")
    with ThreadPoolExecutor(PER_KEY + len(paths)) as threads, nothing_reads(api, GRANTS):
        slow = [threads.submit(acme.get, "/v1/grants") for _ in range(PER_KEY)]
        until_waiting(api, GRANTS, PER_KEY)
        assert acme.post("/v1/runs", json={"agent": "refund", "input": INPUT}).status_code == 201
        assert other.get("/v1/runs").status_code == 200
        for refused in threads.map(acme.get, paths):
            assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited"), refused.request.url
            assert refused.headers["retry-after"] == "1"

    assert [one.result().status_code for one in slow] == [200] * PER_KEY
    assert acme.get("/v1/runs").status_code == 200


def readings(run: str) -> list[str]:
    """Return the address of every call that reads and needs a key."""
    filled = {"runId": run, "name": "default", "bulk": run, "agent": "refund", "provider": "x"}
    calls = build().openapi()["paths"].items()
    return [path.format(**filled) for path, methods in calls if "security" in methods.get("get", {})]


def test_a_key_with_its_reads_under_way_reads_nothing_more_while_others_read_and_it_enqueues(
    api: ApiServer, acme: httpx.Client, other: httpx.Client, anybody: httpx.Client, run: str
) -> None:
    paths = readings(run)
    assert len(paths) > 20
    with ThreadPoolExecutor(READS_PER_KEY + len(paths)) as threads, nothing_reads(api, "schedule"):
        slow = [threads.submit(acme.get, "/v1/schedules") for _ in range(READS_PER_KEY)]
        until_waiting(api, "schedule", READS_PER_KEY)
        refusals = [threads.submit(acme.get, path) for path in paths]
        assert other.get(f"/v1/runs/{run}").status_code == 404
        enqueue(acme)
        assert [anybody.get(path).status_code for path in ("/health", "/ready", "/metrics")] == [200] * 3
        for refused in (one.result() for one in refusals):
            assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited"), refused.request.url
            assert refused.headers["retry-after"] == "1"

    assert [one.result().status_code for one in slow] == [200] * READS_PER_KEY
    assert acme.get(f"/v1/runs/{run}").status_code == 200


def test_keys_together_have_few_reads_under_way_and_unknown_keys_have_those_of_one(
    api: ApiServer, acme: httpx.Client, fake_worker: FakeWorker
) -> None:
    del fake_worker  # its agents are known now
    with ExitStack() as stack:
        clients = [stack.enter_context(api.client(api.key(f"tenant{n}"))) for n in range(READS_AT_ONCE)]
        strangers = [stack.enter_context(api.client(f"tw_nobody{n}")) for n in range(READS_PER_KEY + 1)]
        assert [one.get("/v1/agents").status_code for one in clients] == [200] * READS_AT_ONCE
        threads = stack.enter_context(ThreadPoolExecutor(10))
        with nothing_reads(api, "schedule"):
            slow = [threads.submit(one.get, "/v1/schedules") for one in clients]
            until_waiting(api, "schedule", READS_AT_ONCE)
            assert acme.get("/v1/agents").status_code == 429
            enqueue(acme)
        assert [one.result().status_code for one in slow] == [200] * READS_AT_ONCE
        with nothing_reads(api, "api_key"):
            unknown = [threads.submit(one.get, "/v1/agents") for one in strangers]
            until_waiting(api, "api_key", READS_PER_KEY)
            first, _ = futures.wait(unknown, return_when=futures.FIRST_COMPLETED)
            assert [one.result().status_code for one in first] == [429]
        assert sorted(one.result().status_code for one in unknown) == [401] * READS_PER_KEY + [429]


def test_streams_and_waits_keep_no_place_of_those_that_read(acme: httpx.Client, run: str) -> None:
    with ExitStack() as stack:
        for path in ("/v1/events/sse", *[f"/v1/runs/{run}/sse"] * READS_AT_ONCE):
            stream = stack.enter_context(acme.stream("GET", path))
            assert stream.status_code == 200
            assert next(stream.iter_lines())
        threads = stack.enter_context(ThreadPoolExecutor(READS_AT_ONCE))
        waits = [threads.submit(acme.get, f"/v1/runs/{run}/wait?timeout=3") for _ in range(READS_AT_ONCE)]
        while not all(one.running() for one in waits):
            pass
        for _ in range(10):
            assert acme.get(f"/v1/runs/{run}").status_code == 200
        assert not any(one.done() for one in waits)
    assert [one.result().status_code for one in waits] == [202] * READS_AT_ONCE


@pytest.mark.parametrize(("path", "table"), [("/v1/grants", GRANTS), ("/v1/schedules", "schedule")])
def test_a_tenant_with_many_keys_leaves_a_place_to_others(
    api: ApiServer, acme: httpx.Client, other: httpx.Client, path: str, table: str
) -> None:
    with ExitStack() as stack:
        keys = [stack.enter_context(api.client(api.key("acme"))) for _ in range(SEARCHES_AT_ONCE)]
        assert [one.get("/v1/agents").status_code for one in (*keys, other)] == [200] * (len(keys) + 1)
        threads = stack.enter_context(ThreadPoolExecutor(2 * len(keys)))
        with nothing_reads(api, table):
            slow = [threads.submit(key.get, path) for key in keys * 2]
            until_waiting(api, table, OF_A_TENANT)
            assert acme.get("/v1/runs" if table == GRANTS else "/v1/agents").status_code == 429
            assert other.get("/v1/runs" if table == GRANTS else "/v1/agents").status_code == 200
        assert sorted({one.result().status_code for one in slow}) == [200, 429]
