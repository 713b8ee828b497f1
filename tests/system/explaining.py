"""A system in which each run is held by one thing, and the calls that explain and remove it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from scheduler.promotion.gates import FRESH_SECONDS
from tests.system.live import AGENTS, Live

LEASE = 5
ALWAYS = {"cron": "* * * * *", "duration": 120, "timezone": "UTC"}


@contextmanager
def two_queues(stack: Any) -> Iterator[Live]:
    """Return a system with two slots of a queue, and one of another beside it."""
    options = {"workers": 1, "slots": 2, "env": {"TAXIWAY_LEASE_SECONDS": str(LEASE)}}
    with Live(stack(agents=str(AGENTS / "explained.py"), **options)) as live:
        live.stack.fleet.start_worker(2, queue="beside", slots=1)
        live.until(lambda: serving(live, "beside"), "the other queue has its worker")
        yield live


def serving(live: Live, queue: str) -> bool:
    """Return whether a queue has a worker that has reported its agents."""
    workers = live.http.get("/v1/workers").json()["workers"]
    return any(worker["queue"] == queue and worker["consuming"] and worker["agents"] for worker in workers)


def explained(live: Live, run: str) -> dict[str, Any]:
    """Return the explanation of the run."""
    answer = live.http.get(f"/v1/runs/{run}/explain")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def kinds(live: Live, run: str) -> list[str]:
    """Return the kinds of its blockers, in order."""
    return [blocker["kind"] for blocker in explained(live, run)["blockers"]]


def put(live: Live, path: str, **body: Any) -> None:
    """Send a PUT that must succeed."""
    answer = live.http.put(f"/v1/{path}", json=body)
    assert answer.status_code in (200, 201), answer.text


def closing(live: Live, path: str, **body: Any) -> None:
    """Change a setting that holds runs back, and wait until the scheduler has read it."""
    put(live, path, **body)
    time.sleep(2 * FRESH_SECONDS)  # it reads the settings at this interval, and nothing shows that it did


def post(live: Live, path: str, **body: Any) -> None:
    """Send a POST that must succeed."""
    answer = live.http.post(f"/v1/{path}", json=body)
    assert answer.status_code in (200, 201, 202), answer.text


def done(live: Live, sql: str, *params: Any) -> None:
    """Change a row for which no call exists."""
    with live.connect() as connection:
        assert connection.execute(sql.encode(), params).rowcount > 0


def named(live: Live, run: str, *expected: str) -> list[dict[str, Any]]:
    """Wait until exactly these blockers are named, and check that they stay while another run comes and goes."""
    live.until(lambda: kinds(live, run) == [*expected], f"{expected} is named", 15, lambda: explained(live, run))
    assert live.end(live.enqueue("quick", queue="beside"))["status"] == "SUCCESS"
    body = explained(live, run)
    assert [blocker["kind"] for blocker in body["blockers"]] == [*expected]
    assert not body["executing"]
    found: list[dict[str, Any]] = body["blockers"]
    return found


def goes(live: Live, run: str) -> None:
    """Check that the run succeeds, and that nothing is named any more."""
    live.end_all([run], 30)
    body = explained(live, run)
    assert (body["status"], body["blockers"]) == ("SUCCESS", [])


def executes(live: Live, run: str) -> None:
    """Check that the run executes, and that nothing is named."""
    live.until(lambda: explained(live, run)["executing"], "it executes", instead=lambda: explained(live, run))
    body = explained(live, run)
    assert body["blockers"] == []
    assert body["worker"]["name"]


@contextmanager
def busy(live: Live, file: Path, **options: Any) -> Iterator[str]:
    """Hold a slot of the queue until the file exists; at most until the end of the test."""
    run = live.enqueue("held", {"until": str(file)}, **options)
    executes(live, run)
    try:
        yield run
    finally:
        file.touch()
        live.end_all([run], 30)


def later(**distance: float) -> str:
    """Return a time as the API takes it: in an hour, or at that distance."""
    return (datetime.now(UTC) + timedelta(**(distance or {"hours": 1}))).isoformat()
