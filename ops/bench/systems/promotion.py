"""Promotion by the scheduler alone: a fake worker offers slots, and real tickets collect in a queue without consumers.

Slots are offered in portions. A portion is over when the broker holds as many tickets, and the database must agree. Then its
runs are deleted, and the next portion finds the backlog as the last one left it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

import psycopg
import redis

from models.runtime.bus import PROMOTE
from models.runtime.celery_settings import DEFAULT_QUEUE
from models.runtime.settings import Settings
from ops.bench.figures import Sample
from ops.bench.plan import Plan
from ops.bench.servers import BenchServers
from ops.bench.systems.system import CannotMeasure
from ops.bench.systems.waiting_runs import WaitingRuns, empty, settle
from ops.bench.workloads import EACH, MILLISECONDS, PER_SECOND, PROMOTIONS, THROUGHPUT, Workload
from ops.stack import Stack, StackOptions

NIGHT, KEY, NOBODYS = "night", "k", "nobodys"
LIVENESS = 7_246_900
LOOK_EVERY = 0.002
"""Seconds between two polls of the queue's length."""
PATIENCE = 60.0
WARM_UP = 1000
LARGE_TENANTS, HUGE_TENANTS = 100, 10_000

# The worker is alive and consuming during the whole measurement, and offers no slot before it.
_WORKER = """
    INSERT INTO worker (id, name, host, pid, queue, agents, slots, liveness_key, lease_until, consuming_at)
    VALUES (uuidv7(), 'pretended', 'bench', 1, %(queue)s, '{sums}', 0, %(key)s, now() + interval '1 day',
        now() + interval '1 day')
    """
_WINDOW = """
    INSERT INTO "window" (name, cron, duration_ms, timezone, override, override_by, override_until)
    VALUES (%s, '0 0 * * *', 3600000, 'UTC', 'closed', 'bench', now() + interval '1 day')
    """
_TICKETS = "SELECT count(*) FROM run WHERE ticket_at IS NOT NULL"


@dataclass(frozen=True)
class Backlog:
    """The waiting runs: some that can be promoted, and beside them runs that cannot."""

    ready: WaitingRuns
    held: WaitingRuns | None = None


def few(plan: Plan) -> int:
    """Return the number of ready runs beside held ones: as many as are promoted."""
    return plan.portions * plan.portion + plan.slots


def backlog(workload: Workload, plan: Plan) -> Backlog:
    """Return the backlog of a promotion workload."""
    ready = WaitingRuns(few(plan))
    match workload:
        case Workload.PROMOTION_LARGE:
            return Backlog(WaitingRuns(plan.large, LARGE_TENANTS))
        case Workload.PROMOTION_HUGE:
            return Backlog(WaitingRuns(plan.huge, HUGE_TENANTS))
        case Workload.PROMOTION_BATCHES:
            return Backlog(WaitingRuns(plan.huge, HUGE_TENANTS, together=True))
        case Workload.PROMOTION_WINDOW:
            return Backlog(ready, WaitingRuns(plan.huge, HUGE_TENANTS, window=NIGHT))
        case Workload.PROMOTION_KEY:
            return Backlog(ready, WaitingRuns(plan.huge, key=KEY))
        case Workload.PROMOTION_UNSERVED:
            return Backlog(ready, WaitingRuns(plan.huge, HUGE_TENANTS, agent=NOBODYS))
        case _:
            return Backlog(WaitingRuns(plan.small))


class Promoting:
    """A stack without workers, whose scheduler leads."""

    name = "taxiway"
    workloads = frozenset(PROMOTIONS)

    def up(self, servers: BenchServers) -> None:
        database, broker = servers.fresh_database("bench_promoting"), servers.fresh_broker()
        options = StackOptions(
            base=servers.base / "promoting",
            workers=0,
            port=0,
            flower=False,
            database_url=database,
            redis_url=broker,
        )
        self.stack = Stack(options).start()
        try:
            self.redis = redis.Redis.from_url(broker)
            self.tickets = f"{Settings(redis_url=broker).redis_prefix}{DEFAULT_QUEUE}"
            self.connection = psycopg.connect(database, autocommit=True)
            self._pretend()
            self._fill(Backlog(WaitingRuns(WARM_UP)))
            self._promote(WARM_UP)
        except BaseException:
            self.down()
            raise

    def down(self) -> None:
        self.stack.stop()

    def measure(self, workload: Workload, plan: Plan) -> Iterable[Sample]:
        self._fill(backlog(workload, plan))
        seconds = []
        for _ in range(plan.portions):
            seconds.append(self._promote(plan.portion))
            self._top_up(plan.small)
        yield Sample(workload, EACH, MILLISECONDS, 1000 * median(seconds) / plan.portion)
        count = min(plan.slots, self.ready)
        yield Sample(workload, THROUGHPUT, PER_SECOND, count / self._promote(plan.slots))

    def _pretend(self) -> None:
        """Add a live worker, by its lock and its row, and a closed window."""
        self.connection.execute("SELECT pg_advisory_lock(%s)", [LIVENESS])
        self.connection.execute("INSERT INTO queue (name) VALUES (%s)", [DEFAULT_QUEUE])
        self.connection.execute(_WORKER, {"queue": DEFAULT_QUEUE, "key": LIVENESS})
        self.connection.execute(_WINDOW, [NIGHT])

    def _fill(self, backlog: Backlog) -> None:
        empty(self.connection)
        for crowd in (backlog.ready, backlog.held):
            if crowd:
                crowd.fill(self.connection)
        self.ready = backlog.ready.runs
        settle(self.connection)

    def _top_up(self, least: int) -> None:
        if self.ready < least:
            WaitingRuns(least - self.ready).fill(self.connection)
            self.ready = least

    def _promote(self, slots: int) -> float:
        """Offer slots; return the seconds until the tickets of all runs that may have one are in the broker."""
        expected = min(slots, self.ready)
        began = time.perf_counter()
        self._offer(slots)
        self.redis.publish(PROMOTE, DEFAULT_QUEUE)
        while self._published() < expected:
            if time.perf_counter() - began > PATIENCE:
                raise CannotMeasure(f"{self._published()} of {expected} tickets were published in {PATIENCE:.0f} s")
            time.sleep(LOOK_EVERY)
        took = time.perf_counter() - began
        self._offer(0)
        self._forget(expected)
        return took

    def _offer(self, slots: int) -> None:
        self.connection.execute("UPDATE worker SET slots = %s", [slots])

    def _published(self) -> int:
        return int(self.redis.llen(self.tickets))

    def _forget(self, expected: int) -> None:
        """Delete the promoted runs, after checking that the database agrees with the broker."""
        row = self.connection.execute(_TICKETS).fetchone()
        assert row is not None, "an aggregate always returns a row"
        if not row[0] == self._published() == expected:
            raise CannotMeasure(
                f"{row[0]} runs were promoted, {self._published()} tickets published, {expected} expected"
            )
        self.connection.execute("DELETE FROM run WHERE ticket_at IS NOT NULL")
        self.redis.delete(self.tickets)
        self.ready -= expected
