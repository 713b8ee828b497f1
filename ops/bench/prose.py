"""The words of `docs/benchmarks.md` around the figures: on what ground, how it was measured, what it does not show."""

from __future__ import annotations

from ops.bench.machine import Machine
from ops.bench.plan import LONG
from ops.bench.systems import bare_celery, dbos, promoting, searching, taxiway

HEAD = """# Benchmarks

<!-- Written by `python -m ops.bench --write-docs`; do not edit. -->

Taxiway beside DBOS, which keeps its runs in PostgreSQL too, and beside bare Celery, which keeps nothing. All were measured
in one run of `make bench`, on the same servers. The ratios travel to other machines better than the figures do.
"""

RATIOS = """Of the two ways to use DBOS the better one counts, for each figure. Bare Celery's task does nothing and
records nothing, so a ratio below 1 is the price of a durable run. Neither of the two is enqueued to over HTTP: there
the ratio compares our request with a call of their library.
"""


def ground(machine: Machine) -> str:
    """Say on what machine and servers the figures were measured."""
    return f"""## Ground

- Measured on {machine.date}: {machine.cores} cores of {machine.processor}, {machine.memory_gib} GiB of memory,
  {machine.system}; clients, servers and workers share them. Average load in the minute before: {machine.load_before:g}.
- PostgreSQL {machine.postgres}, over a Unix socket, `fsync`, `synchronous_commit` and `full_page_writes` on (asked of
  the server, not assumed), `shared_buffers` 128 MB. To write a page of 8 KiB to its disk for good takes
  {machine.write_ms:g} ms here.
- Valkey {machine.valkey}, over TCP, with its append-only file.
- Python {machine.python}, Celery {machine.celery}, DBOS {machine.dbos}.
"""


POLL, MOST = dbos.SETTINGS["polling_interval_sec"], dbos.SETTINGS["worker_concurrency"]
METHOD = f"""## Method

- {LONG.repetitions} repetitions. In each, every system has one turn, one after the other; during its turn only its own
  processes run, and it begins with an empty database and an empty broker, after a checkpoint and
  {taxiway.WARM_UP} runs to warm up.
- **Taxiway**: one API, one scheduler, {taxiway.WORKERS} workers with {taxiway.SLOTS} slots each, default settings, no
  Flower, Celery's task events off. Everything goes through HTTP and the Python client, which shares the machine.
- **DBOS, queue**: {dbos.WORKERS} processes serve one queue, polled every {POLL} s (its default is 1 s), with at most
  {MOST} runs each at a time. Far fewer would bound it by their number per poll; without a limit the first process to
  look takes the whole batch. Enqueued by a process of its own, without HTTP; batches in one transaction, its quickest way.
- **DBOS, called directly**: one process, {dbos.THREADS} threads, no queue; for a single step one thread.
- **Bare Celery**: {bare_celery.WORKERS} workers with {bare_celery.SLOTS} threads each, late acknowledgement, prefetch 1,
  no events, no results, the same options of the transport, messages published in batches of {bare_celery.AT_ONCE}.
- Throughput: {LONG.one_step_runs} runs of one step, {LONG.ten_step_runs} of ten, {LONG.tasks} tasks, from before the
  first is enqueued until the last has ended, by the system's own record of when that was. A step adds two numbers.
- A step, sequential: one run of {LONG.steps} steps, otherwise idle; the time between the returns of two steps, seen
  inside the agent.
- Start: {LONG.starts} requests one after the other with pauses, from before each until the first line of its first step.
- Decision: {LONG.decisions} runs that wait for an approval, one after the other, from before the request that approves
  until the event of the claim; the parked runs beside them are copies of one that was really parked. The size is what
  the tables and their indexes grew by, for each copy.
- Decision while the agent executes: {LONG.decisions} runs of an async agent that asks beside a task that beats each second,
  from before the request that approves until the agent has the decision, by its own clock. None of them may have parked.
- At work: runs of a step that sleeps, {LONG.busy_seconds:g} s of them for each slot; of the time between the first and the last
  start, the share for which the slots executed a step, by the agent's clock.
- Promotion: a scheduler, and a pretended worker that consumes nothing. {LONG.portions} times {LONG.portion:,} slots are
  offered: the median of the times from each offer until so many tickets lie in Valkey's queue (PostgreSQL must agree with the
  number). For the throughput {LONG.slots:,} slots are offered at once, where so many runs wait. A backlog is small with
  {LONG.small:,} runs of one tenant, large with {LONG.large:,} of {promoting.LARGE_TENANTS}, huge with {LONG.huge:,} of
  {promoting.HUGE_TENANTS:,} (those behind a key: of one). Tenants have enqueued by turns or, “tenant after tenant”, each
  all at once. Runs that cannot be promoted, behind a window or a key or without a worker, stand beside
  {promoting.few(LONG):,} that can.
- Enqueue: with no worker running, by one client on one connection.
- A long history: {LONG.huge:,} runs of {searching.TENANTS} tenants that have ended, one each second, with labels, users and
  results. Each list is asked for {LONG.searches} times by one client; a page may stop before its end and say where to go on.
  The {searching.READERS} readers, of one API key, ask for an agent that no run is of: the most that a page reads.
- Beside a huge backlog: {LONG.huge:,} runs of {taxiway.TENANTS:,} tenants in the same queue, of an agent that no worker
  serves, with their inputs and events. All backlogs are written as rows, vacuumed, analyzed and followed by a checkpoint, in
  the first {LONG.crowded_repetitions} repetitions only.
- Cancel: {LONG.cancels} runs stuck in `while True: pass`, and {LONG.blocked} inside a C call that looks at no signal
  (grace 5 s), from the request until the client knows the end. The next one starts only when all slots are free again.
- Kills: `SIGKILL` to the agent's process or to its worker, until the first line of the same step runs again. Scheduler
  and server have been up for longer than a lease, before which nobody is declared dead.
- A p50 or p99 is taken within each repetition; the table shows the median, least and greatest of those. The times to
  recover and of a cancel in C are taken one by one, and judged by the greatest.
"""

CAVEATS = """## What this does not show

- Two cores are few: client, servers and workers compete, so throughput is bound by processor time per run, not by waiting.
- No network lies between the parts, and the disk is quicker than many.
- Steps that do nothing show what a system adds; real steps take longer than all of it.
- DBOS and Celery each do something else: DBOS has no HTTP and executes steps in its worker's own process, whereas Taxiway
  executes agents in processes that can be killed; Celery forgets what it has done.
- With so few repetitions a p99 is nearly the worst of its repetition.
"""
