"""A whole system whose parts fail on purpose, at the size that the tests or a person choose.

`DRILLS=full make test ARGS='-k drill'` takes each drill at its full size, some minutes altogether.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ops.chaos.cluster import Cluster
from ops.chaos.journal import Journal
from ops.chaos.size import Size
from ops.child import Child
from ops.stack.fleet import ROOT
from tests.system.live import Live, effects_in, recorded_then_executed_again

FULL = os.environ.get("DRILLS") == "full"
SECRET = "drill"
BATCH = 1000


def size(full: int, short: int) -> int:
    """Choose the size of a drill."""
    return full if FULL else short


class Drill(Live):
    """Two workers of four slots, two schedulers, an API; each reaches the servers by links that can be blocked."""

    def __init__(self, base: Path) -> None:
        self.cluster = Cluster(base, Size(lease=15.0 if FULL else 5.0), Journal())
        self.cluster.start()
        super().__init__(self.cluster.stack)

    def close(self) -> None:
        self.http.close()
        self.cluster.stop()
        assert not self.cluster.journal.violations

    @property
    def lease(self) -> float:
        return self.cluster.size.lease

    def sequences(self, count: int, *, steps: int, millis: int, queue: str | None = None) -> list[str]:
        """Enqueue runs of so many consecutive steps, each of `millis`."""
        one = {"agent": "sequence", "input": {"steps": steps, "millis": millis, "secret": SECRET}}
        more = {} if queue is None else {"queue": queue}
        runs: list[str] = []
        while len(runs) < count:
            batch = [{**one, **more}] * min(BATCH, count - len(runs))
            answer = self.http.post("/v1/runs/batch", json={"runs": batch})
            assert answer.status_code == 201, answer.text
            runs += [run["runId"] for run in answer.json()["runs"]]
        return runs

    def rows(self, sql: str, *params: Any) -> list[dict[str, Any]]:
        with self.connect() as connection:
            return connection.execute(sql.encode(), params).fetchall()

    def row(self, sql: str, *params: Any) -> dict[str, Any]:
        return self.rows(sql, *params)[0]

    def leased_to(self, worker: str) -> list[str]:
        """Return the runs that this very process executes."""
        found = self.rows(
            "SELECT run.id::text FROM run JOIN worker ON worker.id = lease_worker WHERE worker.pid = %s",
            self.cluster.child(worker).pid,
        )
        return [one["id"] for one in found]

    def pids(self) -> dict[str, int]:
        """Return the processes that run now."""
        return {name: child.pid for name, child in self.cluster.fleet.children.items() if child.running}

    def kill(self, child: Child) -> None:
        child.send(signal.SIGKILL)
        assert child.wait(10)

    def all_succeed(self, runs: list[str], seconds: float) -> None:
        """Wait for the end of all; each must have the result of its steps."""
        self.until(lambda: not self.going(runs), f"{len(runs)} runs ended", seconds, lambda: self.going(runs)[:5])
        ended = self.rows(
            "SELECT status, reason, count(*) AS n FROM run WHERE id = ANY(%s::uuid[]) GROUP BY status, reason", runs
        )
        assert [(one["status"], one["n"]) for one in ended] == [("SUCCESS", len(runs))], ended

    def counted(self, runs: list[str]) -> tuple[int, int]:
        """Return the crashes and the losses of these runs."""
        row = self.row(
            "SELECT sum(crashes)::int AS crashes, sum(losses)::int AS losses FROM run WHERE id = ANY(%s::uuid[])", runs
        )
        return row["crashes"], row["losses"]

    def begun(self, runs: Iterable[str]) -> Counter[tuple[str, str]]:
        """Count, by the log that steps write outside the system, how often each step of these runs was begun."""
        wanted = set(runs)
        effects = effects_in(self.cluster.effects_log)
        return Counter((run, line["key"]) for run in wanted for line in effects.get(run, []) if line["what"] == "begin")

    def repeated(self, runs: Iterable[str]) -> dict[str, set[str]]:
        """Return, by run, the steps that were executed again although they had been recorded."""
        effects = effects_in(self.cluster.effects_log)
        again = {run: recorded_then_executed_again(self, run, effects.get(run, [])) for run in runs}
        return {run: steps for run, steps in again.items() if steps}

    def promotions(self, runs: list[str]) -> list[float]:
        """Return when each activation of these runs was promoted, in order; seconds since 1970."""
        found = self.rows(
            "SELECT extract(epoch FROM (data ->> 'promotedAt')::timestamptz)::float AS at FROM event"
            " WHERE run_id = ANY(%s::uuid[]) AND verb IN ('start', 'continue') ORDER BY at",
            runs,
        )
        return [one["at"] for one in found]

    def report(self, name: str, **facts: Any) -> None:
        """Append the measurements to `build/drills.jsonl`, for later comparison."""
        file = ROOT / "build" / "drills.jsonl"
        file.parent.mkdir(exist_ok=True)
        with file.open("a") as lines:
            lines.write(json.dumps({"drill": name, "full": FULL, **facts}) + "\n")


def wait(seconds: float) -> None:
    """Keep a fault for some time."""
    time.sleep(seconds)
