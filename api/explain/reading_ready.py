"""Queries for everything that may hold a ready run. Runs in flight are few; counts that could reach a million are bounded."""

from datetime import datetime
from typing import Any
from uuid import UUID

from api.explain.blocker import MOST_NAMED
from api.explain.counting import count_in_line, count_places
from api.explain.reading import Connection, read_led, read_named, read_windows
from api.explain.snapshot import AgentRule, InFlight, Line, Named, Overlap, Ready, Serving
from models.blocked_on import OVERLAP
from models.statement import Statement
from models.tables.queue import Queue
from models.tables.run import Run

_QUEUE = "SELECT * FROM queue WHERE name = %(queue)s"
_AGENTS = """
    SELECT name, paused, window_name AS window, run_limit AS "limit" FROM agent WHERE name = ANY(%(agents)s::text[])
    """
_WORKERS = """
    SELECT worker.id, name, agents, slots, leased.runs::int AS leased, draining,
        coalesce(consuming_at > now() - interval '10 s', FALSE) AS consuming
    FROM worker CROSS JOIN LATERAL (SELECT count(*) AS runs FROM run WHERE lease_worker = worker.id) AS leased
    WHERE dead_at IS NULL AND queue = %(queue)s AND lease_until > now() ORDER BY worker.id
    """
_IN_FLIGHT = """
    SELECT queue, agent, count(*)::int AS runs, count(ticket_at)::int AS tickets FROM run
    WHERE ticket_at IS NOT NULL OR lease_worker IS NOT NULL GROUP BY queue, agent
    """
_STARTS = """
    SELECT at, starts FROM rate_slot WHERE queue = %(queue)s AND at > now() - %(per_ms)s * interval '1 ms' ORDER BY at
    """
_HOLDERS = f"""
    SELECT run_id FROM place WHERE line = %(line)s ORDER BY since, run_id LIMIT {MOST_NAMED}
    """
_SCHEDULE = """
    SELECT name, open_runs FROM schedule WHERE tenant = %(tenant)s AND %(run)s::uuid = ANY(open_runs) LIMIT 1
    """
_UNFINISHED = ("QUEUED", "RUNNING", "AUTH_REQUIRED", "PAUSED")


def read_ready(connection: Connection, now: datetime, run: Run) -> Ready:
    """Read everything that may hold a ready run."""
    asked = {"queue": run.queue}
    row = Statement(_QUEUE, asked).one(connection)
    queue = Queue(**(row or {"name": run.queue}))
    workers = [Serving(**found) for found in Statement(_WORKERS, asked).all(connection)]
    named = sorted({run.agent, *(agent for worker in workers for agent in worker.agents)})
    rules = [AgentRule(**found) for found in Statement(_AGENTS, {"agents": named}).all(connection)]
    return Ready(
        now,
        run,
        queue,
        read_windows(connection, now),
        {rule.name: rule for rule in rules},
        led=read_led(connection),
        workers=workers,
        in_flight=[InFlight(**found) for found in Statement(_IN_FLIGHT, {}).all(connection)],
        starts=_read_starts(connection, queue),
        line=_read_line(connection, run),
        overlap=_read_overlap(connection, run),
    )


def _read_starts(connection: Connection, queue: Queue) -> list[tuple[datetime, int]]:
    rate: Any = queue.rate
    if not rate:
        return []
    rows = Statement(_STARTS, {"queue": queue.name, "per_ms": rate["per_ms"]}).all(connection)
    return [(row["at"], row["starts"]) for row in rows]


def _read_line(connection: Connection, run: Run) -> Line | None:
    name = run.blocked_on
    if name is None or not name.startswith(("key:", "tenant:")):
        return None
    holders = [row["run_id"] for row in Statement(_HOLDERS, {"line": name}).all(connection)]
    named = [Named(*found) for found in read_named(connection, run.tenant, holders).items()]
    return Line(name, count_places(connection, name), named, count_in_line(connection, name, run))


def _read_overlap(connection: Connection, run: Run) -> Overlap | None:
    """Read the schedule of a run that waits for earlier runs: they precede it in the schedule's list."""
    if run.blocked_on != OVERLAP:
        return None
    row = Statement(_SCHEDULE, {"tenant": run.tenant, "run": run.id}).one(connection)
    if row is None:
        return None
    before: list[UUID] = row["open_runs"][: row["open_runs"].index(run.id)]
    found = read_named(connection, run.tenant, before)
    return Overlap(row["name"], [Named(id_, status) for id_, status in found.items() if status in _UNFINISHED])
