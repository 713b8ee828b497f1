"""Bare Celery: two workers with four threads each, and a task that does nothing; no runs, steps or database."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Iterable
from typing import Any

import redis
from celery import Celery

from models.runtime.celery_settings import broker_settings
from models.runtime.settings import Settings
from ops.bench.figures import Sample, quantile
from ops.bench.plan import Plan
from ops.bench.servers import CELERY_DATABASE, BenchServers
from ops.bench.systems.system import CannotMeasure
from ops.bench.workloads import BATCH, MILLISECONDS, P50, P99, PER_SECOND, THROUGHPUT, Workload
from ops.child import Child, Command
from ops.stack.fleet import ROOT

MODULE = "ops.bench.programs.celery_program"
QUEUE, NOBODYS_QUEUE, NOTHING, STAMP, STAMPS = "bench", "nobody", "bench.nothing", "bench.stamp", "stamps"
WORKERS, SLOTS = 2, 4
AT_ONCE = 500
"""Messages of one broker batch, as Taxiway's scheduler sends them."""
PATIENCE = 60.0
WARM_UP = 20


class BareCelery:
    """Publishes in batches and polls the broker until no message is left, waiting or unacknowledged."""

    name = "celery"
    workloads = frozenset({Workload.ONE_STEP, Workload.START, Workload.ENQUEUE})

    def __init__(self) -> None:
        self.workers: list[Child] = []

    def up(self, servers: BenchServers) -> None:
        url = servers.fresh_broker(CELERY_DATABASE)
        settings = Settings(redis_url=url)
        self.prefix = settings.redis_prefix
        self.redis = redis.Redis.from_url(url, decode_responses=True)
        self.app = Celery("bench-publisher", set_as_current=False)
        self.app.conf.update(broker_settings(settings))
        try:
            for number in range(1, WORKERS + 1):
                log = servers.base / "logs" / f"celery-{number}.log"
                env = {**os.environ, "TAXIWAY_REDIS_URL": url, "PYTHONUNBUFFERED": "1"}
                self.workers.append(Child(Command(f"celery-{number}", _worker(number), log, env=env, cwd=ROOT)))
            self._wait_for_consumers()
            self._throughput(WARM_UP)
        except BaseException:
            self.down()
            raise

    def down(self) -> None:
        for worker in self.workers:
            worker.kill()  # no loss: the measurement is over
        self.workers.clear()

    def measure(self, workload: Workload, plan: Plan) -> Iterable[Sample]:
        match workload:
            case Workload.ONE_STEP:
                yield Sample(workload, THROUGHPUT, PER_SECOND, self._throughput(plan.tasks))
            case Workload.START:
                starts = self._starts(plan.starts)
                yield Sample(workload, P50, MILLISECONDS, quantile(starts, 0.5))
                yield Sample(workload, P99, MILLISECONDS, quantile(starts, 0.99))
            case Workload.ENQUEUE:
                began = time.time()
                self._publish(plan.batch, NOBODYS_QUEUE)
                yield Sample(workload, BATCH, PER_SECOND, plan.batch / (time.time() - began))

    def _throughput(self, tasks: int) -> float:
        began = time.time()
        self._publish(tasks, QUEUE)
        return tasks / (self._end_of_last() - began)

    def _publish(self, tasks: int, queue: str) -> None:
        with self.app.producer_pool.acquire(block=True) as producer, producer.batch(max_size=AT_ONCE):
            for _ in range(tasks):
                self._send(NOTHING, producer=producer, queue=queue)

    def _send(self, task: str, **options: Any) -> None:
        self.app.send_task(task, retry=False, ignore_result=True, **options)

    def _starts(self, count: int) -> list[float]:
        self.redis.delete(STAMPS)
        for _ in range(count):
            self._send(STAMP, args=[time.time()], queue=QUEUE)
            time.sleep(random.uniform(0.06, 0.1))
        self._end_of_last()
        return [1000 * float(seconds) for seconds in self.redis.lrange(STAMPS, 0, -1)]

    def _end_of_last(self) -> float:
        """Return when the last message was acknowledged: after three empty polls, because messages move between lists."""
        deadline = time.monotonic() + PATIENCE
        empty, ended = 0, 0.0
        while empty < 3:
            if time.monotonic() > deadline:
                raise CannotMeasure(f"Celery had not finished after {PATIENCE:.0f} s")
            with self.redis.pipeline(transaction=False) as pipeline:
                pipeline.llen(f"{self.prefix}{QUEUE}")
                pipeline.hlen(f"{self.prefix}unacked")
                left = sum(pipeline.execute())
            empty = empty + 1 if not left else 0
            ended = time.time() if empty == 1 else ended
            time.sleep(0.005)
        return ended

    def _wait_for_consumers(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while len(self.app.control.ping(timeout=0.3)) < WORKERS:
            if time.monotonic() > deadline:
                raise CannotMeasure(f"Celery's workers did not answer:\n{self.workers[0].last_lines()}")


def _worker(number: int) -> list[str]:
    pool = ["--pool", "threads", "-c", str(SLOTS), "-Q", QUEUE, "-n", f"{QUEUE}-{number}x{SLOTS}@%h"]
    return [sys.executable, "-m", "celery", "-A", MODULE, "worker", *pool, "--without-mingle", "--without-gossip"]
