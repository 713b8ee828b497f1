"""Firings of schedules: each makes its run, or is skipped, exactly once, even if a scheduler dies.

One transaction locks the schedule if it is still due at the time that the scheduler read, makes the run, records the firing and
sets the next time. All of it happens or nothing does: a second scheduler finds another time, and a recorded firing is never
made again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import psycopg

from models.blocked_on import OVERLAP, PLACE
from models.calendar.recurrence import Recurrence, check_timezone
from models.operations.firing_times import due
from models.runs.enqueue import DEFAULT_TIMEOUT_MS, NewRun, enqueue
from models.runs.public_event import timestamp
from models.sql.locking import locked_first
from models.statement import Statement
from models.stored_event import StoredEvent

MOST_OPEN = 100

# Locks the schedule: first its row, then its runs. Another transaction that fires waits here, and finds another time.
_LOCK = """
    SELECT *, now() AS now FROM schedule
    WHERE tenant = %(tenant)s AND name = %(name)s AND (%(seen)s::timestamptz IS NULL OR (next_at = %(seen)s AND NOT paused))
    FOR UPDATE
    """
# Finds the runs of the schedule that have not ended, in the order in which they were made.
_OPEN = """
    SELECT run.id FROM unnest(%(runs)s::uuid[]) WITH ORDINALITY AS made (id, n) JOIN run USING (id)
    WHERE finished_at IS NULL ORDER BY n
    """
# Records the firing. The primary key decides that one time has one firing.
_NOTE = """
    INSERT INTO firing (tenant, schedule, at, outcome, run_id)
    VALUES (%(tenant)s, %(name)s, %(at)s, %(outcome)s, %(run)s) ON CONFLICT DO NOTHING RETURNING at
    """
# Sets the schedule to its next time.
_MOVE_ON = """
    UPDATE schedule SET next_at = %(next_at)s, last_at = coalesce(%(at)s, last_at), open_runs = %(open)s::uuid[]
    WHERE tenant = %(tenant)s AND name = %(name)s RETURNING name
    """
# Adds a run that a user made by hand to those that later firings look at.
_KEEP_OPEN = """
    UPDATE schedule SET open_runs = %(open)s::uuid[] WHERE tenant = %(tenant)s AND name = %(name)s RETURNING name
    """
# Stops the schedule at a time that this machine cannot advance.
_STOP = "UPDATE schedule SET next_at = NULL WHERE tenant = %(tenant)s AND name = %(name)s AND next_at = %(seen)s RETURNING name"
# Reads the defaults of the agent.
_AGENT = "SELECT queue, timeout_ms FROM agent WHERE name = %(name)s"
# Holds a run until those before it have ended.
_HOLD_BACK = f"UPDATE run SET blocked_on = '{OVERLAP}' WHERE id = %(run)s RETURNING id"
_MAY_GO = f"""SELECT id FROM run WHERE blocked_on = '{OVERLAP}' AND (id IN (SELECT id FROM first_open) OR NOT EXISTS (
            SELECT FROM schedule WHERE schedule.tenant = run.tenant AND run.id = ANY(open_runs)))"""
# Releases runs whose predecessors have ended, or whose schedule was deleted.
_LET_GO = f"""
    WITH first_open AS (
        SELECT (SELECT run.id FROM unnest(open_runs) WITH ORDINALITY AS made (id, n) JOIN run USING (id)
            WHERE finished_at IS NULL ORDER BY n LIMIT 1) AS id
        FROM schedule WHERE cardinality(open_runs) > 1
    ), due AS (
        {locked_first(_MAY_GO, 500)}
    ), released AS (
        UPDATE run SET blocked_on = CASE WHEN lined THEN '{PLACE}' END
        FROM due WHERE run.id = due.id AND blocked_on = '{OVERLAP}'
        RETURNING run.id, run.queue, run.blocked_on
    ), place_checks AS (
        INSERT INTO place_change (run_id) SELECT id FROM released WHERE blocked_on = '{PLACE}'
    )
    SELECT queue FROM released
    """


@dataclass(frozen=True, slots=True)
class LockedSchedule:
    """A schedule whose row this transaction holds; `now` is the database's clock."""

    tenant: str
    name: str
    cron: str
    timezone: str
    agent: str
    request: Any
    overlap: str
    catch_up: Literal["none", "last"]
    paused: bool
    open_runs: Sequence[UUID]
    created_by: UUID | None
    next_at: datetime | None
    now: datetime


@dataclass(frozen=True, slots=True)
class Fired:
    """Result of a firing: its time, and the new run's first event unless it was skipped."""

    at: datetime | None
    event: StoredEvent | None


# Makes or replaces the schedule.
_PUT = """
    INSERT INTO schedule (tenant, name, cron, timezone, agent, request, overlap, catch_up, paused, next_at, created_by)
    VALUES (%(tenant)s, %(name)s, %(cron)s, %(timezone)s, %(agent)s, %(request)s::json, %(overlap)s, %(catch_up)s, %(paused)s,
        %(next_at)s, %(by)s)
    ON CONFLICT (tenant, name) DO UPDATE SET cron = excluded.cron, timezone = excluded.timezone, agent = excluded.agent,
        request = excluded.request, overlap = excluded.overlap, catch_up = excluded.catch_up, paused = excluded.paused,
        next_at = excluded.next_at, created_by = excluded.created_by
    RETURNING name
    """
# Deletes the schedule; the runs that it made continue.
_DELETE = "DELETE FROM schedule WHERE tenant = %(tenant)s AND name = %(name)s RETURNING name"


def current(tenant: str, name: str) -> Statement[LockedSchedule]:
    """Lock a schedule and read it, with `now`; it cannot fire while it is put. Returns no row if it is missing."""
    return Statement(_LOCK, {"tenant": tenant, "name": name, "seen": None}, LockedSchedule)


def put(
    tenant: str,
    name: str,
    *,
    cron: str,
    timezone: str,
    agent: str,
    request: str,
    overlap: str,
    catch_up: str,
    paused: bool,
    next_at: datetime | None,
    by: UUID | None,
) -> Statement[str]:
    """Make or replace a schedule that fires at `next_at` unless paused; `request` is JSON text of the function `request`."""
    given = {"cron": cron, "timezone": timezone, "agent": agent, "request": request, "overlap": overlap}
    then = {"catch_up": catch_up, "paused": paused, "next_at": next_at, "by": by}
    return Statement(_PUT, {"tenant": tenant, "name": name, **given, **then}, str)


def delete(tenant: str, name: str) -> Statement[str]:
    """Delete a schedule; the runs that it made continue. Returns no row if it is missing."""
    return Statement(_DELETE, {"tenant": tenant, "name": name}, str)


def fire(connection: psycopg.Connection[Any], tenant: str, name: str, seen: datetime) -> Fired | None:
    """Fire for the due time that the scheduler read. Return None if another scheduler fired or the schedule changed.

    Raises ValueError if this machine does not know the schedule's time zone.
    """
    with connection.transaction():
        row = Statement(_LOCK, {"tenant": tenant, "name": name, "seen": seen}, LockedSchedule).one(connection)
        if row is None:
            return None
        check_timezone(row.timezone)
        then = due(Recurrence(row.cron, row.timezone), seen, row.now, row.catch_up)
        running = _running(connection, row)
        made = None if then.at is None else _make(connection, row, then.at, running)
        still_open = [*running, *([made.run_id] if made else [])]
        moved = {"tenant": tenant, "name": name, "next_at": then.following, "at": then.at, "open": still_open}
        Statement(_MOVE_ON, moved).one(connection)
    return Fired(then.at, made)


def run_now(connection: psycopg.Connection[Any], tenant: str, name: str) -> StoredEvent | None:
    """Make a run immediately in the caller's transaction, whatever runs. Return its first event. None: no such schedule."""
    row = Statement(_LOCK, {"tenant": tenant, "name": name, "seen": None}, LockedSchedule).one(connection)
    if row is None:
        return None
    running = _running(connection, row)
    new = new_run(connection, row, row.now)
    made = enqueue(connection, tenant, [new])[0]
    _note(connection, row, row.now, "by_hand", new.id)
    Statement(_KEEP_OPEN, {"tenant": tenant, "name": name, "open": [*running, new.id][-MOST_OPEN:]}).one(connection)
    return made


def stop(tenant: str, name: str, seen: datetime) -> Statement[str]:
    """Stop a schedule whose next time this machine cannot compute; putting the schedule again starts it again."""
    return Statement(_STOP, {"tenant": tenant, "name": name, "seen": seen}, str)


def let_go() -> Statement[str]:
    """Release runs that waited for the one before them. The rows are their queues."""
    return Statement(_LET_GO, {}, str)


def new_run(connection: psycopg.Connection[Any], row: LockedSchedule, at: datetime) -> NewRun:
    """Return the run that a schedule makes, with its agent's own queue and time limit unless the schedule has others.

    Its metadata name the schedule and the time, unless they have these names already.
    """
    asked = row.request["run"]
    agent = Statement(_AGENT, {"name": row.agent}).one(connection) or {"queue": "default", "timeout_ms": None}
    known = {"schedule": row.name, "scheduledFor": timestamp(at) or ""}
    return NewRun(
        agent=row.agent,
        queue=asked["queue"] or agent["queue"],
        input=asked["input"],
        priority=asked["priority"],
        timeout_ms=asked["timeout_ms"] or agent["timeout_ms"] or DEFAULT_TIMEOUT_MS,
        user_id=asked["user_id"],
        metadata={**known, **asked["metadata"]},
        tags=asked["tags"],
        approval_strategy=asked["approval_strategy"],
        window=asked["window"],
        # Missing in schedules that were stored before runs had these.
        expires_in_ms=asked.get("expires_in_ms"),
        concurrency_key=asked.get("concurrency_key"),
        on_conflict=asked.get("on_conflict", "queue"),
        created_by=row.created_by,
    )


def _make(
    connection: psycopg.Connection[Any], row: LockedSchedule, at: datetime, running: list[UUID]
) -> StoredEvent | None:
    """Make the run of a firing and return its first event, or record that it was skipped."""
    if running and (row.overlap == "skip" or len(running) >= MOST_OPEN):
        _note(connection, row, at, "skipped", None)
        return None
    new = new_run(connection, row, at)
    if not _note(connection, row, at, "fired", new.id):
        return None
    [made] = enqueue(connection, row.tenant, [new])
    if running:
        Statement(_HOLD_BACK, {"run": new.id}).one(connection)
    return made


def _note(
    connection: psycopg.Connection[Any], row: LockedSchedule, at: datetime, outcome: str, run: UUID | None
) -> bool:
    noted = {"tenant": row.tenant, "name": row.name, "at": at, "outcome": outcome, "run": run}
    return Statement(_NOTE, noted).one(connection) is not None


def _running(connection: psycopg.Connection[Any], row: LockedSchedule) -> list[UUID]:
    return Statement(_OPEN, {"runs": row.open_runs}, UUID).all(connection)


def request(run: NewRun, given: Mapping[str, Any], *, queue: str | None, timeout_ms: int | None) -> str:
    """Return the JSON text that a schedule keeps of a run: as it was `given` (without its input), and ready to enqueue.

    `queue` and `timeout_ms` are those of the request; None takes the agent's own at each firing.
    """
    ready = {
        "queue": queue,
        "input": run.input,
        "priority": run.priority,
        "timeout_ms": timeout_ms,
        "user_id": run.user_id,
        "metadata": dict(run.metadata),
        "tags": list(run.tags),
        "approval_strategy": run.approval_strategy,
        "window": run.window,
        "expires_in_ms": run.expires_in_ms,
        "concurrency_key": run.concurrency_key,
        "on_conflict": run.on_conflict,
    }
    return json.dumps({"given": {name: value for name, value in given.items() if name != "input"}, "run": ready})
