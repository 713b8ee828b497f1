"""A system in which runs are held by one thing each, and what whoever asks why and removes it does."""

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
    """Give a system with two slots of a queue, and one of another beside it."""
    options = {"workers": 1, "slots": 2, "env": {"TAXIWAY_LEASE_SECONDS": str(LEASE)}}
    with Live(stack(agents=str(AGENTS / "explained.py"), **options)) as live:
        live.stack.fleet.start_worker(2, queue="beside", slots=1)
        live.until(lambda: serving(live, "beside"), "the other queue has its worker")
        yield live


def serving(live: Live, queue: str) -> bool:
    """Whether a queue has a worker that says which agents it serves."""
    workers = live.http.get("/v1/workers").json()["workers"]
    return any(worker["queue"] == queue and worker["consuming"] and worker["agents"] for worker in workers)


def explained(live: Live, run: str) -> dict[str, Any]:
    """Give what explain says of the run."""
    answer = live.http.get(f"/v1/runs/{run}/explain")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def kinds(live: Live, run: str) -> list[str]:
    """Give the kinds of what explain names, in its order."""
    return [blocker["kind"] for blocker in explained(live, run)["blockers"]]


def put(live: Live, path: str, **body: Any) -> None:
    """Put something, successfully."""
    answer = live.http.put(f"/v1/{path}", json=body)
    assert answer.status_code in (200, 201), answer.text


def closing(live: Live, path: str, **body: Any) -> None:
    """Say something that holds runs back, and let the scheduler hear of it."""
    put(live, path, **body)
    time.sleep(2 * FRESH_SECONDS)  # it reads what is configured so often, and nothing shows that it did


def post(live: Live, path: str, **body: Any) -> None:
    """Post something, successfully."""
    answer = live.http.post(f"/v1/{path}", json=body)
    assert answer.status_code in (200, 201, 202), answer.text


def done(live: Live, sql: str, *params: Any) -> None:
    """Change a row for which there is no call."""
    with live.connect() as connection:
        assert connection.execute(sql.encode(), params).rowcount > 0


def named(live: Live, run: str, *expected: str) -> list[dict[str, Any]]:
    """Wait until exactly these blockers are named, and see that they stay while another run comes and goes."""
    live.until(lambda: kinds(live, run) == [*expected], f"{expected} is named", 15, lambda: explained(live, run))
    assert live.end(live.enqueue("quick", queue="beside"))["status"] == "SUCCESS"
    body = explained(live, run)
    assert [blocker["kind"] for blocker in body["blockers"]] == [*expected]
    assert not body["executing"]
    found: list[dict[str, Any]] = body["blockers"]
    return found


def goes(live: Live, run: str) -> None:
    """See that the run ends well, and that nothing is named any more."""
    live.end_all([run], 30)
    body = explained(live, run)
    assert (body["status"], body["blockers"]) == ("SUCCESS", [])


def executes(live: Live, run: str) -> None:
    """See that the run executes, and that nothing is named."""
    live.until(lambda: explained(live, run)["executing"], "it executes", instead=lambda: explained(live, run))
    body = explained(live, run)
    assert body["blockers"] == []
    assert body["worker"]["name"]


@contextmanager
def busy(live: Live, file: Path, **options: Any) -> Iterator[str]:
    """Hold a slot of the queue until the file is there; in any case at the end."""
    run = live.enqueue("held", {"until": str(file)}, **options)
    executes(live, run)
    try:
        yield run
    finally:
        file.touch()
        live.end_all([run], 30)


def later(**distance: float) -> str:
    """Give a moment as the API takes it: in an hour, or at that distance."""
    return (datetime.now(UTC) + timedelta(**(distance or {"hours": 1}))).isoformat()
