"""DBOS, used in two ways: two processes that serve a queue, and one that executes in its own eight threads.

The queue is polled ten times a second (default: once) with at most 32 runs per worker: far fewer would limit it by their
number per poll, and without a limit the first worker to poll takes the whole batch. Batches are enqueued in one transaction,
which is faster than repeated calls for one run.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterable
from pathlib import Path

import psycopg

from ops.bench.figures import Sample, quantile
from ops.bench.plan import Plan
from ops.bench.servers import BenchServers
from ops.bench.systems.completion import DBOS, end_of_last
from ops.bench.systems.json_process import JsonProcess
from ops.bench.workloads import BATCH, MILLISECONDS, P50, P99, PER_SECOND, SINGLE, THROUGHPUT, UNQUEUED, Workload

PROGRAM = Path(__file__).resolve().parents[1] / "programs" / "dbos_program.py"
QUEUE, NOBODYS_QUEUE = "bench", "nobody"
SETTINGS = {"polling_interval_sec": 0.1, "worker_concurrency": 32}
WORKERS, THREADS = 2, 8
WARM_UP = 20


class _Dbos:
    """The shared part of both ways: a database, and processes that receive commands."""

    def __init__(self, python: Path) -> None:
        self.python = python
        self.processes: list[JsonProcess] = []

    def down(self) -> None:
        for process in self.processes:
            process.end()
        self.processes.clear()

    def _start(self, servers: BenchServers, role: str, url: str, *settings: str) -> JsonProcess:
        argv = [str(self.python), "-I", str(PROGRAM), role, url, *settings]
        process = JsonProcess(argv, servers.base / "logs" / "dbos.log")
        self.processes.append(process)
        return process


class DbosQueue(_Dbos):
    """One process enqueues runs, two others execute them."""

    name = "dbos"
    workloads = frozenset({Workload.ONE_STEP, Workload.TEN_STEPS, Workload.START, Workload.ENQUEUE})

    def up(self, servers: BenchServers) -> None:
        database = servers.fresh_database("bench_dbos")
        url = database.replace("postgresql:", "postgresql+psycopg:", 1)
        try:
            for _ in range(WORKERS):  # one after the other: the first one makes the tables
                self._start(servers, "worker", url, json.dumps(SETTINGS)).wait_until_ready()
            self.client = self._start(servers, "client", url)
            self.client.wait_until_ready()
            self.connection = psycopg.connect(database, autocommit=True)
            self._throughput(WARM_UP, 1)
        except BaseException:
            self.down()
            raise

    def measure(self, workload: Workload, plan: Plan) -> Iterable[Sample]:
        match workload:
            case Workload.ONE_STEP:
                yield Sample(workload, THROUGHPUT, PER_SECOND, self._throughput(plan.one_step_runs, 1))
            case Workload.TEN_STEPS:
                yield Sample(workload, THROUGHPUT, PER_SECOND, self._throughput(plan.ten_step_runs, 10))
            case Workload.START:
                pauses = [random.uniform(0.15, 0.25) for _ in range(plan.starts)]
                starts = [1000 * seconds for seconds in self.client.ask("starts", pauses=pauses)]
                yield Sample(workload, P50, MILLISECONDS, quantile(starts, 0.5))
                yield Sample(workload, P99, MILLISECONDS, quantile(starts, 0.99))
            case Workload.ENQUEUE:
                for metric, how, count in ((SINGLE, "enqueue", plan.enqueues), (BATCH, "enqueue_together", plan.batch)):
                    began, ended = self.client.ask(how, queue=NOBODYS_QUEUE, steps=1, count=count)
                    yield Sample(workload, metric, PER_SECOND, count / (ended - began))

    def _throughput(self, runs: int, steps: int) -> float:
        began, _ = self.client.ask("enqueue_together", queue=QUEUE, steps=steps, count=runs)
        return runs / (end_of_last(self.connection, DBOS) - float(began))


class DbosDirect(_Dbos):
    """Workflows are called in the process that executes them, without a queue or polling."""

    name = "dbos without queue"
    workloads = frozenset({Workload.ONE_STEP, Workload.TEN_STEPS, Workload.STEP})

    def up(self, servers: BenchServers) -> None:
        url = servers.fresh_database("bench_dbos").replace("postgresql:", "postgresql+psycopg:", 1)
        try:
            self.process = self._start(servers, "direct", url)
            self.process.wait_until_ready()
            self._throughput(WARM_UP, 1)
        except BaseException:
            self.down()
            raise

    def measure(self, workload: Workload, plan: Plan) -> Iterable[Sample]:
        match workload:
            case Workload.ONE_STEP:
                yield Sample(workload, UNQUEUED, PER_SECOND, self._throughput(plan.one_step_runs, 1))
            case Workload.TEN_STEPS:
                yield Sample(workload, THROUGHPUT, PER_SECOND, self._throughput(plan.ten_step_runs, 10))
            case Workload.STEP:
                stamps = self.process.ask("paced", steps=plan.steps)
                steps = [1000 * (after - before) for before, after in itertools.pairwise(stamps)]
                yield Sample(workload, P50, MILLISECONDS, quantile(steps, 0.5))
                yield Sample(workload, P99, MILLISECONDS, quantile(steps, 0.99))

    def _throughput(self, runs: int, steps: int) -> float:
        return float(self.process.ask("throughput", runs=runs, steps=steps, threads=THREADS))
