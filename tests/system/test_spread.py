"""Runs go to the idle worker, immediately, and never more than there are slots."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.system.live import AGENTS, Live

SLOTS = 4
SAMPLE_SECONDS = 0.02
_HELD = """
    SELECT count(*) FILTER (WHERE ticket_at IS NOT NULL) AS tickets, count(*) FILTER (WHERE lease_worker IS NOT NULL) AS leases,
        (SELECT sum(slots) FROM worker WHERE dead_at IS NULL) AS slots
    FROM run WHERE queue = 'default' AND (ticket_at IS NOT NULL OR lease_worker IS NOT NULL)
    """
_TIMES = """
    SELECT at, CASE type WHEN 'end' THEN -1 ELSE 1 END AS change FROM event
    WHERE run_id = ANY(%s::uuid[]) AND (type IN ('start', 'end') OR verb IN ('continue', 'recover', 'hand_back'))
    ORDER BY at, change
    """


@pytest.fixture(scope="module")
def live(stack: Any) -> Iterator[Live]:
    with Live(stack(agents=str(AGENTS / "short.py"), workers=1, slots=SLOTS)) as live:
        yield live


class Sampler(threading.Thread):
    """Counts tickets and leases repeatedly, each time in one snapshot."""

    def __init__(self, live: Live) -> None:
        super().__init__(daemon=True)
        self.live = live
        self.seen: list[dict[str, int]] = []
        self.enough = threading.Event()

    def run(self) -> None:
        with self.live.connect() as connection:
            while not self.enough.wait(SAMPLE_SECONDS):
                self.seen.append(connection.execute(_HELD).fetchone())  # type: ignore[arg-type]

    def stop(self) -> list[dict[str, int]]:
        self.enough.set()
        self.join()
        return self.seen


def start_of(live: Live, run: str) -> dict[str, Any]:
    return next(event for event in live.events(run) if event["event"] == "start")


def late(start: dict[str, Any]) -> float:
    """Return the seconds between a promotion and the start that follows it."""
    promoted, started = (datetime.fromisoformat(start[name]) for name in ("promotedAt", "timestamp"))
    return (started - promoted).total_seconds()


def warm(live: Live) -> bool:
    """Return whether the second worker has all its agent hosts."""
    children = psutil.Process(live.stack.workers[1].pid).children()
    return sum("taxiway.host" in child.cmdline() for child in children) == SLOTS + 1


def test_short_runs_beside_a_worker_full_of_long_ones_start_at_once_on_the_idle_worker(
    live: Live, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    long = [live.enqueue("long", {"until": str(go)}) for _ in range(SLOTS)]
    live.until(lambda: all(live.run(run)["executing"] for run in long), "the first worker is full")
    live.stack.fleet.start_worker(2)
    live.stack.wait_for_slots(2 * SLOTS)
    live.until(lambda: warm(live), "the second worker is ready and idle")

    short = [live.enqueue("short", {"number": number}) for number in range(50)]
    ended = live.end_all(short, 30)
    assert [ended[run]["result"] for run in short] == [2 * number for number in range(50)]
    assert all(live.run(run)["executing"] for run in long), "the first worker was full all the time"
    starts = [start_of(live, run) for run in short]
    assert {start["worker"].partition("@")[0] for start in starts} == {f"default-2x{SLOTS}"}
    assert max(late(start) for start in starts) <= 0.1, sorted(late(start) for start in starts)[-5:]
    assert all(live.run(run)["crashes"] == 0 for run in short)

    go.touch()
    assert all(run["status"] == "SUCCESS" for run in live.end_all(long, 10).values())


def test_a_thousand_runs_of_a_batch_finish_and_never_hold_more_than_the_slots(live: Live) -> None:
    sampler = Sampler(live)
    sampler.start()
    began = time.monotonic()
    runs = live.enqueue_batch("short", [{"number": number} for number in range(1000)])
    live.until(lambda: not live.going(runs), "all have ended", 60, lambda: live.going(runs)[:5])
    seen = sampler.stop()

    with live.connect() as connection:
        ended = connection.execute(
            "SELECT status, result::text, step_count, activations, crashes, losses FROM run JOIN payload ON run_id = id"
            " WHERE id = ANY(%s::uuid[]) ORDER BY id",
            [runs],
        ).fetchall()
        times = connection.execute(_TIMES, [runs]).fetchall()
    assert runs == sorted(runs), "ids are in the order of the batch"
    expected = {"status": "SUCCESS", "step_count": 1, "activations": 1, "crashes": 0, "losses": 0}
    assert ended == [{**expected, "result": str(2 * number)} for number in range(1000)]

    took = time.monotonic() - began
    assert len(seen) > took / SAMPLE_SECONDS / 10, "looked often enough to see something"
    most = max(sample["tickets"] + sample["leases"] for sample in seen)
    assert most > 1
    assert [sample for sample in seen if sample["tickets"] + sample["leases"] > sample["slots"]] == []

    assert len(times) == 2 * len(runs)
    executing, peak = 0, 0
    for moment in times:
        executing += moment["change"]
        peak = max(peak, executing)
    assert executing == 0
    assert 1 < peak <= 2 * SLOTS
