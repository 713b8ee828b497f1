"""A schedule's firings: each makes its run, or is skipped, exactly once, whoever dies meanwhile.

One transaction locks the schedule where it still wants to fire at the time that was seen, makes the run, notes the firing
and moves on to the next time. So either all of it happened or nothing did; who comes second finds another time, and a
firing that is noted already is never made again.
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
from models.statement import Statement
from models.stored_event import StoredEvent

MOST_OPEN = 100

# The schedule's row comes first, its runs after it. Whoever else fires waits here, and finds another time.
_LOCK = """
    SELECT *, now() AS now FROM schedule
    WHERE tenant = %(tenant)s AND name = %(name)s AND (%(seen)s::timestamptz IS NULL OR (next_at = %(seen)s AND NOT paused))
    FOR UPDATE
    """
_OPEN = """
    SELECT run.id FROM unnest(%(runs)s::uuid[]) WITH ORDINALITY AS made (id, n) JOIN run USING (id)
    WHERE finished_at IS NULL ORDER BY n
    """
_NOTE = """
    INSERT INTO firing (tenant, schedule, at, outcome, run_id)
    VALUES (%(tenant)s, %(name)s, %(at)s, %(outcome)s, %(run)s) ON CONFLICT DO NOTHING RETURNING at
    """
_MOVE_ON = """
    UPDATE schedule SET next_at = %(next_at)s, last_at = coalesce(%(at)s, last_at), open_runs = %(open)s::uuid[]
    WHERE tenant = %(tenant)s AND name = %(name)s RETURNING name
    """
_KEEP_OPEN = """
    UPDATE schedule SET open_runs = %(open)s::uuid[] WHERE tenant = %(tenant)s AND name = %(name)s RETURNING name
    """
_STOP = "UPDATE schedule SET next_at = NULL WHERE tenant = %(tenant)s AND name = %(name)s AND next_at = %(seen)s RETURNING name"
_AGENT = "SELECT queue, timeout_ms FROM agent WHERE name = %(name)s"
_HOLD_BACK = f"UPDATE run SET blocked_on = '{OVERLAP}' WHERE id = %(run)s RETURNING id"
# A run is let go when those before it have ended, or when its schedule is there no more.
_LET_GO = f"""
    WITH heads AS (
        SELECT (SELECT run.id FROM unnest(open_runs) WITH ORDINALITY AS made (id, n) JOIN run USING (id)
            WHERE finished_at IS NULL ORDER BY n LIMIT 1) AS id
        FROM schedule WHERE cardinality(open_runs) > 1
    ), due AS (
        SELECT id FROM run WHERE blocked_on = '{OVERLAP}' AND (id IN (SELECT id FROM heads) OR NOT EXISTS (
            SELECT FROM schedule WHERE schedule.tenant = run.tenant AND run.id = ANY(open_runs)))
        ORDER BY id LIMIT 500 FOR UPDATE SKIP LOCKED
    ), freed AS (
        UPDATE run SET blocked_on = CASE WHEN lined THEN '{PLACE}' END
        FROM due WHERE run.id = due.id AND blocked_on = '{OVERLAP}'
        RETURNING run.id, run.queue, run.blocked_on
    ), asking AS (
        INSERT INTO place_change (run_id) SELECT id FROM freed WHERE blocked_on = '{PLACE}'
    )
    SELECT queue FROM freed
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
    """What a firing came to: the time, and the new run's first event unless it was skipped."""

    at: datetime | None
    event: StoredEvent | None


_PUT = """
    INSERT INTO schedule (tenant, name, cron, timezone, agent, request, overlap, catch_up, paused, next_at, created_by)
    VALUES (%(tenant)s, %(name)s, %(cron)s, %(timezone)s, %(agent)s, %(request)s::json, %(overlap)s, %(catch_up)s, %(paused)s,
        %(next_at)s, %(by)s)
    ON CONFLICT (tenant, name) DO UPDATE SET cron = excluded.cron, timezone = excluded.timezone, agent = excluded.agent,
        request = excluded.request, overlap = excluded.overlap, catch_up = excluded.catch_up, paused = excluded.paused,
        next_at = excluded.next_at, created_by = excluded.created_by
    RETURNING name
    """
_DELETE = "DELETE FROM schedule WHERE tenant = %(tenant)s AND name = %(name)s RETURNING name"


def current(tenant: str, name: str) -> Statement[LockedSchedule]:
    """Lock a schedule and read it, with `now`: whoever puts it keeps it from firing meanwhile. No row: there is none."""
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
    """Make or replace a schedule (`request` is JSON text from `request`), to fire at `next_at` unless it is paused."""
    given = {"cron": cron, "timezone": timezone, "agent": agent, "request": request, "overlap": overlap}
    then = {"catch_up": catch_up, "paused": paused, "next_at": next_at, "by": by}
    return Statement(_PUT, {"tenant": tenant, "name": name, **given, **then}, str)


def delete(tenant: str, name: str) -> Statement[str]:
    """Forget a schedule; runs that it made go on. No row: there is none."""
    return Statement(_DELETE, {"tenant": tenant, "name": name}, str)


def fire(connection: psycopg.Connection[Any], tenant: str, name: str, seen: datetime) -> Fired | None:
    """Fire for the time that was seen to have come; None when somebody else did, or the schedule was changed.

    Raises ValueError when the schedule's zone is not known on this machine.
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
    """Make a run at once in the caller's transaction, whatever else is running; its first event. None: no such schedule."""
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
    """Fire no more, because this machine cannot say when; putting the schedule again makes it fire again."""
    return Statement(_STOP, {"tenant": tenant, "name": name, "seen": seen}, str)


def let_go() -> Statement[str]:
    """Let runs go that waited for the one before them. Rows: their queues."""
    return Statement(_LET_GO, {}, str)


def new_run(connection: psycopg.Connection[Any], row: LockedSchedule, at: datetime) -> NewRun:
    """Give the run that a schedule makes: on its agent's own queue and with its own time limit where nothing else was said.

    Its metadata say which schedule made it, and for which time, unless they say something else of these names.
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
        # Missing in what was stored before runs had them.
        expires_in_ms=asked.get("expires_in_ms"),
        concurrency_key=asked.get("concurrency_key"),
        on_conflict=asked.get("on_conflict", "queue"),
        created_by=row.created_by,
    )


def _make(
    connection: psycopg.Connection[Any], row: LockedSchedule, at: datetime, running: list[UUID]
) -> StoredEvent | None:
    """Make the run of a firing, or note that it was skipped; gives the run's first event."""
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
    """Write what a schedule keeps of a run: as it was `given` (without its input), and ready to be enqueued.

    `queue` and `timeout_ms` are what was asked for; where nothing was, the agent's own at each firing are taken.
    """
    ready = {
        "queue": queue, "input": run.input, "priority": run.priority, "timeout_ms": timeout_ms, "user_id": run.user_id,
        "metadata": dict(run.metadata), "tags": list(run.tags), "approval_strategy": run.approval_strategy,
        "window": run.window, "expires_in_ms": run.expires_in_ms, "concurrency_key": run.concurrency_key,
        "on_conflict": run.on_conflict,
    }  # fmt: skip
    return json.dumps({"given": {name: value for name, value in given.items() if name != "input"}, "run": ready})
