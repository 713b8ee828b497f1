"""Taxiway as in `make up`, without Flower and task events: API, scheduler, two workers with four slots each."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterable

import psycopg
from taxiway import Client
from taxiway.client import NewRun

from ops.bench.figures import Sample, quantile
from ops.bench.plan import Plan
from ops.bench.servers import BenchServers
from ops.bench.systems.completion import TAXIWAY, end_of_last
from ops.bench.systems.parked import Parked
from ops.bench.systems.recovery import Faults
from ops.bench.systems.utilization import share_at_work, stretches_of
from ops.bench.systems.waiting_runs import WaitingRuns, empty, settle
from ops.bench.workloads import (
    BATCH,
    BUSY_SECONDS,
    BYTES,
    MILLISECONDS,
    P50,
    P99,
    PARKED_BESIDE,
    PER_SECOND,
    PERCENT,
    PROMOTIONS,
    SEARCHES,
    SECONDS,
    SHARE,
    SINGLE,
    SIZE,
    THROUGHPUT,
    TIME,
    Workload,
)
from ops.stack import Stack, StackOptions, commands
from ops.stack.fleet import ROOT

WORKERS, SLOTS, QUEUE = 2, 4, "default"
AGENTS = ROOT / "ops" / "bench" / "agents.py"
LARGEST_BATCH = 1000
WARM_UP = 20
NOBODYS = "nobodys"
"""The agent of the backlog beside the measured runs."""
TENANTS = 10_000


class Taxiway:
    """The whole stack on the common servers; everything goes through HTTP."""

    name = "taxiway"
    workloads = frozenset(Workload) - frozenset({*PROMOTIONS, *SEARCHES})

    def up(self, servers: BenchServers) -> None:
        database = servers.fresh_database("bench_taxiway")
        options = StackOptions(
            base=servers.base / "taxiway",
            agents=str(AGENTS),
            workers=0,  # ours are started below, without task events
            port=0,
            flower=False,
            database_url=database,
            redis_url=servers.fresh_broker(),
        )
        self.stack = Stack(options).start()
        try:
            for number in range(1, WORKERS + 1):
                command = self.stack.fleet.command(f"worker-{number}", _quiet(commands.worker(QUEUE, number, SLOTS)))
                self.stack.fleet.launch(command)
            self.stack.wait_for_slots(WORKERS * SLOTS)
            self.client = Client(self.stack.url, self.stack.api_key)
            self.connection = psycopg.connect(database, autocommit=True)
            self.parked = Parked(self.client, self.connection)
            self.faults = Faults(self.stack, self.client, servers.base / "marks", WORKERS * SLOTS)
            self._throughput(WARM_UP, 1)
        except BaseException:
            self.down()
            raise

    def down(self) -> None:
        self.stack.stop()

    def measure(self, workload: Workload, plan: Plan) -> Iterable[Sample]:
        match workload:
            case Workload.ONE_STEP:
                yield Sample(workload, THROUGHPUT, PER_SECOND, self._throughput(plan.one_step_runs, 1))
            case Workload.TEN_STEPS:
                yield Sample(workload, THROUGHPUT, PER_SECOND, self._throughput(plan.ten_step_runs, 10))
            case Workload.STEP:
                yield from _p50_p99(workload, self._steps(plan.steps))
            case Workload.START:
                yield from _p50_p99(workload, self._starts(plan.starts))
            case Workload.DECISION_EXECUTING | Workload.DECISION | Workload.DECISION_10K | Workload.DECISION_100K:
                yield from _p50_p99(workload, self._decisions(workload, plan.decisions))
            case Workload.PARKED:
                self.parked.fill(PARKED_BESIDE[Workload.DECISION_10K])
                assert self.parked.size_bytes is not None
                yield Sample(workload, SIZE, BYTES, self.parked.size_bytes)
                self.parked.empty()
            case Workload.BUSY_50_MS | Workload.BUSY_250_MS:
                yield Sample(workload, SHARE, PERCENT, 100 * self._busy(BUSY_SECONDS[workload], plan.busy_seconds))
            case Workload.CANCEL_LOOP:
                seconds = [self.faults.cancel("looped") for _ in range(plan.cancels)]
                yield from _p50_p99(workload, [1000 * each for each in seconds])
            case Workload.HOST_KILLED | Workload.WORKER_KILLED | Workload.CANCEL_BLOCKED:
                yield from (Sample(workload, TIME, SECONDS, each) for each in self._recover(workload, plan))
            case _:
                yield from self._enqueue(plan) if workload is Workload.ENQUEUE else self._beside_backlog(workload, plan)

    def _recover(self, workload: Workload, plan: Plan) -> Iterable[float]:
        if workload is Workload.HOST_KILLED:
            return [self.faults.kill_host() for _ in range(plan.host_kills)]
        if workload is Workload.WORKER_KILLED:
            return [self.faults.kill_worker() for _ in range(plan.worker_kills)]
        return [self.faults.cancel("blocked") for _ in range(plan.blocked)]

    def _throughput(self, runs: int, steps: int) -> float:
        began = time.time()
        for first in range(0, runs, LARGEST_BATCH):
            count = min(LARGEST_BATCH, runs - first)
            self.client.enqueue_batch([NewRun("sums", {"steps": steps})] * count)
        return runs / (end_of_last(self.connection, TAXIWAY) - began)

    def _steps(self, steps: int) -> list[float]:
        """Return the milliseconds of each step of one run, measured by the agent."""
        stamps = self.client.enqueue("paced", {"steps": steps}).result(timeout=60)
        return [1000 * (after - before) for before, after in itertools.pairwise(stamps)]

    def _starts(self, count: int) -> list[float]:
        """Return the milliseconds from each request to the start of its first step; there are no other requests."""
        enqueued = []
        for _ in range(count):
            began = time.time()
            enqueued.append((began, self.client.enqueue("stamp")))
            time.sleep(random.uniform(0.06, 0.1))
        return [1000 * (handle.result(timeout=60) - began) for began, handle in enqueued]

    def _decisions(self, workload: Workload, count: int) -> list[float]:
        """Return the milliseconds from each decision until its run receives it."""
        if workload is Workload.DECISION_EXECUTING:
            return [1000 * self.parked.decide_while_executing() for _ in range(count)]
        self.parked.fill(PARKED_BESIDE[workload])
        return [1000 * self.parked.decide() for _ in range(count)]

    def _busy(self, each: float, in_all: float) -> float:
        """Keep all slots busy with runs of `each` seconds, for `in_all` seconds; return the share of time at work."""
        slots = WORKERS * SLOTS
        runs = [NewRun("busy", {"seconds": each})] * round(slots * in_all / each)
        batches = (runs[first : first + LARGEST_BATCH] for first in range(0, len(runs), LARGEST_BATCH))
        handles = [handle for batch in batches for handle in self.client.enqueue_batch(batch)]
        return share_at_work(stretches_of(self.connection, [handle.id for handle in handles]), slots)

    def _beside_backlog(self, workload: Workload, plan: Plan) -> Iterable[Sample]:
        """Measure in the same queue as a backlog of an unserved agent, then delete the backlog."""
        if workload is Workload.ENQUEUE_BACKLOG:
            self._stop_workers()
        WaitingRuns(plan.huge, TENANTS, agent=NOBODYS).fill(self.connection, whole=True)
        settle(self.connection)
        try:
            if workload is Workload.ENQUEUE_BACKLOG:
                yield Sample(workload, BATCH, PER_SECOND, self._enqueue_batches(plan))
            else:
                yield Sample(workload, THROUGHPUT, PER_SECOND, self._throughput(plan.one_step_runs, 1))
        finally:
            empty(self.connection)

    def _stop_workers(self) -> None:
        """Stop the workers, so that execution does not compete; later workloads of this turn must not execute runs."""
        for worker in self.stack.workers:
            worker.stop(patience=15)

    def _enqueue(self, plan: Plan) -> Iterable[Sample]:
        self._stop_workers()
        began = time.perf_counter()
        for _ in range(plan.enqueues):
            self.client.enqueue("sums", {"steps": 1})
        yield Sample(Workload.ENQUEUE, SINGLE, PER_SECOND, plan.enqueues / (time.perf_counter() - began))
        yield Sample(Workload.ENQUEUE, BATCH, PER_SECOND, self._enqueue_batches(plan))

    def _enqueue_batches(self, plan: Plan) -> float:
        began = time.perf_counter()
        for _ in range(plan.batches):
            self.client.enqueue_batch([NewRun("sums", {"steps": 1})] * plan.batch)
        return plan.batches * plan.batch / (time.perf_counter() - began)


def _quiet(argv: list[str]) -> list[str]:
    """Return a worker's command line with task events off; omitting `-E` is not enough, because the setting is on."""
    place = argv.index("executor")
    return [*argv[:place], "ops.bench.programs.quiet_executor", *(word for word in argv[place + 1 :] if word != "-E")]


def _p50_p99(workload: Workload, milliseconds: list[float]) -> Iterable[Sample]:
    yield Sample(workload, P50, MILLISECONDS, quantile(milliseconds, 0.5))
    yield Sample(workload, P99, MILLISECONDS, quantile(milliseconds, 0.99))
