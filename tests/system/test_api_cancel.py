"""A cancel ends an idle run immediately, asks the worker of an executing one, and never undoes an end."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row

from tests.system.api_server import ApiServer
from tests.system.fake_worker import INPUT, FakeWorker


def test_a_queued_run_is_canceled_at_once(acme: httpx.Client, run: str) -> None:
    answer = acme.post(f"/v1/runs/{run}/cancel", json={"reason": "ordered twice"})
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["reason"]) == ("CANCELED", "by_user")
    events = acme.get(f"/v1/runs/{run}/events").json()["events"]
    assert [event["event"] for event in events] == ["status", "end"]
    assert (events[1]["by"], events[1]["comment"]) == ("test", "ordered twice")


def test_delete_does_the_same(acme: httpx.Client, run: str) -> None:
    answer = acme.delete(f"/v1/runs/{run}")
    assert (answer.status_code, answer.json()["status"]) == (200, "CANCELED")


def test_a_cancel_needs_no_body(acme: httpx.Client, run: str) -> None:
    assert acme.post(f"/v1/runs/{run}/cancel").status_code == 200


def test_an_executing_run_is_canceled_through_its_worker(
    api: ApiServer, acme: httpx.Client, fake_worker: FakeWorker, run: str
) -> None:
    fence = fake_worker.take(run)
    for grace, stored in (("PT1.5S", 1500), (2, 2000), (None, 5000)):
        answer = acme.post(f"/v1/runs/{run}/cancel", json={"grace": grace})
        assert (answer.status_code, answer.json()["status"], answer.json()["controlRequest"]) == (
            202,
            "RUNNING",
            "cancel",
        )
        with api.connect() as connection:
            row = connection.execute("SELECT control_grace_ms, control_by FROM run WHERE id = %s", [run]).fetchone()
        assert row == {"control_grace_ms": stored, "control_by": "test"}
    fake_worker.cancel(fence)
    shown = acme.get(f"/v1/runs/{run}").json()
    assert (shown["status"], shown["controlRequest"], shown["executing"]) == ("CANCELED", None, False)


@pytest.mark.parametrize("end", ["succeed", "fail", "cancel"])
def test_the_cancel_of_a_finished_run_is_refused_with_the_run(
    acme: httpx.Client, fake_worker: FakeWorker, run: str, end: str
) -> None:
    getattr(fake_worker, end)(fake_worker.take(run))
    before = acme.get(f"/v1/runs/{run}?includeEvents=true").json()
    for answer in (acme.delete(f"/v1/runs/{run}"), acme.post(f"/v1/runs/{run}/cancel", json={})):
        assert (answer.status_code, answer.json()["code"]) == (409, "run_finished")
        assert answer.json()["run"]["status"] == before["status"]
    assert acme.get(f"/v1/runs/{run}?includeEvents=true").json() == before


def test_of_ten_cancels_at_once_one_ends_the_run(api: ApiServer, acme: httpx.Client, run: str) -> None:
    def cancel(_n: int) -> int:
        with api.client(acme.headers["x-api-key"]) as client:
            return client.delete(f"/v1/runs/{run}").status_code

    with ThreadPoolExecutor(10) as pool:
        assert sorted(pool.map(cancel, range(10))) == [200] + [409] * 9


@pytest.mark.parametrize("_round", range(5))
def test_a_cancel_that_races_with_a_claim_is_never_lost(
    api: ApiServer, acme: httpx.Client, fake_worker: FakeWorker, _round: int
) -> None:
    """Either the claim finds no run to take, or the cancel asks the worker that took it."""
    runs = [acme.post("/v1/runs", json={"agent": "refund", "input": INPUT}).json()["runId"] for _ in range(8)]
    begin = threading.Barrier(2)
    taken: dict[str, Any] = {}

    def take_all() -> None:
        begin.wait()
        with psycopg.connect(api.database_url, autocommit=True, row_factory=dict_row) as connection:
            mine = FakeWorker(connection)
            for run in runs:
                try:
                    taken[run] = mine.take(run)
                except AssertionError:
                    taken[run] = None

    thread = threading.Thread(target=take_all)
    thread.start()
    begin.wait()
    answers = {run: acme.delete(f"/v1/runs/{run}") for run in reversed(runs)}
    thread.join()
    for run, answer in answers.items():
        row = acme.get(f"/v1/runs/{run}").json()
        expected = ("RUNNING", "cancel", 202) if taken[run] else ("CANCELED", None, 200)
        assert (row["status"], row["controlRequest"], answer.status_code) == expected
