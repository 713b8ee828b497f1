"""Cancel over HTTP, of runs that wait and of runs that are stuck in every way, on one slot."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.system.live import AGENTS, Live, effects_in

GRACE = 1.0


@dataclass(frozen=True)
class Kind:
    """A way of being stuck, and its expected end."""

    agent: str
    how: str | None
    stopped: str

    def __str__(self) -> str:
        return f"{self.agent}:{self.how}"

    @property
    def seconds(self) -> float:
        """Return how long a cancel may take: interrupted within a second, killed within one after the grace."""
        return 1.0 if self.stopped == "interrupted" else GRACE + 1.0


KINDS = [
    Kind("stuck", "spin", "interrupted"),
    Kind("stuck", "sleep", "interrupted"),
    Kind("stuck", "block", "killed"),
    Kind("stuck", "hog", "killed"),
    Kind("stuck", "swallow", "killed"),
    Kind("stuck_loop", "spin", "interrupted"),
    Kind("stuck_loop", "hang", "interrupted"),
    Kind("stuck_loop", "cling", "killed"),
    Kind("stuck_outside", None, "killed"),
]


@pytest.fixture(scope="module")
def live(stack: Any) -> Iterator[Live]:
    with Live(stack(agents=str(AGENTS / "stuck.py"), workers=1, slots=1)) as live:
        yield live


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "effects"


def host_of(live: Live, log: Path, run: str) -> psutil.Process:
    """Wait until a run executes agent code, and return its host."""
    live.until(lambda: run in effects_in(log), "the agent executes", 30, lambda: live.run(run))
    return psutil.Process(effects_in(log)[run][0]["pid"])


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_stuck_run_ends_in_time_its_host_is_gone_and_the_next_run_gets_its_slot(
    live: Live, log: Path, kind: Kind
) -> None:
    run = live.enqueue(kind.agent, {"log": str(log), **({"how": kind.how} if kind.how else {})})
    host = host_of(live, log, run)
    waiting = live.enqueue("quick")

    asked = time.monotonic()
    answer = live.cancel(run, reason="stuck", grace=GRACE)
    assert answer.status_code == 202
    assert answer.json()["status"] in ("RUNNING", "CANCELED"), "it may be over before it is shown"
    ended = live.end(run, 20)
    took = time.monotonic() - asked

    assert (ended["status"], ended["reason"], ended["executing"]) == ("CANCELED", "by_user", False)
    end = live.events(run)[-1]
    assert end["event"] == "end"
    assert end["stopped"] == kind.stopped
    assert (end["by"], end["comment"]) == ("up", "stuck")
    if kind.how:
        assert end["stepInFlight"] == effects_in(log)[run][0]["key"]
        assert end["stepInFlight"].startswith((f"{kind.how}#", f"{kind.how}@"))
    else:
        assert "stepInFlight" not in end
    assert took <= kind.seconds, f"took {took:.2f} s"
    live.until(lambda: gone(host), "the host is gone", 2)

    after = live.end(waiting, 10)
    assert after["status"] == "SUCCESS"
    assert moment(after["startedAt"]) > moment(ended["finishedAt"])
    assert moment(after["startedAt"]).timestamp() - moment(ended["finishedAt"]).timestamp() < 1.0


def test_a_cancel_without_options_gives_the_default_grace(live: Live, log: Path) -> None:
    run = live.enqueue("stuck", {"log": str(log), "how": "sleep"})
    host_of(live, log, run)
    answer = live.http.delete(f"/v1/runs/{run}")
    assert answer.status_code == 202
    assert live.end(run, 5)["status"] == "CANCELED", "interrupted, long before the grace of 5 s is over"
    with live.connect() as connection:
        asked = connection.execute("SELECT control_request, control_grace_ms FROM run WHERE id = %s", [run]).fetchone()
    assert asked == {"control_request": "cancel", "control_grace_ms": 5000}


def test_a_second_cancel_may_shorten_the_grace_of_the_first(live: Live, log: Path) -> None:
    run = live.enqueue("stuck", {"log": str(log), "how": "block"})
    host_of(live, log, run)
    assert live.cancel(run, grace=600).status_code == 202
    asked = time.monotonic()
    assert live.cancel(run, grace=0).status_code == 202
    assert live.end(run, 20)["status"] == "CANCELED"
    assert time.monotonic() - asked <= 1.5
    assert live.events(run)[-1]["stopped"] == "killed"


def test_a_queued_run_is_canceled_at_once_and_never_starts(live: Live, log: Path, tmp_path: Path) -> None:
    first = live.enqueue("until_there", {"log": str(log), "file": str(tmp_path / "go")})
    host_of(live, log, first)
    queued = live.enqueue("quick")
    answer = live.http.delete(f"/v1/runs/{queued}")
    assert (answer.status_code, answer.json()["status"], answer.json()["reason"]) == (200, "CANCELED", "by_user")
    (tmp_path / "go").touch()
    assert live.end(first)["status"] == "SUCCESS"
    assert live.end(live.enqueue("quick"))["status"] == "SUCCESS", "a later run passes the slot"
    assert [event["event"] for event in live.events(queued)] == ["status", "end"]


def test_the_cancel_of_a_finished_run_is_refused_with_the_run(live: Live) -> None:
    run = live.enqueue("quick")
    shown = live.end(run)
    for answer in (live.http.delete(f"/v1/runs/{run}"), live.cancel(run, grace=0)):
        assert answer.status_code == 409
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "run_finished"
        assert answer.json()["run"] == shown
    assert live.run(run) == shown


def test_a_run_that_finishes_before_its_cancel_arrives_succeeds_and_says_that_it_came_too_late(
    live: Live, log: Path, tmp_path: Path
) -> None:
    run = live.enqueue("until_there", {"log": str(log), "file": str(tmp_path / "go")})
    host_of(live, log, run)
    with live.connect() as connection, ThreadPoolExecutor(1) as pool:
        # The lock of the row decides the order: the agent returns, then the cancel is requested, then both are written.
        with connection.transaction():
            connection.execute("SELECT FROM run WHERE id = %s FOR UPDATE", [run])
            (tmp_path / "go").touch()
            live.until(lambda: waiters(live) >= 1, "the worker wants to write the result", 5)
            canceling = pool.submit(live.cancel, run, grace=0)
            live.until(lambda: waiters(live, "SET control_request") >= 1, "the cancel waits too", 5)
            live.until(lambda: front(live, "SET control_request"), "the worker gave way and came again", 5)
        assert canceling.result().status_code == 202
    ended = live.end(run)
    assert (ended["status"], ended["result"], ended["reason"]) == ("SUCCESS", "there", None)
    assert live.events(run)[-1]["cancelTooLate"] is True


def waiters(live: Live, words: str = "") -> int:
    """Count the statements that wait for a lock."""
    return len(waiting(live, words))


def front(live: Live, words: str) -> bool:
    """Return whether, of two waiting statements, the one with these words came first."""
    both = waiting(live, "")
    return len(both) == 2 and words in both[0]


def waiting(live: Live, words: str) -> list[str]:
    with live.connect() as connection:
        rows = connection.execute(
            "SELECT query FROM pg_stat_activity JOIN pg_locks USING (pid) WHERE datname = current_database() AND NOT granted"
            " ORDER BY waitstart"
        ).fetchall()
    return [row["query"] for row in rows if words in row["query"]]
