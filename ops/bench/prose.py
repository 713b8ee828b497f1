"""Text of `docs/benchmarks.md` around the figures: environment, method, caveats."""

from __future__ import annotations

from ops.bench.machine import Machine
from ops.bench.plan import LONG
from ops.bench.systems import bare_celery, dbos, promotion, search, taxiway

HEAD = """# Benchmarks

<!-- Written by `python -m ops.bench --write-docs`; do not edit. -->

Taxiway beside DBOS, which also keeps its runs in PostgreSQL, and beside bare Celery, which keeps nothing. All were measured
in one run of `make bench`, on the same servers. Ratios carry over to other machines better than figures.
"""

RATIOS = """For each figure, the better of the two ways to use DBOS counts. Bare Celery's task does nothing and records
nothing, so a ratio below 1 is the price of a durable run. Neither system enqueues over HTTP: there the ratio compares
a request to Taxiway with a call of their library.
"""


def environment(machine: Machine) -> str:
    """Return the section about the machine and the servers."""
    return f"""## Environment

- Measured on {machine.date}: {machine.cores} cores of {machine.processor}, {machine.memory_gib} GiB of memory,
  {machine.system}; clients, servers and workers share them. Average load in the minute before: {machine.load_before:g}.
- PostgreSQL {machine.postgres}, over a Unix socket, `fsync`, `synchronous_commit` and `full_page_writes` on (read from
  the server, not assumed), `shared_buffers` 128 MB. A durable write of 8 KiB to its disk takes {machine.write_ms:g} ms here.
- Valkey {machine.valkey}, over TCP, with its append-only file.
- Python {machine.python}, Celery {machine.celery}, DBOS {machine.dbos}.
"""


POLL, MOST = dbos.SETTINGS["polling_interval_sec"], dbos.SETTINGS["worker_concurrency"]
METHOD = f"""## Method

- {LONG.repetitions} repetitions. In each, the systems take turns. During a turn only the system's own processes run. It
  begins with an empty database and an empty broker, after a checkpoint and {taxiway.WARM_UP} runs to warm up.
- **Taxiway**: one API, one scheduler, {taxiway.WORKERS} workers with {taxiway.SLOTS} slots each, default settings, no
  Flower, Celery's task events off. All calls use HTTP and the Python client, which shares the machine.
- **DBOS, queue**: {dbos.WORKERS} processes serve one queue, polled every {POLL} s (its default is 1 s), with at most
  {MOST} runs each at a time. Far fewer would limit it by their number per poll; without a limit the first process to
  poll takes the whole batch. A separate process enqueues, without HTTP; batches in one transaction, its fastest way.
- **DBOS, called directly**: one process, {dbos.THREADS} threads, no queue; for a single step one thread.
- **Bare Celery**: {bare_celery.WORKERS} workers with {bare_celery.SLOTS} threads each, late acknowledgement, prefetch 1,
  no events, no results, the same transport options, messages published in batches of {bare_celery.AT_ONCE}.
- Throughput: {LONG.one_step_runs} runs of one step, {LONG.ten_step_runs} of ten, {LONG.tasks} tasks, from before the
  first enqueue until the last end, by the system's own records. A step adds two numbers.
- A step, sequential: one run of {LONG.steps} steps, otherwise idle; the time between the returns of two steps, inside the agent.
- Start: {LONG.starts} sequential requests with pauses, from before each request until the first line of its first step.
- Decision: {LONG.decisions} runs that wait for an approval, one by one, from before the approving request until the event of
  the claim. The parked runs beside them are copies of a really parked one. The size is the growth of the tables and their
  indexes per copy.
- Decision while the agent executes: {LONG.decisions} runs of an async agent that asks beside a task that beats every second,
  from before the approving request until the agent has the decision, by its own clock. None of them may have parked.
- At work: runs of a step that sleeps, {LONG.busy_seconds:g} s of them for each slot; the share of the time between the first and
  the last start for which the slots executed a step, by the agent's clock.
- Promotion: a scheduler, and a fake worker that consumes nothing. {LONG.portions} times, {LONG.portion:,} slots are offered: the
  median time from each offer until Valkey's queue holds as many tickets (PostgreSQL must agree with the number). For the
  throughput, {LONG.slots:,} slots are offered together if so many runs wait. A backlog is small with {LONG.small:,} runs of one
  tenant, large with {LONG.large:,} of {promotion.LARGE_TENANTS}, huge with {LONG.huge:,} of {promotion.HUGE_TENANTS:,}
  (behind a key: of one). Tenants enqueued in turn or, for “tenant after tenant”, each all of its runs together. Beside runs that
  cannot be promoted, because of a window, a key or a missing worker, {promotion.few(LONG):,} runs can.
- Enqueue: with no worker running, by one client on one connection.
- A long history: {LONG.huge:,} ended runs of {search.TENANTS} tenants, one per second, with labels, users and results. One
  client requests each list {LONG.searches} times; a page may be short and continue with its cursor. The {search.READERS}
  readers, with one API key, request an agent without runs: the maximum that a page reads.
- Beside a huge backlog: {LONG.huge:,} runs of {taxiway.TENANTS:,} tenants in the same queue, of an agent that no worker serves,
  with their inputs and events. All backlogs are written as rows, vacuumed, analyzed and followed by a checkpoint, only in the
  first {LONG.crowded_repetitions} repetitions.
- Cancel: {LONG.cancels} runs stuck in `while True: pass`, and {LONG.blocked} inside a C call that ignores signals
  (grace 5 s), from the request until the client sees the end. The next one starts only when all slots are free again.
- Kills: `SIGKILL` to the agent's process or to its worker, until the first line of the same step runs again. Scheduler
  and server have been up for longer than a lease, because no worker is declared dead earlier.
- A p50 or p99 is taken within each repetition; the table shows the median, minimum and maximum of these. Recovery times and
  cancels in C are taken one by one; the maximum is compared with the target.
"""

CAVEATS = """## What this does not show

- Two cores are few: client, servers and workers compete, so processor time per run limits the throughput, not waiting.
- There is no network between the parts, and the disk is faster than many.
- Steps that do nothing show the overhead of a system; real steps take longer than all of it.
- DBOS and Celery do different things: DBOS has no HTTP and executes steps in its worker's own process, whereas Taxiway
  executes agents in processes that can be killed; Celery keeps no record.
- With so few repetitions, a p99 is almost the worst value of its repetition.
"""
