"""The API beside a long history: times of its lists, and of an enqueue during concurrent searches by many readers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import httpx
import psycopg

from ops.bench.figures import Sample, quantile
from ops.bench.plan import Plan
from ops.bench.servers import BenchServers
from ops.bench.systems.system import CannotMeasure
from ops.bench.systems.waiting_runs import settle
from ops.bench.workloads import MILLISECONDS, P50, SEARCHES, Workload
from ops.stack import Stack, StackOptions

READERS, TENANTS = 20, 3
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
WORST = {"agent": "nobodys"}
"""An agent without runs: a page then reads the maximum that a page may."""
# One run per second, tenants in turn; one in 33 failed, one in five has a tag, one in three a user.
_RUNS = """
    INSERT INTO run (id, tenant, agent, queue, user_id, status, started_at, finished_at, created_at, seq, step_count)
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3)
            || '8' || substr(md5(n::text), 4, 15))::uuid,
        CASE n %% %(tenants)s WHEN 0 THEN 'default' ELSE 't' || n %% %(tenants)s END, 'agent' || n %% 20, 'queue' || n %% 7,
        CASE WHEN n %% 10 < 3 THEN 'user' || n %% 1000 END, CASE n %% 33 WHEN 0 THEN 'FAILED' ELSE 'SUCCESS' END, at, at, at, 5, 1
    FROM generate_series(0, %(runs)s - 1) AS n CROSS JOIN LATERAL (SELECT %(began)s::timestamptz + n * interval '1 s' AS at) AS it
    """
_REST = (
    "INSERT INTO payload (run_id, tenant, input, result) SELECT id, tenant, '{}', '1' FROM run",
    "INSERT INTO label (run_id, tenant, kind, name) SELECT id, tenant, 'tag', 'nightly' FROM run WHERE agent < 'agent13'",
    "INSERT INTO agent (name, queue, version, input_schema) VALUES ('sums', 'default', '1', '{}') ON CONFLICT DO NOTHING",
)


def lists(plan: Plan) -> dict[str, tuple[str, dict[str, str]]]:
    """Return the measured lists: path and criteria of each."""
    middle = (BEGAN + timedelta(seconds=plan.huge // 2)).isoformat()
    of_runs: dict[str, dict[str, str]] = {
        "no filter": {}, "status=FAILED": {"status": "FAILED"}, "status=RUNNING": {"status": "RUNNING"},
        "category=paused": {"category": "paused"}, "agent": {"agent": "agent3"}, "an agent without runs": WORST,
        "queue": {"queue": "queue3"}, "userId": {"userId": "user0"}, "tag": {"tag": "nightly"},
        "createdBefore": {"createdBefore": middle}, "createdAfter": {"createdAfter": middle},
        "all together": {"status": "SUCCESS", "queue": "queue3", "createdBefore": middle, **WORST},
    }  # fmt: skip
    others: dict[str, dict[str, str]] = {"/v1/capacity": {}, "/metrics": {}, "/v1/approvals": {}, "/v1/grants": {}}
    return {name: ("/v1/runs", given) for name, given in of_runs.items()} | {path: (path, {}) for path in others}


class Searching:
    """A stack without workers, whose tables hold a history."""

    name = "taxiway"
    workloads = frozenset(SEARCHES)

    def up(self, servers: BenchServers) -> None:
        database = servers.fresh_database("bench_searching")
        broker = servers.fresh_broker()
        options = StackOptions(
            base=servers.base / "searching", workers=0, port=0, flower=False, database_url=database, redis_url=broker
        )
        self.stack = Stack(options).start()
        self.connection = psycopg.connect(database, autocommit=True)
        self.filled = 0

    def down(self) -> None:
        self.stack.stop()

    def measure(self, workload: Workload, plan: Plan) -> Iterable[Sample]:
        self._fill(plan.huge)
        with self._client() as client:
            if workload is Workload.LISTS:
                for name, (path, given) in lists(plan).items():
                    times = [self._ask(client, path, given) for _ in range(plan.searches)]
                    yield Sample(workload, name, MILLISECONDS, median(times))
            elif workload is Workload.ENQUEUE_HISTORY:
                yield Sample(workload, P50, MILLISECONDS, self._enqueues(client, plan.enqueues))
            else:
                with self._readers():
                    yield Sample(workload, P50, MILLISECONDS, self._enqueues(client, plan.enqueues))

    def _fill(self, runs: int) -> None:
        if self.filled == runs:
            return
        self.connection.execute(_RUNS, {"runs": runs, "tenants": TENANTS, "began": BEGAN})
        for statement in _REST:
            self.connection.execute(statement.encode())
        settle(self.connection)
        self.filled = runs

    def _client(self) -> httpx.Client:
        headers = {"x-api-key": self.stack.api_key}
        return httpx.Client(base_url=self.stack.url, headers=headers, trust_env=False, timeout=60)

    def _ask(self, client: httpx.Client, path: str, given: dict[str, str]) -> float:
        began = time.perf_counter()
        answer = client.get(path, params=given)
        if answer.status_code != httpx.codes.OK:
            raise CannotMeasure(f"{path} was answered with {answer.status_code}: {answer.text[:300]}")
        return 1000 * (time.perf_counter() - began)

    def _enqueues(self, client: httpx.Client, count: int) -> float:
        times: list[float] = []
        for _ in range(count):
            began = time.perf_counter()
            client.post("/v1/runs", json={"agent": "sums"}).raise_for_status()
            times.append(1000 * (time.perf_counter() - began))
        return quantile(times, 0.5)

    @contextmanager
    def _readers(self) -> Iterator[None]:
        """Run many readers that request the worst page repeatedly, as fast as the server allows."""
        over = threading.Event()
        readers = [threading.Thread(target=self._read, args=(over,)) for _ in range(READERS)]
        for reader in readers:
            reader.start()
        try:
            yield
        finally:
            over.set()
            for reader in readers:
                reader.join()

    def _read(self, over: threading.Event) -> None:
        with self._client() as client:
            while not over.is_set():
                answer: Any = client.get("/v1/runs", params=WORST)
                over.wait(float(answer.headers.get("retry-after", 0)))
